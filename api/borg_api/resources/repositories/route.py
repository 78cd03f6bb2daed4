"""/api/repositories/: what a schedule can back up into, and what is known of each."""

from typing import Annotated

from fastapi import Depends, Path, Request, Response

from borg_api.edge.bodies import send
from borg_api.edge.errors import NoSuchObjectError, quote
from borg_api.edge.guard import GuardedRoute, Permission, TheView, is_allowed, requires
from borg_api.edge.openapi import ApiRouter, answers
from borg_api.edge.paging import Continue, Limit, cut_page, decode_token
from borg_api.edge.parts import provide
from borg_api.picture.picture import View
from borg_api.picture.records import order_of
from borg_api.picture.timetable import whole_now
from borg_api.resources.repositories.info import RepositoryInfo, render_details
from borg_api.resources.repositories.response import (
    Repositories,
    find_schedules,
    maintained_in,
    render_repositories,
)
from borg_api.resources.schedules.changes import no_such_place
from borg_api.resources.schedules.listing import Listing
from borg_api.resources.schedules.route import LIST as LIST_SCHEDULES
from borg_core.kinds.repository import REPOSITORIES, BorgRepository

router = ApiRouter(route_class=GuardedRoute, tags=["Choices"])

LIST = Permission("list", REPOSITORIES)
RepositoryId = Annotated[
    str, Path(description="The repository's id, or its resource name.", max_length=253, examples=["1"])
]


@router.get("/api/repositories/", responses=answers(Repositories))
@requires(LIST)
async def list_repositories(
    request: Request,
    view: TheView,
    listing: Annotated[Listing, Depends(provide(Listing))],
    limit: Limit = None,
    token: Continue = None,
) -> Response:
    """List the repositories, oldest first, with the schedule of each for those who may list schedules."""
    shown, following = cut_page(view.repositories.in_order(decode_token(token)), limit, order_of)
    may_see_schedules = await is_allowed(request, LIST_SCHEDULES)
    rendered = find_schedules(view, listing, whole_now()) if may_see_schedules else {}
    body: Repositories = {
        "success": True,
        "repositories": render_repositories(shown, rendered, maintained_in(view)),
    }
    if limit:
        body["continue"] = following
    return send(body)


@router.get("/api/repositories/{repository_id}/info", responses=answers(RepositoryInfo, 404))
@requires(LIST)
async def get_repository_info(view: TheView, repository_id: RepositoryId) -> Response:
    """Show how large a repository is, and which one. No pod looks: it is what the newest run found."""
    body: RepositoryInfo = {"success": True, "info": render_details(find_repository(view, repository_id))}
    return send(body)


def find_repository(view: View, reference: str) -> BorgRepository:
    """Return the repository of that id or resource name. Raises NoSuchObjectError."""
    found = view.repositories.find(reference)
    if found is None:
        raise NoSuchObjectError(f"There is no repository {quote(reference)} in namespace {view.namespace}.")
    return found


def find_repository_at(view: View, reference: str) -> BorgRepository:
    """Return the repository of that id, name or location. Raises NoSuchObjectError."""
    return find_repositories_at(view, reference)[0]


def find_repositories_at(view: View, reference: str) -> list[BorgRepository]:
    """Return all of that id, name or location, at least one. Raises NoSuchObjectError."""
    by_id = view.repositories.find(reference)
    found = [by_id] if by_id else view.repositories_at(reference)
    if not found:
        raise no_such_place(reference)
    return found

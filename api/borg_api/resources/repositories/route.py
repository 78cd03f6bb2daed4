"""/api/repositories/: what a schedule can back up into."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from borg_api.edge.bodies import send
from borg_api.edge.guard import GuardedRoute, Permission, TheView, is_allowed, requires
from borg_api.edge.openapi import answers
from borg_api.edge.paging import Continue, Limit, cut_page, decode_token
from borg_api.edge.parts import provide
from borg_api.picture.records import order_of
from borg_api.picture.timetable import whole_now
from borg_api.resources.repositories.response import Repositories, find_schedules, render_repositories
from borg_api.resources.schedules.listing import Listing
from borg_api.resources.schedules.route import LIST as LIST_SCHEDULES
from borg_core.kinds.repository import REPOSITORIES

router = APIRouter(route_class=GuardedRoute, tags=["Choices"])


@router.get("/api/repositories/", responses=answers(Repositories))
@requires(Permission("list", REPOSITORIES))
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
        "repositories": render_repositories(shown, rendered),
    }
    if limit:
        body["continue"] = following
    return send(body)

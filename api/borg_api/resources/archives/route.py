"""/api/repositories/{id}/archives and /api/archives/: what there is to restore."""

from typing import Annotated

from fastapi import Path, Query, Response

from borg_api.edge.bodies import send
from borg_api.edge.errors import NoSuchObjectError, quote
from borg_api.edge.guard import GuardedRoute, Permission, TheView, requires
from borg_api.edge.openapi import ApiRouter, answers
from borg_api.edge.paging import Continue, Limit, cut_page, decode_token
from borg_api.picture.picture import View
from borg_api.picture.restoring import ArchiveRecord
from borg_api.resources.archives import response
from borg_api.resources.repositories.route import RepositoryId, find_repository, find_repository_at
from borg_cluster.turns import in_turns
from borg_core.kinds.archive import ARCHIVES

router = ApiRouter(route_class=GuardedRoute, tags=["Restores"])

LIST = Permission("list", ARCHIVES)


@router.get("/api/repositories/{repository_id}/archives", responses=answers(response.Archives, 404))
@requires(LIST)
async def list_archives(
    view: TheView, repository_id: RepositoryId, limit: Limit = None, token: Continue = None
) -> Response:
    """List the archives of a repository that the cluster knows, oldest first."""
    repository = find_repository(view, repository_id)
    after = decode_token(token)
    found = [item for item in view.archives_in(repository.metadata.name) if after is None or item.order > after]
    shown, following = cut_page(found, limit, lambda item: item.order)
    body: response.Archives = {
        "success": True,
        "archives": [response.render_archive(item, view) async for item in in_turns(shown)],
        "repository": response.render_repository(repository),
    }
    if limit:
        body["continue"] = following
    return send(body)


@router.get("/api/archives/{archive_id}/info", responses=answers(response.ArchiveInfo, 404))
@requires(LIST)
async def get_archive_info(
    view: TheView,
    archive_id: Annotated[
        str, Path(description="Borg's id of it, its name, or that of its BorgArchive.", max_length=1024)
    ],
    repository: Annotated[
        str, Query(min_length=1, max_length=4096, description="The repository's id, name or location.")
    ],
) -> Response:
    """Show one archive."""
    found = find_repository_at(view, repository)
    record = find_archive(view, found.metadata.name, archive_id)
    if record is None:
        raise NoSuchObjectError(
            f"There is no archive {quote(archive_id)} in repository {found.metadata.name} that the cluster knows."
        )
    body: response.ArchiveInfo = {"info": response.render_info(record, found, view)}
    return send(body)


def find_archive(view: View, repository: str, reference: str) -> ArchiveRecord | None:
    """Return the archive of that name or id, None where the cluster knows none in the repository.

    Names are borg's to give, and may look like ids: the name goes first.
    """
    known = view.archives_in(repository)
    found = next((item for item in known if item.archive == reference), None)
    return found or next((item for item in known if item.is_called(reference)), None)

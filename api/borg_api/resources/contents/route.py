"""/api/browse/ and what belongs to it below /api/archives/: looks into archives, through a session of the repository.

Who may create BorgSessions may look; that is asked again with every read, whoever opened the session.
"""

from contextlib import AsyncExitStack
from typing import Annotated, Any, TypeVar

from fastapi import Path, Query, Request, Response

from borg_api.edge.bodies import render, send
from borg_api.edge.errors import NoSuchObjectError
from borg_api.edge.guard import GuardedRoute, Permission, TheView, requires
from borg_api.edge.openapi import ApiRouter, answers, problems
from borg_api.edge.paging import Limit
from borg_api.edge.query import read_exact
from borg_api.picture.picture import View
from borg_api.resources.archives.route import find_archive
from borg_api.resources.contents import response
from borg_api.resources.contents.download import FILE_TYPE, TAR_TYPE, Download
from borg_api.resources.contents.reading import Opening, Reader, TheReader
from borg_api.resources.repositories.route import RepositoryId, find_repository, find_repository_at
from borg_contract.session.answers import DiffAnswer, TreeAnswer, VersionsAnswer
from borg_contract.session.request import LIMIT_MOST, ReadRequest, SessionOperation, unquote
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.session import SESSIONS

T = TypeVar("T")

router = ApiRouter(route_class=GuardedRoute, tags=["Contents"])

LOOK = Permission("create", SESSIONS)
_ALL = 10_000
"""So many items of a folder are shown at once where no limit is sent, as Borg UI's client does."""

ArchiveName = Annotated[str, Path(description="The archive's name, or borg's id of it.", max_length=1024)]
Archive = Annotated[str, Query(description="The archive's name, or borg's id of it.", min_length=1, max_length=1024)]
Place = Annotated[str, Query(min_length=1, max_length=4096, description="The repository's id, name or location.")]
From = Annotated[
    str | None,
    Query(
        alias="continue", max_length=32_768, description="Where the page before ended, as it said: a path may be in it."
    ),
]
Folder = Annotated[str, Query(max_length=16_384, description="A folder, `sources/data/etc`; all without it.")]


def _pages(model: Any) -> dict[int | str, dict[str, Any]]:
    pending: dict[int | str, dict[str, Any]] = {
        202: {"model": response.Pending, "description": "Still being opened: ask for the same again."}
    }
    return {**answers(model, 404, 409), **pending}


def _streams(media_type: str) -> dict[int | str, dict[str, Any]]:
    good = {"description": "Its bytes.", "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}
    return {200: good, **problems(400, 401, 403, 404, 409, 422, 429, 503)}


@router.get("/api/browse/{repository_id}/{archive}", responses=_pages(response.Contents))
@requires(LOOK)
async def browse_archive(
    request: Request,
    view: TheView,
    reader: TheReader,
    *,
    repository_id: RepositoryId,
    archive: ArchiveName,
    path: Folder = "",  # noqa: ARG001 - read exactly below
    limit: Limit = None,
    token: From = None,
) -> Response:
    """List a folder of an archive, folders first. Without `limit`, all of it, up to 10,000."""
    repository = find_repository(view, repository_id)
    wanted = ReadRequest(
        SessionOperation.TREE,
        archive=_name_of(view, repository, archive),
        path=_path(request, "path"),
        after=_after(token),
    )
    return await _send_tree(reader, repository, wanted, limit)


@router.get("/api/browse/{repository_id}/{archive}/find", responses=_pages(response.Contents))
@requires(LOOK)
async def find_in_archive(
    request: Request,
    view: TheView,
    reader: TheReader,
    *,
    repository_id: RepositoryId,
    archive: ArchiveName,
    q: Annotated[str, Query(min_length=1, max_length=1024, description="A part of the name, whatever its case.")],  # noqa: ARG001
    path: Folder = "",  # noqa: ARG001
    limit: Limit = None,
    token: From = None,
) -> Response:
    """Find files and folders of an archive by a part of their name, below a folder."""
    repository = find_repository(view, repository_id)
    wanted = ReadRequest(
        SessionOperation.FIND,
        archive=_name_of(view, repository, archive),
        path=_path(request, "path"),
        q=read_exact(request, "q"),
        after=_after(token),
    )
    return await _send_tree(reader, repository, wanted, limit or LIMIT_MOST)


@router.get("/api/browse/{repository_id}/{archive}/tar", responses=_streams(TAR_TYPE), response_class=Response)
@requires(LOOK)
async def download_folder(
    request: Request,
    view: TheView,
    reader: TheReader,
    *,
    repository_id: RepositoryId,
    archive: ArchiveName,
    path: Folder = "",  # noqa: ARG001
) -> Response:
    """Download a folder of an archive, or all of it, as a tar."""
    repository = find_repository(view, repository_id)
    name = _name_of(view, repository, archive)
    folder = _path(request, "path")
    wanted = ReadRequest(SessionOperation.TAR, archive=name, path=folder)
    own_name = f"{_base(folder) or name}.tar"
    return await _download(request, reader, repository, wanted, name=own_name, media_type=TAR_TYPE)


@router.get("/api/archives/download", responses=_streams(FILE_TYPE), response_class=Response)
@requires(LOOK)
async def download_file(
    request: Request,
    view: TheView,
    reader: TheReader,
    *,
    repository: Place,
    archive: Archive,
    file_path: Annotated[str, Query(min_length=1, max_length=16_384, description="As the archive has it.")],  # noqa: ARG001
) -> Response:
    """Download a file of an archive."""
    found = find_repository_at(view, repository)
    path = _path(request, "file_path")
    wanted = ReadRequest(SessionOperation.FILE, archive=_name_of(view, found, archive), path=path)
    return await _download(request, reader, found, wanted, name=_base(path), media_type=FILE_TYPE)


@router.get("/api/archives/diff", responses=_pages(response.Differences))
@requires(LOOK)
async def compare_archives(
    request: Request,
    view: TheView,
    reader: TheReader,
    *,
    repository: Place,
    a: Annotated[str, Query(min_length=1, max_length=1024, description="The earlier archive: its name or id.")],
    b: Annotated[str, Query(min_length=1, max_length=1024, description="The later one.")],
    path: Folder = "",  # noqa: ARG001
    limit: Limit = None,
    token: From = None,
) -> Response:
    """Show what changed from one archive to another, below a folder."""
    found = find_repository_at(view, repository)
    wanted = ReadRequest(
        SessionOperation.DIFF,
        a=_name_of(view, found, a),
        b=_name_of(view, found, b),
        path=_path(request, "path"),
        limit=min(limit or LIMIT_MOST, LIMIT_MOST),
        after=_after(token),
    )
    page = await reader.read(found, wanted, DiffAnswer)
    return _pending(page) if isinstance(page, Opening) else send(response.render_differences(page))


@router.get("/api/archives/versions", responses=_pages(response.Versions))
@requires(LOOK)
async def list_versions(
    request: Request,
    view: TheView,
    reader: TheReader,
    *,
    repository: Place,
    file_path: Annotated[str, Query(min_length=1, max_length=16_384, description="As archives have it.")],  # noqa: ARG001
    limit: Limit = None,
    token: From = None,
) -> Response:
    """Show one file in each archive, the newest first."""
    found = find_repository_at(view, repository)
    wanted = ReadRequest(
        SessionOperation.VERSIONS,
        path=_path(request, "file_path"),
        limit=min(limit or LIMIT_MOST, LIMIT_MOST),
        after=_after(token),
    )
    page = await reader.read(found, wanted, VersionsAnswer)
    return _pending(page) if isinstance(page, Opening) else send(response.render_versions(page))


async def _send_tree(reader: Reader, repository: BorgRepository, wanted: ReadRequest, limit: int | None) -> Response:
    """Send the items that are asked for; of a client that did not say how many, only once all were read."""
    left = limit or _ALL
    body: response.Contents | None = None
    after = wanted.after
    while True:
        part = _with(wanted, after, min(left, LIMIT_MOST))
        page = await reader.read(repository, part, TreeAnswer, whole=None if limit else lambda found: not found.pending)
        if isinstance(page, Opening):
            return _pending(page)
        rendered = response.render_contents(page)
        if body is not None:
            rendered["items"] = body["items"] + rendered["items"]
            rendered["pending"] |= body["pending"]
        body = rendered
        left -= len(page.items)
        after = page.next
        if left <= 0 or not after or not page.items:
            return send(body)


def _with(wanted: ReadRequest, after: str, limit: int) -> ReadRequest:
    return ReadRequest(wanted.operation, archive=wanted.archive, path=wanted.path, q=wanted.q, limit=limit, after=after)


async def _download(
    request: Request, reader: Reader, repository: BorgRepository, wanted: ReadRequest, *, name: str, media_type: str
) -> Response:
    async with AsyncExitStack() as stack:
        stream = await reader.open_stream(repository, wanted, stack)
        return Download(request, stream, stack.pop_all(), name=name, media_type=media_type)


def _pending(opening: Opening) -> Response:
    body = render(response.render_pending(opening))
    return Response(body, 202, {"Retry-After": "1", "Cache-Control": "no-store"}, "application/json")


def _name_of(view: View, repository: BorgRepository, reference: str) -> str:
    """Return the archive's name. One that the cluster does not know may be there all the same, by its name."""
    known = find_archive(view, repository.metadata.name, reference)
    if known is None and "\0" in reference:
        raise NoSuchObjectError("There is no archive of that name.")
    return known.archive if known else reference


def _path(request: Request, name: str) -> str:
    return read_exact(request, name).strip("/")


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _after(token: str | None) -> str:
    return unquote(token) if token else ""

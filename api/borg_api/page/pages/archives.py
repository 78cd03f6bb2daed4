"""/archives and /compare: what there is to restore, by day; and what is in it, where this facade can look."""

from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from borg_api.edge.errors import NoSuchObjectError, quote
from borg_api.edge.guard import Permission, TheView, is_allowed, requires
from borg_api.edge.paging import Continue, decode_token, encode_token
from borg_api.edge.query import read_exact
from borg_api.page.frame.answers import read_spelt, show
from borg_api.page.frame.calls import Said
from borg_api.page.frame.guard import PageRoute
from borg_api.page.insight.inside import Inside, can_be_named, derive_crumbs, find_next_look, keep_live
from borg_api.picture.picture import View
from borg_api.picture.restoring import ArchiveRecord
from borg_api.resources.archives.response import render_info
from borg_api.resources.archives.route import LIST, find_archive
from borg_api.resources.contents.response import show as show_name
from borg_api.resources.contents.route import LOOK, Folder, From
from borg_api.resources.repositories.route import find_repository
from borg_contract.ownership import parse_comment, parse_undo_comment
from borg_core.formats import parse_time
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.restore import RESTORES

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_PAGE = 100
_MANY = 500

Chosen = Annotated[str, Query(max_length=253)]
Words = Annotated[str, Query(max_length=1024)]
Name = Annotated[str, Path(max_length=1024)]


@router.get("/archives")
@requires(LIST)
async def list_archives(
    request: Request, view: TheView, repository: Chosen = "", schedule: Chosen = "", token: Continue = None
) -> Response:
    if repository:
        find_repository(view, repository)
    repositories = [item.metadata.name for item in view.repositories.in_order()]
    chosen = repository or next(iter(repositories), "")
    before = decode_token(token)
    found = [
        item
        for item in reversed(view.archives_in(chosen))
        if schedule in ("", item.schedule) and (before is None or item.order < before)
    ]
    shown = found[:_PAGE]
    schedules = sorted({item.schedule for item in view.archives_in(chosen) if item.schedule})
    return show(
        request,
        "archives.html",
        repositories=repositories,
        repository=chosen,
        schedule=schedule,
        schedules=schedules,
        days=[(day, list(group)) for day, group in groupby(shown, _day_of)],
        following=encode_token(shown[-1].order) if len(found) > _PAGE else None,
        known=len(view.archives_in(chosen)),
        can_look=await Inside(request).is_open(),
        may_restore=await is_allowed(request, Permission("create", RESTORES)),
    )


@router.get("/compare/{repository}")
@requires(LIST)
async def compare_archives(  # noqa: PLR0917 - filled in by their names
    request: Request, view: TheView, repository: Name, a: Words = "", b: Words = "", token: From = None
) -> Response:
    found = find_repository(view, repository)
    inside = Inside(request)
    can_look = await inside.is_open()
    answer = await inside.compare(found, a, b, token) if a and b and can_look else None
    return _show_live(
        request,
        "compare.html",
        "changes",
        answer,
        repository=found.metadata.name,
        a=a,
        b=b,
        token=token,
        choices=list(reversed(view.archives_in(found.metadata.name)))[:_MANY],
        is_there=inside.is_there,
        can_look=can_look,
    )


@router.get("/archives/{repository}/{archive}")
@requires(LIST)
async def show_archive(  # noqa: PLR0917 - filled in by their names
    request: Request,
    view: TheView,
    repository: Name,
    archive: Name,
    path: Folder = "",  # noqa: ARG001 - read exactly below
    q: Words = "",
    token: From = None,
) -> Response:
    found, record = _find(view, repository, archive)
    inside = Inside(request)
    exact = read_exact(request, "path").strip("/")
    can_look = await inside.is_open()
    answer = None
    if can_look:
        words = read_exact(request, "q")
        answer = await (inside.find(found, record, words, token) if q else inside.list(found, record, exact, token))
    return _show_live(
        request,
        "archive.html",
        "files",
        answer,
        repository=found.metadata.name,
        record=record,
        info=render_info(record, found, view),
        path=exact,
        crumbs=derive_crumbs(exact),
        q=q,
        token=token,
        is_there=inside.is_there,
        can_look=can_look,
        comment=_comment_of_people(record),
        neighbours=_neighbours(view, record),
        may_restore=await is_allowed(request, Permission("create", RESTORES)),
        can_be_named=can_be_named,
    )


@router.get("/archives/{repository}/{archive}/versions")
@requires(LOOK)
async def show_versions(
    request: Request,
    view: TheView,
    repository: Name,
    archive: Name,
    *,
    path: Folder,  # noqa: ARG001 - read exactly below
    token: From = None,
) -> Response:
    found, record = _find(view, repository, archive)
    exact = read_exact(request, "path").strip("/")
    answer = await Inside(request).list_versions(found, exact, token)
    listed = {item.id for item in view.archives_in(found.metadata.name)}
    return _show_live(
        request,
        "versions.html",
        "versions",
        answer,
        listed=listed,
        not_listed=answer.good and any(item["archive_id"] not in listed for item in answer.body.get("versions", ())),
        repository=found.metadata.name,
        record=record,
        path=exact,
        token=token,
        name=show_name(exact.rpartition("/")[2]),
        folder=exact.rpartition("/")[0],
        may_restore=await is_allowed(request, Permission("create", RESTORES)),
        can_be_named=can_be_named,
    )


@router.get("/archives/{repository}/{archive}/file")
@requires(LOOK)
async def download_file(
    request: Request,
    view: TheView,
    repository: Name,
    archive: Name,
    path: Folder,  # noqa: ARG001 - read exactly below
) -> Response:
    return Inside(request).file(*_find(view, repository, archive), read_exact(request, "path"))


@router.get("/archives/{repository}/{archive}/tar")
@requires(LOOK)
async def download_folder(
    request: Request,
    view: TheView,
    repository: Name,
    archive: Name,
    path: Folder = "",  # noqa: ARG001 - the same
) -> Response:
    return Inside(request).tar(*_find(view, repository, archive), read_exact(request, "path"))


def _show_live(request: Request, template: str, place: str, answer: Said | None, **values: Any) -> Response:
    """Show the page with the answer; the part of it with the id `place` asks again for what is not there yet."""
    again = find_next_look(answer) if answer else ""
    page = show(request, template, answer=answer, again=again, **values)
    return keep_live(request, page, place) if again else page


def _find(view: View, repository: str, archive: str) -> tuple[BorgRepository, ArchiveRecord]:
    found = find_repository(view, repository)
    name = read_spelt(archive)
    record = find_archive(view, found.metadata.name, name)
    if record is None:
        raise NoSuchObjectError(
            f"There is no archive {quote(name)} in repository {found.metadata.name} that the cluster knows: "
            "it may have been pruned since."
        )
    return found, record


def _day_of(record: ArchiveRecord) -> str:
    return f"{parse_time(record.time):%A, %Y-%m-%d} UTC"


def _neighbours(view: View, record: ArchiveRecord) -> dict[str, Any]:
    """Return the archives of the same schedule before and after this one."""
    same = [item for item in view.archives_in(record.repository) if item.schedule == record.schedule]
    at = same.index(record)
    return {"earlier": same[at - 1] if at else None, "later": same[at + 1] if at + 1 < len(same) else None}


def _comment_of_people(record: ArchiveRecord) -> str | None:
    """Return the archive's comment, None for the operator's own, which says nothing that the page does not."""
    text = record.comment or ""
    return None if parse_comment(text) or parse_undo_comment(text) else record.comment

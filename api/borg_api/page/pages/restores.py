"""/restores: what came back, what waits, and how to begin one."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from borg_api.edge.bodies import derive_etag
from borg_api.edge.guard import Caller, Permission, TheCaller, TheView, is_allowed, requires
from borg_api.edge.paging import Continue, decode_token, encode_token
from borg_api.page.forms.restore_form import Draft, offer_draft
from borg_api.page.frame.answers import end_live, show
from borg_api.page.frame.guard import PageRoute, read_form
from borg_api.picture.picture import View
from borg_api.picture.records import edition_of
from borg_api.picture.timetable import whole_now
from borg_api.resources.archives.route import LIST as LIST_ARCHIVES
from borg_api.resources.archives.route import find_archive
from borg_api.resources.claims.listing import LIST as LIST_CLAIMS
from borg_api.resources.claims.listing import glance_at_claims
from borg_api.resources.restores.listing import read_progress
from borg_api.resources.restores.response import archive_of, render_restore
from borg_api.resources.restores.route import LIST, RestoreId, find_restore
from borg_core.formats import parse_time
from borg_core.kinds.restore import RESTORES

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_PAGE = 50
_MANY = 1_000
_MOST_PATHS = 256

Chosen = Annotated[str, Query(max_length=253)]
Paths = Annotated[list[Annotated[str, Query(max_length=4096)]], Query(alias="path", max_length=_MOST_PATHS)]


@router.get("/restores")
@requires(LIST)
async def list_restores(request: Request, view: TheView, caller: TheCaller, token: Continue = None) -> Response:
    before = decode_token(token)
    found = [item for item in reversed(view.restores.in_order()) if before is None or item.order < before]
    shown = found[:_PAGE]
    return show(
        request,
        "restores.html",
        restores=shown,
        following=encode_token(shown[-1].order) if len(found) > _PAGE else None,
        archive_of=archive_of,
        progress=await read_progress(request, caller, view, shown),
        may_create=await is_allowed(request, Permission("create", RESTORES)),
    )


@router.get("/new/restore")
@requires(Permission("create", RESTORES))
async def new_restore(
    request: Request,
    view: TheView,
    repository: Chosen = "",
    archive: Chosen = "",
    path: Paths = [],  # noqa: B006
    *,
    caller: TheCaller,
    destination: Chosen = "",
    writers: Chosen = "",
) -> Response:
    draft = offer_draft(view, repository, archive, path, destination=destination, writers=writers)
    return await show_form(request, caller, view, draft)


@router.post("/new/restore")
@requires(Permission("create", RESTORES))
async def restore_ticked(request: Request, view: TheView, caller: TheCaller) -> Response:
    """Show the form for what was ticked in an archive: too much for an address, with long names."""
    form = read_form(request)
    chosen, paths = dict(form), [value for name, value in form if name == "path"]
    hint = "" if paths else _NONE_TICKED
    if len(paths) > _MOST_PATHS:
        hint = _MANY_TICKED.format(count=len(paths), most=_MOST_PATHS)
    draft = offer_draft(view, chosen.get("repository", ""), chosen.get("archive", ""), paths, hint=hint)
    return await show_form(request, caller, view, draft)


_MANY_TICKED = (
    "{count} were ticked, and a restore names {most} at the most: go back and tick their folder, or name it below."
)
_NONE_TICKED = "Nothing was ticked: as it is, this restores all of the archive. Go back and tick, or name it below."


@router.get("/restores/{job_id}")
@requires(LIST)
async def show_restore(request: Request, view: TheView, caller: TheCaller, job_id: RestoreId) -> Response:
    found = find_restore(view, job_id)
    progress = (await read_progress(request, caller, view, [found])).get(found.name)
    archive = archive_of(found)
    page = show(
        request,
        "restore.html",
        restore=found,
        etag=derive_etag(None, edition_of(found.metadata)),
        spec=found.resource.spec,
        status=found.resource.status,
        job=render_restore(found, view, progress),
        progress=progress,
        archive=archive,
        is_known=find_archive(view, found.resource.spec.repository_ref.name, archive or "") is not None,
        may_patch=await is_allowed(request, Permission("patch", RESTORES)),
        may_create=await is_allowed(request, Permission("create", RESTORES)),
    )
    return end_live(request, page) if found.finished else page


async def show_form(request: Request, caller: Caller, view: View, draft: Draft, status: int = 200) -> Response:
    """Return the form with what was entered, and what is wrong with it."""
    repository = draft.text("repository")
    sees_archives = repository and await is_allowed(request, LIST_ARCHIVES)
    archives = view.archives_in(repository) if sees_archives else []
    return show(
        request,
        "restore_form.html",
        status,
        draft=draft,
        repositories=[item.metadata.name for item in view.repositories.in_order()],
        claims=[claim.name for claim in (await glance_at_claims(request, caller, view, (LIST_CLAIMS,))).claims],
        archives=list(reversed(archives))[:_MANY],
        first=parse_time(archives[0].time) if archives else None,
        newest=(whole_now() - parse_time(archives[-1].time)).total_seconds() if archives else None,
    )

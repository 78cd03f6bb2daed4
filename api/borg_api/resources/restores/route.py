"""/api/restore/: what would be done, let it be done, how it goes, and how to stop it."""

from typing import Annotated

from fastapi import Path, Request, Response

from borg_api.commands.restores.cancel import cancel_restore
from borg_api.commands.restores.preview import preview_restore, shown_since
from borg_api.commands.restores.start import approve_preview, start_restore
from borg_api.commands.writer import RestoreWriter
from borg_api.edge.bodies import derive_etag, editions_of, send, send_tagged
from borg_api.edge.errors import InvalidValueError, NoSuchObjectError, quote
from borg_api.edge.guard import GuardedRoute, Permission, TheCaller, TheView, requires
from borg_api.edge.openapi import ApiRouter, answers, links
from borg_api.edge.paging import Continue, Limit
from borg_api.picture.picture import View
from borg_api.picture.records import edition_of
from borg_api.picture.restoring import RestoreRecord
from borg_api.picture.timetable import whole_now
from borg_api.resources.restores import response
from borg_api.resources.restores.changes import derive_wish
from borg_api.resources.restores.listing import read_progress, render_page
from borg_api.resources.restores.request import PreviewFields, StartFields
from borg_api.resources.runs.response import Cancelled
from borg_api.resources.runs.route import SameMatch
from borg_api.resources.schedules.response import Started
from borg_api.resources.schedules.route import IdempotencyKey
from borg_core.kinds.restore import RESTORES

router = ApiRouter(prefix="/api/restore", route_class=GuardedRoute, tags=["Restores"])

LIST = Permission("list", RESTORES)
RestoreId = Annotated[str, Path(description="The restore's id, or its resource name.", max_length=253, examples=["1"])]
_OF_RESTORE = links("/job_id", "get_restore_status", "cancel_restore_job")


@router.post("/preview", responses=answers(response.PreviewAnswer, 404, 409, 413, 415, leads_to=_OF_RESTORE))
@requires(Permission("create", RESTORES))
async def preview_restore_job(view: TheView, writer: RestoreWriter, fields: PreviewFields) -> Response:
    """Show what a restore would do. A pod looks, so ask again, with the same, until the status is previewed."""
    preview = await preview_restore(view, writer, derive_wish(fields, view), whole_now())
    return send(response.render_preview(preview, shown_since(view, preview)))


@router.post("/start", responses=answers(Started, 404, 409, 413, 415, leads_to=_OF_RESTORE))
@requires(Permission("create", RESTORES))
async def start_restore_job(
    view: TheView, writer: RestoreWriter, fields: StartFields, idempotency_key: IdempotencyKey = None
) -> Response:
    """Restore: what is told here, or what a preview shows."""
    message = "Restore job started successfully"
    if fields.preview_id is not None:
        if fields.dry_run:
            raise InvalidValueError("preview_id lets happen what was previewed: leave one of the two out.", "/dry_run")
        if fields.tells_restore and not fields.names_archive:
            words = "Beside preview_id, send all of the restore with its repository and archive, or nothing of it."
            raise InvalidValueError(words, "/preview_id")
        wish = derive_wish(fields, view) if fields.tells_restore else None
        restore = await approve_preview(writer, find_restore(view, str(fields.preview_id)), wish, fields.preview_digest)
    elif fields.dry_run:
        restore = await preview_restore(view, writer, derive_wish(fields, view), whole_now())
        message = "Preview started successfully"
    else:
        restore = await start_restore(view, writer, derive_wish(fields, view), idempotency_key)
    body: Started = {"job_id": response.derive_restore_id(restore), "status": "pending", "message": message}
    return send(body)


@router.get("/jobs", responses=answers(response.RestoreJobs))
@requires(LIST)
async def list_restores(
    request: Request, view: TheView, caller: TheCaller, limit: Limit = None, token: Continue = None
) -> Response:
    """List restores, newest first; previews that nobody has approved are none."""
    shown, following = await render_page(request, caller, view, limit, token)
    body: response.RestoreJobs = {"jobs": shown}
    if limit:
        body["continue"] = following
    return send(body)


@router.get("/status/{job_id}", responses=answers(response.RestoreJob, 404, conditional=True))
@requires(LIST)
async def get_restore_status(request: Request, view: TheView, caller: TheCaller, job_id: RestoreId) -> Response:
    """Show one restore, or one preview. How far it has come stands in its log: whoever may read that sees it."""
    restore = find_restore(view, job_id)
    progress = await read_progress(request, caller, view, [restore])
    body = response.render_restore(restore, view, progress.get(restore.name))
    return send_tagged(request, body, derive_etag(body, edition_of(restore.metadata)))


@router.post("/cancel/{job_id}", responses=answers(Cancelled, 404, 409, 412))
@requires(Permission("patch", RESTORES))
async def cancel_restore_job(
    view: TheView, writer: RestoreWriter, job_id: RestoreId, if_match: SameMatch = None
) -> Response:
    """Stop a restore, or take a preview back. What is written by then stays."""
    await cancel_restore(writer, find_restore(view, job_id), editions_of(if_match))
    body: Cancelled = {"message": "Restore cancelled successfully", "process_terminated": True}
    return send(body)


def find_restore(view: View, reference: str) -> RestoreRecord:
    """Return the restore of that id or resource name. Raises NoSuchObjectError."""
    restore = view.restores.find(reference)
    if restore is None:
        raise NoSuchObjectError(f"There is no restore {quote(reference)} in namespace {view.namespace}.")
    return restore

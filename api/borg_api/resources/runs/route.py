"""/api/backup/ and the runs of a schedule: how they went, their logs, and how to stop one."""

from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request, Response

from borg_api.commands.runs import cancel
from borg_api.commands.writer import RunWriter
from borg_api.edge.bodies import derive_etag, editions_of, send, send_tagged
from borg_api.edge.errors import NoSuchObjectError
from borg_api.edge.guard import GuardedRoute, Permission, TheCaller, TheView, requires
from borg_api.edge.openapi import ApiRouter, answers
from borg_api.edge.paging import Continue, Limit
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord
from borg_api.resources.runs import response
from borg_api.resources.runs.listing import Wanted, render_page
from borg_api.resources.runs.logs import READ_LOG, read_lines
from borg_api.resources.schedules.route import JobId, find_schedule
from borg_core.kinds.run import RUNS

router = ApiRouter(route_class=GuardedRoute, tags=["Runs"])

LIST = Permission("list", RUNS)
LogOffset = Annotated[int, Query(ge=0, le=2**31, description="How many lines to leave out.")]
SameMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag as it was read: 412 if another one has the name by now; what it says does not matter.",
    ),
]
RunId = Annotated[str, Path(description="The run's id, or its resource name.", max_length=253, examples=["1"])]


@router.get("/api/backup/jobs", responses=answers(response.BackupJobs, 404))
@requires(LIST)
async def list_runs(
    view: TheView,
    wanted: Annotated[Wanted, Depends()],
    schedule_id: Annotated[str | None, Query(max_length=253, description="Only runs of this schedule.")] = None,
    limit: Limit = None,
    token: Continue = None,
) -> Response:
    """List backups, newest first."""
    runs = view.runs.in_order() if schedule_id is None else view.runs_of(find_schedule(view, schedule_id).name)
    shown, following = await render_page(wanted.choose(reversed(runs), view), view, limit, token)
    body: response.BackupJobs = {"jobs": shown}
    if limit:
        body["continue"] = following
    return send(body)


@router.get("/api/backup/status/{job_id}", responses=answers(response.Run, 404, conditional=True))
@requires(LIST)
async def get_run(request: Request, view: TheView, job_id: RunId) -> Response:
    """Show one run."""
    run = find_run(view, job_id)
    body = response.render_run(run, view)
    return send_tagged(request, body, derive_etag(body, run.edition))


@router.get("/api/backup/logs/{job_id}/stream", responses=answers(response.LogLines, 404))
@requires(READ_LOG)
async def read_run_log(
    view: TheView,
    caller: TheCaller,
    job_id: RunId,
    offset: LogOffset = 0,
) -> Response:
    """Show what the run's pod has written, for as long as it exists."""
    return send(await read_lines(caller, find_run(view, job_id), offset))


@router.post("/api/backup/cancel/{job_id}", responses=answers(response.Cancelled, 404, 409, 412))
@requires(Permission("patch", RUNS))
async def cancel_run(view: TheView, writer: RunWriter, job_id: RunId, if_match: SameMatch = None) -> Response:
    """Stop a run. Borg writes a checkpoint, from which the next one goes on."""
    await cancel.cancel_run(writer, find_run(view, job_id), editions_of(if_match))
    body: response.Cancelled = {"message": "Cancellation requested", "process_terminated": True}
    return send(body)


@router.get("/api/schedule/{job_id}/runs", responses=answers(response.RunList, 404))
@requires(LIST)
async def list_schedule_runs(view: TheView, job_id: JobId, limit: Limit = None, token: Continue = None) -> Response:
    """List the runs of a schedule that are kept, newest first."""
    runs = view.runs_of(find_schedule(view, job_id).name)
    shown, following = await render_page(reversed(runs), view, limit, token)
    body: response.RunList = {"success": True, "runs": shown}
    if limit:
        body["continue"] = following
    return send(body)


def find_run(view: View, reference: str) -> RunRecord:
    """Return the run of that id or resource name. Raises NoSuchObjectError."""
    run = view.runs.find(reference)
    if run is None:
        raise NoSuchObjectError(f"There is no run of that id in namespace {view.namespace}.")
    return run

"""/api/activity/: what was done, newest first, and the log of each."""

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Annotated, Literal

from fastapi import Path, Query, Request, Response

from borg_api.commands.writer import RestoreWriter, RunWriter
from borg_api.edge.bodies import send
from borg_api.edge.errors import NoSuchObjectError
from borg_api.edge.guard import GuardedRoute, Permission, TheCaller, TheView, is_allowed, requires
from borg_api.edge.openapi import ApiRouter, answers
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord
from borg_api.picture.restoring import RestoreRecord
from borg_api.resources.activity.response import RESTORE, TYPES, Activity, render_restore, render_run
from borg_api.resources.restores.response import STATUSES, derive_restore_id
from borg_api.resources.restores.route import LIST as LIST_RESTORES
from borg_api.resources.restores.route import RestoreId, cancel_restore_job, find_restore
from borg_api.resources.runs.logs import READ_LOG, read_end_or_part
from borg_api.resources.runs.response import Cancelled, LogLines, run_status
from borg_api.resources.runs.route import LIST as LIST_RUNS
from borg_api.resources.runs.route import LogOffset, RunId, SameMatch, cancel_run, find_run
from borg_api.resources.schedules.route import LIST as LIST_SCHEDULES
from borg_cluster.turns import in_turns
from borg_contract.run import Operation
from borg_core.kinds.restore import RESTORES
from borg_core.kinds.run import RUNS, Trigger

router = ApiRouter(prefix="/api/activity", route_class=GuardedRoute, tags=["Activity"])

RunType = Literal["backup", "check", "restore_check", "prune", "compact", "list", "break_lock"]
JobType = Literal[RunType, "restore"]


@router.get("/recent", responses=answers(list[Activity]))
@requires(LIST_RUNS)
async def list_activity(
    request: Request,
    view: TheView,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at the most.")] = 200,
    job_type: Annotated[str | None, Query(max_length=64, description="Only what is of this type.")] = None,
    status: Annotated[str | None, Query(max_length=64, description="Only what is in this state.")] = None,
) -> Response:
    """List runs and restores, newest first; restores for those who may list them, no previews.

    Listings that the operator made for itself come only where the type `list` is asked for.
    Of a type or state that there is not here, as Borg UI has some, there is none.
    """
    with_titles = await is_allowed(request, LIST_SCHEDULES)
    runs = _choose_runs(view, job_type, status)
    restores = _choose_restores(view, job_type, status) if await is_allowed(request, LIST_RESTORES) else ()
    newest: Iterator[RunRecord | RestoreRecord] = merge(runs, restores, key=lambda item: item.order, reverse=True)
    items = [
        render_run(item, view, with_titles=with_titles) if isinstance(item, RunRecord) else render_restore(item, view)
        async for item in in_turns(islice(newest, limit))
    ]
    return send(items)


@router.get("/{job_type}/{job_id}/logs", responses=answers(LogLines, 404))
@requires(READ_LOG)
async def read_activity_log(
    view: TheView,
    caller: TheCaller,
    job_type: Annotated[JobType, Path(description="As the recent activity says it.")],
    job_id: Annotated[str, Path(description="The id there, or the resource's name.", max_length=253, examples=["1"])],
    offset: LogOffset = 0,
) -> Response:
    """Show the log of a run; of a restore that of its newest run.

    `total_lines` is how many lines there are. Until it has ended, the last 500 come where no offset is said.
    Ids of runs tell them apart already: Borg UI's client calls one a backup where it does not know what it is.
    """
    if job_type != RESTORE:
        found = find_run(view, job_id)
        return send(await read_end_or_part(caller, found, offset, grows=not found.finished))
    restore = find_restore(view, job_id)
    run = view.runs.get(restore.resource.status.run_name or "")
    body: LogLines = {
        "job_id": derive_restore_id(restore),
        "status": STATUSES[restore.phase],
        "lines": [],
        "total_lines": 0,
        "has_more": False,
    }
    if run:
        read = await read_end_or_part(caller, run, offset, grows=not restore.finished)
        body |= {"lines": read["lines"], "total_lines": read["total_lines"], "has_more": read["has_more"]}
    return send(body)


@router.post("/restore/{job_id}/cancel", responses=answers(Cancelled, 404, 409, 412))
@requires(Permission("patch", RESTORES))
async def cancel_restore_activity(
    view: TheView, writer: RestoreWriter, job_id: RestoreId, if_match: SameMatch = None
) -> Response:
    """Stop a restore, as `/api/restore/cancel/{job_id}` does."""
    return await cancel_restore_job(view, writer, job_id, if_match)


@router.post("/{job_type}/{job_id}/cancel", responses=answers(Cancelled, 404, 409, 412))
@requires(Permission("patch", RUNS))
async def cancel_activity(
    view: TheView,
    writer: RunWriter,
    job_type: Annotated[RunType, Path(description="As the recent activity says it.")],
    job_id: RunId,
    if_match: SameMatch = None,
) -> Response:
    """Stop a run of that type, as `/api/backup/cancel/{job_id}` does."""
    if TYPES.get(find_run(view, job_id).operation) != job_type:
        raise NoSuchObjectError(f"There is no {job_type} of that id in namespace {view.namespace}.")
    return await cancel_run(view, writer, job_id, if_match)


def _choose_runs(view: View, job_type: str | None, status: str | None) -> Iterator[RunRecord]:
    for run in reversed(view.runs.in_order() if job_type != RESTORE else ()):
        type_ = TYPES.get(run.operation)
        types = (type_,) if _is_own_listing(run) else (None, type_)
        if type_ and job_type in types and status in (None, run_status(run)):
            yield run


def _is_own_listing(run: RunRecord) -> bool:
    """Tell whether the operator lists archives for itself: nobody asked for that, and Borg UI has no word for it."""
    return run.operation is Operation.LIST and run.trigger is Trigger.AUTOMATIC


def _choose_restores(view: View, job_type: str | None, status: str | None) -> Iterator[RestoreRecord]:
    for restore in reversed(view.restores.in_order() if job_type in (None, RESTORE) else ()):
        if not restore.previews and status in (None, STATUSES[restore.phase]):
            yield restore

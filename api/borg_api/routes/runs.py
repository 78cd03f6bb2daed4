"""/api/backup/ and the runs of a schedule: how they went, their logs, and how to stop one."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from borg_api import schema
from borg_api.access import Permission
from borg_api.facade import TheFacade
from borg_api.guard import GuardedRoute, TheCaller, requires
from borg_api.mirror import Shelf
from borg_api.paging import Continue, Limit, decode_token, encode_token
from borg_api.problem import Problem
from borg_api.records import RunRecord
from borg_api.routes.answers import answer
from borg_api.routes.schedules import JobId
from borg_api.run.answers import places_of, render_run, run_status, triggered_by
from borg_api.run.logs import READ_LOG, read_lines
from borg_api.schedule import operations
from borg_api.turns import in_turns
from borg_api.writes import Writer
from borg_contract.operations import Operation
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES

router = APIRouter(route_class=GuardedRoute, tags=["Runs"])

LIST = Permission("list", RUNS)
RunId = Annotated[str, Path(description="The run's id, or its resource name.", max_length=253, examples=["1"])]
Status = Literal["pending", "running", "completed", "completed_with_warnings", "failed", "cancelled"]


@router.get("/api/backup/jobs", responses=schema.answers(schema.BackupJobs, 404))
@requires(LIST)
async def list_runs(
    facade: TheFacade,
    caller: TheCaller,
    *,
    schedule_id: Annotated[str | None, Query(max_length=253, description="Only runs of this schedule.")] = None,
    status: Annotated[Status | None, Query(description="Only runs in this state.")] = None,
    manual_only: Annotated[bool, Query(description="Only runs that the clock did not begin.")] = False,
    scheduled_only: Annotated[bool, Query(description="Only runs that the clock began.")] = False,
    repository: Annotated[str | None, Query(max_length=4096, description="Only runs into this location.")] = None,
    limit: Limit = None,
    token: Continue = None,
) -> Response:
    """List backups, newest first."""
    shelf, namespace = facade.mirror.shelf(caller.namespace), caller.namespace
    before = decode_token(token)
    triggers = {name for name, left_out in (("schedule", manual_only), ("manual", scheduled_only)) if not left_out}
    found = (
        run
        for run in _backups(shelf, namespace, schedule_id)
        if (before is None or run.order < before)
        and (status is None or run_status(run) == status)
        and triggered_by(run) in triggers
        and (repository is None or repository in places_of(run, shelf).values())
    )
    return answer(await _page(found, shelf, "jobs", limit))


@router.get("/api/backup/status/{job_id}", responses=schema.answers(schema.Run, 404))
@requires(LIST)
async def get_run(facade: TheFacade, caller: TheCaller, job_id: RunId) -> Response:
    """Show one run."""
    shelf = facade.mirror.shelf(caller.namespace)
    return answer(render_run(_find(shelf, caller.namespace, job_id), shelf))


@router.get("/api/backup/logs/{job_id}/stream", responses=schema.answers(schema.LogLines, 404))
@requires(READ_LOG)
async def read_run_log(
    facade: TheFacade,
    caller: TheCaller,
    job_id: RunId,
    offset: Annotated[int, Query(ge=0, le=2**31, description="How many lines to leave out.")] = 0,
) -> Response:
    """Show what the run's pod has written, for as long as it exists."""
    run = _find(facade.mirror.shelf(caller.namespace), caller.namespace, job_id)
    return answer(await read_lines(caller, run, offset))


@router.post("/api/backup/cancel/{job_id}", responses=schema.answers(schema.Cancelled, 404, 409))
@requires(Permission("patch", RUNS))
async def cancel_run(facade: TheFacade, caller: TheCaller, job_id: RunId) -> Response:
    """Stop a run. Borg writes a checkpoint, from which the next one goes on."""
    run = _find(facade.mirror.shelf(caller.namespace), caller.namespace, job_id)
    if run.finished:
        raise Problem(400, f"This run is {run_status(run).replace('_', ' ')} already: there is nothing to cancel.")
    await Writer(facade, caller, RUNS).merge(run.name, {"spec": {"cancel": True}})
    return answer({"message": "Backup cancelled successfully", "process_terminated": True})


@router.get("/api/schedule/{job_id}/runs", responses=schema.answers(schema.RunList, 404))
@requires(LIST)
async def list_schedule_runs(
    facade: TheFacade, caller: TheCaller, job_id: JobId, limit: Limit = None, token: Continue = None
) -> Response:
    """List the runs of a schedule that are kept, newest first."""
    shelf = facade.mirror.shelf(caller.namespace)
    record = operations.find_schedule(shelf, caller.namespace, job_id)
    runs = shelf.runs.referring_to(SCHEDULES.kind, caller.namespace, record.name)
    runs.sort(key=lambda run: run.order, reverse=True)
    before = decode_token(token)
    found = (run for run in runs if before is None or run.order < before)
    return answer({"success": True, **await _page(found, shelf, "runs", limit)})


def _backups(shelf: Shelf, namespace: str, schedule: str | None) -> list[RunRecord]:
    if schedule is None:
        runs = shelf.runs.in_order(namespace)
    else:
        record = operations.find_schedule(shelf, namespace, schedule)
        runs = shelf.runs.referring_to(SCHEDULES.kind, namespace, record.name)
        runs.sort(key=lambda run: run.order)
    return [run for run in reversed(runs) if run.operation is Operation.BACKUP]


async def _page(found: Iterator[RunRecord], shelf: Shelf, name: str, limit: int | None) -> dict[str, Any]:
    """Return the runs under `name`, and with a limit how to go on."""
    runs = list(islice(found, limit + 1 if limit else None))
    shown = [render_run(run, shelf) async for run in in_turns(runs[:limit])]
    if limit is None:
        return {name: shown}
    return {name: shown, "continue": encode_token(runs[limit - 1].order if len(runs) > limit else None)}


def _find(shelf: Shelf, namespace: str, reference: str) -> RunRecord:
    run = shelf.runs.find(namespace, reference)
    if run is None:
        raise Problem(404, f"There is no run of that id in namespace {namespace}.")
    return run

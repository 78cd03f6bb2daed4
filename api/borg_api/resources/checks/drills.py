"""/api/repositories/{id}/restore-check, its schedule and its jobs: drills, as Borg UI calls them."""

from fastapi import Request, Response

from borg_api.commands.runs.start import start_check
from borg_api.commands.writer import RepositoryWriter, RunWriter
from borg_api.edge.bodies import derive_etag, editions_of, send, send_tagged
from borg_api.edge.guard import GuardedRoute, Permission, TheView, requires
from borg_api.edge.openapi import OF_RUN, ApiRouter, answers
from borg_api.picture.records import edition_of
from borg_api.resources.checks import response
from borg_api.resources.checks.changes import change_times
from borg_api.resources.checks.history import DrillJobs, Many, ScheduledOnly, choose_runs, render_drill
from borg_api.resources.checks.request import DrillSchedule, Wishes, refuse_paths
from borg_api.resources.repositories.route import LIST, RepositoryId, find_repository
from borg_api.resources.runs.response import derive_run_id
from borg_api.resources.runs.route import LIST as LIST_RUNS
from borg_api.resources.schedules.response import Started
from borg_api.resources.schedules.route import IdempotencyKey, IfMatch
from borg_contract.run import Operation
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import RUNS

router = ApiRouter(prefix="/api/repositories/{repository_id}", route_class=GuardedRoute, tags=["Checks"])


@router.post("/restore-check", responses=answers(Started, 404, 409, leads_to=OF_RUN))
@requires(Permission("create", RUNS))
async def drill_repository(
    view: TheView,
    writer: RunWriter,
    wishes: Wishes,
    repository_id: RepositoryId,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Restore a part of the newest archives on trial, now. A body may come along, but there is nothing to choose."""
    refuse_paths(wishes.get("paths"))
    run = await start_check(view, writer, find_repository(view, repository_id), idempotency_key, Operation.DRILL)
    message = "Restore check job started successfully"
    body: Started = {"job_id": derive_run_id(run), "status": "pending", "message": message}
    return send(body)


@router.get("/restore-check-schedule", responses=answers(response.DrillSchedule, 404, conditional=True))
@requires(LIST)
async def get_drill_schedule(request: Request, view: TheView, repository_id: RepositoryId) -> Response:
    """Show when a repository's archives are restored on trial, and what that has shown."""
    repository = find_repository(view, repository_id)
    return send_tagged(request, response.render_drill_schedule(repository), _etag_of(repository))


@router.put("/restore-check-schedule", responses=answers(response.DrillScheduleWritten, 404, 409, 412, 413, 415))
@requires(Permission("patch", REPOSITORIES))
async def update_drill_schedule(
    view: TheView,
    writer: RepositoryWriter,
    *,
    repository_id: RepositoryId,
    fields: DrillSchedule,
    if_match: IfMatch = None,
) -> Response:
    """Change when archives are restored on trial, or end that. What else drills are told stays as it is."""
    found = find_repository(view, repository_id)
    refuse_paths(fields.paths)
    written = await change_times(writer, found, fields, editions_of(if_match), of="drill")
    body: response.DrillScheduleWritten = {"success": True, "repository": response.render_drilled(written)}
    return send(body, {"ETag": _etag_of(written)})


@router.get("/restore-check-jobs", responses=answers(DrillJobs, 404))
@requires(LIST_RUNS)
async def list_drills(
    view: TheView, repository_id: RepositoryId, limit: Many = 10, *, scheduled_only: ScheduledOnly = False
) -> Response:
    """List the drills of a repository whose runs are kept, newest first."""
    name = find_repository(view, repository_id).metadata.name
    chosen = choose_runs(view, name, Operation.DRILL, limit, scheduled_only=scheduled_only)
    body: DrillJobs = {"jobs": [render_drill(run, name) for run in chosen]}
    return send(body)


def _etag_of(repository: BorgRepository) -> str:
    return derive_etag(response.render_drill_schedule(repository), edition_of(repository.metadata))

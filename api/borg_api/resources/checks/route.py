"""/api/repositories/{id}/check and what belongs to it."""

from fastapi import Request, Response

from borg_api.commands.runs.start import start_check
from borg_api.commands.writer import RepositoryWriter, RunWriter
from borg_api.edge.bodies import derive_etag, editions_of, send, send_tagged
from borg_api.edge.guard import GuardedRoute, Permission, TheView, requires
from borg_api.edge.openapi import OF_RUN, ApiRouter, answers
from borg_api.picture.records import edition_of
from borg_api.resources.checks import response
from borg_api.resources.checks.changes import change_times
from borg_api.resources.checks.history import CheckJobs, Many, ScheduledOnly, choose_runs, render_check
from borg_api.resources.checks.request import CheckSchedule, Wishes, refuse_flags
from borg_api.resources.repositories.response import maintained_in
from borg_api.resources.repositories.route import LIST, RepositoryId, find_repository
from borg_api.resources.runs.response import derive_run_id
from borg_api.resources.runs.route import LIST as LIST_RUNS
from borg_api.resources.schedules.response import Started
from borg_api.resources.schedules.route import IdempotencyKey, IfMatch
from borg_contract.run import Operation
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import RUNS

router = ApiRouter(prefix="/api/repositories/{repository_id}", route_class=GuardedRoute, tags=["Checks"])


@router.post("/check", responses=answers(Started, 404, 409, leads_to=OF_RUN))
@requires(Permission("create", RUNS))
async def check_repository(
    view: TheView,
    writer: RunWriter,
    wishes: Wishes,
    repository_id: RepositoryId,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Check a repository now, all of it: a body may come along, but there is nothing to choose."""
    refuse_flags(wishes.get("check_extra_flags"))
    run = await start_check(view, writer, find_repository(view, repository_id), idempotency_key)
    body: Started = {"job_id": derive_run_id(run), "status": "pending", "message": "Check job started successfully"}
    return send(body)


@router.get("/check-schedule", responses=answers(response.CheckSchedule, 404, conditional=True))
@requires(LIST)
async def get_check_schedule(request: Request, view: TheView, repository_id: RepositoryId) -> Response:
    """Show when a repository is checked."""
    repository = find_repository(view, repository_id)
    body = response.render_schedule(repository)
    return send_tagged(request, body, _etag_of(repository))


@router.put("/check-schedule", responses=answers(response.CheckScheduleWritten, 404, 409, 412, 413, 415))
@requires(Permission("patch", REPOSITORIES))
async def update_check_schedule(
    view: TheView,
    writer: RepositoryWriter,
    *,
    repository_id: RepositoryId,
    fields: CheckSchedule,
    if_match: IfMatch = None,
) -> Response:
    """Change when a repository is checked, or end that."""
    found = find_repository(view, repository_id)
    refuse_flags(fields.extra_flags)
    written = await change_times(writer, found, fields, editions_of(if_match), of="check")
    body: response.CheckScheduleWritten = {"success": True, "repository": response.render_checked(written)}
    return send(body, {"ETag": _etag_of(written)})


@router.get("/check-jobs", responses=answers(CheckJobs, 404))
@requires(LIST_RUNS)
async def list_checks(
    view: TheView, repository_id: RepositoryId, limit: Many = 10, *, scheduled_only: ScheduledOnly = False
) -> Response:
    """List the checks of a repository whose runs are kept, newest first."""
    name = find_repository(view, repository_id).metadata.name
    chosen = choose_runs(view, name, Operation.CHECK, limit, scheduled_only=scheduled_only)
    body: CheckJobs = {"jobs": [render_check(run, name) for run in chosen]}
    return send(body)


@router.get("/running-jobs", responses=answers(response.RunningJobs, 404))
@requires(LIST_RUNS)
async def list_running_jobs(view: TheView, repository_id: RepositoryId) -> Response:
    """Show the check, compact and prune that wait or run on a repository, schedules' as well."""
    name = find_repository(view, repository_id).metadata.name
    return send(response.render_running(maintained_in(view).get(name, {})))


def _etag_of(repository: BorgRepository) -> str:
    return derive_etag(response.render_schedule(repository), edition_of(repository.metadata))

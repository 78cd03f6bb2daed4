"""/api/schedule/: the documented endpoints."""

import asyncio
from datetime import timedelta
from itertools import islice
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Path, Query, Request, Response

from borg_api import schema
from borg_api.access import Permission
from borg_api.facade import Facade, TheFacade
from borg_api.guard import GuardedRoute, TheCaller, requires
from borg_api.paging import Continue, Limit, decode_token, encode_token
from borg_api.records import ScheduleRecord, order_of
from borg_api.routes.answers import answer, answer_tagged, editions_of
from borg_api.run.answers import run_id
from borg_api.schedule import operations, upcoming
from borg_api.schedule.request import NewSchedule, ScheduleFields
from borg_api.schedule.timetable import whole_now
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES

router = APIRouter(prefix="/api/schedule", route_class=GuardedRoute, tags=["Schedules"])

LIST = Permission("list", SCHEDULES)
_ALL_LIMIT = 500
_UPCOMING = b'{"success":true,"upcoming_jobs":[%b],"hours_ahead":%d%b}'
_OF_JOB = schema.links(
    "/job/id",
    "get_schedule",
    "update_schedule",
    "toggle_schedule",
    "run_schedule_now",
    "duplicate_schedule",
    "list_schedule_runs",
    "delete_schedule",
)
_OF_RUN = schema.links("/job_id", "get_run", "read_run_log", "cancel_run")

JobId = Annotated[str, Path(description="The schedule's id, or its resource name.", max_length=253, examples=["1"])]
IfMatch = Annotated[
    str | None,
    Header(description="The ETag as it was read: 412 if the schedule was changed since; its status does not matter."),
]
IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=255, description="Calls with the same key make one run.")
]


@router.get("/", responses=schema.answers(schema.JobList, conditional=True))
@requires(LIST)
async def list_schedules(
    request: Request, facade: TheFacade, caller: TheCaller, limit: Limit = None, token: Continue = None
) -> Response:
    """List all schedules, oldest first."""
    now = whole_now()
    if limit is None and token is None:
        page = await facade.listing.page(caller.namespace, now)
        return answer_tagged(request, page.body, page.etag)
    shelf = facade.mirror.shelf(caller.namespace)
    found = await facade.listing.rendered(shelf, caller.namespace, now, decode_token(token), limit and limit + 1)
    shown = found[:limit]
    more = len(found) > len(shown)
    last = order_of(shown[-1].record.resource) if more else None
    jobs = b",".join(item.json for item in shown)
    return answer(b'{"success":true,"jobs":[%b],"continue":%b}' % (jobs, orjson.dumps(encode_token(last))))


@router.get("/upcoming-jobs", responses=schema.answers(schema.UpcomingJobs))
@requires(LIST)
async def list_upcoming_jobs(
    facade: TheFacade,
    caller: TheCaller,
    *,
    hours: Annotated[int, Query(ge=1, le=8784, description="How many hours to look ahead.")] = 24,
    every: Annotated[bool, Query(alias="all", description="Every occurrence, not only the next of each.")] = False,
    limit: Limit = None,
    token: Continue = None,
) -> Response:
    """List what will run next, soonest first."""
    now = whole_now()
    end = now + timedelta(hours=hours)
    page = await facade.listing.page(caller.namespace, now)
    after = upcoming.decode_place(token, now)
    if every:
        limit = limit or _ALL_LIMIT
        # Of many schedules that takes a while: in a thread, so that other requests get their turn.
        stream = upcoming.find_all(page, after, end)
        found = await asyncio.to_thread(list, islice(stream, limit + 1))
    else:
        found = list(islice(upcoming.find_next(page, after, end), limit and limit + 1))
    shown = found[:limit]
    place = upcoming.encode_place(shown[-1]) if len(found) > len(shown) else None
    more = b',"continue":' + orjson.dumps(place) if limit else b""
    return answer(_UPCOMING % (b",".join(occurrence.json for occurrence in shown), hours, more))


@router.get("/{job_id}", responses=schema.answers(schema.JobAnswer, 404, conditional=True))
@requires(LIST)
async def get_schedule(request: Request, facade: TheFacade, caller: TheCaller, job_id: JobId) -> Response:
    """Show one schedule with its next five runs."""
    shelf = facade.mirror.shelf(caller.namespace)
    record = operations.find_schedule(shelf, caller.namespace, job_id)
    json, etag = facade.listing.detail(shelf, record, whole_now())
    return answer_tagged(request, b'{"success":true,"job":' + json + b"}", etag)


@router.post("/", responses=schema.answers(schema.Written, 404, 409, 413, 415, leads_to=_OF_JOB))
@requires(Permission("create", SCHEDULES))
async def create_schedule(facade: TheFacade, caller: TheCaller, fields: NewSchedule) -> Response:
    """Create a schedule."""
    record = await operations.create(facade, caller, fields)
    return _written(facade, record, "Scheduled job created successfully")


@router.put("/{job_id}", responses=schema.answers(schema.Written, 404, 409, 412, 413, 415))
@requires(Permission("update", SCHEDULES))
async def update_schedule(
    facade: TheFacade, caller: TheCaller, job_id: JobId, fields: ScheduleFields, if_match: IfMatch = None
) -> Response:
    """Change what is sent; absent means unchanged, null clears what is optional."""
    record = await operations.update(facade, caller, job_id, fields, editions_of(if_match))
    return _written(facade, record, "Scheduled job updated successfully")


@router.delete("/{job_id}", responses=schema.answers(schema.Done, 404, 409, 412))
@requires(Permission("delete", SCHEDULES))
async def delete_schedule(facade: TheFacade, caller: TheCaller, job_id: JobId, if_match: IfMatch = None) -> Response:
    """Delete a schedule. Its archives stay."""
    await operations.delete(facade, caller, job_id, editions_of(if_match))
    return answer({"success": True, "message": "Scheduled job deleted successfully"})


@router.post("/{job_id}/toggle", responses=schema.answers(schema.Toggled, 404, 409))
@requires(Permission("patch", SCHEDULES))
async def toggle_schedule(facade: TheFacade, caller: TheCaller, job_id: JobId) -> Response:
    """Enable or disable a schedule. What it missed while disabled is not made up for."""
    enabled = await operations.toggle(facade, caller, job_id)
    message = f"Scheduled job {'enabled' if enabled else 'disabled'} successfully"
    return answer({"success": True, "message": message, "enabled": enabled})


@router.post("/{job_id}/run-now", responses=schema.answers(schema.Started, 404, 409, leads_to=_OF_RUN))
@requires(Permission("create", RUNS))
async def run_schedule_now(
    facade: TheFacade, caller: TheCaller, job_id: JobId, idempotency_key: IdempotencyKey = None
) -> Response:
    """Run a schedule now, also a disabled one."""
    run = await operations.run_now(facade, caller, job_id, idempotency_key)
    return answer({"job_id": run_id(run), "status": "pending", "message": "Scheduled job started successfully"})


@router.post("/{job_id}/duplicate", responses=schema.answers(schema.Written, 404, 409, leads_to=_OF_JOB))
@requires(Permission("create", SCHEDULES))
async def duplicate_schedule(facade: TheFacade, caller: TheCaller, job_id: JobId) -> Response:
    """Copy a schedule with every setting, disabled."""
    record = await operations.duplicate(facade, caller, job_id)
    return _written(facade, record, "Scheduled job duplicated successfully")


def _written(facade: Facade, record: ScheduleRecord, message: str) -> Response:
    shelf = facade.mirror.shelf(record.namespace)
    # What the watch has brought since may be newer than the answer to the write.
    current = shelf.schedules.get(record.namespace, record.name) or record
    json, etag = facade.listing.detail(shelf, current, whole_now())
    body = b'{"success":true,"message":%b,"job":%b}' % (orjson.dumps(message), json)
    return answer(body, {"ETag": etag})

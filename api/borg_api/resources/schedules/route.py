"""/api/schedule/: the documented endpoints."""

from typing import Annotated

from fastapi import Depends, Header, Path, Request, Response

from borg_api.commands.runs import start
from borg_api.commands.schedules import create, delete, toggle, update
from borg_api.commands.writer import RunWriter, ScheduleWriter, check_is_same
from borg_api.edge.bodies import editions_of, send, send_tagged
from borg_api.edge.errors import NoSuchObjectError, quote
from borg_api.edge.guard import GuardedRoute, Permission, TheView, requires
from borg_api.edge.openapi import OF_RUN, ApiRouter, answers, links
from borg_api.edge.paging import Continue, Limit, cut_page, decode_token
from borg_api.edge.parts import provide
from borg_api.picture.picture import View
from borg_api.picture.records import ScheduleRecord, derive_id, order_of
from borg_api.picture.timetable import Timetable, whole_now
from borg_api.resources.schedules import changes, response
from borg_api.resources.schedules.listing import Listing
from borg_api.resources.schedules.request import NewSchedule, ScheduleFields
from borg_api.resources.schedules.upcoming import Window, find_upcoming
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES

router = ApiRouter(prefix="/api/schedule", route_class=GuardedRoute, tags=["Schedules"])

LIST = Permission("list", SCHEDULES)
JobId = Annotated[str, Path(description="The schedule's id, or its resource name.", max_length=253, examples=["1"])]
_OF_JOB = links(
    "/job/id",
    "get_schedule",
    "update_schedule",
    "toggle_schedule",
    "run_schedule_now",
    "duplicate_schedule",
    "list_schedule_runs",
    "delete_schedule",
)

TheListing = Annotated[Listing, Depends(provide(Listing))]
TheTimetable = Annotated[Timetable, Depends(provide(Timetable))]
IfMatch = Annotated[
    str | None,
    Header(description="The ETag as it was read: 412 if it was changed since; its status does not matter."),
]
IdempotencyKey = Annotated[
    str | None, Header(min_length=1, max_length=255, description="Calls with the same key make one run.")
]


@router.get("/", responses=answers(response.JobList, conditional=True))
@requires(LIST)
async def list_schedules(
    request: Request, view: TheView, listing: TheListing, limit: Limit = None, token: Continue = None
) -> Response:
    """List all schedules, oldest first."""
    if limit is None and token is None:
        page = await listing.page(view, whole_now())
        return send_tagged(request, page.body, page.etag)
    found = await listing.rendered(view, whole_now(), decode_token(token), limit and limit + 1)
    shown, following = cut_page(found, limit, lambda item: order_of(item.record.resource))
    body: response.JobList = {"success": True, "jobs": [item.job for item in shown], "continue": following}
    return send(body)


@router.get("/upcoming-jobs", responses=answers(response.UpcomingJobs))
@requires(LIST)
async def list_upcoming_jobs(
    view: TheView, listing: TheListing, timetable: TheTimetable, window: Annotated[Window, Depends()]
) -> Response:
    """List what will run next, soonest first."""
    now = whole_now()
    page = await listing.page(view, now)
    return send(await find_upcoming(page, timetable, window, now))


@router.get("/{job_id}", responses=answers(response.JobAnswer, 404, conditional=True))
@requires(LIST)
async def get_schedule(request: Request, view: TheView, listing: TheListing, job_id: JobId) -> Response:
    """Show one schedule with its next five runs."""
    detail = listing.detail(view, find_schedule(view, job_id), whole_now())
    body: response.JobAnswer = {"success": True, "job": detail.job}
    return send_tagged(request, body, detail.etag)


@router.post("/", responses=answers(response.Written, 404, 409, 413, 415, leads_to=_OF_JOB))
@requires(Permission("create", SCHEDULES))
async def create_schedule(view: TheView, writer: ScheduleWriter, listing: TheListing, fields: NewSchedule) -> Response:
    """Create a schedule."""
    spec = changes.derive_spec(fields, view)
    record = await create.create_schedule(view, writer, spec)
    return _send_written(view, listing, record, "Scheduled job created successfully")


@router.put("/{job_id}", responses=answers(response.Written, 404, 409, 412, 413, 415))
@requires(Permission("update", SCHEDULES))
async def update_schedule(
    view: TheView,
    writer: ScheduleWriter,
    listing: TheListing,
    *,
    job_id: JobId,
    fields: ScheduleFields,
    if_match: IfMatch = None,
) -> Response:
    """Change what is sent; absent means unchanged, null clears what is optional."""
    record = find_schedule(view, job_id)
    patch = changes.derive_patch(fields, view, record.resource.spec)
    written = await update.update_schedule(view, writer, record, patch, editions_of(if_match))
    return _send_written(view, listing, written, "Scheduled job updated successfully")


@router.delete("/{job_id}", responses=answers(response.Done, 404, 409, 412))
@requires(Permission("delete", SCHEDULES))
async def delete_schedule(view: TheView, writer: ScheduleWriter, job_id: JobId, if_match: IfMatch = None) -> Response:
    """Delete a schedule. Its archives stay."""
    await delete.delete_schedule(writer, find_schedule(view, job_id), editions_of(if_match))
    body: response.Done = {"success": True, "message": "Scheduled job deleted successfully"}
    return send(body)


@router.post("/{job_id}/toggle", responses=answers(response.Toggled, 404, 409, 412))
@requires(Permission("patch", SCHEDULES))
async def toggle_schedule(view: TheView, writer: ScheduleWriter, job_id: JobId, if_match: IfMatch = None) -> Response:
    """Enable or disable a schedule. What it missed while disabled is not made up for.

    With If-Match only if it is as it was read: so nobody turns on what somebody else has just turned off.
    """
    enabled = await toggle.toggle_schedule(writer, find_schedule(view, job_id), editions_of(if_match))
    message = f"Scheduled job {'enabled' if enabled else 'disabled'} successfully"
    body: response.Toggled = {"success": True, "message": message, "enabled": enabled}
    return send(body)


@router.post("/{job_id}/run-now", responses=answers(response.Started, 404, 409, 412, leads_to=OF_RUN))
@requires(Permission("create", RUNS))
async def run_schedule_now(
    view: TheView,
    writer: RunWriter,
    job_id: JobId,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response:
    """Run a schedule now, also a disabled one. With If-Match only if it is the one that was read, as it is by now."""
    record = find_schedule(view, job_id)
    check_is_same(record.metadata.uid, editions_of(if_match), "schedule")
    run = await start.start_run(view, writer, record, idempotency_key)
    number = derive_id(RUNS.kind, run.namespace, run.name)
    body: response.Started = {
        "job_id": number,
        "status": "pending",
        "message": "Scheduled job started successfully",
    }
    return send(body)


@router.post("/{job_id}/duplicate", responses=answers(response.Written, 404, 409, 412, leads_to=_OF_JOB))
@requires(Permission("create", SCHEDULES))
async def duplicate_schedule(
    view: TheView, writer: ScheduleWriter, listing: TheListing, job_id: JobId, if_match: IfMatch = None
) -> Response:
    """Copy a schedule with every setting, disabled. With If-Match only if it is the one that was read."""
    original = find_schedule(view, job_id)
    check_is_same(original.metadata.uid, editions_of(if_match), "schedule")
    record = await create.duplicate_schedule(view, writer, original)
    return _send_written(view, listing, record, "Scheduled job duplicated successfully")


def _send_written(view: View, listing: Listing, record: ScheduleRecord, message: str) -> Response:
    # What the watch has brought since may be newer than the answer to the write.
    current = view.schedules.get(record.name) or record
    detail = listing.detail(view, current, whole_now())
    body: response.Written = {"success": True, "message": message, "job": detail.job}
    return send(body, {"ETag": detail.etag})


def find_schedule(view: View, reference: str) -> ScheduleRecord:
    """Return the schedule of that id or resource name. Raises NoSuchObjectError."""
    record = view.schedules.find(reference)
    if record is None:
        raise NoSuchObjectError(f"There is no schedule {quote(reference)} in namespace {view.namespace}.")
    return record

"""/schedules and /new/schedule: what is backed up when, and how that went."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from borg_api.edge.guard import Permission, TheView, is_allowed, requires
from borg_api.page.forms.schedule_form import Draft, draft_of, empty_draft
from borg_api.page.frame.answers import show
from borg_api.page.frame.calls import Operation, call
from borg_api.page.frame.guard import PageRoute
from borg_api.page.insight.attention import find_matters, of_schedule
from borg_api.page.insight.history import backups_of, states_of
from borg_api.page.insight.matter import WORDS
from borg_api.page.show.words import tell_times
from borg_api.picture.picture import View
from borg_api.picture.records import derive_id
from borg_api.picture.timetable import whole_now
from borg_api.resources.cron.response import PRESETS
from borg_api.resources.repositories.route import LIST as LIST_REPOSITORIES
from borg_api.resources.runs.route import LIST as LIST_RUNS
from borg_api.resources.schedules.route import LIST, JobId, TheListing, TheTimetable, find_schedule
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE = 100
_RUNS = 30

Number = Annotated[int, Query(ge=1, le=10_000)]
Words = Annotated[str, Query(max_length=253)]


@router.get("/schedules")
@requires(LIST)
async def list_schedules(  # noqa: PLR0917 - filled in by their names
    request: Request, view: TheView, listing: TheListing, timetable: TheTimetable, q: Words = "", page: Number = 1
) -> Response:
    now = whole_now()
    matters = {
        matter.name: matter for matter in reversed(find_matters(view, timetable, now)) if matter.what == "schedules"
    }
    wanted = q.strip().casefold()
    found = [
        record
        for record in view.schedules.in_order()
        if wanted in record.resource.title.casefold() or wanted in record.name
    ]
    found.sort(key=lambda record: (record.name not in matters, record.resource.spec.suspend, record.resource.title))
    shown = found[(page - 1) * PAGE : page * PAGE]
    sees_runs = await is_allowed(request, LIST_RUNS)
    return show(
        request,
        "schedules.html",
        rows=[
            (
                listing.render(view, record, now),
                states_of(backups_of(view, record.name)) if sees_runs else [],
                matters.get(record.name),
            )
            for record in shown
        ],
        sees_runs=sees_runs,
        found=len(found),
        all=len(view.schedules.in_order()),
        q=q,
        page=page,
        pages=-(-len(found) // PAGE),
        describe=tell_times,
        may_create=await is_allowed(request, Permission("create", SCHEDULES)),
    )


@router.get("/new/schedule")
@requires(Permission("create", SCHEDULES))
async def new_schedule(request: Request, view: TheView) -> Response:
    return await show_form(request, view, empty_draft(view))


@router.get("/new/schedule/times")
@requires(LIST)
async def preview_times(
    request: Request, cron_expression: Words = "", timezone: Words = "", name: Words = ""
) -> Response:
    """Show what an expression means and when it runs, for the form, while it is typed."""
    return show(request, "parts/times.html", preview=await ask_times(request, cron_expression, timezone, name))


@router.get("/schedules/{job_id}")
@requires(LIST)
async def show_schedule(
    request: Request, view: TheView, listing: TheListing, timetable: TheTimetable, job_id: JobId
) -> Response:
    now = whole_now()
    record = find_schedule(view, job_id)
    rendered = listing.render(view, record, now)
    sees_runs = await is_allowed(request, LIST_RUNS)
    runs = view.runs_of(record.name) if sees_runs else []
    return show(
        request,
        "schedule.html",
        record=record,
        spec=record.resource.spec,
        status=record.resource.status,
        rendered=rendered,
        etag=listing.detail(view, record, now).etag,
        meaning=tell_times(record.resource.effective_schedule),
        words=WORDS,
        matter=next(of_schedule(record, view, timetable, now), None),
        runs=list(reversed(runs))[:_RUNS],
        states=states_of(backups_of(view, record.name)) if sees_runs else [],
        sees_runs=sees_runs,
        repositories=[(ref.name, view.repositories.get(ref.name)) for ref in record.resource.spec.repository_refs],
        sees_repositories=await is_allowed(request, LIST_REPOSITORIES),
        may={
            "run": await is_allowed(request, Permission("create", RUNS)),
            "patch": await is_allowed(request, Permission("patch", SCHEDULES)),
            "update": await is_allowed(request, Permission("update", SCHEDULES)),
            "create": await is_allowed(request, Permission("create", SCHEDULES)),
            "delete": await is_allowed(request, Permission("delete", SCHEDULES)),
        },
    )


@router.get("/schedules/{job_id}/edit")
@requires(Permission("update", SCHEDULES))
async def edit_schedule(request: Request, view: TheView, job_id: JobId) -> Response:
    record = find_schedule(view, job_id)
    # By its id: of its name there may be another operation (`upcoming-jobs`).
    number = str(derive_id(SCHEDULES.kind, record.namespace, record.name))
    said = await call(request, Operation("get_schedule", {"job_id": number}, {}))
    if not said.good:
        back = ("/schedules", record.name)
        return show(request, "error.html", said.status, status=said.status, detail=said.detail, back=back)
    return await show_form(request, view, draft_of(record, said.body["job"], said.etag, view))


async def show_form(request: Request, view: View, draft: Draft, status: int = 200) -> Response:
    """Return the form with what was entered, what that means, and what is wrong with it."""
    return show(
        request,
        "schedule_form.html",
        status,
        draft=draft,
        repositories=view.repositories.in_order(),
        backs_up={item.metadata.name: item.spec.sources for item in view.repositories.in_order()},
        scripts=view.scripts.in_order(),
        presets=PRESETS["presets"],
        preview=await ask_times(request, draft.text("cron_expression"), draft.text("timezone"), draft.text("name")),
    )


async def ask_times(request: Request, expression: str, zone: str, name: str) -> object:
    """Return what REST says of the expression, None where nothing was entered."""
    if not expression.strip():
        return None
    body = {"cron_expression": expression, "name": name.strip() or None, "timezone": zone.strip() or None}
    said = await call(request, Operation("validate_cron", {}, {}, body))
    return said.body if said.good else {"success": False, "error": said.detail}

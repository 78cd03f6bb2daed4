"""The routes of what one can do: read the form, ask REST, and go on to where it can be seen."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from borg_api.edge.errors import UnknownCallerError
from borg_api.edge.guard import Permission, TheCaller, TheView, requires
from borg_api.page.actions.actions import ACTIONS, Action
from borg_api.page.forms import restore_form, schedule_form
from borg_api.page.frame.answers import go_to, show
from borg_api.page.frame.calls import Operation, Said, call, find_operation
from borg_api.page.frame.guard import PageRoute, read_form
from borg_api.page.pages.restores import show_form as show_restore_form
from borg_api.page.pages.schedules import show_form as show_schedule_form
from borg_api.resources.checks.drills import router as drills
from borg_api.resources.checks.route import router as checks
from borg_api.resources.restores.route import router as restores
from borg_api.resources.runs.route import router as runs
from borg_api.resources.schedules.route import JobId, find_schedule
from borg_api.resources.schedules.route import router as schedules
from borg_core.kinds.restore import RESTORES
from borg_core.kinds.schedule import SCHEDULES

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_AGAIN = "again"
"""The button that only shows the form again, with the parameters of another script say."""
_PERMISSIONS: dict[str, Permission] = {
    route.name: route.endpoint.permission  # type: ignore[attr-defined]
    for each in (schedules, runs, checks, drills, restores)
    for route in each.routes
    if isinstance(route, APIRoute)
}
"""What each operation of REST asks for, and so the action that is one."""


def _endpoint_of(action: Action) -> Callable[[Request], Awaitable[Response]]:
    async def act(request: Request) -> Response:
        form = dict(read_form(request))
        values = dict(request.path_params)
        route = find_operation(request, action.operation)
        wanted = route.param_convertors if route else {}
        headers = {}
        if action.once and form.get("once"):
            headers["idempotency-key"] = form["once"]
        if action.at_edition and form.get("etag"):
            headers["if-match"] = form["etag"]
        operation = Operation(
            action.operation,
            {key: value for key, value in values.items() if key in wanted},
            {},
            action.body(form),
            headers,
        )
        said = await call(request, operation)
        if not said.good:
            return _refuse(request, said, of=(f"/{action.path.split('/')[1]}", *map(str, values.values())))
        return go_to(request, *action.then(values, said.body), done=action.done(said.body))

    return requires(_PERMISSIONS[action.operation])(act)


for _action in ACTIONS:
    router.add_api_route(_action.path, _endpoint_of(_action), methods=["POST"], name=f"page_{_action.operation}")


@router.post("/schedules")
@requires(Permission("create", SCHEDULES))
async def create_schedule(request: Request, view: TheView) -> Response:
    """Make the schedule that was entered; show the form again where something is wrong with it."""
    form = read_form(request)
    draft = schedule_form.read_draft(form, "", view)
    if _AGAIN in dict(form):
        return await show_schedule_form(request, view, draft)
    said = await call(request, Operation("create_schedule", {}, {}, schedule_form.body_of(draft, view.namespace)))
    if not said.good:
        wrong = replace(draft, problem=_problem_of(said), faults=said.faults)
        return await show_schedule_form(request, view, wrong, said.status)
    return go_to(request, "/schedules", str(said.body["job"]["id"]), done="created")


@router.post("/schedules/{job_id}")
@requires(Permission("update", SCHEDULES))
async def update_schedule(request: Request, view: TheView, job_id: JobId) -> Response:
    """Change the schedule as it was entered, if nobody else did meanwhile."""
    form = read_form(request)
    name = find_schedule(view, job_id).name
    draft = schedule_form.read_draft(form, name, view)
    if _AGAIN in dict(form):
        return await show_schedule_form(request, view, draft)
    headers = {"if-match": draft.etag} if draft.etag else {}
    body = schedule_form.body_of(draft, view.namespace)
    said = await call(request, Operation("update_schedule", {"job_id": name}, {}, body, headers))
    if not said.good:
        wrong = replace(draft, problem=_problem_of(said), faults=said.faults)
        return await show_schedule_form(request, view, wrong, said.status)
    return go_to(request, "/schedules", name, done="changed")


@router.post("/restores")
@requires(Permission("create", RESTORES))
async def preview_restore(request: Request, caller: TheCaller, view: TheView) -> Response:
    """Ask what the restore would do; nothing is written before that was looked at and approved."""
    form = read_form(request)
    draft = restore_form.read_draft(form)
    if _AGAIN in dict(form):
        return await show_restore_form(request, caller, view, draft)
    said = await call(request, Operation("preview_restore_job", {}, {}, restore_form.body_of(draft)))
    if not said.good:
        wrong = replace(draft, problem=_problem_of(said), faults=said.faults)
        return await show_restore_form(request, caller, view, wrong, said.status)
    return go_to(request, "/restores", str(said.body["job_id"]))


def _problem_of(said: Said) -> str:
    if said.status == HTTPStatus.PRECONDITION_FAILED:
        return "Somebody else changed it since you opened this form. Open it anew to see how; yours still stands here."
    return said.detail


def _refuse(request: Request, said: Said, of: tuple[str, ...] = ()) -> Response:
    """Return why nothing was done; `of`: the page of what it was for, to which the way back leads if it is there."""
    if said.status == HTTPStatus.UNAUTHORIZED:
        raise UnknownCallerError
    back = of if said.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND) else ()
    return show(request, "error.html", said.status, status=said.status, detail=said.detail, back=back)

"""/api/schedule/cron-presets and validate-cron: help with expressions."""

from fastapi import Response

from borg_api.commands.schedules.names import derive_resource_names
from borg_api.edge.bodies import send
from borg_api.edge.guard import GuardedRoute, TheView, requires
from borg_api.edge.openapi import ApiRouter, answers
from borg_api.picture.picture import View
from borg_api.picture.timetable import DEFAULT_ZONE, whole_now
from borg_api.resources.cron.request import CronQuestion
from borg_api.resources.cron.response import PRESETS, Presets, Preview, render_preview
from borg_api.resources.schedules.route import LIST

router = ApiRouter(prefix="/api/schedule", route_class=GuardedRoute, tags=["Cron expressions"])


@router.get("/cron-presets", responses=answers(Presets))
@requires(LIST)
async def list_presets() -> Response:
    """List common expressions."""
    return send(PRESETS)


@router.post("/validate-cron", responses=answers(Preview, 413, 415))
@requires(LIST)
async def validate_cron(view: TheView, question: CronQuestion) -> Response:
    """Say whether a CronJob takes the expression, what it means, and when it runs; 200 also when it is refused.

    What `H` becomes depends on the schedule: on `name`, or without one on "schedule", as the answer says.
    """
    zone = DEFAULT_ZONE if question.timezone is None else question.timezone
    return send(render_preview(question.expression, zone, _key_of(view, question.name or ""), whole_now()))


def _key_of(view: View, name: str) -> tuple[str, str]:
    """Return namespace and resource name of the schedule of that title or name; of none, those that it would get."""
    titled = view.schedules_titled(name.strip())
    if titled:
        return view.namespace, titled[0].name
    return view.namespace, name if view.schedules.get(name) else next(derive_resource_names(name))

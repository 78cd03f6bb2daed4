"""/api/schedule/cron-presets and validate-cron: help with expressions."""

from fastapi import APIRouter, Response

from borg_api.edge.bodies import send
from borg_api.edge.guard import GuardedRoute, requires
from borg_api.edge.openapi import answers
from borg_api.picture.timetable import DEFAULT_ZONE, whole_now
from borg_api.resources.cron.request import CronQuestion
from borg_api.resources.cron.response import PRESETS, Presets, Preview, render_preview
from borg_api.resources.schedules.route import LIST

router = APIRouter(prefix="/api/schedule", route_class=GuardedRoute, tags=["Cron expressions"])


@router.get("/cron-presets", responses=answers(Presets))
@requires(LIST)
async def list_presets() -> Response:
    """List common expressions."""
    return send(PRESETS)


@router.post("/validate-cron", responses=answers(Preview, 413, 415))
@requires(LIST)
async def validate_cron(question: CronQuestion) -> Response:
    """Say whether a CronJob takes the expression, what it means, and when it runs; 200 also when it is refused."""
    zone = DEFAULT_ZONE if question.timezone is None else question.timezone
    return send(render_preview(question.expression, zone, whole_now()))

"""/api/schedule/cron-presets and validate-cron: help with expressions."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from borg_api import cron_expressions, schema
from borg_api.guard import GuardedRoute, requires
from borg_api.routes.answers import answer
from borg_api.routes.schedules import LIST
from borg_api.schedule.changes import DEFAULT_ZONE
from borg_api.schedule.timetable import whole_now

router = APIRouter(prefix="/api/schedule", route_class=GuardedRoute, tags=["Cron expressions"])

CronField = Annotated[str, Field(max_length=256)]

_PRESETS = {
    "success": True,
    "presets": [
        {"name": name, "expression": expression, "description": description}
        for name, expression, description in cron_expressions.PRESETS
    ],
}


class CronQuestion(BaseModel):
    """Five fields, or the expression whole."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"examples": [{"minute": "0", "hour": "2", "timezone": "Europe/Berlin"}]}
    )

    minute: CronField = "*"
    hour: CronField = "*"
    day_of_month: CronField = "*"
    month: CronField = "*"
    day_of_week: CronField = "*"
    cron_expression: Annotated[str, Field(max_length=512)] | None = None
    timezone: Annotated[str, Field(max_length=64)] | None = None

    @property
    def expression(self) -> str:
        if self.cron_expression is not None:
            return self.cron_expression
        return f"{self.minute} {self.hour} {self.day_of_month} {self.month} {self.day_of_week}"


@router.get("/cron-presets", responses=schema.answers(schema.Presets))
@requires(LIST)
async def list_presets() -> Response:
    """List common expressions."""
    return answer(_PRESETS)


@router.post("/validate-cron", responses=schema.answers(schema.Preview, 413, 415))
@requires(LIST)
async def validate_cron(question: CronQuestion) -> Response:
    """Say whether a CronJob takes the expression, what it means, and when it runs; 200 also when it is refused."""
    zone = DEFAULT_ZONE if question.timezone is None else question.timezone
    return answer(cron_expressions.preview(question.expression, zone, whole_now()))

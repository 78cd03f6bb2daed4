"""An expression to be looked at: five fields, or whole."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

CronField = Annotated[str, Field(max_length=256)]


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
    name: Annotated[
        str | None,
        Field(max_length=253, description="Of the schedule: what `H` becomes depends on it. It need not exist."),
    ] = None
    timezone: Annotated[str, Field(max_length=64)] | None = None

    @property
    def expression(self) -> str:
        if self.cron_expression is not None:
            return self.cron_expression
        return f"{self.minute} {self.hour} {self.day_of_month} {self.month} {self.day_of_week}"

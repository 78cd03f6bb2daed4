"""What clients send about the regular checks of a repository."""

from pydantic import BaseModel, ConfigDict, Field


class CheckSchedule(BaseModel):
    """Absent and null mean unchanged. Unknown keys are ignored: there is no max_duration here, and no flag of borg."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"examples": [{"cron_expression": "0 3 * * 0", "timezone": "Europe/Berlin"}]}
    )

    cron_expression: str | None = Field(
        default=None, max_length=512, description="As in a schedule; empty ends the checks."
    )
    timezone: str | None = Field(default=None, min_length=1, max_length=64, description="IANA; default UTC.")
    check_timezone: str | None = Field(
        default=None, min_length=1, max_length=64, description="The same, as answers call it; `timezone` goes first."
    )
    restore_check_timezone: str | None = Field(
        default=None, min_length=1, max_length=64, description="The same, as answers about drills call it."
    )
    schedule_enabled: bool | None = Field(
        default=None, description="true is how it is while there is a cron_expression; there is no pause."
    )

    @property
    def zone(self) -> str | None:
        """The time zone that was sent."""
        return self.timezone or self.check_timezone or self.restore_check_timezone

"""What clients send about the regular checks of a repository."""

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator


def _as_answers_call_it(name: str) -> AliasChoices:
    """Return the names of a field: its own goes first, then those by which answers about checks and drills have it."""
    return AliasChoices(name, f"check_{name}", f"restore_check_{name}")


class CheckSchedule(BaseModel):
    """Absent and null mean unchanged. Unknown keys are ignored: there is no max_duration here, and no flag of borg."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"examples": [{"cron_expression": "0 3 * * 0", "timezone": "Europe/Berlin"}]}
    )

    cron_expression: str | None = Field(
        default=None,
        max_length=512,
        validation_alias=_as_answers_call_it("cron_expression"),
        description="As in a schedule; empty ends the checks. `check_cron_expression` is taken too.",
    )
    timezone: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        validation_alias=_as_answers_call_it("timezone"),
        description="IANA; default UTC. `check_timezone` is taken too.",
    )
    schedule_enabled: bool | None = Field(
        default=None,
        validation_alias=_as_answers_call_it("schedule_enabled"),
        description="true is how it is while there is a cron_expression; there is no pause.",
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_nulls_out(cls, sent: Any) -> Any:
        """Null means unchanged by whatever name, and hides no other name's value."""
        return {key: value for key, value in sent.items() if value is not None} if isinstance(sent, dict) else sent

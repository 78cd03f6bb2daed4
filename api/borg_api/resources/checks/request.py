"""What clients send about the regular checks and drills of a repository, and with one that is to begin now."""

from typing import Annotated, Any

import orjson
from fastapi import Depends, Request
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from borg_api.edge.errors import InvalidValueError
from borg_api.resources.schedules.request import as_whole

_TIMES: dict[str, Any] = {"cron_expression": "0 3 * * 0", "timezone": "Europe/Berlin"}
_LONGEST_SECONDS = 2**31


def _as_answers_call_it(name: str) -> AliasChoices:
    """Return the names of a field: its own goes first, then those by which answers about checks and drills have it."""
    return AliasChoices(name, f"check_{name}", f"restore_check_{name}")


class Times(BaseModel):
    """Absent and null mean unchanged. Unknown keys are ignored."""

    model_config = ConfigDict(strict=True)

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


class CheckSchedule(Times):
    """Absent and null mean unchanged. Unknown keys are ignored."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TIMES]})

    max_duration: Annotated[int, Field(ge=0, le=_LONGEST_SECONDS), BeforeValidator(as_whole)] | None = Field(
        default=None,
        validation_alias=_as_answers_call_it("max_duration"),
        description="Seconds, rounded up to minutes: a check goes on where the one before came to; 0: to the end.",
    )
    extra_flags: str | None = Field(
        default=None,
        max_length=4096,
        validation_alias=_as_answers_call_it("extra_flags"),
        description="Borg UI's flags for borg, of which none is taken; empty is.",
    )


class DrillSchedule(Times):
    """Absent and null mean unchanged. Unknown keys are ignored."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TIMES]})

    paths: list[str] | None = Field(
        default=None,
        max_length=256,
        validation_alias=_as_answers_call_it("paths"),
        description="Borg UI's paths to look at, of which none is taken: a drill chooses what it restores itself.",
    )


async def _read_wishes(request: Request) -> dict[str, Any]:
    """Return what is sent along with what needs no body, and so may come without one, or without its type."""
    try:
        sent = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return {}
    return sent if isinstance(sent, dict) else {}


Wishes = Annotated[dict[str, Any], Depends(_read_wishes)]


def refuse_flags(flags: object) -> None:
    """Raise InvalidValueError where there are any: a check without them would seem to have done what they ask for."""
    if flags and str(flags).strip():
        raise InvalidValueError(
            "A check takes no flags of borg: leave them empty. What verifies all data from time to time is "
            "spec.verification.check.verifyDataEvery of the BorgRepository.",
            "/check_extra_flags",
        )


def refuse_paths(paths: object) -> None:
    """Raise InvalidValueError where there are any: a drill restores others."""
    if paths:
        raise InvalidValueError(
            "Paths cannot be chosen: choose the full archive, of which each restore check takes another part.", "/paths"
        )

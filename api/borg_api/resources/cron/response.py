"""Cron expressions for people: presets, what one means, when it runs."""

from datetime import datetime
from typing import Annotated, NotRequired

from cron_descriptor import ExpressionDescriptor, Options
from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_core.clock import CronError, CronSchedule, dst_warnings
from borg_core.clock.expression import MACROS
from borg_core.clock.hashed import is_hashed, resolve
from borg_core.formats import format_time

_PREVIEWED = 10


@answer
class Preset(TypedDict):
    name: str
    expression: str
    description: str


@answer
class Presets(TypedDict):
    success: bool
    presets: list[Preset]


@answer
class Preview(TypedDict):
    """With success: all but error, schedule_name only where the expression holds an `H`; without: error."""

    success: bool
    cron_expression: str
    effective_cron_expression: NotRequired[
        Annotated[str, Field(description="What the CronJob gets: with a value in place of each `H`.")]
    ]
    schedule_name: NotRequired[
        Annotated[str, Field(description="The resource name of the schedule that these values are chosen for.")]
    ]
    timezone: NotRequired[str]
    next_runs: NotRequired[list[str]]
    description: NotRequired[str]
    warnings: NotRequired[list[str]]
    error: NotRequired[str]


_PRESETS = (
    ("Every Minute", "* * * * *", "Run every minute"),
    ("Every 5 Minutes", "*/5 * * * *", "Run every 5 minutes"),
    ("Every 15 Minutes", "*/15 * * * *", "Run every 15 minutes"),
    ("Every Hour", "0 * * * *", "Run every hour"),
    ("Every 6 Hours", "0 */6 * * *", "Run every 6 hours"),
    ("Daily at Midnight", "0 0 * * *", "Run daily at midnight"),
    ("Daily at 2 AM", "0 2 * * *", "Run daily at 2 AM"),
    ("Weekly on Sunday", "0 0 * * 0", "Run weekly on Sunday at midnight"),
    ("Monthly on 1st", "0 0 1 * *", "Run monthly on the 1st at midnight"),
    ("Weekdays at 9 AM", "0 9 * * 1-5", "Run Monday to Friday at 9 AM"),
    ("Weekends at 6 AM", "0 6 * * 0,6", "Run Saturday and Sunday at 6 AM"),
)
PRESETS: Presets = {
    "success": True,
    "presets": [
        {"name": name, "expression": expression, "description": description}
        for name, expression, description in _PRESETS
    ],
}


def render_preview(expression: str, zone: str, schedule_key: tuple[str, str], now: datetime) -> Preview:
    """Return the answer of validate-cron, for an expression that is refused too.

    `schedule_key`: namespace and resource name of the schedule, on which `H` depends.
    """
    try:
        effective = resolve(expression, *schedule_key)
        schedule = CronSchedule.parse(effective, zone)
    except CronError as error:
        return {"success": False, "error": str(error), "cron_expression": expression}
    preview: Preview = {
        "success": True,
        "cron_expression": expression,
        "effective_cron_expression": effective,
        "timezone": zone,
        "next_runs": [format_time(run) for run in schedule.next_runs(now, _PREVIEWED)],
        "description": describe(effective),
        "warnings": dst_warnings(schedule, now),
    }
    if is_hashed(expression):
        preview["schedule_name"] = schedule_key[1]
    return preview


def describe(expression: str) -> str:
    """Return the expression in English; itself where cron-descriptor has no words for it."""
    if expression.startswith("@every "):
        return f"Every {expression.removeprefix('@every ')}"
    options = Options()
    options.use_24hour_time_format = False
    try:
        return str(ExpressionDescriptor(MACROS.get(expression, expression), options).get_description())
    except Exception:  # noqa: BLE001 - it takes a narrower dialect, and raises what it likes: words are no reason to fail
        return expression

"""What a client sent about regular checks and drills is written into its BorgRepository."""

from collections.abc import Mapping
from typing import Any, Literal

from borg_api.commands.checks import update_check_times
from borg_api.commands.writer import Editions, RepositoryWriter
from borg_api.edge.errors import InvalidValueError
from borg_api.picture.timetable import DEFAULT_ZONE
from borg_api.resources.checks.request import CheckSchedule, Times
from borg_api.resources.schedules.changes import check_times
from borg_core.kinds.parts.timing import parse_age
from borg_core.kinds.parts.verification import CheckTimes, DrillTimes
from borg_core.kinds.repository import BorgRepository

Timed = Literal["check", "drill"]
"""What of the verification runs by the clock."""
_MINUTE = 60
"""Seconds: what a BorgRepository has of such times is whole minutes."""


async def change_times(
    writer: RepositoryWriter,
    repository: BorgRepository,
    sent: Times,
    editions: Editions,
    *,
    of: Timed,
) -> BorgRepository:
    """Return the repository with the times that were sent. Raises InvalidValueError, and what the write raises."""
    verification = repository.spec.verification
    current: CheckTimes | DrillTimes | None = getattr(verification, of) if verification else None
    return await update_check_times(writer, repository, _derive_patch(sent, current, of), editions)


def _derive_patch(sent: Times, current: CheckTimes | DrillTimes | None, of: Timed) -> dict[str, Any] | None:
    """Return the merge patch of the spec, None where nothing is to be changed. Raises InvalidValueError."""
    expression = sent.cron_expression
    is_end = expression is not None and not expression.strip()
    if sent.schedule_enabled is False and not is_end and (current or expression):
        raise InvalidValueError(
            "Regular checks cannot be paused: delete their schedule to end them (an empty cron_expression).",
            "/schedule_enabled",
        )
    if is_end:
        return _patch(of, None) if current else None
    if sent.schedule_enabled is False:
        return None  # there are none: so they were read, and so they stay
    slices = _derive_slices(sent, current) if isinstance(sent, CheckSchedule) else {}
    if expression is None and sent.timezone is None and not slices:
        if sent.schedule_enabled and current is None:
            raise _no_times()
        return None
    line = expression or (current.schedule if current else None)
    if line is None:
        raise _no_times()
    zone = sent.timezone or (current.time_zone if current else DEFAULT_ZONE)
    check_times(line, zone, zone_is_new=sent.timezone is not None or current is None)
    return _patch(of, {"schedule": line, "timeZone": zone, **slices})


def _derive_slices(sent: CheckSchedule, current: CheckTimes | DrillTimes | None) -> dict[str, str | None]:
    """Return what is to be changed of how long one check may take: what a client has read it may send back."""
    limit = current.max_duration if isinstance(current, CheckTimes) else None
    wanted = sent.max_duration or None
    if sent.max_duration is None or wanted == (parse_age(limit) if limit else None):
        return {}
    return {"maxDuration": f"{-(-wanted // _MINUTE)}m" if wanted else None}


def _patch(of: Timed, times: Mapping[str, str | None] | None) -> dict[str, Any]:
    return {"verification": {of: times}}


def _no_times() -> InvalidValueError:
    return InvalidValueError("Say when to check: send a cron_expression.", "/cron_expression")

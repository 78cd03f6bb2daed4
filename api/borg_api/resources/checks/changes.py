"""What a client sent about regular checks and drills is written into its BorgRepository."""

from typing import Any, Literal

from borg_api.commands.checks import update_check_times
from borg_api.commands.writer import Editions, RepositoryWriter
from borg_api.edge.errors import InvalidValueError
from borg_api.picture.timetable import DEFAULT_ZONE
from borg_api.resources.checks.request import CheckSchedule
from borg_api.resources.schedules.changes import check_times
from borg_core.kinds.parts.verification import CheckTimes, DrillTimes
from borg_core.kinds.repository import BorgRepository

Timed = Literal["check", "drill"]
"""What of the verification runs by the clock."""


async def change_times(
    writer: RepositoryWriter,
    repository: BorgRepository,
    sent: CheckSchedule,
    editions: Editions,
    *,
    of: Timed,
) -> BorgRepository:
    """Return the repository with the times that were sent. Raises InvalidValueError, and what the write raises."""
    verification = repository.spec.verification
    current: CheckTimes | DrillTimes | None = getattr(verification, of) if verification else None
    return await update_check_times(writer, repository, _derive_patch(sent, current, of), editions)


def _derive_patch(sent: CheckSchedule, current: CheckTimes | DrillTimes | None, of: Timed) -> dict[str, Any] | None:
    """Return the merge patch of the spec, None where nothing is to be changed. Raises InvalidValueError."""
    expression = sent.cron_expression
    is_end = expression is not None and not expression.strip()
    if sent.schedule_enabled is False and not is_end and (current or expression):
        raise InvalidValueError(
            'Regular checks cannot be paused: send "" as cron_expression to end them.', "/schedule_enabled"
        )
    if is_end:
        return _patch(of, None) if current else None
    if sent.schedule_enabled is False:
        return None  # there are none: so they were read, and so they stay
    if expression is None and sent.timezone is None:
        if sent.schedule_enabled and current is None:
            raise _no_times()
        return None
    line = expression or (current.schedule if current else None)
    if line is None:
        raise _no_times()
    zone = sent.timezone or (current.time_zone if current else DEFAULT_ZONE)
    check_times(line, zone, zone_is_new=sent.timezone is not None or current is None)
    return _patch(of, {"schedule": line, "timeZone": zone})


def _patch(of: Timed, times: dict[str, str] | None) -> dict[str, Any]:
    return {"verification": {of: times}}


def _no_times() -> InvalidValueError:
    return InvalidValueError("Say when to check: send a cron_expression.", "/cron_expression")

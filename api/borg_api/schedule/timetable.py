"""When schedules run next, computed once and remembered until it has passed."""

from datetime import UTC, datetime, timedelta

from borg_core.clock import CronSchedule
from borg_core.kinds.schedule import BorgSchedule
from borg_core.timestamps import parse_time

COUNT = 5
_REMEMBERED = 20_000


class Timetable:
    """By expression and zone, since many schedules share them."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], list[datetime]] = {}

    def next_runs(self, schedule: BorgSchedule, now: datetime) -> list[datetime]:
        """Return the next five runs, suspended or not, in UTC; fewer when there are no more, none if it is invalid."""
        spec = schedule.spec
        key = (spec.schedule, spec.time_zone)
        runs = self._runs.get(key)
        if runs is None or (runs and runs[0] <= now):
            runs = _compute(*key, now)
            if len(self._runs) >= _REMEMBERED:
                self._runs.clear()
            self._runs[key] = runs
        promised = schedule.status.next_run_time
        if spec.schedule.startswith("@every") and promised and parse_time(promised) > now and len(runs) > 1:
            # Counted from the last run, which only the operator saw.
            step = runs[1] - runs[0]
            return [parse_time(promised) + number * step for number in range(COUNT)]
        return runs


def whole_now() -> datetime:
    """Return the current second: the contract's times have no parts of one."""
    return datetime.now(UTC).replace(microsecond=0)


def parse(schedule: BorgSchedule) -> CronSchedule | None:
    """Return when it runs, None when its expression or zone is none."""
    return CronSchedule.try_parse(schedule.spec.schedule, schedule.spec.time_zone)


def _compute(expression: str, zone: str, now: datetime) -> list[datetime]:
    schedule = CronSchedule.try_parse(expression, zone)
    return schedule.next_runs(now, COUNT) if schedule else []


NEVER = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
"""Stands for the next run of what has none."""

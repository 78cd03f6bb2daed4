"""When schedules run next. Each expression is parsed once for each zone; its runs are kept until the first is over."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from borg_core.clock import Clock, CronError, CronSchedule
from borg_core.formats import parse_time
from borg_core.kinds.schedule import BorgSchedule

COUNT = 5
DEFAULT_ZONE = "UTC"
"""Of a schedule that is made over REST."""
NEVER = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
"""Stands for the next run of what has none."""
_REMEMBERED = 20_000

T = TypeVar("T")

_Key = tuple[str, str]
"""An expression and a zone, which many schedules share."""


class Timetable:
    """What is remembered goes all at once when it is too much: asking anew is cheap, and it hardly ever happens."""

    def __init__(self) -> None:
        self._schedules: dict[_Key, CronSchedule | CronError] = {}
        self._runs: dict[_Key, list[datetime]] = {}

    def parse(self, expression: str, zone: str) -> CronSchedule:
        """Return when it fires. Raises CronError when a CronJob would refuse it."""
        key = (expression, zone)
        found = self._schedules.get(key)
        if found is None:
            try:
                found = CronSchedule.parse(expression, zone)
            except CronError as error:
                found = error
            _remember(self._schedules, key, found)
        if isinstance(found, CronError):
            raise found
        return found

    def next_runs(self, schedule: BorgSchedule, now: datetime) -> list[datetime]:
        """Return the next five runs, suspended or not, in UTC; fewer when there are no more, none if it is invalid."""
        spec = schedule.spec
        key = (schedule.effective_schedule, spec.time_zone)
        runs = self._runs.get(key)
        if runs is None or (runs and runs[0] <= now):
            runs = self._compute(key, now)
            _remember(self._runs, key, runs)
        promised = schedule.status.next_run_time
        if runs and promised and spec.schedule.startswith("@every"):
            # Counted from the last run, which only the operator saw.
            times = self.parse(*key)
            return Clock(times, parse_time(promised) - times.every).next_ticks(now, COUNT)
        return runs

    def _compute(self, key: _Key, now: datetime) -> list[datetime]:
        try:
            return self.parse(*key).next_runs(now, COUNT)
        except CronError:
            return []


def whole_now() -> datetime:
    """Return the current second: the contract's times have no parts of one."""
    return datetime.now(UTC).replace(microsecond=0)


def _remember(memory: dict[_Key, T], key: _Key, value: T) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value

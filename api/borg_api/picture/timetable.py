"""When schedules run next. The runs of an expression in a zone are kept until the first is over."""

from collections.abc import Iterator, Sequence
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
        self._runs: dict[_Key, list[datetime]] = {}

    def next_runs(self, schedule: BorgSchedule, now: datetime) -> list[datetime]:
        """Return the next five runs, suspended or not, in UTC; fewer when no more are known, none if none will come.

        What the operator has said of this spec counts: its CronJob may not be there, be held back, or have other times
        still. Until it has said something, and while the schedule is suspended, it is what the spec says.
        """
        status = schedule.status
        runs = self._runs_of(_line(schedule), schedule, now)
        if not _is_seen(schedule):
            return runs
        if status.next_run_time is None:
            return []
        promised = parse_time(status.next_run_time)
        if promised > now and promised not in runs:
            return [promised]  # by a zone that was edited since, which the status does not tell
        return runs

    def runs_between(
        self, schedule: BorgSchedule, known: Sequence[datetime], start: datetime, end: datetime
    ) -> Iterator[datetime]:
        """Yield all runs in start < run <= end; `known`: the next ones, of which there is at least one."""
        if len(known) < COUNT:
            yield from (run for run in known if start < run <= end)
            return
        times = CronSchedule.parse(_line(schedule), schedule.spec.time_zone)
        first = known[0]
        if times.every:  # counted from the run that lists show as the next
            behind = max(0, (start - first) // times.every + 1)
            start = first + (behind - 1) * times.every
        yield from times.runs_between(start, end)

    def _runs_of(self, expression: str, schedule: BorgSchedule, now: datetime) -> list[datetime]:
        key = (expression, schedule.spec.time_zone)
        runs = self._runs.get(key)
        if runs is None or (runs and runs[0] <= now):
            runs = self._compute(key, now)
            _remember(self._runs, key, runs)
        promised = schedule.status.next_run_time
        if runs and promised and expression.startswith("@every"):
            # Counted from the last run, which only the operator saw.
            times = CronSchedule.parse(*key)
            return Clock(times, parse_time(promised) - times.every).next_ticks(now, COUNT)
        return runs

    def _compute(self, key: _Key, now: datetime) -> list[datetime]:
        try:
            return CronSchedule.parse(*key).next_runs(now, COUNT)
        except CronError:
            return []


def _is_seen(schedule: BorgSchedule) -> bool:
    """Tell whether the status says when this spec runs."""
    return not schedule.spec.suspend and schedule.status.observed_generation == schedule.metadata.generation


def _line(schedule: BorgSchedule) -> str:
    """Return the times by which it runs, as far as is known."""
    return (schedule.status.effective_schedule if _is_seen(schedule) else None) or schedule.effective_schedule


def whole_now() -> datetime:
    """Return the current second: the contract's times have no parts of one."""
    return datetime.now(UTC).replace(microsecond=0)


def _remember(memory: dict[_Key, T], key: _Key, value: T) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value

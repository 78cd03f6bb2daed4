"""A schedule in its time zone: parsed once, asked for its runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice

from borg_core.clock.cursor import find_next
from borg_core.clock.duration import parse_every
from borg_core.clock.error import CronError, quote
from borg_core.clock.expression import Fields, parse_fields
from borg_core.clock.zone import Zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_EVERY = "@every "


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """When a CronJob with this schedule and time zone fires. Make one with `parse`."""

    expression: str
    time_zone: str
    zone: Zone = field(repr=False)
    rule: Fields | timedelta = field(repr=False)  # the matching wall clocks, or the time from one run to the next

    @classmethod
    def parse(cls, expression: str, time_zone: str = "Etc/UTC") -> "CronSchedule":
        """Return the schedule. Raises CronError when the API server would refuse a CronJob with it.

        A text is parsed once: whoever needs it again, and each schedule with the same times, gets the same object.
        """
        return _parse(expression, time_zone)

    @classmethod
    def try_parse(cls, expression: str, time_zone: str = "Etc/UTC") -> "CronSchedule | None":
        """Return the schedule, None when the API server would refuse a CronJob with it."""
        try:
            return cls.parse(expression, time_zone)
        except CronError:
            return None

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first run after `instant` (aware, year 2 to 9990) in UTC, None when there is none in five years.

        A run by `@every` comes that long after `instant`, because the CronJob controller counts from the last run.
        """
        after = (instant - _EPOCH) // _SECOND
        if isinstance(self.rule, timedelta):
            try:
                return _EPOCH + timedelta(seconds=after) + self.rule
            except OverflowError:
                return None
        found = find_next(self.rule, self.zone, after)
        return None if found is None else _EPOCH + timedelta(seconds=found)

    def foretells(self, tick: datetime, former: datetime | None = None) -> bool:
        """Tell whether a Job for `tick` is one to be expected; `former` is the tick before for which there was one.

        By `@every`, a late controller begins a rhythm of its own, so only a tick that comes too soon is unexpected.
        """
        if self.every:
            return former is None or tick - former >= self.every
        return self.next_after(tick - _SECOND) == tick

    @property
    def every(self) -> timedelta:
        """The time from one run to the next where it is fixed (`@every`), else none at all."""
        return self.rule if isinstance(self.rule, timedelta) else timedelta()

    def next_runs(self, after: datetime, count: int) -> list[datetime]:
        """Return up to `count` runs after `after`, in UTC, in order."""
        return list(islice(self.runs_after(after), count))

    def runs_between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the runs in start < run <= end, in UTC, in order."""
        for run in self.runs_after(start):
            if run > end:
                return
            yield run

    def runs_after(self, after: datetime) -> Iterator[datetime]:
        """Yield the runs after `after`, in UTC, in order."""
        run = self.next_after(after)
        while run is not None:
            yield run
            following = self.next_after(run)
            # Where a zone lived one day twice (Kwajalein, 1969), robfig/cron can answer with the past: end there.
            run = following if following is None or following > run else None


@lru_cache(maxsize=16384)
def _parse(expression: str, time_zone: str) -> CronSchedule:
    if "TZ" in expression:
        raise CronError(
            f"a CronJob takes no time zone within its schedule, as in {quote(expression)}: "
            "leave it out, and write it as the schedule's time zone"
        )
    if expression.startswith(_EVERY):
        rule: Fields | timedelta = timedelta(seconds=parse_every(expression.removeprefix(_EVERY)))
    else:
        rule = parse_fields(expression)
    return CronSchedule(expression, time_zone, Zone.parse(time_zone), rule)

"""What the CronJob controller makes of a schedule: from when it reckons, what is too late, what it makes up for.

Follows `mostRecentScheduleTime` of Kubernetes' pkg/controller/cronjob/utils.go step for step, its rough guess at how
many ticks were missed included: because of that it can lose ticks that are not too late. `tests/oracle/controller`
holds the controller itself against this module.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from borg_core.clock.schedule import CronSchedule

COUNT_LIMIT = 20
"""More ticks are not counted: nobody needs it finer, and after an outage each scrape asks it of every schedule."""

_LEAST_PATIENCE = timedelta(seconds=60)
"""A controller that has much to do looks that late, and nobody calls it an outage."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A CronJob's ticks as its controller sees them. A tick is an instant at which a run is due."""

    times: CronSchedule
    since: datetime
    """From when it reckons: the last tick that it took, or when the CronJob was made."""
    deadline: timedelta | None = None
    """The CronJob's `startingDeadlineSeconds`."""

    def due_at(self, now: datetime) -> datetime | None:
        """Return the tick for which a Job is made if the controller looks at `now` and none is at work."""
        earliest = self.since if self.deadline is None else max(self.since, now - self.deadline)
        first = self.times.next_after(earliest)
        if first is None or first > now:
            return None
        second = self.times.next_after(first)
        if second is None or second <= first:
            return None  # the controller calls the schedule invalid
        if second > now:
            return first
        step = second - first
        return self._newest(first + ((now - first) // step - 1) * step, now)

    def next_after(self, now: datetime) -> datetime | None:
        """Return the first tick after `now` that is taken if the controller is alive and no run is at work then."""
        tick = self._following(now)
        return tick if tick and self.due_at(tick) else None

    def next_ticks(self, now: datetime, count: int) -> list[datetime]:
        """Return up to `count` ticks after `now`, in order, if each is taken in its time."""
        return list(islice(self.ticks_after(now), count))

    def ticks_after(self, now: datetime) -> Iterator[datetime]:
        """Yield the ticks after `now`, in order, if each is taken in its time."""
        first = self.next_after(now)
        if first is not None:
            yield first
            yield from self.times.runs_after(first)

    def count_missed(self, now: datetime) -> int:
        """Return how many ticks have passed without a run, and are not made up for any more; at most 20."""
        latest = now - _LEAST_PATIENCE
        first = self.times.next_after(self.since)
        if first is None or first > latest:
            return 0
        patience = self.patience
        if self.due_at(now) is not None:
            if patience is None:
                return 0
            latest = min(latest, now - patience)
        return self._count(latest)

    def count_passed(self, now: datetime) -> int:
        """Return how many ticks have passed since the last one that was taken, at most 20."""
        return self._count(now)

    @property
    def patience(self) -> timedelta | None:
        """How late a run may begin; None: it is never too late."""
        return None if self.deadline is None else self.deadline - self.times.every

    def _count(self, until: datetime) -> int:
        return sum(1 for _ in islice(self.times.runs_between(self.since, until), COUNT_LIMIT))

    def _following(self, now: datetime) -> datetime | None:
        every = self.times.every
        if not every or self.since > now:
            return self.times.next_after(max(now, self.since) if every else now)
        try:
            return self.since + ((now - self.since) // every + 1) * every
        except OverflowError:
            return None

    def _newest(self, start: datetime, now: datetime) -> datetime | None:
        """Return the newest tick after `start` up to `now`."""
        newest = None
        for newest in self.times.runs_between(start, now):  # noqa: B007 - the last one is wanted
            pass
        return newest


def derive_deadline(times: CronSchedule, patience: timedelta) -> timedelta:
    """Return the `startingDeadlineSeconds` with which a run may begin that late.

    The controller looks for ticks after "now minus deadline". By `@every` the first one there is an interval later,
    which a deadline no longer than that never lets come.
    """
    return patience + times.every

"""Ticks that nobody took: the times at which a run of a schedule was due and none began."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from borg_core.clock import CronSchedule
from borg_core.formats import parse_time
from borg_core.kinds.schedule import BorgSchedule
from borg_core.native.cron_job import ObservedCronJob

COUNT_LIMIT = 20
"""More are not counted: nobody needs it finer, and after an outage it is asked of every schedule at each scrape."""

_LEAST_PATIENCE = timedelta(seconds=60)
"""The CronJob controller looks every ten seconds, and a busy one takes longer."""


@dataclass(frozen=True)
class Clock:
    """When runs of a schedule are due, and from when on it is reckoned: its last tick, or when its times began."""

    timing: CronSchedule
    since: datetime
    patience: timedelta
    """How late a run may still begin."""

    def count_missed(self, now: datetime) -> int:
        """Return how many ticks have passed without a run, which can no longer be made up for."""
        return count_ticks(self.timing, self.since, now - self.patience)

    def count_passed(self, now: datetime) -> int:
        """Return how many ticks have passed since the last one that was taken."""
        return count_ticks(self.timing, self.since, now)


def count_ticks(timing: CronSchedule, since: datetime, until: datetime) -> int:
    """Return how many ticks there are after `since` up to `until`, at most 20."""
    return sum(1 for _ in islice(timing.runs_between(since, until), COUNT_LIMIT))


def derive_clock(schedule: BorgSchedule, cron_job: ObservedCronJob | None) -> Clock | None:
    """Return the schedule's clock, None while it is suspended or where its times cannot be read.

    The CronJob's times count where there is one: while a schedule is not valid, that stays as it last was. A CronJob
    that is suspended although its schedule is not is one that the installer does not allow: its ticks are missed.
    """
    spec = schedule.spec
    if spec.suspend:
        return None
    own = cron_job if cron_job and cron_job.owner_uid == schedule.metadata.uid else None
    began = own.reckoned_from if own else None
    timed = own or spec
    timing = CronSchedule.try_parse(timed.schedule, timed.time_zone)
    if timing is None or not (began or schedule.metadata.creation_timestamp):
        return None
    patience = max(timedelta(seconds=spec.starting_deadline_seconds), _LEAST_PATIENCE)
    return Clock(timing, began or parse_time(schedule.metadata.creation_timestamp), patience)

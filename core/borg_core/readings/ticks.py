"""The clock by which a schedule's ticks are counted: those that nobody took among them."""

from datetime import timedelta

from borg_core.clock import Clock, CronSchedule, derive_deadline
from borg_core.formats import parse_time
from borg_core.kinds.schedule import BorgSchedule
from borg_core.native.cron_job import ObservedCronJob


def derive_tick_clock(schedule: BorgSchedule, cron_job: ObservedCronJob | None) -> Clock | None:
    """Return the schedule's clock, None while it is suspended or where its times cannot be read.

    The CronJob's times count where there is one: while a schedule is not valid, that stays as it last was. A CronJob
    that is suspended although its schedule is not is one that the installer does not allow: its ticks are missed.
    """
    spec, created = schedule.spec, schedule.metadata.creation_timestamp
    if spec.suspend:
        return None
    own = cron_job if cron_job and cron_job.owner_uid == schedule.metadata.uid else None
    if own and (own.reckoned_from or not created):
        return own.clock
    times = CronSchedule.try_parse(schedule.effective_schedule, spec.time_zone)
    if times is None or not created:
        return None
    patience = timedelta(seconds=spec.starting_deadline_seconds)
    return Clock(times, parse_time(created), derive_deadline(times, patience))

"""Whether the CronJob controller reads the times as this project does: each Job tells for which time it was made."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from borg_contract.reasons import Reason
from borg_core.actions import RecordEvent
from borg_core.clock import CronSchedule
from borg_core.formats import format_time
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.status import ConditionType, Finding, derive_conditions, has_changed
from borg_core.native.cron_job import ObservedCronJob
from borg_core.native.job import ObservedJob
from borg_core.workload.owner import Owner

Times = tuple[str, str]
"""Time zone and schedule, as Jobs bear them."""

_ADVICE = (
    "the control plane may have another edition of the time zone database, or read schedules in another way, and then "
    "times shown here are not to be relied on: update Kubernetes or this operator, whichever is older, or write the "
    "times in Etc/UTC"
)


def derive_disagreement(
    before: Iterable[Condition],
    cron_job: ObservedCronJob | None,
    times: Times | None,
    jobs: Sequence[ObservedJob],
    *,
    generation: int,
    now: datetime,
) -> tuple[Condition, ...]:
    """Return the condition ClockDisagrees, none where there is nothing to tell.

    `before`, `generation`: of the CronJob's owner. Where no Job is left by which to judge, what the last one told holds
    until somebody changes the owner's spec.
    """
    known = tuple(condition for condition in before if condition.type == ConditionType.CLOCK_DISAGREES)
    if not is_known(cron_job, times, jobs):
        return tuple(condition for condition in known if condition.observed_generation == generation)
    found = find_disagreement(cron_job, times, jobs)
    return derive_conditions([found] if found else [], known, generation, now)


def tell_disagreement(owner: Owner, before: Sequence[Condition], after: Sequence[Condition]) -> Iterator[RecordEvent]:
    """Yield the Event on the owner when it has just begun."""
    said = next((condition for condition in after if condition.type == ConditionType.CLOCK_DISAGREES), None)
    if said and has_changed(ConditionType.CLOCK_DISAGREES, before, after):
        yield RecordEvent(owner.reference, owner.uid, said.reason, said.message, warning=True)


def find_disagreement(
    cron_job: ObservedCronJob | None, times: Times | None, jobs: Sequence[ObservedJob]
) -> Finding | None:
    """Return what is to be said where the newest tick that became a Job was not foretold; None where it was.

    `times`: those that the CronJob is to have. Each Job bears the times by which it was made, so an edit in between
    makes no false alarm. Jobs by hand tell nothing.
    """
    ticks = _ticks(cron_job, times, jobs)
    read = CronSchedule.try_parse(times[1], times[0]) if times else None
    if cron_job is None or read is None or not ticks:
        return None
    newest, former = ticks[-1], ticks[-2].scheduled if len(ticks) > 1 else None
    if newest.scheduled is None or _was_changed(cron_job, times, newest.scheduled):
        return None
    if read.foretells(newest.scheduled, former):
        return None
    before = read.next_after(newest.scheduled - timedelta(seconds=1))
    expected = f'"{read.expression}" in {read.time_zone} names {format_time(before)} next' if before else "none was due"
    message = (
        f"Job {newest.name} was made for {format_time(newest.scheduled)}, which was not foretold: {expected}; {_ADVICE}"
    )
    return Finding(ConditionType.CLOCK_DISAGREES.value, True, Reason.CLOCK_DISAGREES.value, message)


def _was_changed(cron_job: ObservedCronJob, times: Times | None, tick: datetime) -> bool:
    """Tell whether the CronJob had other times at that tick than its Jobs bear: somebody edited it.

    It has them still, or it was repaired: that lets it reckon from later on, see `RepairCronJob`.
    """
    last = cron_job.last_scheduled
    return (cron_job.time_zone, cron_job.schedule) != times or (last is not None and last > tick)


def is_known(cron_job: ObservedCronJob | None, times: Times | None, jobs: Sequence[ObservedJob]) -> bool:
    """Tell whether there is a Job by which to judge."""
    return bool(_ticks(cron_job, times, jobs))


def _ticks(cron_job: ObservedCronJob | None, times: Times | None, jobs: Sequence[ObservedJob]) -> list[ObservedJob]:
    """Return the CronJob's Jobs that were made by these times, by their tick."""
    if cron_job is None or times is None:
        return []
    found = [job for job in jobs if job.scheduled and job.owner_uid == cron_job.uid and job.times == times]
    return sorted(found, key=lambda job: (job.scheduled, job.name))

"""What keeps ticks from coming: what the CronJob controller can neither do nor notice by itself."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from borg_core.actions import Action, MergeMetadata, RecordTick
from borg_core.native.cron_job import CRON_JOBS
from borg_core.runs.world import World
from borg_core.workload.owner import Owner, render_owners

_CRON_JOB_EVENT_LAG = timedelta(seconds=5)
"""How much later than the event of its Job that of a CronJob may arrive."""


def plan_tick_repairs(world: World, now: datetime) -> Iterator[Action]:
    """Yield a repair for each tick whose Job the CronJob controller created, but could not record in its CronJob.

    That happens when its write of the status conflicts with one of ours; then it tries to create that Job for ever.
    """
    for cron_job in (world.cron_job, world.drill_cron_job):
        for job in world.jobs:
            if cron_job and job.scheduled and job.owner_uid == cron_job.uid and now - job.created > _CRON_JOB_EVENT_LAG:
                known = cron_job.last_scheduled
                if known is None or known < job.scheduled:
                    yield RecordTick(cron_job.reference, cron_job.uid, job.reference, job.uid, job.scheduled)


def plan_adoptions(world: World, owner_uid: str) -> Iterator[Action]:
    """Yield what gives ended Jobs back to the CronJob that has them in `status.active`, and controls them no more.

    Its controller sees the ends of Jobs that the CronJob controls, and whether others are gone. One whose owner was
    taken away stays in `active` for ever, and no tick begins any more. The Job is given back; then the controller
    removes the entry. While the Job is at work the entry is right. `owner_uid`: of the schedule or repository.
    """
    for cron_job in (world.cron_job, world.drill_cron_job):
        if cron_job is None or cron_job.owner_uid != owner_uid:
            continue
        owner = Owner.of(CRON_JOBS, cron_job.namespace, cron_job.name, cron_job.uid)
        for job in world.jobs:
            if job.uid in cron_job.active and job.finished and job.owner_kind is None and not job.deleting:
                owners = render_owners(owner, job.owners_beside)
                yield MergeMetadata(job.reference, job.uid, {"ownerReferences": owners})

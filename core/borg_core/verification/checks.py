"""The CronJobs of a repository's checks and drills: made when they are asked for, removed when they no longer are.

One mechanism for both. Runs by hand take turns by that of the checks; a drill takes its turn by borg's locks, as runs
of schedules do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from borg_contract.reasons import Reason
from borg_core.actions import Action, DeleteCronJob, RecordEvent
from borg_core.clock import Clock
from borg_core.clock.hashed import resolve
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.parts.verification import CheckTimes, DrillTimes
from borg_core.kinds.status import ConditionType, Finding, has_changed
from borg_core.names import CRON_JOB_NAME_LIMIT, shorten
from borg_core.native.cron_job import ObservedCronJob
from borg_core.policies.problem import Problem
from borg_core.policies.workload import find_size_problems
from borg_core.reconcile.cron_job import (
    derive_clock,
    derive_lasting,
    derive_times,
    derive_wait_for_tick,
    find_cron_job_problems,
    find_edit,
    find_overruling,
    find_tick_problems,
    is_kept,
    is_ours,
    plan_cron_job,
    render_held,
)
from borg_core.reconcile.status.foretold import Times
from borg_core.runs.world import World
from borg_core.workload.job import Timing, render_cron_job, render_cron_job_manifest
from borg_core.workload.owner import Owner
from borg_core.workload.workload import Workload

HISTORY_LIMIT = 10
"""So many finished runs are kept of a repository alone."""

DEADLINE_SECONDS = 12 * 3600
"""A check that the operator's absence or an outage delayed is made up for within half a day."""

_TOLD = frozenset({Reason.JOB_REFUSED.value, Reason.CRON_JOB_OVERRULED.value})
"""What of their CronJobs is told in an Event."""


@dataclass(frozen=True)
class Checks:
    """What is done about the CronJob, and what that means for the runs and the status. The defaults: it is not wanted.

    `cron_job`: the one by which runs take turns, None also where it is about to go. `scheduled`: whether there is one,
    or will be as soon as the API server takes it; `hindrances`: why it does not take it yet.
    """

    actions: tuple[Action, ...] = ()
    cron_job: ObservedCronJob | None = None
    clock: Clock | None = None
    scheduled: bool = False
    hindrances: tuple[Problem, ...] = ()
    finding: Finding | None = None
    name: str | None = None
    """Of the CronJob, where there is one."""
    times: Times | None = None
    """Of the CronJob, where there is one."""
    refused: tuple[Problem, ...] = ()
    """What keeps the CronJob from being made or changed."""
    wait: float | None = None
    """After how many seconds a tick that is due now is overdue."""


@dataclass(frozen=True)
class CronJobKind:
    """What tells checks from drills: the end of the CronJob's name, the condition, the word for what is done."""

    suffix: str
    condition: ConditionType
    done: str

    def name(self, name: str) -> str:
        """Return the name of the CronJob, of the repository's name."""
        return shorten(name, self.suffix, CRON_JOB_NAME_LIMIT)


CHECKS = CronJobKind("-check", ConditionType.CHECKS_SCHEDULED, "checked")
DRILLS = CronJobKind("-drill", ConditionType.DRILLS_SCHEDULED, "drilled")


def plan_checks(
    world: World,
    owner: Owner,
    kind: CronJobKind,
    times: CheckTimes | DrillTimes | None,
    workload: Workload,
    *,
    problems: Sequence[Problem],
    now: datetime,
) -> Checks:
    """Return what is to be done for a repository's checks, or drills. `world.cron_job`: that of theirs.

    `times`: when they are asked for, None for never. `workload`: of one of them. `problems`: what keeps it
    from running.
    """
    current = world.cron_job if is_ours(world.cron_job, owner) else None
    if times is None:
        return Checks(actions=tuple(_end(current, world, owner, now)))
    name = kind.name(owner.name)
    refused = tuple(find_cron_job_problems(world, owner, name))
    is_foreign = world.cron_job is not None and current is None
    desired = None
    if not (problems or is_foreign):
        timing = Timing(
            resolve(times.schedule, owner.namespace, name),
            times.time_zone,
            starting_deadline_seconds=DEADLINE_SECONDS,
            history_limit=HISTORY_LIMIT,
        )
        desired = render_cron_job(name, owner, timing, workload, world.settings)
        problems = tuple(find_size_problems(workload.operation, desired["spec"]["jobTemplate"]))
    if problems:
        desired = render_held(world, owner, problems, workload.targets)
    name_is_taken = any(problem.reason is Reason.CRON_JOB_NAME_TAKEN for problem in refused)
    scheduled = desired is not None and not name_is_taken
    kept = is_kept(world, owner, refused)
    overruled = tuple(find_overruling(world, owner, name))
    lasting = derive_lasting(current, desired, (*refused, *overruled))
    clock = derive_clock(current, lasting, now) if kept else None
    edits = find_edit(world, owner, problems)
    ticks = find_tick_problems(replace(world, cron_job=current), clock, now)
    return Checks(
        actions=tuple(plan_cron_job(current, desired, now)),
        cron_job=current,
        clock=clock,
        name=name if scheduled and kept else None,
        times=derive_times(lasting) if kept else None,
        scheduled=scheduled,
        hindrances=refused if scheduled else (),
        finding=_find(kind, times, desired, (*problems, *refused, *overruled, *edits, *ticks)),
        refused=refused,
        wait=derive_wait_for_tick(current, clock, now),
    )


def tell_ticks(owner: Owner, before: Sequence[Condition], after: Sequence[Condition]) -> Iterator[RecordEvent]:
    """Yield the Events on the owner when a tick is refused, or a CronJob overruled, and when that is mended."""
    types = (CHECKS.condition.value, DRILLS.condition.value)
    told = {item.type for item in (*before, *after) if item.reason in _TOLD}
    for said in after:
        if said.type in types and said.type in told and has_changed(said.type, before, after):
            yield RecordEvent(owner.reference, owner.uid, said.reason, said.message, warning=said.status != "True")


def _end(current: ObservedCronJob | None, world: World, owner: Owner, now: datetime) -> Iterator[Action]:
    """Yield what removes the CronJob: after the run that it controls, which would go with it; until then it waits."""
    if current is None:
        return
    if any(job.working and job.owner_uid == current.uid for job in world.jobs):
        suspended = render_cron_job_manifest(current.name, owner, {**current.spec, "suspend": True})
        yield from plan_cron_job(current, suspended, now)
    else:
        yield DeleteCronJob(current.reference, current.uid)


def _find(
    kind: CronJobKind, times: CheckTimes | DrillTimes, desired: dict[str, Any] | None, problems: Sequence[Problem]
) -> Finding:
    type_ = kind.condition.value
    if problems:
        message = "; ".join(problem.message for problem in problems)
        return Finding(type_, False, problems[0].reason.value, message)
    schedule = desired["spec"]["schedule"] if desired else times.schedule
    return Finding(type_, True, Reason.SCHEDULED.value, f'{kind.done} at "{schedule}" in {times.time_zone}')

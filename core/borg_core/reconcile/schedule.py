"""Planning a schedule: its CronJob, its runs, what it says about itself."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from borg_contract.run import Operation
from borg_core.actions import Action, PatchStatus, Plan, RecordEvent
from borg_core.claims.told import find_selected
from borg_core.clock import Clock
from borg_core.kinds.schedule import SCHEDULES, BorgSchedule
from borg_core.kinds.status import ConditionType, derive_status_patch, has_changed
from borg_core.kinds.statuses.schedule import BorgScheduleStatus
from borg_core.policies.problem import Problem
from borg_core.policies.schedule import derive_problems, derive_prune_problems, find_never_problems
from borg_core.policies.workload import find_size_problems
from borg_core.reconcile.cron_job import (
    derive_clock,
    derive_lasting,
    derive_requeue,
    derive_times,
    derive_wait_for_tick,
    find_cron_job_problems,
    find_edit,
    find_overruling,
    find_tick_problems,
    find_used,
    is_kept,
    is_ours,
    is_suspended,
    plan_cron_job,
    render_held,
)
from borg_core.reconcile.reconciler import PACE_OF_CLAIMS, Reconciler
from borg_core.reconcile.status.foretold import tell_disagreement
from borg_core.reconcile.status.schedule import derive_schedule_status
from borg_core.runs.plan import plan_runs
from borg_core.runs.records import find_refused_records
from borg_core.runs.world import Host, World
from borg_core.view import View
from borg_core.workload.bundle import Bundle, gather_bundle, gather_targets
from borg_core.workload.job import Timing, render_cron_job
from borg_core.workload.mounts import derive_claims
from borg_core.workload.workload import Workload


def reconcile_schedule(world: World, view: View, now: datetime) -> Plan:
    """Return what is to be done for the schedule, or for the runs that ask for one that does not exist."""
    schedule = view.get(SCHEDULES, world.subject.namespace, world.subject.name)
    if schedule is None:
        return plan_schedule(world, None, now)
    bundle = gather_bundle(view, schedule)
    left = find_used(world.cron_job, bundle.owner) - bundle.repositories.keys()
    return plan_schedule(world, replace(bundle, left=gather_targets(view, schedule.metadata.namespace, left)), now)


SCHEDULE = Reconciler(
    SCHEDULES,
    reconcile_schedule,
    cron_job_name=lambda name: name,
    due=lambda schedule: (schedule.status.next_run_time,),
    paced_by=PACE_OF_CLAIMS,
)


def plan_schedule(world: World, bundle: Bundle | None, now: datetime) -> Plan:
    """Return what is to be done, in this order; nothing when all is as it should be.

    `bundle` is None when the schedule does not exist: then there may still be runs that ask for it.
    """
    if bundle is None:
        runs = plan_runs(world, None, now)
        return Plan(runs.actions, runs.requeue_after)
    schedule = bundle.schedule
    workload = bundle.workload()
    problems = derive_problems(bundle, workload, world.settings)
    desired = None
    if not problems:
        desired = _render(bundle, workload, world)
        problems = tuple(find_size_problems(workload.operation, desired["spec"]["jobTemplate"]))
    refused = tuple(find_cron_job_problems(world, bundle.owner, schedule.metadata.name))
    blocked = (*problems, *refused)
    spec = schedule.spec
    never = () if spec.suspend else tuple(find_never_problems(spec.schedule, spec.time_zone, schedule.metadata.key))
    is_foreign = world.cron_job is not None and not is_ours(world.cron_job, bundle.owner)
    # Times that never come keep nobody from running it by hand; a CronJob that is there goes on as it last was valid.
    keeping = (*problems, *never) if world.cron_job else problems
    if keeping or is_foreign:
        targets = (*workload.targets, *bundle.left)
        desired = render_held(world, bundle.owner, keeping, targets, suspend=spec.suspend)
    overruled = tuple(find_overruling(world, bundle.owner, schedule.metadata.name))
    lasting = derive_lasting(world.cron_job, desired, (*refused, *overruled))
    clock = derive_clock(world.cron_job, lasting, now)
    runs = plan_runs(world, _host(bundle, blocked, clock), now)
    edits = tuple(find_edit(world, bundle.owner, keeping))
    ticks = find_tick_problems(world, clock, now)
    said = (*blocked, *never, *overruled, *edits, *ticks, *find_refused_records(world))
    kept = is_kept(world, bundle.owner, refused)
    firing = clock if kept else None
    times = derive_times(lasting) if kept and not edits else None
    status = derive_schedule_status(
        world,
        schedule,
        said,
        runs.entries,
        clock=firing,
        times=times,
        suspended=is_suspended(lasting) if kept else None,
        claims=len(derive_claims(workload)[1]),
        others=[find_selected(bundle.selections.values())] if bundle.selects else (),
        now=now,
    )
    actions = (*plan_cron_job(world.cron_job, desired, now), *runs.actions, *_say(bundle, status))
    return Plan(actions, derive_requeue(refused, runs.requeue_after, derive_wait_for_tick(world.cron_job, clock, now)))


def _render(bundle: Bundle, workload: Workload, world: World) -> dict[str, Any]:
    spec = bundle.schedule.spec
    timing = Timing(
        bundle.schedule.effective_schedule,
        spec.time_zone,
        spec.suspend,
        spec.starting_deadline_seconds,
        spec.run_history_limit,
    )
    return render_cron_job(bundle.schedule.metadata.name, bundle.owner, timing, workload, world.settings)


def _host(bundle: Bundle, problems: Sequence[Problem], clock: Clock | None) -> Host:
    spec = bundle.schedule.spec

    def hindrances(operation: Operation) -> Sequence[Problem]:
        return problems or (derive_prune_problems(bundle) if operation is Operation.PRUNE else ())

    return Host(
        owner=bundle.owner,
        history_limit=spec.run_history_limit,
        hindrances=hindrances,
        workload=bundle.workload,
        clock=clock,
        leaves_locks=any(target.spec.local or target.spec.cache for target in bundle.targets),
    )


def _say(bundle: Bundle, status: BorgScheduleStatus) -> Iterator[Action]:
    schedule: BorgSchedule = bundle.schedule
    patch = derive_status_patch(schedule.status, status)
    if not patch:
        return
    yield PatchStatus(bundle.owner.reference, bundle.owner.uid, patch)
    before = schedule.status.conditions
    yield from tell_disagreement(bundle.owner, before, status.conditions)
    ready = next(condition for condition in status.conditions if condition.type == ConditionType.READY)
    # That a new schedule is ready is what everybody expects, and costs an object for each.
    if has_changed(ConditionType.READY, before, status.conditions) and (before or ready.status != "True"):
        yield RecordEvent(
            regarding=bundle.owner.reference,
            uid=bundle.owner.uid,
            reason=ready.reason,
            message=ready.message,
            warning=ready.status != "True",
        )

"""Planning a schedule: its CronJob, its runs, what it says about itself."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from borg_contract.reasons import Reason
from borg_core.clock import CronSchedule
from borg_core.kinds.schedule import BorgSchedule, BorgScheduleStatus
from borg_core.native.cron_job import ObservedCronJob
from borg_core.policies.problems import Problem, Severity, derive_problems
from borg_core.reconcile.actions import Action, ApplyCronJob, PatchStatus, RecordEvent
from borg_core.reconcile.conditions import ConditionType, changed
from borg_core.reconcile.drift import covers
from borg_core.reconcile.runs import (
    begin_runs,
    derive_entries,
    derive_forgotten,
    forget_runs,
    record_runs,
    unlock_after_dead_jobs,
)
from borg_core.reconcile.schedule_status import derive_schedule_status
from borg_core.reconcile.status_patch import derive_status_patch
from borg_core.reconcile.world import Plan, World
from borg_core.workload.manifests import render_cron_job, render_held_cron_job

POLL_SECONDS = 5.0
"""How often to look at what is not watched: why the pod of a Job is not ready, whether a foreign CronJob went."""


def plan_schedule(world: World, now: datetime) -> Plan:
    """Return what is to be done for the schedule, in this order; nothing when all is as it should be."""
    schedule = world.schedule
    problems = _problems(world)
    entries, jobs = begin_runs(world, derive_entries(world, now), problems, now)
    forgotten = derive_forgotten(entries, schedule.spec.run_history_limit) if schedule else frozenset()
    actions: list[Action] = []
    if schedule:
        desired = _desired_cron_job(world, schedule, problems)
        if desired and not _is_as_desired(world.cron_job, desired):
            actions.append(ApplyCronJob(desired, _forget_missed(world.cron_job, desired, now)))
        status = derive_schedule_status(schedule, problems, entries, _timing(world, desired), now)
        actions += _say(schedule, status)
    actions += record_runs(world, entries, now, forgotten=forgotten)
    actions += jobs
    actions += forget_runs(world, entries, forgotten)
    actions += unlock_after_dead_jobs(world, entries)
    waiting = any(entry.job and not entry.finished and not entry.job.ready for entry in entries)
    taken = any(problem.reason is Reason.CRON_JOB_NAME_TAKEN for problem in problems)
    return Plan(tuple(actions), POLL_SECONDS if waiting or jobs or taken else None)


def _problems(world: World) -> tuple[Problem, ...]:
    if world.bundle is None:
        return ()
    schedule = world.bundle.schedule
    found = list(derive_problems(world.bundle, world.settings))
    if world.cron_job and world.cron_job.owner_uid != schedule.metadata.uid:
        message = (
            f'a CronJob "{world.cron_job.name}" that is not of this schedule already exists in namespace '
            f'"{world.namespace}": delete or rename it, or give the schedule another name'
        )
        found.append(Problem(Reason.CRON_JOB_NAME_TAKEN, message, Severity.WAITING))
    refused = world.refusals.get(f"CronJob/{world.name}")
    if refused:
        found.append(Problem(Reason.REFUSED_BY_API_SERVER, f"the API server refused the CronJob: {refused}"))
    return tuple(found)


def _desired_cron_job(world: World, schedule: BorgSchedule, problems: Sequence[Problem]) -> dict[str, Any] | None:
    """Return the CronJob to have, None where none can be had or the one there must not be touched."""
    if not problems and world.bundle:
        return render_cron_job(world.bundle, world.settings)
    current = world.cron_job
    if current is None or current.owner_uid != schedule.metadata.uid:
        return None
    forbidden = any(problem.severity is Severity.FORBIDDEN for problem in problems)
    return render_held_cron_job(schedule, current, suspend=forbidden or schedule.spec.suspend)


def _is_as_desired(current: ObservedCronJob | None, desired: dict[str, Any]) -> bool:
    return (
        current is not None
        and not current.foreign_managers
        and covers(current.labels, desired["metadata"]["labels"])
        and covers(current.spec, desired["spec"])
    )


def _forget_missed(current: ObservedCronJob | None, desired: dict[str, Any], now: datetime) -> datetime | None:
    """Return `now` when the times change: ticks of the new times that are past were never meant to run."""
    if current is None:
        return None
    same = all(current.spec.get(key) == desired["spec"][key] for key in ("schedule", "timeZone", "suspend"))
    return None if same else now


def _timing(world: World, desired: dict[str, Any] | None) -> CronSchedule | None:
    """Return when the CronJob fires once the plan is carried out; None when it does not."""
    spec = desired["spec"] if desired else (world.cron_job.spec if world.cron_job else None)
    if spec is None or spec.get("suspend"):
        return None
    return CronSchedule.try_parse(spec["schedule"], spec.get("timeZone") or "Etc/UTC")


def _say(schedule: BorgSchedule, status: BorgScheduleStatus) -> Iterator[Action]:
    metadata = schedule.metadata
    patch = derive_status_patch(schedule.status, status)
    if patch:
        yield PatchStatus("BorgSchedule", metadata.namespace, metadata.name, patch)
    if changed(ConditionType.READY, schedule.status.conditions, status.conditions):
        ready = next(condition for condition in status.conditions if condition.type == ConditionType.READY)
        yield RecordEvent(
            kind="BorgSchedule",
            namespace=metadata.namespace,
            name=metadata.name,
            uid=metadata.uid,
            reason=ready.reason,
            message=ready.message,
            warning=ready.status != "True",
        )

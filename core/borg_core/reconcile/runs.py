"""The runs of a schedule: those to begin, those to record, those to forget."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from borg_contract.operations import Operation
from borg_contract.phases import Phase
from borg_contract.reasons import Reason
from borg_core.bundle import Bundle
from borg_core.kinds.run import BorgRunStatus
from borg_core.kinds.schedule import BorgSchedule
from borg_core.policies.problems import Problem, derive_prune_problems
from borg_core.reconcile.actions import (
    Action,
    AdoptRun,
    CreateJob,
    CreateRun,
    DeleteJob,
    DeleteRun,
    PatchStatus,
    RecordEvent,
)
from borg_core.reconcile.entry import Entry
from borg_core.reconcile.locks import derive_suspects, may_hold_locks, unlock_run_name
from borg_core.reconcile.run_status import derive_run_conditions, derive_run_status, derive_trigger
from borg_core.reconcile.status_patch import derive_status_patch
from borg_core.reconcile.world import World
from borg_core.timestamps import format_time
from borg_core.workload.manifests import (
    render_job,
    render_run,
    render_run_adoption,
    render_unlock_run,
)


def derive_entries(world: World, now: datetime) -> tuple[Entry, ...]:
    """Return the runs and Jobs of the schedule, paired by name, each with the status that follows from both."""
    runs = {run.metadata.name: run for run in world.runs}
    jobs = {job.name: job for job in world.jobs}
    return tuple(
        Entry(
            name=name,
            run=runs.get(name),
            job=jobs.get(name),
            status=derive_run_status(runs.get(name), jobs.get(name), world.outcomes.get(name), now),
        )
        for name in sorted(runs.keys() | jobs.keys())
    )


def begin_runs(
    world: World, entries: Sequence[Entry], problems: Sequence[Problem], now: datetime
) -> tuple[tuple[Entry, ...], list[Action]]:
    """Return the entries with what keeps each run by hand from beginning, and the Job of the one that may begin.

    One run of a schedule at a time, oldest first: two would only wait for each other's lock.
    """
    busy = next((entry.name for entry in entries if entry.job and not entry.finished), None)
    actions: list[Action] = []
    settled: list[Entry] = []
    for entry in sorted(entries, key=lambda item: item.order):
        if entry.finished or entry.job or entry.run is None:
            settled.append(entry)
            continue
        asked = entry.status.model_copy(update={"trigger": derive_trigger(entry.run, None)})
        refused = world.refusals.get(f"Job/{entry.name}")
        if refused:
            status = _failed(asked, Reason.REFUSED_BY_API_SERVER, f"No Job could be made: {refused}", now)
        elif world.bundle is None:
            message = f'BorgSchedule "{world.name}" does not exist in namespace "{world.namespace}": create it'
            status = _waits(asked, Reason.SCHEDULE_NOT_FOUND, message)
        elif hindered := problems or _hindrances(world.bundle, entry):
            message = f'BorgSchedule "{world.name}" is not ready: ' + "; ".join(item.message for item in hindered)
            status = _waits(asked, hindered[0].reason, message)
        elif busy:
            status = _waits(asked, Reason.WAITING_FOR_RUN, f'Waits until BorgRun "{busy}" has finished')
        else:
            status = _waits(asked, None, "")
            actions.append(CreateJob(render_job(world.bundle, entry.run, world.settings)))
            busy = entry.name
        settled.append(Entry(entry.name, entry.run, entry.job, status))
    return tuple(settled), actions


def record_runs(
    world: World, entries: Sequence[Entry], now: datetime, *, forgotten: frozenset[str]
) -> Iterator[Action]:
    """Yield what makes BorgRuns say what `entries` say: one for every Job, its status, its tie to the schedule."""
    for entry in entries:
        if entry.name in forgotten:
            continue
        schedule = world.schedule
        if entry.run is None:
            if schedule is None or entry.job is None:
                continue  # the garbage collector is about to delete it
            yield CreateRun(render_run(schedule, entry.job))
        elif schedule and not _tied(entry, schedule):
            yield AdoptRun(
                world.namespace, entry.name, render_run_adoption(schedule, derive_trigger(entry.run, entry.job))
            )
        conditions = derive_run_conditions(entry.run, entry.status, now)
        status = entry.status.model_copy(update={"conditions": conditions})
        patch = derive_status_patch(entry.run.status if entry.run else BorgRunStatus(), status)
        if patch:
            yield PatchStatus("BorgRun", world.namespace, entry.name, patch)
        if entry.run and entry.run.spec.cancel and entry.job and not entry.job.finished and not entry.job.deleting:
            yield DeleteJob(world.namespace, entry.name, entry.job.uid)
        if entry.just_finished and schedule:
            yield _event(schedule, entry)


def derive_forgotten(entries: Sequence[Entry], limit: int) -> frozenset[str]:
    """Return the names of the finished runs beyond the newest `limit`."""
    finished = sorted((entry for entry in entries if entry.finished), key=lambda entry: entry.order)
    return frozenset(entry.name for entry in finished[: max(0, len(finished) - limit)])


def forget_runs(world: World, entries: Sequence[Entry], forgotten: frozenset[str]) -> Iterator[Action]:
    """Yield the deletions: the Job first, because a Job that stays behind alone would be recorded again."""
    for entry in entries:
        if entry.name in forgotten:
            if entry.job and not entry.job.deleting:
                yield DeleteJob(world.namespace, entry.name, entry.job.uid)
            if entry.run and entry.run.metadata.deletion_timestamp is None:
                yield DeleteRun(world.namespace, entry.name, entry.run.metadata.uid)


def unlock_after_dead_jobs(world: World, entries: Sequence[Entry]) -> Iterator[Action]:
    """Yield a BreakLock run for every Job that died and of which, as was looked up, no pod is left."""
    if world.bundle is None or not may_hold_locks(world.bundle):
        return
    for name, uid in derive_suspects(entries, {run.metadata.name: run for run in world.runs}).items():
        if uid in world.dead_job_uids:
            yield CreateRun(render_unlock_run(world.bundle.schedule, unlock_run_name(name), uid))


def _hindrances(bundle: Bundle, entry: Entry) -> tuple[Problem, ...]:
    return derive_prune_problems(bundle) if entry.operation is Operation.PRUNE else ()


def _tied(entry: Entry, schedule: BorgSchedule) -> bool:
    owners = entry.run.metadata.owner_references if entry.run else ()
    return any(owner.uid == schedule.metadata.uid for owner in owners)


def _waits(status: BorgRunStatus, reason: Reason | None, message: str) -> BorgRunStatus:
    value = reason.value if reason else None
    return status.model_copy(update={"phase": Phase.PENDING, "reason": value, "message": message})


def _failed(status: BorgRunStatus, reason: Reason, message: str, now: datetime) -> BorgRunStatus:
    update = {"phase": Phase.FAILED, "reason": reason.value, "message": message, "completion_time": format_time(now)}
    return status.model_copy(update=update)


def _event(schedule: BorgSchedule, entry: Entry) -> RecordEvent:
    reason, verb = {
        Phase.COMPLETED: (Reason.RUN_COMPLETED, "completed"),
        Phase.COMPLETED_WITH_WARNINGS: (Reason.RUN_COMPLETED_WITH_WARNINGS, "completed with warnings"),
        Phase.CANCELLED: (Reason.RUN_CANCELLED, "was cancelled"),
    }.get(entry.status.phase or Phase.FAILED, (Reason.RUN_FAILED, "failed"))
    said = f": {entry.status.message}" if entry.status.message else ""
    return RecordEvent(
        kind="BorgSchedule",
        namespace=schedule.metadata.namespace,
        name=schedule.metadata.name,
        uid=schedule.metadata.uid,
        reason=reason.value,
        message=f'BorgRun "{entry.name}" ({entry.operation.value}) {verb}{said}',
        warning=entry.status.phase is not Phase.COMPLETED,
    )

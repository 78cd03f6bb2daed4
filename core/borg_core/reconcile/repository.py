"""What a BorgRepository says about itself, from the newest runs on it."""

from collections.abc import Iterable
from datetime import datetime

from borg_contract.phases import Phase
from borg_contract.reasons import Reason
from borg_core.kinds.repository import BorgRepository, BorgRepositoryStatus, RepositoryLock
from borg_core.kinds.run import BorgRun, RunRepository
from borg_core.quantities import format_size
from borg_core.reconcile.actions import Action, PatchStatus
from borg_core.reconcile.conditions import ConditionType, Finding, derive_conditions
from borg_core.reconcile.status_patch import derive_status_patch


def plan_repository(
    repository: BorgRepository, schedules: int, runs: Iterable[BorgRun], now: datetime
) -> tuple[Action, ...]:
    """Return the status patch, if one is due. `schedules`: how many refer to it; `runs`: those that touched it."""
    status = derive_repository_status(repository, schedules, runs, now)
    patch = derive_status_patch(repository.status, status)
    metadata = repository.metadata
    return (PatchStatus("BorgRepository", metadata.namespace, metadata.name, patch),) if patch else ()


def derive_repository_status(
    repository: BorgRepository, schedules: int, runs: Iterable[BorgRun], now: datetime
) -> BorgRepositoryStatus:
    """Return the status; what runs that are no longer kept have left in it stays."""
    before = repository.status
    name = repository.metadata.name
    done = [
        (run.status.completion_time or "", run, result)
        for run in runs
        if run.finished
        for result in run.status.repositories
        if result.name == name and result.phase is not Phase.SKIPPED
    ]
    done.sort(key=lambda item: item[0])
    totals = next((result.totals for _, _, result in reversed(done) if result.totals), None)
    backups = [time for time, _, result in done if result.archive]
    generation = repository.metadata.generation
    conditions = before.conditions
    lock = before.lock
    if done:
        time, run, last = done[-1]
        conditions = derive_conditions([_finding(run, last)], before.conditions, generation, now)
        lock = (
            RepositoryLock(holder=last.locked_by or "", run_name=run.metadata.name, time=time)
            if _locked(last)
            else None
        )
    return BorgRepositoryStatus(
        conditions=conditions,
        observed_generation=generation,
        last_backup_time=max([*backups, *([before.last_backup_time] if before.last_backup_time else [])], default=None),
        archives=totals.archives if totals else before.archives,
        original_size=totals.original_size if totals else before.original_size,
        deduplicated_size=totals.deduplicated_size if totals else before.deduplicated_size,
        size=format_size(totals.deduplicated_size) if totals else before.size,
        lock=lock,
        schedules=schedules,
    )


def _locked(result: RunRepository) -> bool:
    return result.reason == "Locked"


def _finding(run: BorgRun, result: RunRepository) -> Finding:
    name = run.metadata.name
    if result.phase is Phase.FAILED:
        reason = result.reason or Reason.RUN_FAILED.value
        return Finding(ConditionType.READY.value, False, reason, f'BorgRun "{name}": {result.error or "failed"}')
    return Finding(ConditionType.READY.value, True, Reason.LAST_RUN_SUCCEEDED.value, f'BorgRun "{name}" succeeded')

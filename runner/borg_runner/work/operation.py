"""One repository's part of a run: the operation that the plan asks for, and a result whatever happens."""

import time
from dataclasses import replace
from pathlib import Path

from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_contract.result import RepositoryResult
from borg_contract.retention import Retention
from borg_contract.run import Operation
from borg_runner.fault import Fault, FaultError, explain_os_error
from borg_runner.verbs.break_lock import break_all_locks, break_dead_locks
from borg_runner.verbs.check import check
from borg_runner.verbs.compact import DEFAULT_THRESHOLD
from borg_runner.verbs.repository import Repository
from borg_runner.work.backup import back_up
from borg_runner.work.listing.part import Tell, tell_archives
from borg_runner.work.recognition import recognize
from borg_runner.work.record import Record
from borg_runner.work.steps import compact_as_asked, count_after, list_archives, prune_own_archives


def work_on_repository(
    plan: RunPlan, repository: Repository, *, sources_root: Path, run_name: str, tell: Tell = lambda _: None
) -> RepositoryResult:
    """Do what the plan asks of this repository; failures are in the result, never raised.

    `tell` takes the part of a listing, which is in no repository's result.
    """
    began = time.monotonic()
    record = Record(repository.plan.name)
    try:
        _operate(plan, repository, record, sources_root=sources_root, run_name=run_name, tell=tell)
    except FaultError as error:
        _fail(repository, record, error.fault)
    except Exception as error:  # noqa: BLE001 - what was done stays known, whatever is wrong
        _fail(repository, record, explain_error(error, repository.borg.executable))
    warnings = repository.warnings
    return record.finish(
        warnings=replace(warnings, texts=tuple(map(repository.log.conceal, warnings.texts))),
        seconds=time.monotonic() - began,
        lock_wait_seconds=repository.locks.waited,
    )


def _operate(
    plan: RunPlan, repository: Repository, record: Record, *, sources_root: Path, run_name: str, tell: Tell
) -> None:
    if plan.operation.needs_schedule and not plan.schedule:
        text = f"{plan.operation} works on the archives of a schedule, and the plan names none."
        raise FaultError(Fault(Reason.INVALID_PLAN, text))
    # Dead holders' locks alone may go from whatever repository it is.
    if plan.operation is not Operation.BREAK_LOCK or not plan.dead_holders:
        recognize(repository, record, plan.operation)
    match plan.operation:
        case Operation.BACKUP:
            back_up(plan, repository, record, sources_root=sources_root, run_name=run_name)
        case Operation.PRUNE:
            retention = _require_retention(plan)
            deleted = prune_own_archives(plan, repository, record, retention, list_archives(plan, repository))
            count_after(repository, record, deleted=deleted, written=None)
        case Operation.COMPACT:
            threshold = DEFAULT_THRESHOLD if plan.compact_threshold is None else plan.compact_threshold
            compact_as_asked(repository, record, threshold=threshold)
        case Operation.CHECK:
            check(repository)
        case Operation.LIST:
            tell_archives(repository, record, plan.listing, tell)
        case Operation.BREAK_LOCK:
            _break_lock(plan, repository, record)


def explain_error(error: Exception, executable: str = "borg") -> Fault:
    """Return what an error means that was raised while a repository was prepared or worked on."""
    if not isinstance(error, OSError):
        return Fault(Reason.INTERNAL_ERROR, f"The runner failed: {error!r}.")
    if isinstance(error, FileNotFoundError) and error.filename == executable:
        return Fault(Reason.BORG_MISSING, f"{error}. Use a runner image that has borg.")
    return explain_os_error(error)


def _require_retention(plan: RunPlan) -> Retention:
    if plan.prune is None:
        text = "The schedule has no retention rules: set `prune.keepDaily` or another one."
        raise FaultError(Fault(Reason.INVALID_PLAN, text))
    return plan.prune


def _break_lock(plan: RunPlan, repository: Repository, record: Record) -> None:
    """Break everything when a person asked, which is a plan that names nobody dead; else what is proven dead."""
    if not plan.dead_holders:
        break_all_locks(repository)
    elif (holder := break_dead_locks(repository)) is not None:
        record.add(locked_by=holder.host)


def _fail(repository: Repository, record: Record, fault: Fault) -> None:
    repository.log.say(f"error: {fault.text}")
    record.fail(Fault(fault.reason, repository.log.conceal(fault.text), fault.locked_by))

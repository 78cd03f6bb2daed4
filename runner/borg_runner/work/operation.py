"""One repository's part of a run: the operation that the plan asks for, and a result whatever happens."""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from borg_contract.plan import RunPlan
from borg_contract.pod import RESTORED_DIR, SCRATCH_DIR
from borg_contract.reasons import Reason
from borg_contract.restore.plan import TARGET_DIR
from borg_contract.restore.result import RestoreResult
from borg_contract.result import RepositoryResult
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from borg_runner.drill.drill import drill
from borg_runner.fault import Fault, FaultError, explain_error
from borg_runner.restore.command.deliver import deliver, preview_delivery
from borg_runner.restore.preview.reckon import Task
from borg_runner.restore.preview.target import Target
from borg_runner.restore.restore import preview, restore
from borg_runner.scratch import make_unique_folder
from borg_runner.streams.container import Container
from borg_runner.streams.dumps import Streams
from borg_runner.verbs.break_lock import break_all_locks, break_dead_locks
from borg_runner.verbs.check import check
from borg_runner.verbs.compact import DEFAULT_THRESHOLD
from borg_runner.verbs.repository import Repository
from borg_runner.work.archive import Backup
from borg_runner.work.backup import back_up
from borg_runner.work.listing.part import Tell, tell_archives
from borg_runner.work.recognition import recognize
from borg_runner.work.record import Record
from borg_runner.work.steps import compact_as_asked, count_after, prune_own_archives, take_stock, withhold


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where a run works, and who hears how far it is."""

    sources_root: Path
    run: str
    target: Path = Path(TARGET_DIR)
    """The volume that is restored into."""
    restored: Path = Path(RESTORED_DIR)
    """Where a drill leaves what it restored, if an application is to try it."""
    scratch: Path = Path(SCRATCH_DIR)
    """The run's own folder."""
    tell: Callable[[RepositoryResult], object] = lambda _: None
    """Given what is to be known if the runner is killed while it works on."""
    tell_part: Tell = lambda _: None
    """Takes the part of a listing, which is in no repository's result."""
    containers: Mapping[str, Container] = field(default_factory=dict)
    """Those beside ours that have commands, by their streams' names."""


def work_on_repository(plan: RunPlan, repository: Repository, around: Surroundings) -> RepositoryResult:
    """Do what the plan asks of this repository; failures are in the result, never raised."""
    began = time.monotonic()
    record = Record(repository.plan.name)

    def finish() -> RepositoryResult:
        warnings = repository.warnings
        return record.finish(
            warnings=replace(warnings, texts=tuple(map(repository.log.conceal, warnings.texts))),
            seconds=time.monotonic() - began,
            lock_wait_seconds=repository.locks.waited,
        )

    def tell_early(fault: Fault) -> None:
        text = repository.log.conceal(fault.text)
        around.tell(replace(finish(), phase=Phase.FAILED, reason=fault.reason.value, error=text))

    try:
        _operate(plan, repository, record, around, tell_early)
    except FaultError as error:
        _fail(repository, record, error.fault)
    except Exception as error:  # noqa: BLE001 - what was done stays known, whatever is wrong
        _fail(repository, record, explain_error(error, repository.borg.executable))
    return finish()


def _operate(
    plan: RunPlan, repository: Repository, record: Record, around: Surroundings, tell: Callable[[Fault], None]
) -> None:
    _make_sure(plan, repository, record)
    if (left := withhold(plan, repository)) is None:
        return
    plan = left
    match plan.operation:
        case Operation.BACKUP:
            streams = Streams(around.containers, around.scratch / f"pipes-{repository.plan.name}")
            back_up(Backup(plan, repository, record, around.sources_root, around.run, tell, streams))
        case Operation.PRUNE:
            retention = _require_retention(plan)
            deleted = prune_own_archives(plan, repository, record, retention, take_stock(plan, repository, record))
            count_after(repository, record, deleted=deleted, written=None)
        case Operation.COMPACT:
            compact_as_asked(repository, record, threshold=_threshold_of(plan))
        case Operation.CHECK:
            record.add(check=check(repository, now=dt.datetime.now(dt.UTC)))
        case Operation.DRILL:
            scratch = make_unique_folder(around.scratch, "drill-", "")
            drill(
                plan,
                repository,
                lambda result: record.add(drill=result),
                scratch=scratch,
                restored=around.restored,
            )
        case Operation.LIST:
            tell_archives(repository, record, plan.listing, around.tell_part)
        case Operation.BREAK_LOCK:
            _break_lock(plan, repository, record)
        case Operation.PREVIEW | Operation.RESTORE:
            _restore(plan, repository, record, around)


def _make_sure(plan: RunPlan, repository: Repository, record: Record) -> None:
    """Raise FaultError where the plan makes no sense, or another repository is in the place of the known one."""
    if plan.operation.needs_schedule and not plan.schedule:
        text = f"{plan.operation} works on the archives of a schedule, and the plan names none."
        raise FaultError(Fault(Reason.INVALID_PLAN, text))
    # Dead holders' locks alone may go from whatever repository it is.
    if plan.operation is not Operation.BREAK_LOCK or not plan.dead_holders:
        recognize(repository, record, plan.operation)


def _threshold_of(plan: RunPlan) -> int:
    return DEFAULT_THRESHOLD if plan.compact_threshold is None else plan.compact_threshold


def _restore(plan: RunPlan, repository: Repository, record: Record, around: Surroundings) -> None:
    if plan.restore is None:
        text = f"The plan asks for {plan.operation} and does not say of what. Do operator and runner have one version?"
        raise FaultError(Fault(Reason.INVALID_PLAN, text))

    def keep(result: RestoreResult) -> None:
        record.add(restore=result)
        around.tell(record.so_far)

    scratch = make_unique_folder(around.scratch, "restore-", "")
    task = Task(
        run=plan,
        plan=plan.restore,
        repository=repository,
        target=Target(around.target if plan.restore.has_target else scratch / "nothing", plan.restore.folder),
        sources_root=around.sources_root,
        scratch=scratch,
        run_name=around.run,
        keep=keep,
        count=partial(count_after, repository, record, deleted=0, written=None),
    )
    is_preview = plan.operation is Operation.PREVIEW
    if plan.stream is None:
        try:
            (preview if is_preview else restore)(task)
        except OSError as error:
            of_target = task.target.holds(error)
            raise FaultError(explain_error(error, repository.borg.executable, of_target=of_target)) from error
    elif is_preview:
        preview_delivery(task, plan.stream)
    else:
        deliver(task, around.containers[plan.stream.name])


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

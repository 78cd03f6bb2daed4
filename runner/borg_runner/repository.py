"""One repository's part of a run: the operation that the plan asks for, and a result whatever happens."""

import time
from dataclasses import replace

from borg_contract.operations import Operation
from borg_contract.phases import Phase
from borg_contract.reasons import Reason
from borg_contract.result import RepositoryResult
from borg_runner.backup import back_up
from borg_runner.compact import DEFAULT_THRESHOLD
from borg_runner.lock_wait import LockedError
from borg_runner.reasons import Fault
from borg_runner.upkeep import break_lock, check, compact, find_totals, prune
from borg_runner.work import StepError, Work


def work_on_repository(work: Work) -> RepositoryResult:
    """Do what the plan asks of this repository; failures are in the result, never raised."""
    began = time.monotonic()
    try:
        _operate(work)
    except StepError as error:
        work.fail(error.fault, error.locked_by)
    except LockedError as error:
        work.fail(Fault(Reason.LOCKED, str(error)), error.locked_by)
    except FileNotFoundError as error:
        work.fail(Fault(Reason.BORG_MISSING, f"{error}. Use a runner image that has borg."))
    except OSError as error:
        work.fail(Fault(Reason.PERMISSION_DENIED, f"{error}. Look at the volumes of the pod and their owners."))
    result = work.result
    if result.phase is Phase.RUNNING:
        phase = Phase.COMPLETED_WITH_WARNINGS if result.warning_count else Phase.COMPLETED
        result = replace(result, phase=phase)
    waited = round(work.locks.waited, 1) or None
    return replace(result, seconds=round(time.monotonic() - began, 1), lock_wait_seconds=waited)


def _operate(work: Work) -> None:
    match work.plan.operation:
        case Operation.BACKUP:
            back_up(work)
        case Operation.PRUNE:
            if work.plan.prune is None:
                text = "The schedule has no retention rules: set `prune.keepDaily` or another one."
                raise StepError(Fault(Reason.INVALID_PLAN, text))
            find_totals(work, prune(work, work.plan.prune), None)
        case Operation.COMPACT:
            compact(work, work.plan.compact_threshold or DEFAULT_THRESHOLD)
        case Operation.CHECK:
            check(work)
        case Operation.BREAK_LOCK:
            break_lock(work)

"""Which locks a dead Job may have left behind, and the run that removes them.

Borg's locks live in the repository and name the Job whose pod took them. When a pod dies without a word (out of
memory, node lost, deleted), nobody unlocks; the next run would wait for nothing. The operator looks whether any pod
of that Job is left, and only then makes a BreakLock run, which breaks no other Job's lock.
"""

from collections.abc import Iterable, Mapping

from borg_contract.lock_holder import parse_lock_holder
from borg_contract.operations import Operation
from borg_contract.phases import Phase
from borg_contract.reasons import Reason
from borg_core.bundle import Bundle
from borg_core.kinds.run import BorgRun
from borg_core.reconcile.entry import Entry

_NAME_LIMIT = 63
_SUFFIX = "-unlock"
_DIED = (
    Reason.POD_LOST,
    Reason.OUT_OF_MEMORY,
    Reason.EVICTED,
    Reason.RUNNER_CRASHED,
    Reason.RESULT_UNREADABLE,
    Reason.DEADLINE_EXCEEDED,
    Reason.JOB_DELETED,
    Reason.RUN_CANCELLED,
)


def unlock_run_name(run_name: str) -> str:
    """Return the name of the run that cleans up after `run_name`: one each, however often this is planned."""
    return run_name[: _NAME_LIMIT - len(_SUFFIX)].rstrip("-.") + _SUFFIX


def may_hold_locks(bundle: Bundle) -> bool:
    """Tell whether a pod of the schedule can leave a lock behind: over SSH the server's borg removes its own."""
    return any(target.spec.local or target.spec.cache for target in bundle.targets)


def derive_suspects(entries: Iterable[Entry], runs_by_name: Mapping[str, BorgRun]) -> dict[str, str]:
    """Return, by the name of a run that calls for it, the uid of the Job whose locks may have to be broken.

    A run calls for it that died without a result, or that found the repository locked by a Job of ours which has
    ended. `runs_by_name`: all runs of the namespace, in which the holder is looked up; a holder that is not in it
    (another cluster's, say) is nobody's we could vouch for.
    """
    suspects: dict[str, str] = {}
    known = list(entries)
    names = {entry.name for entry in known}
    for entry in known:
        if not entry.finished or entry.operation is Operation.BREAK_LOCK or unlock_run_name(entry.name) in names:
            continue
        uid = _own_job_if_died(entry) or _dead_holder(entry, runs_by_name)
        if uid and not _good_since(entry, known):
            suspects[entry.name] = uid
    return suspects


def _own_job_if_died(entry: Entry) -> str | None:
    died = entry.status.reason in _DIED and not entry.status.repositories
    return entry.status.job_uid if died and entry.status.phase is not Phase.COMPLETED else None


def _dead_holder(entry: Entry, runs_by_name: Mapping[str, BorgRun]) -> str | None:
    for repository in entry.status.repositories:
        holder = parse_lock_holder(repository.locked_by) if repository.locked_by else None
        if holder is None:
            continue
        _, job_name, job_uid = holder
        run = runs_by_name.get(job_name)
        if run and run.finished and run.status.job_uid == job_uid:
            return job_uid
    return None


def _good_since(entry: Entry, entries: Iterable[Entry]) -> bool:
    return any(
        other.order > entry.order and other.status.phase in (Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS)
        for other in entries
    )

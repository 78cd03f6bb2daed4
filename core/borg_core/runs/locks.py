"""Which locks a dead Job may have left behind, and the run that removes them.

Borg's locks live in the repository and name the Job whose pod took them. When a pod dies suddenly (out of memory,
node lost, deleted), the lock stays, and the next run would wait for it in vain. The operator looks whether any pod
of that Job is left, and only then makes a BreakLock run, which breaks no other Job's lock.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from borg_contract.operations import Operation
from borg_contract.pod import parse_lock_holder
from borg_contract.reasons import Reason
from borg_core import labels
from borg_core.actions import Action, CreateRun
from borg_core.kinds.run import Trigger
from borg_core.names import JOB_NAME_LIMIT, shorten
from borg_core.runs.entry import Entry
from borg_core.runs.records import render_run
from borg_core.runs.world import Host

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
    return shorten(run_name, _SUFFIX, JOB_NAME_LIMIT)


def plan_unlocks(host: Host, entries: Sequence[Entry]) -> Iterator[Action]:
    """Yield a BreakLock run for every Job that died and may have left a lock."""
    if not host.leaves_locks:
        return
    for name, uid in derive_suspects(entries).items():
        notes = {labels.DEAD_JOB_UID: uid}
        manifest = render_run(host, unlock_run_name(name), Operation.BREAK_LOCK, Trigger.AUTOMATIC, notes)
        yield CreateRun(manifest, without_pods_of=uid)


def derive_suspects(entries: Iterable[Entry]) -> dict[str, str]:
    """Return, by the name of a run that calls for it, the uid of the Job whose locks may have to be broken.

    A run calls for it that died without a result, or that found the repository locked by a Job of ours which has
    ended. A holder that is none of the runs known here (another cluster's, say) may be alive: it is left alone.
    """
    suspects: dict[str, str] = {}
    known = list(entries)
    names = {entry.name for entry in known}
    ended = {entry.status.job_uid for entry in known if entry.finished and entry.run}
    for entry in known:
        if not entry.finished or entry.operation is Operation.BREAK_LOCK or unlock_run_name(entry.name) in names:
            continue
        uid = _own_job_if_died(entry) or _dead_holder(entry, ended)
        if uid and not _good_since(entry, known):
            suspects[entry.name] = uid
    return suspects


def _own_job_if_died(entry: Entry) -> str | None:
    died = entry.status.reason in _DIED and not entry.succeeded and not entry.status.repositories
    # A run that never got a container has no time at which it started, and has taken no lock.
    return entry.status.job_uid if died and entry.status.start_time else None


def _dead_holder(entry: Entry, ended: Collection[str | None]) -> str | None:
    for repository in entry.status.repositories:
        holder = parse_lock_holder(repository.locked_by) if repository.locked_by else None
        if holder and holder[2] in ended:
            return holder[2]
    return None


def _good_since(entry: Entry, entries: Iterable[Entry]) -> bool:
    return any(other.order > entry.order and other.succeeded for other in entries)

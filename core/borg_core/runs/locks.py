"""Which locks a dead pod may have left behind, and the run that removes them.

Borg's locks live in the repository and name the Job and the node of the pod that took them. When a pod dies suddenly
(out of memory, node lost, deleted), the lock stays, and the next run waits for it. Whoever is suspected here is looked
at afresh (`borg_operator.loop.proof`), and only one that is proven dead gets a BreakLock run, which breaks no other
holder's lock. That proof needs no record of the dead run: the lock says all.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from borg_contract.pod import LOCK_HOLDER_PREFIX, derive_place, lock_holder, parse_lock_holder
from borg_contract.reasons import Reason
from borg_contract.run import Operation
from borg_core import labels
from borg_core.actions import Action, CreateRun
from borg_core.kinds.run import Trigger
from borg_core.names import JOB_NAME_LIMIT, shorten
from borg_core.runs.entry import Entry
from borg_core.runs.records import render_run
from borg_core.runs.world import Host

_SUFFIX = "-unlock"
_HOLDER = re.compile(rf"{re.escape(LOCK_HOLDER_PREFIX)}_[A-Za-z0-9._-]+")
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


def plan_unlocks(host: Host, entries: Sequence[Entry], cluster: str) -> Iterator[Action]:
    """Yield a BreakLock run for every holder that may be dead; `cluster`: where we are."""
    if not host.leaves_locks:
        return
    for name, holder in derive_suspects(host, entries, cluster).items():
        notes = {labels.DEAD_HOLDER: holder}
        manifest = render_run(host, unlock_run_name(name), Operation.BREAK_LOCK, Trigger.AUTOMATIC, notes)
        yield CreateRun(manifest, only_if_dead=holder)


def derive_suspects(host: Host, entries: Iterable[Entry], cluster: str) -> dict[str, str]:
    """Return, by the name of a run that calls for it, the holder whose locks may have to be broken.

    A run calls for it that died without a result, that waits for a lock of a pod of ours, or that ended without having
    got it.
    """
    suspects: dict[str, str] = {}
    known = list(entries)
    names = {entry.name for entry in known}
    for entry in known:
        if entry.operation is Operation.BREAK_LOCK or unlock_run_name(entry.name) in names:
            continue
        holder = _find_holder(entry) or _own_if_died(host, entry, cluster)
        if holder and not _good_since(entry, known):
            suspects[entry.name] = holder
    return suspects


def _own_if_died(host: Host, entry: Entry, cluster: str) -> str | None:
    died = entry.finished and entry.status.reason in _DIED and not entry.succeeded and not _told_its_end(entry)
    # A run that never got a container has no time at which it started, and has taken no lock. Where its pod is gone,
    # the next run reads in the lock whose it is.
    if not (died and entry.status.start_time and entry.pod and entry.pod.node and entry.job_name):
        return None
    place = derive_place(cluster, entry.pod.node)
    return lock_holder(host.owner.namespace, entry.job_name, entry.pod.job_uid, place)


def _told_its_end(entry: Entry) -> bool:
    """Tell whether its runner came to its own end, and so left no lock: one that was killed may have told of a part."""
    killed = entry.pod is not None and entry.pod.ending is not None and entry.pod.ending.partial is not None
    return bool(entry.status.repositories) and not killed


def _find_holder(entry: Entry) -> str | None:
    """Return the pod of ours for which the run waits, or waited in vain, if its lock says where that pod was."""
    if entry.finished:
        said = [repository.locked_by for repository in entry.status.repositories if repository.locked_by]
    elif entry.status.reason == Reason.WAITING_FOR_LOCK:
        said = _HOLDER.findall(entry.status.message or "")
    else:
        return None
    parsed = ((text, parse_lock_holder(text)) for text in said)
    return next((text for text, holder in parsed if holder and holder.place), None)


def _good_since(entry: Entry, entries: Iterable[Entry]) -> bool:
    return any(other.order > entry.order and other.succeeded for other in entries)

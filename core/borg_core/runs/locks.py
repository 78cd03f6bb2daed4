"""Which locks a dead pod may have left behind, and the runs that remove them.

Borg's locks live in the repository and name the Job and the node of the pod that took them. When a pod dies suddenly
(out of memory, node lost, deleted), the lock stays, and the next run waits for it. Whoever is suspected here is looked
at afresh (`borg_operator.loop.asked.proof`), and only one that is proven dead gets a BreakLock run, which breaks no
other holder's lock. That proof needs no record of the dead run: the lock says all.

Such a run may be killed like any other. It is made again, some times and with longer and longer pauses.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from borg_contract.pod import (
    LOCK_HOLDER_PREFIX,
    SESSION_HOLDER_PREFIX,
    digest_node,
    lock_holder,
    parse_lock_holder,
    parse_session_holder,
)
from borg_contract.reasons import Reason
from borg_contract.run import Operation, Phase
from borg_core import labels
from borg_core.actions import Action, CreateRun
from borg_core.formats import format_duration, parse_time
from borg_core.kinds.parts.base import API_VERSION
from borg_core.kinds.run import Trigger
from borg_core.names import JOB_NAME_LIMIT, shorten
from borg_core.runs.entry import Entry
from borg_core.runs.records import render_run
from borg_core.runs.world import Host, World

ATTEMPTS = 5
"""How often the lock of one holder is tried to be removed for one run that needs it."""

FIRST_PAUSE = timedelta(minutes=1)
"""Between the first attempt and the second; each further pause is twice as long."""

LOOK_SECONDS = 30.0
"""How often to look again at a holder that time may prove dead."""

_SUFFIX = "-unlock"
_IS_UNLOCK = re.compile(rf"{_SUFFIX}(-[0-9]+)?$")
_HOLDER = re.compile(rf"(?:{re.escape(LOCK_HOLDER_PREFIX)}|{re.escape(SESSION_HOLDER_PREFIX)})_[A-Za-z0-9._-]+")
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


@dataclass(frozen=True)
class Unlocks:
    """`entries`: all runs, those that wait for a lock or were to remove one with what became of that."""

    entries: tuple[Entry, ...]
    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
    """Seconds until the next attempt is due, or a holder may be proven dead."""
    needed: frozenset[str] = frozenset()
    """uids of the runs without which locks would be removed again that are removed, or were tried often enough."""


def unlock_run_name(run_name: str, number: int = 1) -> str:
    """Return the name of a run that removes a lock for `run_name`, the first or a later one."""
    return shorten(run_name, _SUFFIX if number == 1 else f"{_SUFFIX}-{number}", JOB_NAME_LIMIT)


def plan_unlocks(world: World, host: Host, entries: Sequence[Entry], now: datetime) -> Unlocks:
    """Return a BreakLock run for every holder that may be dead, and what the runs say of their locks."""
    if not host.leaves_locks:
        return Unlocks(tuple(entries))
    names = {entry.name for entry in entries}
    actions: list[Action] = []
    pauses: list[float] = []
    needed: set[str] = set()
    for holder, caller in derive_suspects(host, entries, world.settings.cluster).items():
        made = _attempts(holder, caller, entries)
        needed |= {entry.run.metadata.uid for entry in made[-1:] if entry.run}
        number = made[-1].attempt + 1 if made else 1
        if number > ATTEMPTS or any(not _failed(attempt) for attempt in made):
            continue
        left = (_due(made[-1]) - now).total_seconds() if made else 0
        if left > 0:
            pauses.append(left)
            continue
        name = _free_name(caller.name, names)
        names.add(name)
        notes = {labels.DEAD_HOLDER: holder, labels.ATTEMPT: str(number)}
        manifest = render_run(host, name, Operation.BREAK_LOCK, Trigger.AUTOMATIC, notes)
        actions.append(CreateRun(manifest, only_if_dead=holder))
        doubt = world.doubts.get(holder)
        if doubt is None or doubt.passes:
            pauses.append(LOOK_SECONDS)
    said = tuple(_with_note(entry, _note(world, host, entry, entries)) for entry in entries)
    return Unlocks(said, tuple(actions), min(pauses, default=None), frozenset(needed))


def derive_suspects(host: Host, entries: Iterable[Entry], cluster: str) -> dict[str, Entry]:
    """Return each holder whose locks may have to be broken, with the run that calls for it.

    A run calls for it that died without a result, that waits for a lock of a pod of ours, or that ended without having
    got it.
    """
    suspects: dict[str, Entry] = {}
    known = sorted(entries, key=lambda entry: entry.order)
    # One that removed the lock of one holder tells nothing of others.
    last_good = max((entry.order for entry in known if entry.succeeded and not entry.automatic), default=None)
    for entry in known:
        if last_good is not None and entry.order < last_good:
            continue
        if entry.dead_holder and _failed(entry):
            # It knows the holder also when the pod that died is forgotten.
            suspects.setdefault(entry.dead_holder, entry)
        if entry.operation is Operation.BREAK_LOCK:
            continue
        for holder in _find_holders(entry) or _own_if_died(host, entry, cluster):
            suspects[holder] = entry  # the newest of them: attempts for an earlier one may be used up
    return suspects


def _own_if_died(host: Host, entry: Entry, cluster: str) -> list[str]:
    died = entry.finished and entry.status.reason in _DIED and not entry.succeeded and not _told_its_end(entry)
    # A run that never got a container has no time at which it started, and has taken no lock. Where its pod is gone,
    # the next run reads in the lock whose it is.
    if not (died and entry.status.start_time and entry.pod and entry.pod.node and entry.job_name):
        return []
    place = digest_node(cluster, entry.pod.node)
    return [lock_holder(host.owner.namespace, entry.job_name, entry.pod.job_uid, place)]


def _told_its_end(entry: Entry) -> bool:
    """Tell whether its runner came to its own end, and so left no lock: one that was killed may have told of a part."""
    killed = entry.pod is not None and entry.pod.ending is not None and entry.pod.ending.partial is not None
    return bool(entry.status.repositories) and not killed


def _find_holders(entry: Entry) -> list[str]:
    """Return the pods of ours for which the run waits, or waited in vain, if their locks say where they were."""
    if entry.finished:
        said = [repository.locked_by for repository in entry.status.repositories if repository.locked_by]
    elif entry.status.reason == Reason.WAITING_FOR_LOCK:
        said = _HOLDER.findall(entry.status.message or "")
    else:
        return []
    parsed = ((text, parse_lock_holder(text) or parse_session_holder(text)) for text in said)
    return [text for text, holder in parsed if holder and holder.place]


def _free_name(run_name: str, names: Collection[str]) -> str:
    wanted = _IS_UNLOCK.sub("", run_name)
    tried = (unlock_run_name(wanted, number) for number in count(1))
    return next(name for name in tried if name not in names)


def _attempts(holder: str, caller: Entry, entries: Iterable[Entry]) -> list[Entry]:
    """Return the runs that were to remove the holder's locks since the caller began, or are at it; oldest first."""
    made = (
        entry
        for entry in entries
        if entry.dead_holder == holder and (entry.created >= caller.began or not entry.finished)
    )
    return sorted(made, key=lambda entry: (entry.created, entry.attempt))


def _failed(attempt: Entry) -> bool:
    """Tell whether it is to be made again. One that was cancelled is not: a person did not want it."""
    return attempt.status.phase is Phase.FAILED


def _pause_after(attempt: Entry) -> timedelta:
    return FIRST_PAUSE * (1 << (attempt.attempt - 1))


def _due(attempt: Entry) -> datetime:
    return parse_time(attempt.status.completion_time or attempt.created) + _pause_after(attempt)


def _with_note(entry: Entry, note: str) -> Entry:
    if not note:
        return entry
    message = ". ".join(text for text in ((entry.status.message or "").rstrip("."), note) if text)
    return entry.with_status(entry.status.model_copy(update={"message": message}))


def _note(world: World, host: Host, entry: Entry, entries: Sequence[Entry]) -> str:
    """Return what is to be said of locks beside what the run says itself."""
    if entry.dead_holder and entry.just_finished and _failed(entry):
        if entry.attempt >= ATTEMPTS:
            return f"That was attempt {entry.attempt} of {ATTEMPTS}: {_ask_for_a_person(host)}"
        pause = format_duration(_pause_after(entry).total_seconds())
        return f"Attempt {entry.attempt} of {ATTEMPTS}: made again after {pause}, if a run needs it still"
    if entry.finished or not (holders := _find_holders(entry)):
        return ""
    made = _attempts(holders[0], entry, entries)
    if made and _failed(made[-1]) and made[-1].attempt >= ATTEMPTS:
        return f'Removing it failed {ATTEMPTS} times, see BorgRun "{made[-1].name}": {_ask_for_a_person(host)}'
    doubt = world.doubts.get(holders[0])
    if doubt is None or made:
        return ""
    return f"{doubt.text}: {_ask_for_a_person(host)}" if doubt.needs_a_person else doubt.text


def _ask_for_a_person(host: Host) -> str:
    """Return the command that removes all locks of the repository, and what is to be sure before.

    A run of the schedule would remove those of all its repositories, also where another schedule is at work.
    """
    names = [target.repository.metadata.name for target in host.workload(Operation.BREAK_LOCK, ()).targets]
    repository, which = names[0], ""
    if len(names) > 1:
        repository, which = "REPOSITORY", f" (REPOSITORY is {' or '.join(names)}, as the log of the run says)"
    run = (
        f'{{"apiVersion":"{API_VERSION}","kind":"BorgRun",'
        f'"metadata":{{"generateName":"{shorten(names[0], _SUFFIX, JOB_NAME_LIMIT)}-"}},'
        f'"spec":{{"repositoryRef":{{"name":"{repository}"}},"operation":"BreakLock"}}}}'
    )
    return (
        f"once it is certain that nobody writes to the repository any more, remove the lock{which}: "
        f"echo '{run}' | kubectl -n {host.owner.namespace} create -f -"
    )

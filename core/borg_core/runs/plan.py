"""Planning the runs of a schedule, a repository or a restore, in one place for all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from borg_contract.reasons import Reason
from borg_core.actions import Action
from borg_core.copies.snapshots import find_next_look, plan_copies
from borg_core.runs.entry import Entry, derive_entries
from borg_core.runs.locks import Unlocks, plan_unlocks
from borg_core.runs.records import derive_expired, plan_deletions, plan_records, plan_releases, plan_stops
from borg_core.runs.restored import settle_restored
from borg_core.runs.ticks import plan_adoptions, plan_tick_repairs
from borg_core.runs.turns import plan_strangers, plan_turns
from borg_core.runs.world import Host, World

LOOK_SECONDS = 10.0
"""How often to look at a run that is starting: why its pod makes no progress brings no event of its own."""

WAIT_LOOK_SECONDS = 30.0
"""How often to look at one that waits for a lock: that it waits brings an event, that its holder is dead by now not."""


@dataclass(frozen=True)
class RunsPlan:
    """`entries`: the runs as they will be."""

    entries: tuple[Entry, ...]
    actions: tuple[Action, ...]
    requeue_after: float | None


def plan_runs(world: World, host: Host | None, now: datetime) -> RunsPlan:
    """Return what is to be done for the runs. `host` is None when what they belong to does not exist."""
    if host and world.cron_job and world.cron_job.owner_uid != host.owner.uid:
        world = replace(world, cron_job=None)  # another owner's, of the same name
    known = settle_restored(derive_entries(world, now), world.subject, host, now)
    turns = plan_turns(world, host, known, now)
    unlocks = plan_unlocks(world, host, turns.entries, now) if host else Unlocks(tuple(turns.entries))
    entries = unlocks.entries
    kept = {entry.run.metadata.uid for entry in entries if entry.run and host and entry.name in host.kept}
    expired = derive_expired(entries, host.history_limit, now, unlocks.needed | kept) if host else frozenset()
    actions = [
        *plan_records(world, host, entries, now, expired=expired),
        *plan_stops(world, entries, now),
        *turns.actions,
        *plan_tick_repairs(world, now),
        *(plan_adoptions(world, host.owner.uid) if host else ()),
        *plan_strangers(world, entries),
        *plan_copies(world, entries, now),
        *plan_releases(world, entries),
        *plan_deletions(world, entries, expired),
        *unlocks.actions,
    ]
    asked = (turns.requeue_after, unlocks.requeue_after, find_next_look(world))
    return RunsPlan(entries, tuple(actions), _requeue_after(entries, now, *asked))


def _requeue_after(entries: Sequence[Entry], now: datetime, *asked: float | None) -> float | None:
    at_work = [entry for entry in entries if entry.working and not entry.finished]
    waiting = [entry for entry in at_work if entry.pod and entry.pod.waits]
    starting = any(_is_starting(entry) for entry in at_work)
    untold = any(not entry.status.message for entry in waiting)
    deadlines = (entry.pod.app_deadline for entry in at_work if entry.pod and entry.pod.app_deadline)
    ends = (max(1.0, (deadline - now).total_seconds()) for deadline in deadlines)
    looks = (*asked, *ends, LOOK_SECONDS if starting or untold else None, WAIT_LOOK_SECONDS if waiting else None)
    return min((seconds for seconds in looks if seconds is not None), default=None)


def _is_starting(entry: Entry) -> bool:
    """Tell whether something may keep it from beginning without an event: who suspended it makes one."""
    return not (entry.pod and entry.pod.began) and entry.status.reason != Reason.JOB_SUSPENDED

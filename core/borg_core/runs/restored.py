"""BorgRuns that a restore of the cluster put back: records of what was done once, and none is to be done again.

Restores bring back neither statuses nor owner references, so such a record looks as if it was asked for this moment.
But it bears the label that this operator puts on a run together with the reference to its schedule or repository.
"""

from collections.abc import Sequence
from datetime import datetime

from borg_contract.reasons import Reason
from borg_contract.run import Phase
from borg_core import labels
from borg_core.kinds.run import BorgRun, Trigger
from borg_core.registry import Reference
from borg_core.runs.entry import Entry
from borg_core.runs.status.ended import derive_ended
from borg_core.runs.world import Host

_MESSAGE = (
    "A restore put this record back, and how it ended is not known here: nothing was run. To run it, make a BorgRun "
    f"without the label {labels.TRIGGER}"
)


def settle_restored(
    entries: Sequence[Entry], subject: Reference, host: Host | None, now: datetime
) -> tuple[Entry, ...]:
    """Return the entries, those ended that a restore put back. `host`: None while their `subject` is not there."""
    return tuple(_settle(entry, now) if _is_restored(entry, subject, host) else entry for entry in entries)


def _is_restored(entry: Entry, subject: Reference, host: Host | None) -> bool:
    run = entry.run
    if run is None or entry.job is not None or run.status.phase is not None:
        return False  # whatever this operator has seen in this life has a phase
    if labels.TRIGGER not in run.metadata.labels:
        return False
    owners = run.metadata.owner_references
    if host is None:
        return all(owner.kind != subject.kind for owner in owners)
    return all(owner.uid != host.owner.uid for owner in owners)


def _settle(entry: Entry, now: datetime) -> Entry:
    known = entry.status.model_copy(update={"trigger": _trigger_of(entry.run) or entry.status.trigger})
    return entry.with_status(derive_ended(known, Phase.SKIPPED, Reason.RESTORED, _MESSAGE, now))


def _trigger_of(run: BorgRun | None) -> Trigger | None:
    named = run.metadata.labels.get(labels.TRIGGER) if run else None
    return Trigger(named) if named in set(Trigger) else None

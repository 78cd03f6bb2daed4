"""Equal runs: one that succeeds is enough for all that were asked for before it began."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from borg_contract.reasons import Reason
from borg_contract.run import Operation, Phase
from borg_core.kinds.run import BorgRunStatus, Trigger
from borg_core.runs.entry import Entry
from borg_core.runs.status.ended import derive_ended

WAITING_LIMIT = 10
"""So many equal runs wait at most: somebody may ask again and again while nothing can begin."""


def derive_covered(
    asked: BorgRunStatus, entry: Entry, entries: Iterable[Entry], before: Sequence[Entry], now: datetime
) -> BorgRunStatus | None:
    """Return the status of a run that is not needed, None where it is; `before`: equal ones that wait before it.

    Another one must have succeeded. One that waits or runs may yet fail or be cancelled, and then nothing is done.
    """
    if not is_alike(entry):
        return None
    if done := next((other for other in entries if other.succeeded and does_for(other, entry)), None):
        words = f'BorgRun "{done.name}" began after this one was asked for, and did the same: one run is enough'
        return derive_ended(asked, Phase.SKIPPED, Reason.COVERED_BY_RUN, words, now)
    if len(before) >= WAITING_LIMIT:
        words = f'BorgRun "{before[0].name}" and {len(before) - 1} others wait already and do the same'
        return derive_ended(asked, Phase.SKIPPED, Reason.TOO_MANY_WAITING, words, now)
    return None


def is_alike(entry: Entry) -> bool:
    """Tell whether another run of its operation does all that it would do, and nothing of it has been made yet."""
    return entry.job is None and not entry.automatic and entry.operation is not Operation.BREAK_LOCK


def describe_wait(before: Entry) -> str:
    """Return what a run says that waits for an equal one."""
    return f'Waits for BorgRun "{before.name}", which does the same: once that has succeeded, this one is not needed'


def does_for(other: Entry, entry: Entry) -> bool:
    """Tell whether the other one began after this one was asked for, and does the same."""
    return (
        other.operation is entry.operation
        and other.status.trigger is Trigger.MANUAL
        and (other.status.start_time or "") > entry.created
    )

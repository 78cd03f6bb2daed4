"""Equal runs: one is enough for all that were asked for before it began."""

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

    Another one must have begun. One that only waits may yet be deleted or cancelled, and then nothing would run at all.
    """
    if not is_alike(entry):
        return None
    if done := next((other for other in entries if _does_for(other, entry)), None):
        words = f'BorgRun "{done.name}" began after this one was asked for, and does the same: one run is enough'
    elif len(before) >= WAITING_LIMIT:
        words = f'BorgRun "{before[0].name}" and {len(before) - 1} others wait already and do the same'
    else:
        return None
    return derive_ended(asked, Phase.SKIPPED, Reason.COVERED_BY_RUN, words, now)


def is_alike(entry: Entry) -> bool:
    """Tell whether another run of its operation does all that it would do, and nothing of it has been made yet."""
    return entry.job is None and not entry.automatic and entry.operation is not Operation.BREAK_LOCK


def describe_wait(before: Entry) -> str:
    """Return what a run says that waits for an equal one."""
    return f'Waits for BorgRun "{before.name}", which does the same: once that has begun, this one is not needed'


def _does_for(other: Entry, entry: Entry) -> bool:
    return (
        other.operation is entry.operation
        and other.status.trigger is Trigger.MANUAL
        and (other.status.start_time or "") > entry.created
        and (other.succeeded or (other.status.phase is Phase.RUNNING and not other.cancelled))
    )

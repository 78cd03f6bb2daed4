"""When the operator asks for a listing: where what it knows is not what the newest run found.

Each listing is an ordinary run on the repository, made one after the other, until all is known. Its runs say all that
has to be remembered: when the last one ended, what it left, and how many came to nothing in a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from borg_contract.archives.result import ListingResult
from borg_contract.reasons import Reason
from borg_contract.run import Operation, Phase
from borg_core import labels
from borg_core.actions import Action, CreateRun
from borg_core.formats import format_time, parse_time
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.run import Trigger
from borg_core.kinds.status import ConditionType, Finding
from borg_core.names import JOB_NAME_LIMIT, shorten
from borg_core.runs.entry import Entry
from borg_core.runs.records import render_run
from borg_core.runs.world import Host

FIRST_PAUSE = timedelta(minutes=1)
"""After the repository was made, as its first backup may tell all; and after a listing that came to nothing, doubled
with each further one."""

LONGEST_PAUSE = timedelta(hours=6)

SETTLED_PAUSE = timedelta(minutes=10)
"""Between two listings, where each was whole and something else has changed since: others may write without end."""

_BUSY_SECONDS = 60.0
_MOST_LEFT = 4100
"""No honest run leaves more: of objects and archives there are at most 2,000 each."""


@dataclass(frozen=True)
class State:
    """What is known, and what keeps from asking."""

    is_whole: bool
    """The objects are what the newest run found in the repository."""
    counted: str
    """When a run last counted the archives, RFC 3339; empty where none has."""
    created: str
    busy: bool = False
    """A backup into it is at work, which would have to wait, and tells itself what there is then."""
    hindered: str = ""
    """Why no run on it can begin."""
    refused: str = ""
    """Why the API server takes no BorgArchive."""
    before: Condition | None = None
    """What was said last."""
    shown: int = 0
    archives: int | None = None


@dataclass(frozen=True)
class Ask:
    finding: Finding
    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None


def derive_ask(host: Host, entries: Sequence[Entry], state: State, now: datetime) -> Ask:
    """Return the listing that is to be made now, if any, and what is said of the archives that are known."""
    if state.is_whole:
        return Ask(_say(True, Reason.ARCHIVES_LISTED, _describe(state)))
    if hindrance := _find_hindrance(entries, state):
        return Ask(hindrance)
    last = _find_last(entries)
    due, attempt = _derive_due(last, entries, state, now)
    if due > now:
        words = f"the next listing is made at {format_time(due)}"
        return Ask(_explain(last, state, words), requeue_after=(due - now).total_seconds())
    if state.busy:
        return Ask(_explain(last, state, "a listing is made when the backup has ended"), requeue_after=_BUSY_SECONDS)
    name, number = _name_next(host, entries)
    notes = {labels.LISTING: str(number), labels.ATTEMPT: str(attempt)}
    run = CreateRun(render_run(host, name, Operation.LIST, Trigger.AUTOMATIC, notes))
    return Ask(_explain(last, state, f'BorgRun "{name}" lists them'), (run,))


def _find_hindrance(entries: Sequence[Entry], state: State) -> Finding | None:
    if state.refused:
        return _say(False, Reason.REFUSED_BY_API_SERVER, f"BorgArchives are refused: {state.refused}")
    if state.hindered:
        return _say(False, Reason.LISTING, f"Not all archives are known, and no run can begin: {state.hindered}")
    under_way = next((entry for entry in entries if not entry.finished or entry.just_finished or entry.working), None)
    return _say_of(under_way, state) if under_way else None


def _describe(state: State) -> str:
    archives = state.shown if state.archives is None else state.archives
    if state.shown >= archives:
        return f"{state.shown} archives, each of which is a BorgArchive"
    return f"the newest {state.shown} of {archives} archives are BorgArchives"


def _say(status: bool, reason: Reason, message: str) -> Finding:
    return Finding(ConditionType.ARCHIVES_LISTED.value, status, reason.value, message)


def _say_of(under_way: Entry, state: State) -> Finding:
    if under_way.operation is Operation.LIST:
        waits = f": {under_way.status.message}" if not under_way.finished and under_way.status.message else ""
        return _say(False, Reason.LISTING, f'BorgRun "{under_way.name}" lists the archives{waits}')
    if state.before and state.before.status == "False":
        return _say(False, Reason(state.before.reason), state.before.message)
    return _say(False, Reason.LISTING, f'Not all archives are known: they are listed after BorgRun "{under_way.name}"')


def _explain(last: Entry | None, state: State, then: str) -> Finding:
    """Return why not all is known, and what comes next."""
    if last and not last.succeeded:
        why = last.status.message or last.status.reason or "no word"
        errors = [result.error for result in last.status.repositories if result.error]
        return _say(False, Reason.LISTING_FAILED, f'BorgRun "{last.name}": {(errors or [why])[0].rstrip(".")}; {then}')
    if state.before and state.before.reason == Reason.REFUSED_BY_API_SERVER.value:
        return _say(False, Reason.REFUSED_BY_API_SERVER, f"{state.before.message.split('; ')[0]}; {then}")
    if last and _told(last) is None and (last.status.completion_time or "") >= state.counted:
        return _say(False, Reason.LISTING_FAILED, f'The result of BorgRun "{last.name}" tells of no archives; {then}')
    return _say(False, Reason.LISTING, f"{state.shown} archives are known, and not all that there are; {then}")


def _find_last(entries: Sequence[Entry]) -> Entry | None:
    """Return the newest listing that ended: also one that a person asked for, if it told something."""
    ended = (entry for entry in entries if entry.finished and entry.operation is Operation.LIST)
    counts = (entry for entry in ended if entry.status.phase is not Phase.SKIPPED and (entry.listing or _told(entry)))
    return max(counts, key=lambda entry: entry.order, default=None)


def _told(entry: Entry) -> ListingResult | None:
    return next((result.listing for result in entry.status.repositories if result.listing), None)


def _derive_due(last: Entry | None, entries: Sequence[Entry], state: State, now: datetime) -> tuple[datetime, int]:
    """Return when the next listing may be made, and the how manieth in a row it is."""
    if last is None:
        return parse_time(state.created) + FIRST_PAUSE, 1
    ended = parse_time(last.status.completion_time or last.created)
    listing = _told(last)
    if last.succeeded and listing and listing.left and _goes_on(last, listing, entries):
        return ended, 1
    counted_since = state.counted > (last.status.completion_time or "")
    if counted_since and (listing is None or not listing.left):
        return ended + SETTLED_PAUSE, 1
    if now - ended > 2 * LONGEST_PAUSE:
        return ended, 1
    return ended + min(FIRST_PAUSE * (1 << min(last.attempt - 1, 10)), LONGEST_PAUSE), last.attempt + 1


def _goes_on(last: Entry, listing: ListingResult, entries: Sequence[Entry]) -> bool:
    """Tell whether the next listing would tell more: this one told something, and leaves less than the one before."""
    before = _find_last([entry for entry in entries if entry.order < last.order])
    earlier = _told(before) if before else None
    less = earlier is None or not earlier.left or listing.left < earlier.left
    return less and bool(listing.found or listing.gone) and listing.left <= _MOST_LEFT


def _name_next(host: Host, entries: Sequence[Entry]) -> tuple[str, int]:
    names = {entry.name for entry in entries}
    number = max((entry.listing for entry in entries), default=0) + 1
    while (name := shorten(host.owner.name, f"-list-{number}", JOB_NAME_LIMIT)) in names:
        number += 1
    return name, number

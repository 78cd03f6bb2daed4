"""What runs tell of a repository's archives: those that they made and pruned, and what is there by now.

A run's word holds from the newest listing on: of an archive that was made before, that alone tells whether it is still
there. So nothing comes back that was deleted since.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from borg_contract.archives.result import ListingResult
from borg_contract.result import RepositoryResult
from borg_core.kinds.archive import MOST_UNRECORDED, KnownArchive, RepositoryListing, UnrecordedRuns
from borg_core.kinds.run import BorgRun
from borg_core.runs.vanished import may_have_pruned

Account = tuple[BorgRun, RepositoryResult]
"""A run that used the repository and has ended, with what it says of it."""

_Made = dict[str, dict[str, Account]]
"""`Told.made` by the schedule: a run that prunes concerns its own schedule's alone, of however many there are."""


@dataclass
class Told:
    """What follows from the accounts."""

    listing: RepositoryListing
    """As it is to be; what was found out about vanished archives is in it as it was."""
    archives: int | None = None
    """How many there are, by the newest run that counted them."""
    made: dict[str, Account] = field(default_factory=dict)
    """By the archive's id, those that runs made since the newest listing and that nothing of ours deleted."""
    makers: dict[str, Account] = field(default_factory=dict)
    """By the archive's id, the run that made it, whether or not it is still there."""
    pruned: set[tuple[str, str]] = field(default_factory=set)
    """(schedule, name) of archives that runs pruned since."""
    silent: set[str] = field(default_factory=set)
    """Schedules that pruned, or may have, and did not name all that went."""


def read_accounts(
    accounts: Sequence[Account],
    died: Iterable[BorgRun],
    before: RepositoryListing,
    repository_id: str,
    pruning: Collection[str],
    *,
    own: Sequence[KnownArchive],
) -> Told:
    """Return what the accounts, the oldest first, tell beyond `before`.

    `died`: runs that may have pruned, and said nothing; `repository_id`: borg's id of the repository, where known;
    `pruning`: schedules whose backups prune; `own`: the BorgArchives of the repository.
    """
    listings = [(run.status.start_time or "", result.listing.left) for run, result in accounts if result.listing]
    since = max([before.since or "", *(began for began, _ in listings)])
    whole = max([before.whole or "", *(began for began, left in listings if not left)])
    unrecorded = {item.schedule: item.time for item in before.unrecorded} | _find_unrecorded(accounts, own)
    told = Told(
        before.model_copy(
            update={
                "repository_id": repository_id,
                "since": since or None,
                "whole": whole or None,
                "unrecorded": list_unrecorded({name: time for name, time in unrecorded.items() if time > whole}),
            }
        )
    )
    told.silent = {_schedule_of(run) for run in died if (run.status.completion_time or "") > whole}
    told.makers = {result.archive_id: (run, result) for run, result in accounts if result.archive_id}
    made: _Made = defaultdict(dict)
    for run, result in accounts:
        _count(told, run, result)
        if (run.status.completion_time or "") > whole:
            _note_pruned(told, made, run, result, prunes=_schedule_of(run) in pruning)
        if (run.status.completion_time or "") > since:
            _note_made(told, made, run, result)
    told.made = {id_: account for own in made.values() for id_, account in own.items()}
    return told


def find_newest(own: Iterable[KnownArchive]) -> dict[str, str]:
    """Return when the newest archive of each schedule was begun."""
    newest: dict[str, str] = {}
    for archive in own:
        if archive.schedule:
            newest[archive.schedule] = max(newest.get(archive.schedule, ""), archive.time)
    return newest


def list_unrecorded(times: Mapping[str, str]) -> tuple[UnrecordedRuns, ...]:
    """Return what is remembered, by the schedules; of too many those of which it is the newest news."""
    newest = sorted(times, key=lambda schedule: times[schedule])[-MOST_UNRECORDED:]
    return tuple(UnrecordedRuns(schedule=schedule, time=times[schedule]) for schedule in sorted(newest))


def _find_unrecorded(accounts: Iterable[Account], own: Sequence[KnownArchive]) -> dict[str, str]:
    """Return schedules of which runs went by unrecorded, and when the run ended by which that shows.

    It found an archive newer than all that were known. That shows only until there is an object of its own archive.
    """
    newest, names, found = find_newest(own), {archive.archive for archive in own}, {}
    for run, result in accounts:
        schedule, previous = _schedule_of(run), result.previous
        known = newest.get(schedule)
        if known and previous and previous.time > known and previous.name not in names:
            found[schedule] = run.status.completion_time or ""
        if schedule and result.archive_time:
            newest[schedule] = max(known or "", result.archive_time)
    return found


def _count(told: Told, run: BorgRun, result: RepositoryResult) -> None:
    newest, archives = _counted(result)
    time = run.status.completion_time or ""
    if newest and time >= (told.listing.time or ""):
        told.archives = archives
        told.listing = told.listing.model_copy(update={"newest": newest, "time": time})


def _counted(result: RepositoryResult) -> tuple[str | None, int]:
    found: ListingResult | None = result.listing
    if found:
        return found.newest, found.archives
    return (result.totals.newest, result.totals.archives) if result.totals else (None, 0)


def _note_pruned(told: Told, made: _Made, run: BorgRun, result: RepositoryResult, *, prunes: bool) -> None:
    prune, schedule = result.prune, _schedule_of(run)
    if prune is None and not may_have_pruned(run, result, prunes=prunes):
        return
    names = prune.archives if prune else ()
    told.pruned |= {(schedule, name) for name in names}
    if prune is None or prune.deleted > len(names):
        told.silent.add(schedule)
        made[schedule] = {}
    else:
        made[schedule] = {id_: account for id_, account in made[schedule].items() if account[1].archive not in names}


def _note_made(told: Told, made: _Made, run: BorgRun, result: RepositoryResult) -> None:
    known = told.listing.repository_id
    if result.archive and result.archive_id and result.archive_time and result.repository_id in (None, known):
        made[_schedule_of(run)][result.archive_id] = (run, result)
        told.pruned.discard((_schedule_of(run), result.archive))


def _schedule_of(run: BorgRun) -> str:
    return run.spec.schedule_ref.name if run.spec.schedule_ref else ""

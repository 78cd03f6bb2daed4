"""Planning the BorgArchives of a repository: made from what runs and listings tell, deleted when the archive is gone.

The cluster is the only memory. Whether all is known shows by comparing what the newest run found in the repository with
the objects that there are; where the two differ, the operator asks for a listing, see `asking`.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from borg_contract.archives.ids import Dated, digest_newest, select_newest, shorten_id
from borg_contract.archives.part import ArchiveRow, Part, unpack_part
from borg_contract.run import Operation
from borg_core.actions import Action, CreateArchive, DeleteArchive
from borg_core.archives.asking import State, derive_ask
from borg_core.archives.objects import Naming, archive_name, maker_of, render_archive, row_of
from borg_core.archives.told import Account, Told, find_newest, list_unrecorded, read_accounts
from borg_core.archives.vanished import Judged, derive_vanished, find_vanished, is_finder, tell_vanished
from borg_core.kinds.archive import ARCHIVES, KnownArchive, RepositoryListing
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.status import ConditionType, Finding
from borg_core.registry import Reference
from borg_core.runs.entry import Entry
from borg_core.runs.world import Host, World

_DELETED_AT_ONCE = 200
"""Objects; when they are gone, the repository is planned again."""


@dataclass(frozen=True)
class Observed:
    """What is known of a repository's archives. `accounts`: the oldest first; `repository_id`: empty where unknown."""

    known: Sequence[KnownArchive]
    accounts: Sequence[Account]
    died: Sequence[BorgRun]
    entries: Sequence[Entry]
    """The runs on the repository alone, as they will be."""
    repository_id: str
    pruning: Collection[str] = frozenset()
    """Schedules whose backups prune."""
    busy: frozenset[str] = frozenset()
    """Schedules of which a run is at work on it."""


@dataclass(frozen=True)
class ArchivesPlan:
    """`vanished`: what is to be told of archives that are gone though nothing here deleted them.

    `has_news`: something vanished just now, or went by unrecorded. The status has to say so before objects go or come,
    which alone know of it.
    """

    actions: tuple[Action, ...] = ()
    listing: RepositoryListing | None = None
    finding: Finding | None = None
    vanished: Finding | None = None
    has_news: bool = False
    unsettled: frozenset[Reference] = frozenset()
    """Runs whose end is not recorded yet: an object that they found gone is not let go, and they alone know of it."""
    requeue_after: float | None = None


def plan_archives(
    world: World, repository: BorgRepository, host: Host, observed: Observed, now: datetime, *, hindered: str = ""
) -> ArchivesPlan:
    """Return what is to be done. `hindered`: why no run on the repository can begin, empty where one can."""
    owner, limit, before = host.owner, repository.spec.archive_limit, repository.status.listing
    own = [archive for archive in observed.known if archive.owner_uid == owner.uid]
    # Of a restore of the cluster, or made by hand: they are in the way of our own.
    strangers = [archive for archive in observed.known if archive.owner_uid != owner.uid]
    if before and before.repository_id not in ("", observed.repository_id):
        # Another borg repository is the right one by now, because a person said so: of those nothing is left to tell.
        if own or strangers:
            return ArchivesPlan(tuple(_delete([*own, *strangers])), before)
        before = None
    if not limit:
        return ArchivesPlan(tuple(_delete([*own, *strangers])))
    told = read_accounts(
        observed.accounts,
        observed.died,
        before or RepositoryListing(),
        observed.repository_id,
        observed.pruning,
        own=own,
    )
    naming = Naming(owner, world.settings.cluster)
    books = _Books(naming, own, told, limit, frozenset(world.refusals))
    judged = Judged()
    telling: set[Reference] = set()
    for entry in sorted(observed.entries, key=lambda entry: (entry.created, entry.name)):  # as they had their turns
        if (part := _part_of(entry)) is not None:
            judged = judged.followed_by(books.take(part, entry, observed))
            telling.add(Reference(RUNS.kind, owner.namespace, entry.name))
            if told.listing.vanished and is_finder(entry, told.listing.vanished):
                judged = replace(judged, vanished=())  # told before, and not all of them could be deleted then
    vanished = derive_vanished(told.listing.vanished, judged, observed.entries)
    listing = told.listing.model_copy(update={"vanished": vanished, "unrecorded": list_unrecorded(books.unrecorded)})
    refused = next((item for subject, item in world.refusals.items() if subject.kind == ARCHIVES.kind), None)
    is_whole = refused is None and bool(listing.newest) and books.digest == listing.newest
    state = State(
        is_whole=is_whole,
        counted=listing.time or "",
        created=repository.metadata.creation_timestamp,
        busy=bool(observed.busy),
        hindered=hindered,
        refused=refused.message if refused else "",
        before=next((c for c in repository.status.conditions if c.type == ConditionType.ARCHIVES_LISTED), None),
        shown=len(books.there),
        archives=repository.status.archives if told.archives is None else told.archives,
    )
    ask = derive_ask(host, observed.entries, state, now)
    actions = [
        *tell_vanished(owner, replace(judged, others=(), unknown=()) if books.is_hindered else judged),
        *_delete(books.gone, len(books.gone)),
        *_delete([*strangers, *books.doomed]),
        *books.create(set(world.refusals)),
        *ask.actions,
    ]
    is_known = bool(listing.newest or listing.since or listing.vanished)
    return ArchivesPlan(
        actions=tuple(actions),
        listing=listing if is_known else None,
        finding=ask.finding,
        vanished=find_vanished(vanished),
        has_news=bool(judged.vanished) or listing.unrecorded != (before or RepositoryListing()).unrecorded,
        unsettled=frozenset(telling) if books.is_hindered else frozenset(),
        requeue_after=ask.requeue_after,
    )


NOTHING = ArchivesPlan()


class _Books:
    """The objects as they are to be: those there are, what runs made, what listings tell; the newest `limit`."""

    def __init__(
        self, naming: Naming, own: Sequence[KnownArchive], told: Told, limit: int, refused: Collection[Reference]
    ) -> None:
        self._naming, self._told, self._limit, self._refused = naming, told, limit, refused
        self._known = {archive.id: archive for archive in own if not self._is_pruned(archive)}
        self._new = {row.id: row for row in map(row_of, told.made.values()) if row and row.id not in self._known}
        self._from_part: frozenset[str] = frozenset()
        self._all = own
        self.unrecorded = {item.schedule: item.time for item in told.listing.unrecorded}
        """When it showed of which schedules that runs went by without a record."""
        self.gone: list[KnownArchive] = []
        """Objects of archives that a listing found gone. All are to go now: it may not be known the next time."""
        self._settle()

    def _is_pruned(self, archive: KnownArchive) -> bool:
        return (archive.schedule, archive.archive) in self._told.pruned and archive.id not in self._told.made

    def _settle(self) -> None:
        dated = [(archive.time, archive.id) for archive in self._known.values()]
        dated += [(row.time, row.id) for row in self._new.values()]
        self.there: list[Dated] = select_newest(dated, self._limit)
        self.digest = digest_newest(self.there, self._limit)

    @property
    def doomed(self) -> list[KnownArchive]:
        """Other objects that are to go."""
        settled = {id_ for _, id_ in self.there} | {archive.id for archive in self.gone}
        return [archive for archive in self._all if archive.id not in settled]

    @property
    def is_hindered(self) -> bool:
        """Whether the API server does not let go of an object of an archive that a listing found gone."""
        return any(_refer_to(archive) in self._refused for archive in self.gone)

    def take(self, part: Part, entry: Entry, observed: Observed) -> Judged:
        """Take in what a listing tells; return what went without us."""
        by_short = {shorten_id(archive.id): archive for archive in self._known.values()}
        gone = [by_short[id_] for id_ in part.gone if id_ in by_short]
        unsettled, told_from = self._find_unsettled(entry, observed), _derive_told_from(part, entry)
        began = entry.status.start_time or ""
        self.unrecorded |= dict.fromkeys(self._find_unrecorded(part, observed) - unsettled, began)
        settled = []
        for archive in gone:
            is_news = archive.schedule and archive.schedule not in self._told.silent
            is_open = archive.schedule in unsettled or (is_news and archive.time <= told_from)
            if is_open and _refer_to(archive) not in self._refused:
                if archive.schedule in self.unrecorded:
                    self.unrecorded[archive.schedule] = entry.status.completion_time or began
                continue  # its own run may have pruned it, and tells so at its end; or another part tells more
            del self._known[archive.id]
            settled.append(archive)
        self.gone += settled
        rows = {row.id: row for row in part.rows if row.id not in self._known}
        self._from_part = frozenset(rows.keys() - self._new.keys())
        self._new = {**rows, **self._new}
        self._settle()
        vanished = [archive for archive in settled if archive.schedule not in self._told.silent]
        made = self._find_made() if vanished else frozenset()
        ours = [archive for archive in vanished if archive.schedule and (archive.schedule, archive.time) not in made]
        return Judged(
            entry.name,
            entry.uid,
            tuple(archive for archive in ours if archive.schedule not in self.unrecorded),
            tuple(archive for archive in vanished if not archive.schedule),
            tuple(archive for archive in ours if archive.schedule in self.unrecorded),
        )

    def _find_unrecorded(self, part: Part, observed: Observed) -> frozenset[str]:
        """Return the schedules of which there are archives newer than all that were known, of runs without a record."""
        newest = find_newest(self._known.values())
        recorded = {run.metadata.name for run, _ in observed.accounts} | {run.metadata.name for run in observed.died}
        makers = ((row.time, *maker_of(row, self._naming, self._told.makers.get(row.id))) for row in part.rows)
        return frozenset(
            schedule
            for time, schedule, run in makers
            if run not in recorded and schedule in newest and time > newest[schedule]
        )

    def _find_made(self) -> frozenset[tuple[str, str]]:
        """Return schedule and time of each archive that is there.

        Where borg changes a comment or a name, as our own runs do to mark an archive, it has another id afterwards.
        """
        rows = ((maker_of(row, self._naming, self._told.makers.get(row.id))[0], row.time) for row in self._new.values())
        return frozenset((*rows, *((archive.schedule, archive.time) for archive in self._known.values())))

    def _find_unsettled(self, entry: Entry, observed: Observed) -> frozenset[str]:
        began = entry.status.start_time or ""
        since = {
            run.spec.schedule_ref.name
            for run, _ in observed.accounts
            if run.spec.schedule_ref and (run.status.completion_time or "") >= began
        }
        return observed.busy | since

    def create(self, refused: set[Reference]) -> Iterator[Action]:
        """Yield what makes those that are missing, the newest first.

        Where one was refused, only those are tried again that runs made: a listing tells the others anew.
        """
        is_refused = any(subject.kind == ARCHIVES.kind for subject in refused)
        for _, id_ in self.there:
            row = self._new.get(id_)
            if row is None or (is_refused and id_ in self._from_part and self._reference(row) not in refused):
                continue
            yield CreateArchive(render_archive(row, self._naming, self._told.makers.get(id_)))

    def _reference(self, row: ArchiveRow) -> Reference:
        owner = self._naming.owner
        return Reference(ARCHIVES.kind, owner.namespace, archive_name(owner.name, row.id))


def _part_of(entry: Entry) -> Part | None:
    """Return what a listing tells that has just ended: it is in its pod alone, and is not kept."""
    ending = entry.pod.ending if entry.pod else None
    if not entry.just_finished or entry.operation is not Operation.LIST or ending is None or ending.result is None:
        return None
    if not ending.result.part:
        return None
    try:
        return unpack_part(ending.result.part)
    except ValueError:
        return None  # it counts as one that told nothing


def _derive_told_from(part: Part, entry: Entry) -> str:
    """Return up to when archives were begun of which other parts may tell that they are new; empty: this tells all."""
    goes_on = any(result.listing and result.listing.left for result in entry.status.repositories)
    return min((row.time for row in part.rows), default="") if goes_on else ""


def _delete(archives: Sequence[KnownArchive], most: int = _DELETED_AT_ONCE) -> Iterator[Action]:
    for archive in archives[:most]:
        yield DeleteArchive(_refer_to(archive), archive.uid)


def _refer_to(archive: KnownArchive) -> Reference:
    return Reference(ARCHIVES.kind, archive.namespace, archive.name)

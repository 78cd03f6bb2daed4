"""What listings found gone though nothing here deleted it, and how that is told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from borg_contract.reasons import Reason
from borg_core.actions import RecordEvent
from borg_core.kinds.archive import KnownArchive, RepositoryListing, VanishedArchives
from borg_core.kinds.status import ConditionType, Finding
from borg_core.runs.entry import Entry
from borg_core.workload.owner import Owner

_NAMED = 8


@dataclass(frozen=True)
class Judged:
    """What a listing found gone: `vanished` were made for this namespace, `others` were not; by which run.

    `unknown`: of schedules of which runs went by that nobody has a record of.
    """

    run_name: str = ""
    run_uid: str = ""
    vanished: tuple[KnownArchive, ...] = ()
    others: tuple[KnownArchive, ...] = ()
    unknown: tuple[KnownArchive, ...] = ()

    def followed_by(self, later: "Judged") -> "Judged":
        return Judged(
            later.run_name,
            later.run_uid,
            (*self.vanished, *later.vanished),
            (*self.others, *later.others),
            (*self.unknown, *later.unknown),
        )


def derive_vanished(
    before: VanishedArchives | None, judged: Judged, entries: Sequence[Entry]
) -> VanishedArchives | None:
    """Return what is told of vanished archives, until somebody deletes the run that found the last of them gone."""
    if before and not any(is_finder(entry, before) for entry in entries):
        before = None
    if not judged.vanished:
        return before
    names = [*(before.archives if before else ()), *(archive.archive for archive in judged.vanished)]
    count = (before.count if before else 0) + len(judged.vanished)
    return VanishedArchives(
        run_name=judged.run_name, run_uid=judged.run_uid, count=count, archives=tuple(names[:_NAMED])
    )


def is_finder(entry: Entry, told: VanishedArchives) -> bool:
    """Tell whether it is the run that found the last of them gone."""
    return entry.name == told.run_name and told.run_uid in (entry.uid, "")  # an earlier version told no uid


def find_vanished(vanished: VanishedArchives | None) -> Finding | None:
    if vanished is None:
        return None
    message = (
        f'BorgRun "{vanished.run_name}" looked what archives there are, and {vanished.count} are gone that runs of '
        f"this namespace made and nothing here deleted: {_name_some(vanished.archives, vanished.count)}. The "
        "repository is an older copy of itself, or somebody deleted them. Find out who; delete that BorgRun when "
        "that is settled"
    )
    return Finding(ConditionType.ROLLED_BACK.value, True, Reason.ARCHIVE_VANISHED.value, message)


def tell_vanished(owner: Owner, judged: Judged) -> Iterator[RecordEvent]:
    for archives, what, warning in (
        (judged.vanished, "that runs of this namespace made are gone, and nothing here deleted them", True),
        (judged.others, "that others made are gone", False),
        (
            judged.unknown,
            "are gone, and nobody knows whether it was prune: runs of their schedule left no record",
            False,
        ),
    ):
        if archives:
            some = _name_some([archive.archive for archive in archives[:_NAMED]], len(archives))
            message = f'{len(archives)} archives {what}: {some} (BorgRun "{judged.run_name}")'
            yield RecordEvent(owner.reference, owner.uid, Reason.ARCHIVE_VANISHED.value, message, warning)


def _name_some(names: Sequence[str], count: int) -> str:
    more = f" and {count - len(names)} more" if count > len(names) else ""
    return ", ".join(names) + more


def keep_finders(listing: RepositoryListing | None) -> frozenset[str]:
    """Return the names of runs that are kept as long as what they found is told."""
    return frozenset({listing.vanished.run_name}) if listing and listing.vanished else frozenset()

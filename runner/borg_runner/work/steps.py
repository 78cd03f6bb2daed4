"""Steps that write no archive, each with what it leaves in the record: prune, compact, count."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from borg_contract.archive_name import derive_prune_glob
from borg_contract.archives.ids import Dated, digest_newest
from borg_contract.archives.part import can_be_told
from borg_contract.ownership import ArchiveOwner, is_undo_name, mark_suspect, render_comment
from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_contract.result import CompactResult, PreviousArchive, PruneResult, RepositoryTotals
from borg_contract.retention import Retention
from borg_contract.run import Operation
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.compact import NOTHING_GIVEN_BACK, compact
from borg_runner.verbs.create import ArchiveFigures, change_comment, rename
from borg_runner.verbs.delete import delete
from borg_runner.verbs.info import RepositorySizes, ask_sizes, fetch_sizes
from borg_runner.verbs.list import ListedArchive, StoredArchive, ask_newest_archives, ask_stored, fetch_archives
from borg_runner.verbs.repository import Repository
from borg_runner.work.content import MEMORY, PastArchive, find_staying, find_suspect
from borg_runner.work.record import Record

_MOST_REMEMBERED = 200
"""Archives with which a backup is compared that prunes nothing, at most: more than a week of hours. Over SSH each costs
about as long as the way there and back."""


_MOST_NAMED = 64
"""Archives that a result names which were pruned, at most."""


def owner_of(plan: RunPlan, repository: Repository) -> ArchiveOwner:
    """Return to whom the archives of this run belong."""
    return ArchiveOwner(plan.namespace, plan.schedule, repository.plan.name, plan.cluster)


def take_stock(plan: RunPlan, repository: Repository, record: Record, *, run: str = "") -> list[ListedArchive]:
    """Return all archives that are named like those of the schedule, once what killed runs left is settled.

    `run`: this one, which may have had a pod before this one; see `name_run`. Raises FaultError.
    """
    own = owner_of(plan, repository)
    found = fetch_archives(repository, glob=_glob_of(plan, repository))
    # What a restore put aside may bear such a name, and is nobody's backup.
    listed = _finish_marks(repository, own, [archive for archive in found if archive.undo is None])
    unjudged = {*repository.plan.unjudged_runs, run}

    def settle(archive: ListedArchive) -> ListedArchive:
        if archive.owner != own or archive.is_checkpoint or archive.content.suspect:
            return archive
        if archive.name == record.archive:  # which could not be marked
            return replace(archive, comment=mark_suspect(archive.comment)) if record.is_unjudged else archive
        return _mark_unjudged(repository, archive) if archive.run in unjudged else archive

    return [settle(archive) for archive in listed]


def _finish_marks(repository: Repository, own: ArchiveOwner, listed: Sequence[ListedArchive]) -> list[ListedArchive]:
    """Put a marked copy in the place of its original where a run was killed before borg did.

    The original goes first: wherever this is killed in turn, the mark stays. Copies of others are in nobody's way.
    """
    settled = {archive.name: archive for archive in listed if archive.original is None}
    for copy in listed:
        if (name := copy.original) is None or copy.owner != own or not copy.content.suspect:
            continue
        original = settled.get(name)
        if original is not None and mark_suspect(original.comment) != copy.comment:
            continue
        repository.log.say(f"{copy.name} was to be {name}, with the mark that it is suspect: a killed run left it so")
        if original is not None:
            delete(repository, [name])
        rename(repository, copy.name, name)
        settled[name] = replace(copy, name=name)
    return list(settled.values())


def _mark_unjudged(repository: Repository, archive: ListedArchive) -> ListedArchive:
    """Mark an archive of a run that ended before it had looked whether borg read all that was there."""
    repository.warn(
        f'Archive "{archive.name}" is of run "{archive.run}", which ended before it had looked whether all is in '
        "it, or could not mark it: it is marked now, and takes no good one's place when archives are pruned."
    )
    comment = mark_suspect(archive.comment)
    change_comment(repository, archive.name, comment)
    return replace(archive, comment=comment)


def withhold(plan: RunPlan, repository: Repository) -> RunPlan | None:
    """Return the plan without prune and compact, after a warning, where the repository is known to be damaged.

    None: then nothing is left to be done. What old archives hold may be the last good copy of a file, and both would
    write over it.
    """
    asked = plan.prune is not None or plan.compact_threshold is not None
    is_meant = plan.operation in (Operation.PRUNE, Operation.COMPACT) or (plan.operation is Operation.BACKUP and asked)
    if not repository.plan.damage or not is_meant:
        return plan
    repository.warn(
        f"Nothing was pruned or compacted, as the repository is damaged: {repository.plan.damage.rstrip('.')}. See "
        "CheckFailed in Troubleshooting; when a Check finds nothing wrong any more, both go on"
    )
    return replace(plan, prune=None, compact_threshold=None) if plan.operation is Operation.BACKUP else None


def ask_past_archives(
    plan: RunPlan, repository: Repository, stored: Mapping[str, StoredArchive], archive: str
) -> list[ListedArchive]:
    """Return `archive` and those with which it is to be compared, of those `stored`; none when they cannot be had."""
    glob = _glob_of(plan, repository)
    since = dt.datetime.fromisoformat(stored[archive].time) - MEMORY
    late = sum(
        fnmatchcase(name, glob) and dt.datetime.fromisoformat(other.time) >= since for name, other in stored.items()
    )
    return ask_newest_archives(repository, glob=glob, count=min(late + 1, _MOST_REMEMBERED))


def derive_past(plan: RunPlan, repository: Repository, listed: Sequence[ListedArchive]) -> list[PastArchive]:
    """Return the schedule's own whole archives, oldest first."""
    own = owner_of(plan, repository)
    whole = (archive for archive in listed if archive.owner == own and not archive.is_checkpoint)
    return sorted(
        (PastArchive(archive.name, archive.began, archive.content) for archive in whole), key=lambda past: past.began
    )


def prune_own_archives(
    plan: RunPlan, repository: Repository, record: Record, retention: Retention, listed: Sequence[ListedArchive]
) -> int:
    """Delete the schedule's own archives that no rule keeps, and return how many.

    An archive of an emptied source takes the place of no good one, see `find_staying`. Nor does what was made just now
    go, whatever the clock of an earlier run was. What goes is deleted by name. Raises FaultError, also where archives
    of such names may be of others: not before a person has looked are any deleted.
    """
    own = owner_of(plan, repository)
    # Checkpoints count for no rule: those of others are in nobody's way.
    if others := [archive for archive in listed if not archive.is_checkpoint and archive.owner != own]:
        for archive in others:
            comment = render_comment(own, "adopted", archive.content)
            repository.log.say(f"to make {archive.name} this schedule's, give it the comment: {comment}")
        raise FaultError(Fault(Reason.ARCHIVES_OF_OTHERS, _describe_others(others, own)))
    past = derive_past(plan, repository, listed)
    suspect = find_suspect(past, may_shrink=repository.plan.min_files == 0)
    if suspect:
        repository.log.say(f"{len(suspect)} archives of empty, unread or shrunken sources take no good one's place")
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    staying = find_staying(past, suspect, retention, now=now, local_time=plan.local_time)
    if record.archive is not None:
        staying.setdefault(record.archive, "it is new")
    for name, why in staying.items():
        repository.log.say(f"{name} stays: {why}", "  ")
    doomed = [archive.name for archive in past if archive.name not in staying]
    if going := [*doomed, *_find_stale_checkpoints([archive for archive in listed if archive.owner == own])]:
        delete(repository, going)
    record.add(prune=PruneResult(len(past) - len(doomed), len(doomed), _name_all(doomed)))
    return len(doomed)


def _name_all(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, none where they are too many to be told."""
    return tuple(names) if len(names) <= _MOST_NAMED else ()


def _find_stale_checkpoints(own: Sequence[ListedArchive]) -> Iterator[str]:
    """Yield the names of those that are of no use any more: of all but one that is the newest archive there is."""
    newest = max(own, key=lambda archive: (archive.began, archive.name), default=None)
    return (archive.name for archive in own if archive.is_checkpoint and archive is not newest)


def prune_if_all_are_own(
    plan: RunPlan, repository: Repository, record: Record, retention: Retention, listed: Sequence[ListedArchive]
) -> int:
    """Do the same after a backup; with archives of others, warn and return 0. Raises FaultError for other faults."""
    try:
        return prune_own_archives(plan, repository, record, retention, listed)
    except FaultError as error:
        if error.fault.reason is not Reason.ARCHIVES_OF_OTHERS:
            raise
        repository.warn(error.fault.text)
        return 0


def _glob_of(plan: RunPlan, repository: Repository) -> str:
    return derive_prune_glob(plan.archive_name_template, schedule=plan.schedule, repository=repository.plan.name)


def _describe_others(others: Sequence[ListedArchive], own: ArchiveOwner) -> str:
    first = others[0]
    if len(others) == 1:
        what = f'archive "{first.name}" is named like one of this schedule and is'
    else:
        what = f'{len(others)} archives are named like those of this schedule: "{first.name}" is'
    return f"Nothing was pruned: {what} {_whose(first, own)}. See ArchivesOfOthers in Troubleshooting."


def _whose(archive: ListedArchive, own: ArchiveOwner) -> str:
    owner = archive.owner
    if owner is None:
        return "of nobody that its comment names"
    if owner.cluster != own.cluster and not owner.cluster:
        return f"of {owner} of a cluster that is not named"
    return f"of {owner}"


def give_space_back(repository: Repository, record: Record, *, threshold: int) -> None:
    """Compact the repository. Raises FaultError."""
    freed = compact(repository, threshold=threshold)
    record.add(compact=CompactResult(freed or 0, append_only=freed is None))


def compact_as_asked(repository: Repository, record: Record, *, threshold: int) -> None:
    """Do the same for somebody who asked for nothing else: that nothing came of it is a warning. Raises FaultError."""
    give_space_back(repository, record, threshold=threshold)
    if record.is_append_only:
        repository.warn(f"{NOTHING_GIVEN_BACK}. See AppendOnly in Troubleshooting.")


def count_anew(repository: Repository, record: Record, stored: Mapping[str, StoredArchive]) -> None:
    """Keep the number of the archives that are `stored`, and ask borg for their sizes. Raises FaultError."""
    sizes = fetch_sizes(repository)
    record.add(repository_id=sizes.repository_id)
    keep_totals(repository, record, stored, sizes)


def count_after(
    repository: Repository,
    record: Record,
    *,
    deleted: int,
    written: ArchiveFigures | None,
    stored: Mapping[str, StoredArchive] | None = None,
) -> None:
    """Complete the totals of a good run; borg is asked only for what its steps did not tell, and may stay silent.

    `stored`: all archives that there are now, None where they are not known.
    """
    if stored is None:
        stored = ask_stored(repository)
    if stored is None:  # a server that does not answer is not waited for once more
        return
    sizes: RepositorySizes | None
    if written is not None and not deleted:
        sizes = RepositorySizes(
            written.repository_original_size, written.repository_deduplicated_size, written.repository_id
        )
    else:
        sizes = ask_sizes(repository)
    if sizes is not None:
        keep_totals(repository, record, stored, sizes)


def keep_previous(plan: RunPlan, repository: Repository, record: Record, stored: Mapping[str, StoredArchive]) -> None:
    """Keep borg's id of the archive and when it was begun, and which one of the schedule was the newest before it."""
    own = stored.get(record.archive or "")
    if own is not None:
        glob = _glob_of(plan, repository)
        others = (
            (other.time, name)
            for name, other in stored.items()
            if name != record.archive and fnmatchcase(name, glob) and not is_undo_name(name)
        )
        time, name = max(others, default=("", ""))
        record.add(archive_id=own.id, archive_time=own.time, previous=PreviousArchive(name, time))


def keep_unused_excludes(repository: Repository, record: Record, patterns: Sequence[str]) -> None:
    """Keep which patterns left nothing out: no warning, for what they are for may be absent today."""
    if patterns:
        repository.log.say(f"left nothing out: {', '.join(patterns)}")
        record.add(unused_excludes=tuple(patterns))


def keep_totals(
    repository: Repository, record: Record, stored: Mapping[str, StoredArchive], sizes: RepositorySizes
) -> None:
    newest = digest_newest(find_listable(stored), limit) if (limit := repository.plan.archive_limit) else None
    record.add(totals=RepositoryTotals(len(stored), sizes.original, sizes.deduplicated, newest))


def find_listable(stored: Mapping[str, StoredArchive]) -> list[Dated]:
    """Return the archives that the cluster can know: of nearly all names and times that borg takes."""
    return [(archive.time, archive.id) for name, archive in stored.items() if can_be_told(name, archive.time)]

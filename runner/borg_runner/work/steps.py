"""Steps that write no archive, each with what it leaves in the record: prune, compact, count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from borg_contract.archive_name import derive_prune_glob
from borg_contract.ownership import ArchiveOwner, render_comment
from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_contract.result import CompactResult, PreviousArchive, PruneResult, RepositoryTotals
from borg_contract.retention import Retention
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.compact import NOTHING_GIVEN_BACK, compact
from borg_runner.verbs.create import ArchiveFigures
from borg_runner.verbs.delete import delete
from borg_runner.verbs.info import RepositorySizes, ask_sizes, fetch_sizes
from borg_runner.verbs.list import ListedArchive, ask_newest_archives, ask_times, fetch_archives, fetch_times
from borg_runner.verbs.prune import choose
from borg_runner.verbs.repository import Repository
from borg_runner.work.content import PastArchive, find_stand_ins, find_suspect
from borg_runner.work.record import Record

_REMEMBERED = 8
"""Archives with which a backup is compared that prunes nothing: a week of nights, and what was before."""


@dataclass(frozen=True)
class Pruned:
    """`remaining`: archives in the whole repository afterwards; None where borg does not say."""

    deleted: int
    remaining: int | None


def owner_of(plan: RunPlan, repository: Repository) -> ArchiveOwner:
    """Return to whom the archives of this run belong."""
    return ArchiveOwner(plan.namespace, plan.schedule, repository.plan.name, plan.cluster)


def list_archives(plan: RunPlan, repository: Repository) -> list[ListedArchive]:
    """Return all archives that are named like those of the schedule. Raises FaultError."""
    return fetch_archives(repository, glob=_glob_of(plan, repository))


def ask_past_archives(plan: RunPlan, repository: Repository) -> list[ListedArchive]:
    """Return the newest archives of such names, for a backup that prunes nothing; none when they cannot be had."""
    return ask_newest_archives(repository, glob=_glob_of(plan, repository), count=_REMEMBERED + 1)


def derive_past(plan: RunPlan, repository: Repository, listed: Sequence[ListedArchive]) -> list[PastArchive]:
    """Return the schedule's own whole archives, oldest first."""
    own = owner_of(plan, repository)
    whole = (archive for archive in listed if archive.owner == own and not archive.is_checkpoint)
    return sorted(
        (PastArchive(archive.name, archive.began, archive.content) for archive in whole), key=lambda past: past.began
    )


def prune_own_archives(
    plan: RunPlan, repository: Repository, record: Record, retention: Retention, listed: Sequence[ListedArchive]
) -> Pruned:
    """Delete the schedule's own archives that no rule keeps. Raises FaultError, also where one may not be its own.

    Borg's rules count every archive of such a name. So there must be none of others: neither among the `listed`, nor
    when borg chooses. What goes is deleted by name, so that an archive that comes still later is not touched.
    An archive of an emptied source takes the place of no good one: for each, every rule keeps one more, and where a
    rule keeps it, the last good one before it stays as well. Nor does what was made just now go, whatever the clock of
    an earlier run was.
    """
    glob = _glob_of(plan, repository)
    own = owner_of(plan, repository)
    _keep_previous(record, {archive.name: archive.time for archive in listed if not archive.is_checkpoint})
    past = derive_past(plan, repository, listed)
    suspect = find_suspect(past, may_shrink=repository.plan.min_files == 0)
    if places := len(suspect):
        repository.log.say(f"each rule keeps {places} more: so many archives are of empty, unread or shrunken sources")
        retention = retention.widened(places)
    # Checkpoints count for no rule: those of others are in nobody's way.
    if others := [archive for archive in listed if not archive.is_checkpoint and archive.owner != own]:
        repository.log.say(f"archives of this schedule have the comment: {render_comment(own, 'adopted')}")
        raise FaultError(Fault(Reason.ARCHIVES_OF_OTHERS, _describe_others(others, own)))
    choice = choose(repository, retention, glob=glob, local_time=plan.local_time)
    if (choice.kept | choice.pruned) - {archive.id for archive in listed}:
        text = "Nothing was pruned: meanwhile somebody else wrote an archive of such a name. The next run looks again."
        raise FaultError(Fault(Reason.ARCHIVES_OF_OTHERS, text))
    ours = {archive.id: archive for archive in listed if archive.owner == own}
    whole = {archive.id for archive in ours.values() if not archive.is_checkpoint}
    stand_ins = find_stand_ins(past, suspect, {archive.name for archive in listed if archive.id in choice.kept})
    stays = stand_ins | {record.archive}
    spared = {archive.id for archive in ours.values() if archive.name in stays} & choice.pruned
    for id_ in spared:
        why = "what a rule keeps in its place seems to lack files" if ours[id_].name in stand_ins else "it is new"
        repository.log.say(f"{ours[id_].name} stays all the same: {why}")
    doomed = [archive.name for archive in ours.values() if archive.id in (choice.pruned | choice.checkpoints) - spared]
    if doomed:
        delete(repository, doomed)
    deleted = len((choice.pruned - spared) & whole)
    record.add(prune=PruneResult(len(whole) - deleted, deleted))
    return Pruned(deleted, None if choice.total is None else choice.total - deleted)


def prune_if_all_are_own(
    plan: RunPlan, repository: Repository, record: Record, retention: Retention, listed: Sequence[ListedArchive]
) -> Pruned | None:
    """Do the same after a backup; with archives of others, warn and return None. Raises FaultError for other faults."""
    try:
        return prune_own_archives(plan, repository, record, retention, listed)
    except FaultError as error:
        if error.fault.reason is not Reason.ARCHIVES_OF_OTHERS:
            raise
        repository.warn(error.fault.text)
        return None


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


def count_anew(repository: Repository, record: Record) -> None:
    """Ask borg for the number of archives and their sizes. Raises FaultError."""
    count = len(fetch_times(repository))
    sizes = fetch_sizes(repository)
    record.add(repository_id=sizes.repository_id)
    _keep_totals(record, count, sizes)


def count_after(
    plan: RunPlan, repository: Repository, record: Record, *, pruned: Pruned | None, written: ArchiveFigures | None
) -> None:
    """Complete the totals of a good run; borg is asked only for what its steps did not tell, and may stay silent."""
    count = pruned.remaining if pruned else None
    if count is None and (times := ask_times(repository)) is not None:
        count = len(times)
        glob = derive_prune_glob(plan.archive_name_template, schedule=plan.schedule, repository=repository.plan.name)
        _keep_previous(record, {name: time for name, time in times.items() if fnmatchcase(name, glob)})
    sizes: RepositorySizes | None
    if written is not None and not (pruned and pruned.deleted):
        sizes = RepositorySizes(
            written.repository_original_size, written.repository_deduplicated_size, written.repository_id
        )
    else:
        sizes = ask_sizes(repository)
    if count is not None and sizes is not None:
        _keep_totals(record, count, sizes)


def _keep_previous(record: Record, times: Mapping[str, str]) -> None:
    """Keep when borg says that the archive was begun, and which one of the schedule was the newest before it."""
    began = times.get(record.archive or "")
    if began is not None:
        others = ((time, name) for name, time in times.items() if name != record.archive)
        time, name = max(others, default=("", ""))
        record.add(archive_time=began, previous=PreviousArchive(name, time))


def keep_unused_excludes(repository: Repository, record: Record, patterns: Sequence[str]) -> None:
    """Keep which patterns left nothing out: no warning, for what they are for may be absent today."""
    if patterns:
        repository.log.say(f"left nothing out: {', '.join(patterns)}")
        record.add(unused_excludes=tuple(patterns))


def _keep_totals(record: Record, count: int, sizes: RepositorySizes) -> None:
    record.add(totals=RepositoryTotals(count, sizes.original, sizes.deduplicated))

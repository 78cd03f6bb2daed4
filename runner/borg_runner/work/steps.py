"""Steps that write no archive, each with what it leaves in the record: prune, compact, count."""

from collections.abc import Sequence
from dataclasses import dataclass

from borg_contract.archive_name import derive_prune_glob
from borg_contract.ownership import ArchiveOwner, render_comment
from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_contract.result import CompactResult, PruneResult, RepositoryTotals
from borg_contract.retention import Retention
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.compact import compact
from borg_runner.verbs.create import ArchiveFigures
from borg_runner.verbs.delete import delete
from borg_runner.verbs.info import RepositorySizes, ask_sizes, fetch_sizes
from borg_runner.verbs.list import ListedArchive, ask_archive_count, fetch_archive_count, fetch_archives
from borg_runner.verbs.prune import choose
from borg_runner.verbs.repository import Repository
from borg_runner.work.record import Record


@dataclass(frozen=True)
class Pruned:
    """`remaining`: archives in the whole repository afterwards; None where borg does not say."""

    deleted: int
    remaining: int | None


def owner_of(plan: RunPlan, repository: Repository) -> ArchiveOwner:
    """Return to whom the archives of this run belong."""
    return ArchiveOwner(plan.namespace, plan.schedule, repository.plan.name, plan.cluster)


def prune_own_archives(plan: RunPlan, repository: Repository, record: Record, retention: Retention) -> Pruned:
    """Delete the schedule's own archives that no rule keeps. Raises FaultError, also where one may not be its own.

    Borg's rules count every archive of such a name. So there must be none of others: neither at first, nor when borg
    chooses. What goes is deleted by name, so that an archive that comes still later is not touched.
    """
    glob = derive_prune_glob(plan.archive_name_template, schedule=plan.schedule, repository=repository.plan.name)
    own = owner_of(plan, repository)
    listed = fetch_archives(repository, glob=glob)
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
    doomed = [archive.name for archive in ours.values() if archive.id in choice.pruned | choice.checkpoints]
    if doomed:
        delete(repository, doomed)
    deleted = len(choice.pruned & whole)
    record.add(prune=PruneResult(len(whole) - deleted, deleted))
    return Pruned(deleted, None if choice.total is None else choice.total - deleted)


def prune_if_all_are_own(plan: RunPlan, repository: Repository, record: Record, retention: Retention) -> Pruned | None:
    """Do the same after a backup; with archives of others, warn and return None. Raises FaultError for other faults."""
    try:
        return prune_own_archives(plan, repository, record, retention)
    except FaultError as error:
        if error.fault.reason is not Reason.ARCHIVES_OF_OTHERS:
            raise
        repository.warn(error.fault.text)
        return None


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
    record.add(compact=CompactResult(compact(repository, threshold=threshold)))


def count_anew(repository: Repository, record: Record) -> None:
    """Ask borg for the number of archives and their sizes. Raises FaultError."""
    count = fetch_archive_count(repository)
    _keep_totals(record, count, fetch_sizes(repository))


def count_after(
    repository: Repository, record: Record, *, pruned: Pruned | None, written: ArchiveFigures | None
) -> None:
    """Complete the totals of a good run; borg is asked only for what its steps did not tell, and may stay silent."""
    count = pruned.remaining if pruned else None
    if count is None:
        count = ask_archive_count(repository)
    sizes: RepositorySizes | None
    if written is not None and not (pruned and pruned.deleted):
        sizes = RepositorySizes(written.repository_original_size, written.repository_deduplicated_size)
    else:
        sizes = ask_sizes(repository)
    if count is not None and sizes is not None:
        _keep_totals(record, count, sizes)


def _keep_totals(record: Record, count: int, sizes: RepositorySizes) -> None:
    record.add(totals=RepositoryTotals(count, sizes.original, sizes.deduplicated))

"""Steps that write no archive, each with what it leaves in the record: prune, compact, count."""

from collections.abc import Sequence

from borg_contract.archive_name import derive_prune_glob
from borg_contract.ownership import ArchiveOwner, parse_comment, render_comment
from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_contract.result import CompactResult, PruneResult, RepositoryTotals
from borg_contract.retention import Retention
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.compact import compact
from borg_runner.verbs.create import ArchiveFigures
from borg_runner.verbs.info import RepositorySizes, ask_sizes, fetch_sizes
from borg_runner.verbs.list import ListedArchive, ask_archive_count, fetch_archive_count, fetch_archives
from borg_runner.verbs.prune import PruneFigures, prune
from borg_runner.verbs.repository import Repository
from borg_runner.work.record import Record

_OTHERS_SHOWN = 3


def owner_of(plan: RunPlan, repository: Repository) -> ArchiveOwner:
    """Return to whom the archives of this run belong."""
    return ArchiveOwner(plan.namespace, plan.schedule, repository.plan.name, plan.cluster)


def prune_own_archives(plan: RunPlan, repository: Repository, record: Record, retention: Retention) -> PruneFigures:
    """Delete the schedule's own archives that no rule keeps. Raises FaultError, also where one may not be its own.

    Borg chooses by the name alone: it would count archives of others among those to keep, and delete them.
    """
    glob = derive_prune_glob(plan.archive_name_template, schedule=plan.schedule, repository=repository.plan.name)
    own = owner_of(plan, repository)
    others = [archive for archive in fetch_archives(repository, glob=glob) if parse_comment(archive.comment) != own]
    if others:
        repository.log.say(f"archives of this schedule have the comment: {render_comment(own, '(the run)')}")
        raise FaultError(Fault(Reason.ARCHIVES_OF_OTHERS, _describe_others(others, own)))
    figures = prune(repository, retention, glob=glob)
    record.add(prune=PruneResult(figures.kept, figures.deleted))
    return figures


def prune_if_all_are_own(
    plan: RunPlan, repository: Repository, record: Record, retention: Retention
) -> PruneFigures | None:
    """Do the same after a backup; with archives of others, warn and return None. Raises FaultError for other faults."""
    try:
        return prune_own_archives(plan, repository, record, retention)
    except FaultError as error:
        if error.fault.reason is not Reason.ARCHIVES_OF_OTHERS:
            raise
        repository.warn(error.fault.text)
        return None


def _describe_others(others: Sequence[ListedArchive], own: ArchiveOwner) -> str:
    shown = "; ".join(f'"{archive.name}" is {_whose(archive, own)}' for archive in others[:_OTHERS_SHOWN])
    more = f"; and {len(others) - _OTHERS_SHOWN} more" if len(others) > _OTHERS_SHOWN else ""
    count = "1 archive bears" if len(others) == 1 else f"{len(others)} archives bear"
    return (
        f"Nothing was pruned: {count} a name like this schedule's without being its own: {shown}{more}. Give each "
        "BorgRepository a path of its own, or schedules other archiveNameTemplates; to take archives over, see "
        "ArchivesOfOthers in Troubleshooting."
    )


def _whose(archive: ListedArchive, own: ArchiveOwner) -> str:
    owner = parse_comment(archive.comment)
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
    repository: Repository, record: Record, *, pruned: PruneFigures | None, written: ArchiveFigures | None
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

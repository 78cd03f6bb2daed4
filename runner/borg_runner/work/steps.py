"""Steps that write no archive, each with what it leaves in the record: prune, compact, count."""

from borg_contract.archive_name import derive_prune_glob
from borg_contract.plan import RunPlan
from borg_contract.result import CompactResult, PruneResult, RepositoryTotals
from borg_contract.retention import Retention
from borg_runner.verbs.compact import compact
from borg_runner.verbs.create import ArchiveFigures
from borg_runner.verbs.info import RepositorySizes, ask_sizes, fetch_sizes
from borg_runner.verbs.list import ask_archive_count, fetch_archive_count
from borg_runner.verbs.prune import PruneFigures, prune
from borg_runner.verbs.repository import Repository
from borg_runner.work.record import Record


def prune_own_archives(plan: RunPlan, repository: Repository, record: Record, retention: Retention) -> PruneFigures:
    """Delete the schedule's own archives that no rule keeps. Raises FaultError."""
    glob = derive_prune_glob(plan.archive_name_template, schedule=plan.schedule, repository=repository.plan.name)
    figures = prune(repository, retention, glob=glob)
    record.add(prune=PruneResult(figures.kept, figures.deleted))
    return figures


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

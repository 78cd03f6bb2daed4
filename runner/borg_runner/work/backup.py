"""One backup into one repository: created when missing, archive written, then prune and compact as the plan says."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from borg_contract.archive_name import render_archive_name
from borg_contract.ownership import render_comment
from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_runner.borg.exit_codes import ABSENT
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.borg.sizes import describe_size
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.create import ArchiveFigures, create, parse_create_output
from borg_runner.verbs.init import init, init_missing_folder
from borg_runner.verbs.repository import Repository
from borg_runner.work.record import Record
from borg_runner.work.sources import find_source_fault, make_source_paths
from borg_runner.work.steps import count_after, give_space_back, owner_of, prune_if_all_are_own
from borg_runner.work.unfinished import remove_unfinished

_T = TypeVar("_T")


def back_up(plan: RunPlan, repository: Repository, record: Record, *, sources_root: Path, run_name: str) -> None:
    """Do it. Raises FaultError, OSError."""
    if (fault := find_source_fault(repository.plan.sources, sources_root)) is not None:
        raise FaultError(fault)
    written = _write_archive(plan, repository, record, sources_root=sources_root, run_name=run_name)
    pruned = None
    if (retention := plan.prune) is not None:
        pruned = _follow_up(
            repository,
            record,
            Fault(Reason.PRUNE_FAILED, "prune failed"),
            lambda: prune_if_all_are_own(plan, repository, record, retention),
        )
    if (threshold := plan.compact_threshold) is not None:
        _follow_up(
            repository,
            record,
            Fault(Reason.COMPACT_FAILED, "compact failed"),
            lambda: give_space_back(repository, record, threshold=threshold),
        )
    count_after(repository, record, pruned=pruned, written=written)


def _write_archive(
    plan: RunPlan, repository: Repository, record: Record, *, sources_root: Path, run_name: str
) -> ArchiveFigures:
    paths = make_source_paths(repository.plan.sources, sources_root)
    comment = render_comment(owner_of(plan, repository), run_name or "-")

    def make_name() -> str:
        return render_archive_name(
            plan.archive_name_template,
            schedule=plan.schedule,
            repository=repository.plan.name,
            now=dt.datetime.now(dt.UTC),
        )

    remote = repository.plan.ssh is not None
    if not remote:
        remove_unfinished(repository)
        init_missing_folder(repository)
    archive, outcome = create(repository, make_name=make_name, paths=paths, comment=comment)
    if remote and outcome.exit_code in ABSENT and repository.plan.initialize:
        init(repository)
        archive, outcome = create(repository, make_name=make_name, paths=paths, comment=comment)
    repository.accept(outcome)
    record.add(archive=archive)
    figures = _keep_figures(repository, record, archive, outcome)
    if outcome.warned and not figures.files:
        raise FaultError(_explain_empty_archive(archive, outcome))
    if (fault := _compare_encryption(repository, figures.encryption)) is not None:
        raise FaultError(fault)
    return figures


def _keep_figures(repository: Repository, record: Record, archive: str, outcome: BorgOutcome) -> ArchiveFigures:
    try:
        figures = parse_create_output(outcome.output)
    except (ValueError, KeyError, TypeError) as error:
        text = f'Archive "{archive}" was written, but borg gave no figures: {error!r}. Is this borg 1.4?'
        raise FaultError(Fault(Reason.INTERNAL_ERROR, text)) from error
    record.add(
        original_size=figures.original_size,
        compressed_size=figures.compressed_size,
        deduplicated_size=figures.deduplicated_size,
        files=figures.files,
    )
    original, deduplicated = describe_size(figures.original_size), describe_size(figures.deduplicated_size)
    repository.log.say(f'archive "{archive}": {figures.files:,} files, {original}, {deduplicated} new')
    return figures


def _explain_empty_archive(archive: str, outcome: BorgOutcome) -> Fault:
    first = outcome.warnings[0] if outcome.warnings else "borg warned without words"
    text = (
        f'Archive "{archive}" holds no file, for none could be read: {first}. Set `job.fileAccess: ReadAll` or '
        "`job.runAsUser`, or look at the volume."
    )
    return Fault(Reason.SOURCE_UNREADABLE, text)


def _compare_encryption(repository: Repository, found: str) -> Fault | None:
    """Return a fault when the repository is not protected though it should be; say any other difference."""
    wanted = repository.plan.encryption
    if found == "none" and wanted != "none":
        text = (
            f"The repository is neither encrypted nor authenticated, but the BorgRepository says {wanted}. If it is "
            "the right one, correct `encryption.mode`; else find out who replaced it."
        )
        return Fault(Reason.ENCRYPTION_MISMATCH, text)
    if found and found != wanted:
        repository.log.say(f"note: the repository's encryption is {found}, the BorgRepository says {wanted}")
    return None


def _follow_up(repository: Repository, record: Record, failure: Fault, step: Callable[[], _T]) -> _T:
    """Run a step after a good backup; its failure says that the archive is there all the same."""
    try:
        repository.raise_when_interrupted()
        return step()
    except FaultError as error:
        reason = Reason.INTERRUPTED if repository.borg.interruption.requested else failure.reason
        text = f'Archive "{record.archive}" was written, but {failure.text}: {error}'
        raise FaultError(Fault(reason, text, error.fault.locked_by)) from error

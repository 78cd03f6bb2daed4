"""One backup into one repository: created when missing, archive written, then prune and compact as the plan says."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from borg_contract.archive_name import render_archive_name
from borg_contract.reasons import Reason
from borg_runner.borg import BorgOutcome
from borg_runner.borg_message import describe_size
from borg_runner.create import ArchiveFigures, make_create_arguments, parse_create_output
from borg_runner.failure import explain_failure
from borg_runner.init import make_init_arguments
from borg_runner.lock_wait import LockedError
from borg_runner.reasons import Fault
from borg_runner.source import find_source_fault, make_source_paths
from borg_runner.upkeep import compact, find_totals, prune
from borg_runner.work import StepError, Work

_T = TypeVar("_T")

_ALREADY_EXISTS = 10
_ABSENT = (13, 15)
"""Borg's codes for no folder, and for a folder without a repository (an empty one included)."""
_INIT_LOCK_WAIT_SECONDS = 60
_CONFIG = "config"


def back_up(work: Work) -> None:
    """Do it. Raises StepError, LockedError."""
    if (fault := find_source_fault(work.repository.sources, work.sources_root)) is not None:
        raise StepError(fault)
    if work.repository.ssh is None:
        _find_or_create_local(work)
    archive, outcome = _create(work)
    if outcome.exit_code in _ABSENT and work.repository.ssh is not None and work.repository.initialize:
        _initialize(work)
        archive, outcome = _create(work)
    work.check_outcome(outcome)
    written = _keep_figures(work, archive, outcome)
    pruned = None
    if (retention := work.plan.prune) is not None:
        pruned = _follow_up(work, Reason.PRUNE_FAILED, "prune", lambda: prune(work, retention))
    if (threshold := work.plan.compact_threshold) is not None:
        _follow_up(work, Reason.COMPACT_FAILED, "compact", lambda: compact(work, threshold))
    find_totals(work, pruned, written)


def _find_or_create_local(work: Work) -> None:
    """Look at a local repository before borg does: it costs nothing, and tells an empty folder from a wrong one."""
    folder = Path(work.repository.location)
    if (folder / _CONFIG).exists():
        return
    if folder.exists() and (names := sorted(path.name for path in folder.iterdir())):
        text = (
            f"{folder} is not a borg repository, and not empty (it holds {', '.join(names[:3])}): name an empty or "
            "new folder of the volume in `local.path` (the root of an ext4 volume holds lost+found)."
        )
        raise StepError(Fault(Reason.NOT_A_REPOSITORY, text))
    if not work.repository.initialize:
        text = (
            f"There is no repository at {folder}: set `initialize: true` to create it, or correct the volume or "
            "`local.path`."
        )
        raise StepError(Fault(Reason.REPOSITORY_MISSING, text))
    _initialize(work)


def _initialize(work: Work) -> None:
    repository = work.repository
    work.log.say(f"creating a new repository at {repository.location} (encryption {repository.encryption})")
    outcome = work.borg.run(make_init_arguments(repository, lock_wait=_INIT_LOCK_WAIT_SECONDS))
    if outcome.exit_code != _ALREADY_EXISTS and not outcome.succeeded:  # another run may have been first
        raise StepError(explain_failure(outcome, repository))
    if repository.passphrase is not None:
        work.log.say("keep a copy of its key in a safe place, made with: borg key export")


def _create(work: Work) -> tuple[str, BorgOutcome]:
    """Return the archive's name and how borg ended. The name tells when borg began, not when it began to wait."""
    paths = make_source_paths(work.repository.sources, work.sources_root)
    comment = f"borgoperator.io {work.plan.namespace}/{work.plan.schedule} {work.run_name}".strip()
    archive = ""

    def make_arguments(lock_wait: int) -> list[str]:
        nonlocal archive
        archive = render_archive_name(
            work.plan.archive_name_template,
            schedule=work.plan.schedule,
            repository=work.repository.name,
            now=dt.datetime.now(dt.UTC),
        )
        return make_create_arguments(
            work.repository, archive=archive, paths=paths, comment=comment, lock_wait=lock_wait
        )

    work.log.say(f"backing up {', '.join(paths)}")
    outcome = work.locks.run(work.borg, make_arguments)
    return archive, outcome


def _keep_figures(work: Work, archive: str, outcome: BorgOutcome) -> ArchiveFigures:
    """Put borg's figures into the result. Raises StepError when the archive is not what it should be."""
    work.result = replace(work.result, archive=archive)
    try:
        figures = parse_create_output(outcome.output)
    except (ValueError, KeyError, TypeError) as error:
        text = f'Archive "{archive}" was written, but borg gave no figures: {error!r}. Is this borg 1.4?'
        raise StepError(Fault(Reason.INTERNAL_ERROR, text)) from error
    work.result = replace(
        work.result,
        original_size=figures.original_size,
        compressed_size=figures.compressed_size,
        deduplicated_size=figures.deduplicated_size,
        files=figures.files,
    )
    original, deduplicated = describe_size(figures.original_size), describe_size(figures.deduplicated_size)
    work.log.say(f'archive "{archive}": {figures.files:,} files, {original}, {deduplicated} new')
    if outcome.warned and not figures.files:
        first = outcome.warnings[0] if outcome.warnings else "borg warned without words"
        text = (
            f'Archive "{archive}" holds no file, for none could be read: {first}. Set `job.fileAccess: ReadAll` or '
            "`job.runAsUser`, or look at the volume."
        )
        raise StepError(Fault(Reason.SOURCE_UNREADABLE, text))
    _compare_encryption(work, figures.encryption)
    return figures


def _compare_encryption(work: Work, found: str) -> None:
    wanted = work.repository.encryption
    if found == "none" and wanted != "none":
        text = (
            f"The repository is neither encrypted nor authenticated, but the BorgRepository says {wanted}. If it is "
            "the right one, correct `encryption.mode`; else find out who replaced it."
        )
        raise StepError(Fault(Reason.ENCRYPTION_MISMATCH, text))
    if found and found != wanted:
        work.log.say(f"note: the repository's encryption is {found}, the BorgRepository says {wanted}")


def _follow_up(work: Work, reason: Reason, verb: str, step: Callable[[], _T]) -> _T:
    """Run a step after a good backup; its failure says that the archive is there all the same."""
    try:
        work.stop_when_asked()
        return step()
    except (StepError, LockedError) as error:
        reason = Reason.INTERRUPTED if work.borg.interruption.requested else reason
        text = f'Archive "{work.result.archive}" was written, but {verb} failed: {error}'
        raise StepError(Fault(reason, text), error.locked_by) from error

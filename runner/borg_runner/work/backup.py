"""One backup into one repository: created when missing, archive written, then prune and compact as the plan says."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from borg_contract.archive_name import render_archive_name
from borg_contract.ownership import render_comment
from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_contract.retention import Retention
from borg_runner.borg.exit_codes import ABSENT
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.borg.sizes import describe_size
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.create import ArchiveFigures, create, parse_create_output
from borg_runner.verbs.init import init, init_missing_folder
from borg_runner.verbs.list import ListedArchive
from borg_runner.verbs.repository import Repository
from borg_runner.work.content import (
    explain_shrunk,
    explain_too_few,
    explain_unreadable,
    find_shrunk,
    find_suspicions,
)
from borg_runner.work.created import accept_created
from borg_runner.work.reading import read_watched
from borg_runner.work.recognition import compare_after
from borg_runner.work.record import Record
from borg_runner.work.sources import Survey, derive_excluded, survey_sources
from borg_runner.work.steps import (
    Pruned,
    ask_past_archives,
    count_after,
    derive_past,
    give_space_back,
    keep_unused_excludes,
    list_archives,
    owner_of,
    prune_if_all_are_own,
)
from borg_runner.work.unfinished import remove_unfinished

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Backup:
    """What one backup works with: the run's plan, the repository, what is known so far, and the sources as found."""

    plan: RunPlan
    repository: Repository
    record: Record
    survey: Survey

    @property
    def judges(self) -> bool:
        """Whether it matters how few files there are: `minFiles: 0` says that any number is good."""
        return self.repository.plan.min_files != 0


def back_up(plan: RunPlan, repository: Repository, record: Record, *, sources_root: Path, run_name: str) -> None:
    """Do it, with what can be read of the sources. Raises FaultError, also when that is not all; OSError."""
    repository.log.say("looking at the sources")
    excluded = derive_excluded(repository.plan.exclude, repository.plan.min_files)
    survey = read_watched(
        repository,
        lambda on_folder, leaves_out: survey_sources(
            repository.plan.sources,
            sources_root,
            excluded=replace(excluded, leaves_out=leaves_out),
            on_folder=on_folder,
        ),
        leaves_out=excluded.leaves_out,
    )
    if not survey.paths and (fault := explain_unreadable(survey, None)) is not None:
        raise FaultError(fault)
    held = ", ".join(f"{name} {count:,}" for name, count in survey.files.items())
    repository.log.say(f"files in the sources: {held}")
    if survey.sockets:
        repository.log.say(f"note: of {survey.sockets:,} sockets in the sources borg keeps nothing")
    backup = _Backup(plan, repository, record, survey)
    archive, figures = _write_archive(backup, run_name=run_name)
    lacking = explain_unreadable(survey, archive) or explain_too_few(figures.files, repository.plan.min_files, archive)
    try:
        _do_upkeep(backup, figures, may_prune=lacking is None)
    except FaultError as error:
        if lacking is None:
            raise
        if error.fault.reason is Reason.INTERRUPTED:
            raise FaultError(replace(error.fault, text=f"{error} {lacking.text}")) from error
        raise FaultError(replace(lacking, text=f"{lacking.text} {error}")) from error
    if lacking is not None:
        raise FaultError(lacking)


def _do_upkeep(backup: _Backup, figures: ArchiveFigures, *, may_prune: bool) -> None:
    plan, repository, record = backup.plan, backup.repository, backup.record
    pruned = None
    if (retention := plan.prune) is not None:
        pruned = _follow_up(
            repository,
            record,
            Fault(Reason.PRUNE_FAILED, "prune failed"),
            lambda: _judge_and_prune(backup, figures, retention, may_prune=may_prune),
        )
    elif backup.judges:
        _judge(backup, figures, lambda: ask_past_archives(plan, repository))
    if (threshold := plan.compact_threshold) is not None:
        _follow_up(
            repository,
            record,
            Fault(Reason.COMPACT_FAILED, "compact failed"),
            lambda: give_space_back(repository, record, threshold=threshold),
        )
    count_after(plan, repository, record, pruned=pruned, written=figures)


def _judge_and_prune(
    backup: _Backup, figures: ArchiveFigures, retention: Retention, *, may_prune: bool
) -> Pruned | None:
    """Prune, unless something seems to be missing in the archive. Raises FaultError."""
    plan, repository = backup.plan, backup.repository
    listed = _judge(backup, figures, lambda: list_archives(plan, repository))
    if backup.record.is_suspect or not may_prune:
        return None
    return prune_if_all_are_own(plan, repository, backup.record, retention, listed)


def _judge(
    backup: _Backup, figures: ArchiveFigures, list_earlier: Callable[[], list[ListedArchive]]
) -> list[ListedArchive]:
    """Return what is listed, after a warning of each source that is empty or was larger. Raises FaultError."""
    suspicions = list(_look_at_sources(backup, figures))
    try:
        listed = list_earlier()
        suspicions += _compare(backup, listed)
    finally:
        for suspicion in reversed(suspicions):  # the first one comes to stand first
            held = " Nothing was pruned." if backup.plan.prune else ""
            backup.repository.warn(f"{suspicion.text}{held}")
        if suspicions:
            backup.record.add(reason=suspicions[0].reason.value)
    return listed


def _look_at_sources(backup: _Backup, figures: ArchiveFigures) -> Iterator[Fault]:
    if backup.judges:
        excludes = bool(backup.repository.plan.exclude)
        yield from find_suspicions(backup.survey, files=figures.files, excludes=excludes)


def _compare(backup: _Backup, listed: Sequence[ListedArchive]) -> Iterator[Fault]:
    past = derive_past(backup.plan, backup.repository, listed)
    this = next((archive for archive in past if archive.name == backup.record.archive), None)
    if backup.judges and this is not None:
        files = backup.survey.files_of_whole
        earlier = [archive for archive in past if archive is not this]
        yield from explain_shrunk(files, find_shrunk(files, this.began, earlier))


def _write_archive(backup: _Backup, *, run_name: str) -> tuple[str, ArchiveFigures]:
    """Return its name, and the figures that borg gives for it. Raises FaultError."""
    plan, repository, record, survey = backup.plan, backup.repository, backup.record, backup.survey
    paths = survey.paths
    content = survey.derive_content(repository.plan.min_files)
    comment = render_comment(owner_of(plan, repository), run_name or "-", content)

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
    created = create(repository, make_name=make_name, paths=paths, comment=comment)
    may_begin = repository.plan.initialize and not repository.plan.repository_ids
    if remote and created.outcome.exit_code in ABSENT and may_begin:
        init(repository)
        created = create(repository, make_name=make_name, paths=paths, comment=comment)
    archive, outcome = created.archive, accept_created(repository, record, created)
    record.add(archive=archive)
    keep_unused_excludes(repository, record, created.unused_excludes)
    figures = _keep_figures(repository, record, archive, outcome)
    if (fault := compare_after(repository.plan, figures.repository_id, archive=archive)) is not None:
        raise FaultError(fault)
    if outcome.warned and not figures.files and survey.regular:
        raise FaultError(_explain_empty_archive(archive, outcome))
    if (fault := _compare_encryption(repository, figures.encryption)) is not None:
        raise FaultError(fault)
    return archive, figures


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
        repository_id=figures.repository_id,
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

"""The archive of one backup: written of the sources as they are when borg begins, and looked at once it is there.

A run may wait for half an hour before borg reads, and borg may read for hours. A volume that goes away meanwhile must
not leave an archive that looks like a good one.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from borg_contract.archive_name import render_archive_name
from borg_contract.ownership import mark_suspect, render_comment
from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_contract.restore.sizes import describe_size
from borg_runner.borg.exit_codes import ABSENT
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import Fault, FaultError
from borg_runner.locks.cache import failed_at_the_end
from borg_runner.streams.dumps import Dumps, Streams
from borg_runner.verbs.create import ArchiveFigures, Created, Request, change_comment, create, parse_create_output
from borg_runner.verbs.delete import delete
from borg_runner.verbs.init import init, init_missing_folder
from borg_runner.verbs.list import ask_held, ask_stored
from borg_runner.verbs.repository import Repository
from borg_runner.work.content import (
    Doubt,
    explain_lost,
    explain_too_few,
    explain_unreadable,
    find_doubts,
    find_losses,
    find_suspicions,
)
from borg_runner.work.recognition import compare_after
from borg_runner.work.record import Record
from borg_runner.work.sources.folder import derive_excluded
from borg_runner.work.sources.reading import read_watched
from borg_runner.work.sources.survey import Survey, survey_sources
from borg_runner.work.steps import keep_unused_excludes, owner_of
from borg_runner.work.unfinished import remove_unfinished

_GENERIC_ERROR = 2


@dataclass(frozen=True)
class Backup:
    """What one backup works with: the run's plan, the repository, and what is known so far."""

    plan: RunPlan
    repository: Repository
    record: Record
    sources_root: Path
    run: str
    tell: Callable[[Fault], None]
    """Called once there is an archive, and once that was looked at: with what is true if the runner is killed then."""
    streams: Streams

    @property
    def judges(self) -> bool:
        """Whether it matters how few files there are: `minFiles: 0` says that any number is good."""
        return self.repository.plan.min_files != 0

    def look(self) -> Survey:
        """Return what the sources hold now. Raises FaultError when the pod is shutting down, or none can be read."""
        plan = self.repository.plan
        excluded = derive_excluded(plan.exclude, plan.min_files)

        def read(on_folder: Callable[[], None], leaves_out: Callable[[str], bool]) -> Survey:
            patterns = replace(excluded, leaves_out=leaves_out)
            return survey_sources(plan.sources, self.sources_root, excluded=patterns, on_folder=on_folder)

        return read_watched(self.repository, read, leaves_out=excluded.leaves_out)


@dataclass(frozen=True)
class Written:
    """An archive that was written: of what, and what is wrong with it by the look of this backup alone."""

    figures: ArchiveFigures
    survey: Survey
    """The sources as they were when borg began."""
    lacking: Fault | None
    """Why the run is no success although there is an archive."""
    suspicions: Sequence[Fault]


def raise_for_nothing(survey: Survey) -> None:
    """Raise FaultError where there is nothing that can be read."""
    if not survey.has_something and (fault := explain_unreadable(survey, None)) is not None:
        raise FaultError(fault)


def write_archive(backup: Backup, survey: Survey) -> Written:
    """Write it, of the sources as they are once borg may begin. Raises FaultError."""
    plan, repository, record = backup.plan, backup.repository, backup.record
    dumps = backup.streams.find_dumps(repository.plan.sources, survey.dumps, repository.log)
    writer = repository.with_borg(plumbing=dumps) if dumps else repository
    is_fresh = True

    def make_request() -> Request:
        nonlocal survey, is_fresh
        if not is_fresh:  # the run has waited since, for a lock or another second
            survey = backup.look()
            raise_for_nothing(survey)
        is_fresh = False
        return Request(_make_name(plan, repository), survey.paths, _make_comment(backup, survey), dumps)

    remote = repository.plan.ssh is not None
    if not remote:
        remove_unfinished(repository)
        init_missing_folder(repository)
    repository.log.say(f"backing up {', '.join([*survey.dumps, *survey.paths])}")
    created = create(writer, make_request=make_request)
    may_begin = repository.plan.initialize and not repository.plan.repository_ids
    if remote and created.outcome.exit_code in ABSENT and may_begin:
        init(repository)
        created = create(writer, make_request=make_request)
    if dumps:
        _judge_dumps(repository, dumps, created)
    archive, outcome = created.archive, _accept(repository, record, created, dumps)
    record.add(archive=archive, comment=_make_comment(backup, survey), unjudged=True)
    keep_unused_excludes(repository, record, created.unused_excludes)
    figures = _keep_figures(repository, record, archive, outcome)
    for fault in (
        compare_after(repository.plan, figures.repository_id, archive=archive),
        _compare_encryption(repository, figures.encryption),
    ):
        if fault is not None:
            raise FaultError(fault)
    words = f'Archive "{archive}" was written, but the runner was killed'
    backup.tell(Fault(Reason.INTERRUPTED, f"{words} before it had looked whether all is in it."))
    written = _look_again(backup, figures, survey, outcome, archive)
    backup.tell(written.lacking or Fault(Reason.INTERRUPTED, f"{words} in what comes after that."))
    return written


def _judge_dumps(repository: Repository, dumps: Dumps, created: Created) -> None:
    """Raise FaultError where there is no archive as a dump failed; none may be there that lacks one."""
    if dumps.fault is not None and not repository.borg.interruption.requested:
        raise FaultError(dumps.fault)
    if created.outcome.succeeded and not dumps.are_whole:
        delete(repository, [created.archive])
        text = "Borg wrote an archive before it had read all of a dump. It was deleted: nothing was archived."
        raise FaultError(Fault(Reason.INTERNAL_ERROR, text))


def _accept(repository: Repository, record: Record, created: Created, dumps: Dumps | None) -> BorgOutcome:
    """Return the outcome of a `borg create` that succeeded. Raises FaultError for one that failed.

    Borg commits the archive first and writes its cache after that: a full disk or a kill in between fails the command.
    Then the archive is kept in the record if it was written; where that cannot be found out, the fault says so.
    """
    try:
        return repository.accept(created.outcome)
    except FaultError as error:
        if not _may_have_written(created.outcome):
            if not created.outcome.interrupted:
                raise
            then = dumps.describe_stop() if dumps else "The next run goes on from here."
            raise FaultError(replace(error.fault, text=f"{error} {then}")) from error
        stored = ask_stored(repository)
        if stored is not None and created.archive not in stored:
            raise
        if stored is None and not failed_at_the_end(created.outcome):
            raise
        how = "may have been written" if stored is None else "was written"
        record.add(archive=None if stored is None else created.archive, unjudged=True)
        text = f'Archive "{created.archive}" {how}, but borg failed then: {error}'
        raise FaultError(replace(error.fault, text=text)) from error


def _may_have_written(outcome: BorgOutcome) -> bool:
    """Tell whether borg ended in an unforeseen way: before it begins, it ends with an error of its own."""
    return outcome.exit_code == _GENERIC_ERROR or outcome.exit_code < 0


def _look_again(backup: Backup, figures: ArchiveFigures, survey: Survey, outcome: BorgOutcome, archive: str) -> Written:
    """Compare the sources with what they were, and mark an archive that may lack what its comment tells of."""
    min_files, excludes = backup.repository.plan.min_files, bool(backup.repository.plan.exclude)
    archived = None if excludes or not figures.files else figures.files + outcome.warning_count
    doubts = _ask_borg(backup, archive, find_doubts(survey, backup.look(), archived=archived))
    lacking = (
        explain_unreadable(survey, archive)
        or explain_lost(doubts, archive)
        or _explain_empty_archive(survey, figures, archive, outcome)
        or explain_too_few(figures.files, min_files, archive)
    )
    suspicions: list[Fault] = []
    if backup.judges:
        suspicions = [
            *find_suspicions(survey, files=figures.files, excludes=excludes),
            *find_losses(doubts, excludes=excludes),
        ]
    is_known = bool(not (lacking or suspicions) or survey.derive_content(min_files).suspect)
    backup.record.add(unjudged=not (is_known or _mark(backup, survey, archive)))
    return Written(figures, survey, lacking, suspicions)


def _ask_borg(backup: Backup, archive: str, doubts: Iterable[Doubt]) -> list[tuple[Doubt, int | None]]:
    """Return each with how many files the archive holds of it; with `minFiles: 0` only what went away."""
    asked = (doubt for doubt in doubts if doubt.went_away or backup.judges)
    return [(doubt, ask_held(backup.repository, archive, doubt.before.path)) for doubt in asked]


def _mark(backup: Backup, survey: Survey, archive: str) -> bool:
    """Note in the archive's comment what was found out too late for it; return whether that could be done."""
    comment = mark_suspect(_make_comment(backup, survey))
    try:
        change_comment(backup.repository, archive, comment)
        backup.record.add(comment=comment)
    except FaultError as error:
        backup.repository.warn(
            f'Archive "{archive}" seems to lack files, and that could not be noted in it: {error} The next run that '
            "prunes tries again; until then it may take a good one's place when somebody else prunes."
        )
        return False
    return True


def _make_comment(backup: Backup, survey: Survey) -> str:
    content = survey.derive_content(backup.repository.plan.min_files)
    return render_comment(owner_of(backup.plan, backup.repository), backup.run, content)


def _make_name(plan: RunPlan, repository: Repository) -> str:
    return render_archive_name(
        plan.archive_name_template,
        schedule=plan.schedule,
        repository=repository.plan.name,
        now=dt.datetime.now(dt.UTC),
    )


def _keep_figures(repository: Repository, record: Record, archive: str, outcome: BorgOutcome) -> ArchiveFigures:
    try:
        figures = parse_create_output(outcome.output)
    except (ValueError, KeyError, TypeError) as error:
        if outcome.interrupted:
            text = f'The pod was stopped when archive "{archive}" had been written; borg could tell no figures.'
            raise FaultError(Fault(Reason.INTERRUPTED, text)) from error
        text = f'Archive "{archive}" was written, but borg gave no figures: {error!r}. Is this borg 1.4?'
        raise FaultError(Fault(Reason.INTERNAL_ERROR, text)) from error
    record.add(
        archive_time=figures.began,
        original_size=figures.original_size,
        compressed_size=figures.compressed_size,
        deduplicated_size=figures.deduplicated_size,
        files=figures.files,
        repository_id=figures.repository_id,
    )
    original, deduplicated = describe_size(figures.original_size), describe_size(figures.deduplicated_size)
    repository.log.say(f'archive "{archive}": {figures.files:,} files, {original}, {deduplicated} new')
    return figures


def _explain_empty_archive(survey: Survey, figures: ArchiveFigures, archive: str, outcome: BorgOutcome) -> Fault | None:
    if figures.files or not survey.regular or not outcome.warned:
        return None
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

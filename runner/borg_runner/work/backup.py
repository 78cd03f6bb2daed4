"""One backup into one repository: created when missing, archive written, then prune and compact as the plan says."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from borg_contract.ownership import parse_content
from borg_contract.reasons import Reason
from borg_contract.retention import Retention
from borg_runner.fault import Fault, FaultError, explain_error
from borg_runner.verbs.list import StoredArchive, ask_stored
from borg_runner.verbs.repository import Repository
from borg_runner.work.archive import Backup, Written, raise_for_nothing, write_archive
from borg_runner.work.content import (
    PastArchive,
    explain_shrunk,
    find_shrunk,
    find_suspect,
    has_good_of_late,
)
from borg_runner.work.record import Record
from borg_runner.work.steps import (
    ask_past_archives,
    count_after,
    derive_past,
    give_space_back,
    keep_previous,
    prune_if_all_are_own,
    take_stock,
)

_T = TypeVar("_T")


def back_up(backup: Backup) -> None:
    """Do it, with what can be read of the sources. Raises FaultError, also when that is not all; OSError."""
    plan, repository, record = backup.plan, backup.repository, backup.record
    backup.streams.wait(repository.plan.sources, repository.borg.interruption, repository.borg.notice)
    repository.log.say("looking at the sources")
    survey = backup.look()
    raise_for_nothing(survey)
    held = ", ".join(f"{name} {count:,}" for name, count in survey.files.items())
    repository.log.say(f"files in the sources: {held}")
    if survey.sockets:
        repository.log.say(f"note: of {survey.sockets:,} sockets in the sources borg keeps nothing")
    written = write_archive(backup, survey)
    lacking = written.lacking
    try:
        _do_upkeep(backup, written)
    except FaultError as error:
        if lacking is None:
            raise
        if error.fault.reason is Reason.INTERRUPTED:
            raise FaultError(replace(error.fault, text=f"{error} {lacking.text}")) from error
        raise FaultError(replace(lacking, text=f"{lacking.text} {error}")) from error
    if lacking is not None:
        held = " Nothing was pruned." if plan.prune and not record.has_pruned else ""
        raise FaultError(replace(lacking, text=f"{lacking.text}{held}"))


def _do_upkeep(backup: Backup, written: Written) -> None:
    plan, repository, record = backup.plan, backup.repository, backup.record
    deleted, stored = 0, None
    if (retention := plan.prune) is not None:
        deleted = _follow_up(
            repository,
            record,
            Fault(Reason.PRUNE_FAILED, "prune failed"),
            lambda: _judge_and_prune(backup, written, retention),
        )
    else:
        # What a backup is judged by is worth a wait: others may be at work in the repository every night.
        stored = ask_stored(repository, patient=backup.judges)
        keep_previous(plan, repository, record, stored or {})
        _judge(backup, written, _ask_past(backup, stored))
    if (threshold := plan.compact_threshold) is not None:
        _follow_up(
            repository,
            record,
            Fault(Reason.COMPACT_FAILED, "compact failed"),
            lambda: give_space_back(repository, record, threshold=threshold),
        )
    count_after(repository, record, deleted=deleted, written=written.figures, stored=stored)


def _judge_and_prune(backup: Backup, written: Written, retention: Retention) -> int:
    """Prune, unless something seems to be missing in the archive; return how many went. Raises FaultError."""
    plan, repository, record = backup.plan, backup.repository, backup.record
    try:
        listed = take_stock(plan, repository, backup.record, run=backup.run)
    except FaultError:
        _tell(backup, written.suspicions, withheld=True)
        raise
    whole = {item.name: StoredArchive(item.id, item.time) for item in listed if not item.is_checkpoint}
    keep_previous(plan, repository, record, whole)
    if _judge(backup, written, derive_past(plan, repository, listed)):
        return 0
    return prune_if_all_are_own(plan, repository, record, retention, listed)


def _ask_past(backup: Backup, stored: Mapping[str, StoredArchive] | None) -> list[PastArchive]:
    archive = backup.record.archive
    if not backup.judges or stored is None or archive is None or archive not in stored:
        return []
    if backup.record.is_first:  # what it says of itself is known here
        began = dt.datetime.fromisoformat(stored[archive].time).replace(tzinfo=None)
        return [PastArchive(archive, began, parse_content(backup.record.comment))]
    return derive_past(
        backup.plan, backup.repository, ask_past_archives(backup.plan, backup.repository, stored, archive)
    )


def _judge(backup: Backup, written: Written, past: Sequence[PastArchive]) -> bool:
    """Return whether nothing is to be pruned, after a warning of each source that is empty or was larger."""
    this = next((archive for archive in past if archive.name == backup.record.archive), None)
    suspicions = list(written.suspicions)
    withheld = True
    if this is not None:
        earlier = [archive for archive in past if archive is not this]
        suspect = find_suspect(past, may_shrink=not backup.judges)
        withheld = has_good_of_late(earlier, suspect, this.began)
        if backup.judges:
            content = replace(this.content, files=written.survey.files_of_whole)
            suspicions += explain_shrunk(content.files, find_shrunk(content, this.began, earlier))
    elif backup.judges:
        backup.repository.warn("Nobody could tell whether a source shrank: borg gave no list of the earlier archives.")
    withheld &= bool(suspicions or written.lacking)
    _tell(backup, suspicions, withheld=withheld)
    return withheld


def _tell(backup: Backup, suspicions: Sequence[Fault], *, withheld: bool) -> None:
    held = " Nothing was pruned." if backup.plan.prune and withheld else ""
    for suspicion in reversed(suspicions):  # the first one comes to stand first
        backup.repository.warn(f"{suspicion.text}{held}")
    if suspicions:
        backup.record.add(reason=suspicions[0].reason.value)


def _follow_up(repository: Repository, record: Record, failure: Fault, step: Callable[[], _T]) -> _T:
    """Run a step after a good backup; its failure says that the archive is there all the same."""
    try:
        repository.raise_when_interrupted()
        return step()
    except Exception as error:
        cause = error.fault if isinstance(error, FaultError) else explain_error(error, repository.borg.executable)
        reason = Reason.INTERRUPTED if repository.borg.interruption.requested else failure.reason
        text = f'Archive "{record.archive}" was written, but {failure.text}: {cause.text}'
        raise FaultError(Fault(reason, text, cause.locked_by)) from error

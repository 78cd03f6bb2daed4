"""`borg check`: is the repository, and each archive in it, sound? It repairs nothing."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from borg_contract.plan import RepositoryPlan
from borg_contract.reasons import Reason
from borg_contract.restore.proof import CheckPlan, CheckResult
from borg_runner.borg.exit_codes import ADVICE_FOR_DAMAGE, ADVICE_FOR_UNSIGNED_ARCHIVES, ADVICE_FOR_UNSIGNED_MANIFEST
from borg_runner.borg.invocation import escape_placeholders, make_connection_arguments
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import Fault, FaultError
from borg_runner.log import make_printable
from borg_runner.verbs.repository import Repository

_UNSIGNED_ARCHIVE = re.compile(r"Archive TAM authentication issue for archive (?P<archive>.*?): ")
_UNSIGNED_MANIFEST = re.compile(r"Repository manifest is corrupted: Manifest is unauthenticated")
_ORPHANS = re.compile(r"\d+ orphaned objects found")
_DOOMED = re.compile(r"This archive would be \*removed\*")
_LACKING = re.compile(r"(?P<archive>.*?): (?P<path>.*): New missing file chunk detected")
_THROUGH = re.compile(r"finished segment check", re.IGNORECASE)
_SUMMARY = re.compile(r"(Archive consistency|Finished .*) check.*problems found")


@dataclass(frozen=True)
class Findings:
    """What a check found, apart by what is to be done about it. `damage`: borg's words."""

    unsigned_archives: tuple[str, ...]
    unsigned_manifest: bool
    orphans: str
    """Borg's line about objects that belong to no archive, empty where there are none."""
    doomed: int
    """How many archives `borg check --repair` would delete."""
    damage: tuple[str, ...]


def check(repository: Repository, *, now: dt.datetime) -> CheckResult:
    """Check the repository; return how far. Raises FaultError when it is damaged.

    Known damage is looked for in all data, by whatever it was found: only that shows that it is no more. A slice looks
    at segments alone, and at those that are there: what is gone as a whole, a check of all data finds.
    """
    plan = repository.plan.check or CheckPlan()
    if repository.plan.damage or is_data_due(plan, now):
        _check(repository, ("--verify-data",))
        return CheckResult(complete=True, data=True)
    if plan.slice_seconds is None:
        _check(repository, ())
        return CheckResult(complete=True)
    outcome = _check(repository, ("--repository-only", f"--max-duration={plan.slice_seconds}"))
    if not any(_THROUGH.match(note.text) for note in outcome.notes):
        return CheckResult(complete=False)
    _check(repository, ("--archives-only",))
    return CheckResult(complete=True)


def is_data_due(plan: CheckPlan, now: dt.datetime) -> bool:
    """Tell whether all data are to be read; `now` with its zone."""
    if plan.data_every_seconds is None:
        return False
    every = dt.timedelta(seconds=plan.data_every_seconds)
    return not plan.data_time or now - dt.datetime.fromisoformat(plan.data_time) >= every


def _check(repository: Repository, words: Sequence[str]) -> BorgOutcome:
    """Run `borg check`. Raises FaultError for damage, for which borg's exit code is only a warning.

    What is no damage has a reason of its own, or is a warning: a repair would delete good archives.
    """
    outcome = repository.locks.run(
        repository.borg,
        lambda lock_wait: make_check_arguments(repository.plan, words, lock_wait=lock_wait),
        on_note=repository.say_note,
    )
    if not outcome.warned:
        return repository.accept(outcome)
    lines = [message.text for message in outcome.errors] or list(outcome.warnings)
    if more := outcome.errors_not_kept:
        lines.append(f"{more:,} more errors")  # of what kind, nobody knows: taken for damage
    found = sort_findings(lines)
    if fault := explain_findings(found):
        raise FaultError(fault)
    repository.warn(
        f"{found.orphans.rstrip('!')}: leftovers of an interrupted run, say. No archive lacks anything; they take "
        "space. See CheckFailed in Troubleshooting."
    )
    return outcome


def sort_findings(lines: Sequence[str]) -> Findings:
    """Return what the lines, which borg gave as errors, mean."""
    archives = [match["archive"] for line in lines if (match := _UNSIGNED_ARCHIVE.match(line))]
    unsigned_manifest = any(_UNSIGNED_MANIFEST.match(line) for line in lines)
    orphans = next((line for line in lines if _ORPHANS.match(line)), "")
    known = (_UNSIGNED_ARCHIVE, _UNSIGNED_MANIFEST, _ORPHANS, _DOOMED, _SUMMARY)
    return Findings(
        unsigned_archives=tuple(archives),
        unsigned_manifest=unsigned_manifest,
        orphans=orphans,
        doomed=sum(1 for line in lines if _DOOMED.match(line)),
        damage=tuple(line for line in lines if not any(pattern.match(line) for pattern in known)),
    )


def explain_findings(found: Findings) -> Fault | None:
    """Return what is wrong and what to do about it; None where nothing but orphans was found."""
    if found.damage or not (found.unsigned_archives or found.unsigned_manifest or found.orphans):
        first = f" The first: {found.damage[0].rstrip('.')}." if found.damage else ""
        if files := list(dict.fromkeys(match.groups() for line in found.damage if (match := _LACKING.match(line)))):
            archive, path = map(make_printable, files[0])
            more = f", and {len(files) - 1:,} more" if len(files) > 1 else ""
            first += f' The file "{path}" of archive "{archive}" lacks parts{more}.'
        doomed = f" A repair would delete {found.doomed} archives or more." if found.doomed else ""
        text = f"borg check found damage.{first} The pod's log has all of it.{doomed} {ADVICE_FOR_DAMAGE}"
        return Fault(Reason.CHECK_FAILED, text)
    if found.unsigned_manifest:
        text = f"The list of archives has no signature, though the key asks for one. {ADVICE_FOR_UNSIGNED_MANIFEST}"
        return Fault(Reason.MANIFEST_UNAUTHENTICATED, text)
    if archives := found.unsigned_archives:
        more = f" and {len(archives) - 1} more" if len(archives) > 1 else ""
        text = f'The signature of archive "{archives[0]}"{more} does not fit. {ADVICE_FOR_UNSIGNED_ARCHIVES}'
        return Fault(Reason.ARCHIVE_UNAUTHENTICATED, text)
    return None


def make_check_arguments(repository: RepositoryPlan, words: Sequence[str] = (), *, lock_wait: int) -> list[str]:
    """Return the arguments that check repository and archives, or what of them the `words` say."""
    return [
        "check",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--info",
        "--progress",
        *words,
        escape_placeholders(repository.location),
    ]

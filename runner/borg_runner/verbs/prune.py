"""`borg prune`: only the schedule's own archives, by the pattern that its template gives."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from borg_contract.plan import RepositoryPlan
from borg_contract.retention import Retention
from borg_runner.borg.arguments import escape_placeholders, make_connection_arguments
from borg_runner.borg.message import BorgMessage
from borg_runner.verbs.repository import Repository

_TOTAL = re.compile(r"Repository contains (\d+) normal archives")


@dataclass(frozen=True)
class PruneFigures:
    """`remaining`: archives in the whole repository afterwards; None where borg (before 1.4.1) does not say."""

    kept: int
    deleted: int
    remaining: int | None


def prune(repository: Repository, retention: Retention, *, glob: str) -> PruneFigures:
    """Delete, of the archives that match `glob`, those that no rule keeps. Raises FaultError."""
    repository.log.say(f"pruning archives named {glob}")
    outcome = repository.run_borg(
        lambda lock_wait: make_prune_arguments(repository.plan, retention, glob=glob, lock_wait=lock_wait),
        on_note=repository.say_note,
    )
    return parse_prune_notes(outcome.notes)


def make_prune_arguments(repository: RepositoryPlan, retention: Retention, *, glob: str, lock_wait: int) -> list[str]:
    """Return the arguments that delete, of the archives that match `glob`, those that no rule keeps."""
    return [
        "prune",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--info",
        "--list",
        "--progress",
        f"--glob-archives={escape_placeholders(glob)}",
        *(f"--keep-{rule}={amount}" for rule, amount in retention.rules.items()),
        escape_placeholders(repository.location),
    ]


def parse_prune_notes(notes: Sequence[BorgMessage]) -> PruneFigures:
    """Return how many of the matching archives stayed and went."""
    listed = [note.text for note in notes if note.logger == "borg.output.list"]
    kept = sum(text.startswith("Keeping archive") for text in listed)
    deleted = sum(text.startswith("Pruning archive") and not _is_checkpoint(text) for text in listed)
    totals = [int(match[1]) for note in notes if (match := _TOTAL.match(note.text))]
    return PruneFigures(kept, deleted, totals[0] - deleted if totals else None)


def _is_checkpoint(text: str) -> bool:
    return re.search(r"\.checkpoint(\.\d+)? +\w{3}, \d{4}-", text) is not None

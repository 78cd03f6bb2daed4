"""`borg prune`: only the schedule's own archives, by the pattern that its template gives."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from borg_contract.plan import RepositoryPlan
from borg_contract.retention import RetentionPlan
from borg_runner.borg import escape_placeholders, make_connection_arguments
from borg_runner.borg_message import BorgMessage

_TOTAL = re.compile(r"Repository contains (\d+) normal archives")


@dataclass(frozen=True)
class PruneFigures:
    """`remaining`: archives in the whole repository afterwards; None where borg (before 1.4.1) does not say."""

    kept: int
    deleted: int
    remaining: int | None


def make_prune_arguments(
    repository: RepositoryPlan, retention: RetentionPlan, *, glob: str, lock_wait: int
) -> list[str]:
    """Return the arguments that delete, of the archives that match `glob`, those that no rule keeps."""
    rules = {
        "within": retention.keep_within,
        "hourly": retention.keep_hourly,
        "daily": retention.keep_daily,
        "weekly": retention.keep_weekly,
        "monthly": retention.keep_monthly,
        "3monthly": retention.keep_quarterly,
        "yearly": retention.keep_yearly,
    }
    return [
        "prune",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--info",
        "--list",
        "--progress",
        f"--glob-archives={escape_placeholders(glob)}",
        *(f"--keep-{rule}={amount}" for rule, amount in rules.items() if amount),
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

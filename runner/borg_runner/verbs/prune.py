"""`borg prune --dry-run`: which archives borg's rules keep, and which not. What goes is deleted by name, see `delete`.

Borg chooses by the name alone, and between a look at the archives and a prune another client may write one of such a
name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from borg_contract.archive_name import CHECKPOINT
from borg_contract.plan import RepositoryPlan
from borg_contract.retention import Retention
from borg_runner.borg.arguments import escape_placeholders, make_connection_arguments
from borg_runner.borg.message import BorgMessage
from borg_runner.verbs.repository import Repository

_TOTAL = re.compile(r"Repository contains (\d+) normal archives")
_LINE = re.compile(r"(?P<verdict>Keeping archive|Would prune)\b.*\[(?P<id>[0-9a-f]{64})\]\Z", re.DOTALL)


@dataclass(frozen=True)
class Choice:
    """Ids of archives by what the rules say of them, and of the checkpoints that are of no use any more.

    `total`: archives in the whole repository; None where borg (before 1.4.1) does not say.
    """

    kept: frozenset[str]
    pruned: frozenset[str]
    checkpoints: frozenset[str]
    total: int | None


def choose(repository: Repository, retention: Retention, *, glob: str, local_time: str = "") -> Choice:
    """Ask which of the archives that match `glob` no rule keeps; nothing is changed. Raises FaultError.

    `local_time`: by whose days, weeks and months, see RunPlan. Borg goes by the clock of the machine.
    """
    repository.log.say(f"looking for archives named {glob} that no rule keeps")
    there = repository.at_local_time(local_time) if local_time else repository
    outcome = there.run_borg(
        lambda lock_wait: make_prune_arguments(repository.plan, retention, glob=glob, lock_wait=lock_wait),
        on_note=repository.say_note,
    )
    return parse_prune_notes(outcome.notes)


def make_prune_arguments(repository: RepositoryPlan, retention: Retention, *, glob: str, lock_wait: int) -> list[str]:
    """Return the arguments that list what the rules say of the archives that match `glob`."""
    return [
        "prune",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--dry-run",
        "--info",
        "--list",
        f"--glob-archives={escape_placeholders(glob)}",
        *(f"--keep-{rule}={amount}" for rule, amount in retention.rules.items()),
        escape_placeholders(repository.location),
    ]


def parse_prune_notes(notes: Sequence[BorgMessage]) -> Choice:
    """Return what the rules say."""
    lines = [match for note in notes if note.logger == "borg.output.list" and (match := _LINE.match(note.text))]
    gone = {line["id"]: CHECKPOINT in line[0] for line in lines if line["verdict"] == "Would prune"}
    totals = [int(match[1]) for note in notes if (match := _TOTAL.match(note.text))]
    return Choice(
        kept=frozenset(line["id"] for line in lines if line["verdict"] == "Keeping archive"),
        pruned=frozenset(id_ for id_, is_checkpoint in gone.items() if not is_checkpoint),
        checkpoints=frozenset(id_ for id_, is_checkpoint in gone.items() if is_checkpoint),
        total=totals[0] if totals else None,
    )

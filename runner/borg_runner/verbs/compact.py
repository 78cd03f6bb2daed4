"""`borg compact`: gives the space of deleted archives back to the repository's volume."""

import re
from collections.abc import Sequence

from borg_contract.plan import RepositoryPlan
from borg_contract.restore.sizes import describe_size
from borg_runner.borg.invocation import escape_placeholders, make_connection_arguments
from borg_runner.borg.message import BorgMessage
from borg_runner.verbs.repository import Repository

DEFAULT_THRESHOLD = 10
"""Percent, as borg has it."""

NOTHING_GIVEN_BACK = (
    "append-only: nothing was given back; what was deleted still takes its space until somebody compacts the "
    "repository where it is (over SSH: on the server)"
)

_FREED = re.compile(r"compaction freed about (-?[\d.]+) ([kMGTPEZY]?)B repository space")
_UNITS = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")


def compact(repository: Repository, *, threshold: int) -> int | None:
    """Rewrite segments of which at least `threshold` percent is unused; return bytes freed. Raises FaultError.

    None: nothing was compacted. Borg says so by silence and ends with 0: the repository, or its server, is append-only.
    """
    repository.log.say("compacting")
    outcome = repository.run_borg(
        lambda lock_wait: make_compact_arguments(repository.plan, threshold=threshold, lock_wait=lock_wait)
    )
    freed = parse_freed_bytes(outcome.notes)
    repository.log.say(NOTHING_GIVEN_BACK if freed is None else f"freed {describe_size(freed)}")
    return freed


def make_compact_arguments(repository: RepositoryPlan, *, threshold: int, lock_wait: int) -> list[str]:
    """Return the arguments that rewrite segments of which at least `threshold` percent is unused."""
    return [
        "compact",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--info",
        "--progress",
        f"--threshold={threshold}",
        escape_placeholders(repository.location),
    ]


def parse_freed_bytes(notes: Sequence[BorgMessage]) -> int | None:
    """Return the bytes that borg says it freed, to its own three digits; None when it says nothing."""
    for note in notes:
        if match := _FREED.search(note.text):
            return max(0, round(float(match[1]) * 1000.0 ** _UNITS.index(match[2])))
    return None

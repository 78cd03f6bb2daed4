"""`borg info`: how large a repository is. Borg keeps the sums in its cache, so that the answer costs little."""

import json
from dataclasses import dataclass

from borg_contract.plan import RepositoryPlan
from borg_contract.reasons import Reason
from borg_runner.borg.invocation import escape_placeholders, make_connection_arguments
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.repository import Repository


@dataclass(frozen=True)
class RepositorySizes:
    """Bytes of all archives together, before and after deduplication and compression; borg's id of the repository."""

    original: int
    deduplicated: int
    repository_id: str


def fetch_sizes(repository: Repository) -> RepositorySizes:
    """Return the repository's sizes. Raises FaultError."""
    outcome = repository.run_borg(lambda lock_wait: make_info_arguments(repository.plan, lock_wait=lock_wait))
    try:
        return parse_info_output(outcome.output)
    except (ValueError, KeyError, TypeError) as error:
        text = f"borg info gave no figures: {error!r}. Is this borg 1.4?"
        raise FaultError(Fault(Reason.INTERNAL_ERROR, text)) from error


def ask_sizes(repository: Repository) -> RepositorySizes | None:
    """Return the repository's sizes, None when they cannot be had."""
    output = repository.ask_borg(lambda lock_wait: make_info_arguments(repository.plan, lock_wait=lock_wait))
    try:
        return None if output is None else parse_info_output(output)
    except (ValueError, KeyError, TypeError):
        return None


def make_info_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the arguments that print the repository's sizes."""
    return [
        "info",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--json",
        escape_placeholders(repository.location),
    ]


def parse_info_output(output: str) -> RepositorySizes:
    """Return the sizes in the JSON of `borg info`. Raises ValueError, KeyError or TypeError."""
    value = json.loads(output)
    stats = value["cache"]["stats"]
    return RepositorySizes(int(stats["total_size"]), int(stats["unique_csize"]), str(value["repository"]["id"]))

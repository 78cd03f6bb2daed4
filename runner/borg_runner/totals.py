"""`borg list` and `borg info`: archives and size of a repository, asked for only when unknown."""

import json

from borg_contract.plan import RepositoryPlan
from borg_runner.borg import escape_placeholders, make_connection_arguments


def make_list_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the arguments that print one line for each archive."""
    return [
        "list",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--format=.{NL}",
        escape_placeholders(repository.location),
    ]


def make_info_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the arguments that print the repository's sizes, of which borg keeps the sums in its cache."""
    return [
        "info",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--json",
        escape_placeholders(repository.location),
    ]


def parse_list_output(output: str) -> int:
    """Return the number of archives."""
    return len(output.split())


def parse_info_output(output: str) -> tuple[int, int]:
    """Return bytes before and after deduplication and compression. Raises ValueError or KeyError."""
    stats = json.loads(output)["cache"]["stats"]
    return int(stats["total_size"]), int(stats["unique_csize"])

"""`borg list`: how many archives a repository has."""

from borg_contract.plan import RepositoryPlan
from borg_runner.borg.arguments import escape_placeholders, make_connection_arguments
from borg_runner.verbs.repository import Repository


def fetch_archive_count(repository: Repository) -> int:
    """Return the number of archives. Raises FaultError."""
    outcome = repository.run_borg(lambda lock_wait: make_list_arguments(repository.plan, lock_wait=lock_wait))
    return parse_list_output(outcome.output)


def ask_archive_count(repository: Repository) -> int | None:
    """Return the number of archives, None when it cannot be had."""
    output = repository.ask_borg(lambda lock_wait: make_list_arguments(repository.plan, lock_wait=lock_wait))
    return None if output is None else parse_list_output(output)


def make_list_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the arguments that print one line for each archive."""
    return [
        "list",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--format=.{NL}",
        escape_placeholders(repository.location),
    ]


def parse_list_output(output: str) -> int:
    """Return the number of archives."""
    return len(output.split())

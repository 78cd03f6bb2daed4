"""`borg break-lock`: removes the locks of repository and cache, whoever holds them."""

from borg_contract.plan import RepositoryPlan
from borg_runner.borg import escape_placeholders, make_connection_arguments


def make_break_lock_arguments(repository: RepositoryPlan) -> list[str]:
    """Return the arguments that break all locks."""
    return [
        "break-lock",
        *make_connection_arguments(repository, lock_wait=1),
        escape_placeholders(repository.location),
    ]

"""`borg check`: is the repository, and each archive in it, sound? It repairs nothing."""

from borg_contract.plan import RepositoryPlan
from borg_runner.borg import escape_placeholders, make_connection_arguments


def make_check_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the arguments that check repository and archives."""
    return [
        "check",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--info",
        "--progress",
        escape_placeholders(repository.location),
    ]

"""`borg delete`: archives by their names, and never a repository."""

from collections.abc import Sequence

from borg_contract.plan import RepositoryPlan
from borg_runner.borg.invocation import escape_placeholders, make_connection_arguments
from borg_runner.verbs.repository import Repository

_AT_ONCE = 500
"""Names in one command line, which Linux bounds."""


def delete(repository: Repository, archives: Sequence[str]) -> None:
    """Delete the archives of these names. Raises FaultError."""
    for first in range(0, len(archives), _AT_ONCE):
        _delete(repository, archives[first : first + _AT_ONCE])


def _delete(repository: Repository, archives: Sequence[str]) -> None:
    repository.log.say(f"deleting {', '.join(archives)}")
    repository.run_borg(lambda lock_wait: make_delete_arguments(repository.plan, archives, lock_wait=lock_wait))


def make_delete_arguments(repository: RepositoryPlan, archives: Sequence[str], *, lock_wait: int) -> list[str]:
    """Return the arguments that delete the archives. Raises ValueError for none: that would mean the repository."""
    if not all(archives) or not archives:
        raise ValueError("borg delete without an archive deletes the repository")
    return [
        "delete",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--progress",
        "--",
        escape_placeholders(repository.location),
        *archives,
    ]

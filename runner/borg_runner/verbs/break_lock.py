"""`borg break-lock`: removes the locks of repository and cache, whoever holds them."""

from borg_contract.plan import RepositoryPlan
from borg_runner.borg.invocation import escape_placeholders, make_connection_arguments
from borg_runner.locks.holder import Holder
from borg_runner.verbs.repository import Repository


def break_all_locks(repository: Repository) -> None:
    """Break all locks, as a person asked for it; the log says whose they were. Raises FaultError when borg fails."""
    for holder in repository.locks.holders():
        repository.log.say(f"breaking the lock of {holder.describe()}")
    repository.accept(repository.borg.run(make_break_lock_arguments(repository.plan)))


def break_dead_locks(repository: Repository) -> Holder | None:
    """Break only the locks of holders proven dead; return who keeps one all the same, which is no failure.

    Over SSH only the cache's locks can be read; the server's borg removes its own dead ones.
    """
    repository.locks.remove_dead()
    holders = repository.locks.holders()
    if not holders:
        return None
    repository.log.say(f"{holders[0].describe()} holds the lock and is not proven dead: left alone")
    return holders[0]


def make_break_lock_arguments(repository: RepositoryPlan) -> list[str]:
    """Return the arguments that break all locks."""
    return [
        "break-lock",
        *make_connection_arguments(repository, lock_wait=1),
        escape_placeholders(repository.location),
    ]

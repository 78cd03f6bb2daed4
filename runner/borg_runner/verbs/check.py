"""`borg check`: is the repository, and each archive in it, sound? It repairs nothing."""

from borg_contract.plan import RepositoryPlan
from borg_contract.reasons import Reason
from borg_runner.borg.arguments import escape_placeholders, make_connection_arguments
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.repository import Repository


def check(repository: Repository) -> None:
    """Check the repository. Raises FaultError when it is damaged, for which borg's exit code is only a warning."""
    outcome = repository.run_borg(
        lambda lock_wait: make_check_arguments(repository.plan, lock_wait=lock_wait), on_note=repository.say_note
    )
    if outcome.warned:
        found = [message.text for message in outcome.errors] or list(outcome.warnings)
        first = f" The first: {found[0]}." if found else ""
        text = (
            f"borg check found damage.{first} The pod's log has all of it. Copy the repository, then repair it by "
            "hand with `borg check --repair`; back up again afterwards."
        )
        raise FaultError(Fault(Reason.CHECK_FAILED, text))


def make_check_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the arguments that check repository and archives."""
    return [
        "check",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--info",
        "--progress",
        escape_placeholders(repository.location),
    ]

"""`borg init`: a repository that does not exist yet."""

from borg_contract.plan import RepositoryPlan
from borg_runner.borg import escape_placeholders, make_connection_arguments


def make_init_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the arguments that create the repository, and on a volume the folders above it."""
    return [
        "init",
        "--error",  # a new repository is no reason for borg's fifteen lines of warnings
        *make_connection_arguments(repository, lock_wait=lock_wait),
        f"--encryption={repository.encryption}",
        *([] if repository.ssh else ["--make-parent-dirs"]),
        escape_placeholders(repository.location),
    ]

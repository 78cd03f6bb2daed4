"""What an archive holds, with all that borg keeps of it: what borg's list for people does not tell.

`borg list` gives no attributes, no nanoseconds, and names without the bytes that are no UTF-8.
"""

from collections.abc import Iterator
from pathlib import Path

from borg_contract.plan import RepositoryPlan
from borg_contract.reasons import Reason
from borg_runner.borg.invocation import make_connection_arguments, name_archive
from borg_runner.borg.items import unpack
from borg_runner.fault import Fault, FaultError
from borg_runner.restore.archive.damage import accept
from borg_runner.restore.archive.entry import Entry, parse_item
from borg_runner.verbs.repository import Repository


def fetch_items(repository: Repository, archive: str, folder: Path) -> None:
    """Let borg write what it knows of the archive's files into the folder, 150 bytes or so each. Raises FaultError."""
    folder.mkdir(mode=0o700)
    outcome = repository.with_borg(directory=str(folder)).try_borg(
        lambda lock_wait: make_items_arguments(repository.plan, archive, lock_wait=lock_wait)
    )
    accept(repository, archive, outcome)


def read_items(folder: Path) -> Iterator[Entry]:
    """Yield what borg wrote into the folder, in the archive's order. Raises FaultError."""
    try:
        yield from map(parse_item, unpack(path.read_bytes() for path in sorted(folder.glob("*.items"))))
    except (KeyError, TypeError, ValueError) as error:
        text = f"What borg tells of the archive's files cannot be read: {error!r}. Is this borg 1.4?"
        raise FaultError(Fault(Reason.INTERNAL_ERROR, text)) from error


def make_items_arguments(repository: RepositoryPlan, archive: str, *, lock_wait: int) -> list[str]:
    """Return the arguments that do the former, in the folder where borg is."""
    return [
        "debug",
        "dump-archive-items",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        name_archive(repository, archive),
    ]


def fetch_file(repository: Repository, archive: str, name: str, path: Path) -> None:
    """Write the content of a file of the archive into `path`. Raises FaultError."""
    with path.open("wb") as file:
        outcome = repository.with_borg(output_fd=file.fileno()).try_borg(
            lambda lock_wait: make_file_arguments(repository.plan, archive, name, lock_wait=lock_wait)
        )
    accept(repository, archive, outcome, (f"pf:{name}",))


def make_file_arguments(repository: RepositoryPlan, archive: str, name: str, *, lock_wait: int) -> list[str]:
    """Return the arguments that write the content of a file of the archive to borg's output."""
    return [
        "extract",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--stdout",
        name_archive(repository, archive),
        f"pf:{name}",
    ]

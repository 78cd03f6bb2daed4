"""What a session answers: JSON in ASCII, `borg_contract.codec.encode`, with keys in camelCase.

Status 200: one of the pages below, read with `borg_contract.codec.decode_answer`. 202: `Pending`. Any other: `Refusal`,
among them 401 and 403 (not signed, late, seen before, for another session, other parameters), 404 with `ArchiveGone`,
`ArchiveNotFound` or `PathsNotFound`, 409 with `RepositoryLocked`, 422 with `InvalidArgument`, 503 with the reasons that
runs have. A file or a tar is a stream of application/octet-stream; where it breaks off, the connection does.
"""

from dataclasses import dataclass
from typing import Annotated

from borg_contract.schema import FILE_NAME

FileName = Annotated[str, FILE_NAME]
"""A name of bytes: what is not UTF-8 is a surrogate, as `os.fsdecode` makes it. To be encoded with `os.fsencode`."""

FILE = "file"
DIRECTORY = "directory"
SYMLINK = "symlink"
OTHERS = ("fifo", "character device", "block device", "socket")


@dataclass(frozen=True)
class Refusal:
    """Why nothing is answered. `message`: for people, a sentence or two."""

    reason: str
    message: str


@dataclass(frozen=True)
class Pending:
    """It is being read: ask again. `entries`: how many of the archive's files were read so far."""

    status: str = "pending"
    entries: int = 0


@dataclass(frozen=True)
class ArchiveItem:
    """An archive. `time`: when it was begun, UTC, RFC 3339. `entries`: how many it has, once all of it was read."""

    name: FileName
    id: str
    time: str
    entries: int | None = None


@dataclass(frozen=True)
class ArchivesAnswer:
    """The archives, the newest first. `as_of`: when they were read; `stale`: why they could not be read anew."""

    items: tuple[ArchiveItem, ...]
    as_of: str
    stale: Refusal | None = None


@dataclass(frozen=True)
class Item:
    """A file, folder or link of an archive. `size` in bytes; of a folder that of all below. Times: RFC 3339, UTC."""

    name: FileName
    path: FileName
    type: str
    size: int = 0
    mtime: str | None = None
    """None for a folder that only the paths of others tell of."""
    mode: str = ""
    """As `ls -l` shows it."""
    user: FileName = ""
    group: FileName = ""
    target: FileName = ""
    """Of a symbolic link, what it says; of a further hard link, the path of the first."""
    entries: int | None = None
    """Of a folder: how many there are in it and below."""
    healthy: bool = True
    """False: a repair put zeros where parts of its content were lost."""


@dataclass(frozen=True)
class TreeAnswer:
    """A page of a folder, folders first, each by name; or of what was found, in the archive's order.

    `pending`: it is still being read, and may get more, also before what is here. `total`: how many there are in the
    folder so far; None for what is found.
    """

    items: tuple[Item, ...]
    next: FileName = ""
    """What `after` has to be for the next page; empty: this is the last one."""
    total: int | None = None
    pending: bool = False
    entries: int = 0
    """How many of the archive's files were read so far."""


@dataclass(frozen=True)
class Version:
    """The file in one archive; `item` is None where it is not. `same`: like the one in the next archive, older."""

    archive: FileName
    archive_id: str
    time: str
    item: Item | None = None
    same: bool = False


@dataclass(frozen=True)
class VersionsAnswer:
    """The file in each archive, the newest first. `pending`: the next ones are still being looked at.

    `looked`: at how many archives; `total`: of how many.
    """

    items: tuple[Version, ...]
    next: str = ""
    total: int = 0
    looked: int = 0
    pending: bool = False


ADDED = "added"
REMOVED = "removed"
MODIFIED = "modified"
"""Its content is another one, or the target of the link."""
CHANGED = "changed"
"""Something else is: time, rights, owner."""


@dataclass(frozen=True)
class Change:
    """What became of a path between two archives. Of a folder that is new or gone, all below is told too."""

    path: FileName
    change: str
    before: Item | None = None
    after: Item | None = None


@dataclass(frozen=True)
class DiffAnswer:
    """A page of changes, by path."""

    items: tuple[Change, ...]
    next: FileName = ""

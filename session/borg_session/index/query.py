"""Questions to the database of an archive, each of them a short one."""

import datetime as dt
import os
import sqlite3
import stat
from dataclasses import dataclass
from typing import NamedTuple

from borg_contract.session.answers import DIRECTORY, FILE, OTHERS, SYMLINK, Item
from borg_session.index.schema import FOLDER, LEAF, ROOT

COLUMNS = (
    'e.id, e.parent, e.leaf, e.name, e.mode, e.size, e.mtime, o.user, o."group", e.link, e.healthy, e.content, e.other,'
    " e.below, e.children, e.tally, e.done, e.before"
)
FROM = "FROM entries AS e LEFT JOIN owners AS o ON o.id = e.owner"
_BY_NAME = f"SELECT {COLUMNS} {FROM} WHERE e.parent = ? AND e.leaf = ? AND e.name = ?"
_BY_ID = f"SELECT {COLUMNS} {FROM} WHERE e.id = ?"
_FIFO, _CHARACTER, _BLOCK, _SOCKET = OTHERS
_TYPES = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFIFO: _FIFO,
    stat.S_IFCHR: _CHARACTER,
    stat.S_IFBLK: _BLOCK,
    stat.S_IFSOCK: _SOCKET,
}


class Found(NamedTuple):
    """An entry as the database has it; see `schema`."""

    id: int
    parent: int
    leaf: int
    name: bytes
    mode: int
    size: int
    mtime: int | None
    user: bytes | None
    group: bytes | None
    link: bytes
    healthy: int
    content: int
    other: int
    below: int
    children: int
    tally: int
    done: int
    before: int

    @property
    def is_folder(self) -> bool:
        return self.leaf == FOLDER

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_hard_link(self) -> bool:
        """Whether its content is told with another one, whose path is `link`."""
        return bool(self.link) and not stat.S_ISLNK(self.mode)


@dataclass(frozen=True)
class Progress:
    """How far the archive was read: so many entries; whether that is all; whether names can be searched quickly."""

    entries: int
    listed: bool
    searchable: bool


def read_progress(database: sqlite3.Connection) -> Progress:
    entries, listed, searchable = database.execute("SELECT entries, listed, searchable FROM progress").fetchone()
    return Progress(entries, bool(listed), bool(searchable))


def find_path(database: sqlite3.Connection, path: bytes) -> Found | None:
    """Return what has that path in the archive, None where nothing has (yet). The empty path is all of it."""
    found: Found | None = read_entry(database, ROOT)
    for name in path.split(b"/") if path else ():
        if found is None or not found.is_folder:
            return None
        found = find_child(database, found.id, name)
    return found


def find_child(database: sqlite3.Connection, folder: int, name: bytes) -> Found | None:
    for leaf in (LEAF, FOLDER):
        row = database.execute(_BY_NAME, (folder, leaf, name)).fetchone()
        if row is not None:
            return Found(*row)
    return None


def read_entry(database: sqlite3.Connection, id_: int) -> Found:
    return Found(*database.execute(_BY_ID, (id_,)).fetchone())


def find_content(database: sqlite3.Connection, found: Found) -> Found:
    """Return the entry with which its content is told: that itself, or the first of its hard links."""
    master = find_path(database, found.link) if found.is_hard_link else None
    return found if master is None or master.is_hard_link else master


class Paths:
    """Paths of entries; those of folders are remembered."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._known = {ROOT: b""}

    def below(self, folder: int, name: bytes) -> bytes:
        """Return the path of what is called so in the folder."""
        if folder not in self._known:
            above, own = self._database.execute("SELECT parent, name FROM entries WHERE id = ?", (folder,)).fetchone()
            self._known[folder] = self.below(above, own)
        above_path = self._known[folder]
        return above_path + b"/" + name if above_path else name


def make_item(database: sqlite3.Connection, found: Found, path: bytes) -> Item:
    """Return the entry as it is answered; of a hard link the size is that of its content."""
    content = find_content(database, found)
    return Item(
        name=os.fsdecode(found.name),
        path=os.fsdecode(path),
        type=_TYPES.get(stat.S_IFMT(found.mode), FILE),
        size=content.size,
        mtime=_render_time(found.mtime),
        mode="" if found.mtime is None else stat.filemode(found.mode),
        user=os.fsdecode(found.user or b""),
        group=os.fsdecode(found.group or b""),
        target=os.fsdecode(found.link),
        entries=found.below if found.is_folder else None,
        healthy=bool(content.healthy),
    )


def _render_time(nanoseconds: int | None) -> str | None:
    """Return the time as RFC 3339 in UTC; None for one that no calendar has."""
    if nanoseconds is None:
        return None
    try:
        time = dt.datetime.fromtimestamp(nanoseconds // 10**9, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return f"{time:%Y-%m-%dT%H:%M:%S}Z" if time.year >= 1000 else None  # noqa: PLR2004 - four digits

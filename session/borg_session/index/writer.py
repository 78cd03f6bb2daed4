"""Writes an archive's entries into its database as they come, with the sums of each folder.

Borg tells folder by folder, so the sums of those that are open are kept in memory, and written when they are left. A
folder that comes back later, of paths that overlap, is opened again. Memory: the open folders and one batch.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from borg_runner.restore.archive.scope import is_safe
from borg_session.index.query import find_path
from borg_session.index.row import Row, digest_linked, read_row
from borg_session.index.schema import FOLDER, LEAF, ROOT, WORDS, open_for_writing

FIRST_SECONDS = 0.1
NEXT_SECONDS = 0.5
"""After so long what came is there for whoever looks."""

_BATCH = 2000
_WORDS_BATCH = 20000
_WRAP = 1 << 64
_HALF = 1 << 63
_FOLDER_MODE = 0o40755

_INSERT = """
INSERT INTO entries (id, parent, leaf, name, mode, size, mtime, owner, link, healthy, content, other)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (parent, leaf, name) DO UPDATE SET
    before = before + size, repeats = repeats + 1,
    mode = excluded.mode, size = excluded.size, mtime = excluded.mtime, owner = excluded.owner, link = excluded.link,
    healthy = excluded.healthy, content = excluded.content, other = excluded.other
"""
_UPDATE_FOLDER = "UPDATE entries SET mode = ?, mtime = ?, owner = ?, content = ?, other = ? WHERE id = ?"
_ADD = """
UPDATE entries SET size = size + ?, below = below + ?, children = children + ?, done = 1, tally = ? WHERE id = ?
"""
_REPEATED = "SELECT id, parent, before, repeats FROM entries WHERE repeats > 0 AND id > ? ORDER BY id LIMIT 1000"
_TAKE_OFF = "UPDATE entries SET size = size - ?, below = below - ? WHERE id = ?"


@dataclass
class _Open:
    """A folder that is being told."""

    id: int
    path: bytes
    size: int = 0
    below: int = 0
    children: int = 0
    tally: int = 0


class Writer:
    """Takes items of borg's, one after the other."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Make the database. `key`: of the session, 16 to 64 bytes. Raises sqlite3.Error."""
        self._database = open_for_writing(path)
        self._key = key
        self._open = [_Open(ROOT, b"")]
        self._batch: list[tuple[Any, ...]] = []
        self._contents: dict[bytes, int] = {}  # of the files in the batch, by path
        self._owners: dict[tuple[bytes, bytes], int] = {}
        self._next_id = ROOT + 1
        self._commit_at = time.monotonic() + FIRST_SECONDS
        self.entries = 0
        self.unsafe = 0
        """Entries left out: their paths are none that `borg create` writes."""
        self._database.execute("BEGIN")

    def write(self, items: Iterable[Mapping[bytes, Any]]) -> None:
        """Write all of them, and then what searching needs. Raises sqlite3.Error, and ValueError for what is none."""
        for item in items:
            try:
                row = read_row(item, self._key)
            except (KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"no item of borg's: {error!r}") from error
            self._take(row)
        while self._open:
            self._leave()
        self._flush()
        self._correct_repeated()
        self._database.execute("UPDATE progress SET entries = ?, listed = 1", (self.entries,))
        self._database.execute("COMMIT")
        self._write_words()

    def close(self) -> None:
        self._database.close()

    def _take(self, row: Row) -> None:
        self.entries += 1
        path = row.path
        if not is_safe(path.decode("utf-8", "surrogateescape")):
            self.unsafe += 1
            return
        if row.link == path and not row.is_symlink:  # the same file, of paths that overlap: a link to itself
            return
        if row.is_folder:
            folder = self._enter(b"" if path == b"." else path)
            values = (row.mode, row.mtime, self._find_owner(row), row.content, row.other, folder.id)
            self._database.execute(_UPDATE_FOLDER, values)
            self._open[-1 if len(self._open) == 1 else -2].tally += row.tally
        else:
            above, _, name = path.rpartition(b"/")
            folder = self._enter(above)
            folder.size += row.size
            folder.below += 1
            folder.children += 1
            folder.tally += row.tally + self._tally_linked(row, above)
            link = (row.link, row.healthy, row.content, row.other)
            owner = self._find_owner(row)
            self._batch.append((self._take_id(), folder.id, LEAF, name, row.mode, row.size, row.mtime, owner, *link))
            self._contents[path] = row.content
        if len(self._batch) >= _BATCH:
            self._flush()
        if not self.entries % 100 and time.monotonic() >= self._commit_at:
            self._commit()

    def _tally_linked(self, row: Row, folder: bytes) -> int:
        """Return what the content of a hard link adds to the sum of its folder, where it is not in that by itself."""
        if not row.link or row.is_symlink or row.link.rpartition(b"/")[0] == folder:
            return 0
        content = self._contents.get(row.link)
        if content is None and (first := find_path(self._database, row.link)):
            content = first.content
        return 0 if content is None else digest_linked(row, content, self._key)

    def _enter(self, path: bytes) -> _Open:
        """Return the folder, open: those beside it are left, those above it opened."""
        while (top := self._open[-1]).path != path:
            inside = path.startswith(top.path + b"/") if top.path else True
            if not inside:
                self._leave()
                continue
            name = path[len(top.path) + 1 if top.path else 0 :].split(b"/", 1)[0]
            self._open.append(self._open_folder(top, name))
        return top

    def _open_folder(self, above: _Open, name: bytes) -> _Open:
        path = above.path + b"/" + name if above.path else name
        known = self._database.execute(
            "SELECT id FROM entries WHERE parent = ? AND leaf = ? AND name = ?", (above.id, FOLDER, name)
        ).fetchone()
        if known is not None:
            return _Open(known[0], path)
        above.below += 1
        above.children += 1
        id_ = self._take_id()
        self._database.execute(
            "INSERT INTO entries (id, parent, leaf, name, mode) VALUES (?, ?, ?, ?, ?)",
            (id_, above.id, FOLDER, name, _FOLDER_MODE),
        )
        return _Open(id_, path)

    def _leave(self) -> None:
        left = self._open.pop()
        [tally] = self._database.execute("SELECT tally FROM entries WHERE id = ?", (left.id,)).fetchone()
        sums = (left.size, left.below, left.children, _wrap(tally + left.tally), left.id)
        self._database.execute(_ADD, sums)
        if self._open:
            above = self._open[-1]
            above.size += left.size
            above.below += left.below
            above.tally += left.tally

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _find_owner(self, row: Row) -> int:
        names = (row.user, row.group)
        if (known := self._owners.get(names)) is None:
            known = self._owners[names] = len(self._owners) + 1
            self._database.execute("INSERT INTO owners VALUES (?, ?, ?)", (known, *names))
        return known

    def _flush(self) -> None:
        self._database.executemany(_INSERT, self._batch)
        self._batch.clear()
        self._contents.clear()

    def _commit(self) -> None:
        self._flush()
        self._database.execute("UPDATE progress SET entries = ?", (self.entries,))
        self._database.execute("COMMIT")
        self._database.execute("BEGIN")
        self._commit_at = time.monotonic() + NEXT_SECONDS

    def _correct_repeated(self) -> None:
        """Count once what the archive has more than once: only the last of a path is meant."""
        last = 0
        while repeated := self._database.execute(_REPEATED, (last,)).fetchall():
            for _, parent, before, repeats in repeated:
                self._database.execute("UPDATE entries SET children = children - ? WHERE id = ?", (repeats, parent))
                above = parent
                while above:
                    self._database.execute(_TAKE_OFF, (before, repeats, above))
                    [above] = self._database.execute("SELECT parent FROM entries WHERE id = ?", (above,)).fetchone()
            last = repeated[-1][0]

    def _write_words(self) -> None:
        """Let names be found by three of their characters. It takes a while, and the tree is there meanwhile.

        Their case is folded as that of what is looked for is: SQLite itself takes no `ß` for `ss`.
        """
        self._database.executescript(WORDS)
        last = ROOT
        while True:
            rows = self._database.execute(
                "SELECT id, name FROM entries WHERE id > ? ORDER BY id LIMIT ?", (last, _WORDS_BATCH)
            ).fetchall()
            if not rows:
                break
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT INTO words (rowid, name) VALUES (?, ?)",
                ((id_, name.decode("utf-8", "replace").casefold()) for id_, name in rows),
            )
            self._database.execute("COMMIT")
            last = rows[-1][0]
        self._database.execute("UPDATE progress SET searchable = 1")


def _wrap(number: int) -> int:
    """Return the number modulo 2^64, as SQLite has integers."""
    return (number + _HALF) % _WRAP - _HALF

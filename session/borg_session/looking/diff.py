"""What changed between two archives: both trees at once, and what is alike in both is passed over whole.

Each folder knows a sum of the digests of all below: where those of two folders are alike, all below is. So nothing has
to be read a second time, and names keep their bytes, which `borg diff` loses. See ADR 0033.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass

from borg_contract.session.answers import ADDED, CHANGED, MODIFIED, REMOVED, Change, DiffAnswer
from borg_contract.session.request import ReadRequest
from borg_session.index.query import COLUMNS, FROM, Found, find_content, find_path, make_item
from borg_session.index.schema import FOLDER, LEAF
from borg_session.looking.tree import parse_after, render_after
from borg_session.refusal import no_path

SECONDS = 0.25
"""So long a page may take: it may be short, or empty, and yet have a next one."""

_CHILDREN = f"SELECT {COLUMNS} {FROM} WHERE e.parent = ? AND e.leaf = ? AND e.name >= ? ORDER BY e.name"
_NO_ID = 0


@dataclass(frozen=True)
class _Pair:
    """The same path in both archives, or in one of them."""

    path: bytes
    before: Found | None
    after: Found | None

    @property
    def leaf(self) -> int:
        found = self.before or self.after
        return found.leaf if found else LEAF


def compare(before: sqlite3.Connection, after: sqlite3.Connection, request: ReadRequest) -> DiffAnswer:
    """Return a page of the changes, each folder's before those in it. Both archives are read. Raises RefusedError."""
    return _Comparison(before, after).page(request, time.monotonic() + SECONDS)


class _Comparison:
    def __init__(self, before: sqlite3.Connection, after: sqlite3.Connection) -> None:
        self._before, self._after = before, after

    def page(self, request: ReadRequest, until: float) -> DiffAnswer:
        top = os.fsencode(request.path)
        pair = _Pair(top, find_path(self._before, top), find_path(self._after, top))
        if pair.before is None and pair.after is None:
            raise no_path(request.path)
        changes: list[Change] = []
        last = ""
        for seen in self._begin(pair, request.after):
            change = self._judge(seen)
            if change is not None and len(changes) == request.limit:
                return DiffAnswer(tuple(changes), last)
            if change is not None:
                changes.append(change)
            last = render_after(seen.leaf, seen.path)
            if time.monotonic() > until:
                return DiffAnswer(tuple(changes), last)
        return DiffAnswer(tuple(changes))

    def _begin(self, top: _Pair, after: str) -> Iterator[_Pair]:
        """Yield all that may differ, from behind `after` on."""
        if not after:
            yield top
            yield from self._walk(top, [], LEAF)
            return
        leaf, path = parse_after(after)
        rest = path[len(top.path) :].strip(b"/")
        yield from self._walk(top, rest.split(b"/") if rest else [], leaf)

    def _walk(self, top: _Pair, behind: list[bytes], leaf: int) -> Iterator[_Pair]:
        """Yield what is in the folder, and below, behind the path `behind`, of which `leaf` is told."""
        opened = [self._look_into(top, behind, leaf)]
        while opened:
            found = next(opened[-1], None)
            if found is None:
                opened.pop()
                continue
            pair, kind, was_there = found
            if not was_there:
                yield pair
            if kind == FOLDER:
                opened.append(self._look_into(pair, behind[len(opened) :] if was_there else [], leaf))

    def _look_into(self, folder: _Pair, behind: list[bytes], leaf: int) -> Iterator[tuple[_Pair, int, bool]]:
        """Yield what is in the folder, of which kind, and whether it is on the way to what came last."""
        before, after = _folder_of(folder.before), _folder_of(folder.after)
        if before is not None and after is not None and (before.tally, before.below) == (after.tally, after.below):
            return
        first = behind[0] if behind else b""
        is_last = len(behind) == 1
        for kind in (FOLDER, LEAF):
            if is_last and leaf == LEAF and kind == FOLDER:
                continue
            begins_at = first if kind == (leaf if is_last else FOLDER) else b""
            for pair in self._merge(folder.path, before, after, kind, begins_at):
                yield pair, kind, bool(behind) and begins_at != b"" and pair.path.rpartition(b"/")[2] == first

    def _merge(
        self, above: bytes, before: Found | None, after: Found | None, leaf: int, first: bytes
    ) -> Iterator[_Pair]:
        """Yield the entries of a folder that either archive has, by name."""
        left = self._children(self._before, before, leaf, first)
        right = self._children(self._after, after, leaf, first)
        one, other = next(left, None), next(right, None)
        while one is not None or other is not None:
            name = min(found.name for found in (one, other) if found is not None)
            path = above + b"/" + name if above else name
            mine = one if one is not None and one.name == name else None
            theirs = other if other is not None and other.name == name else None
            yield _Pair(path, mine, theirs)
            one = next(left, None) if mine is not None else one
            other = next(right, None) if theirs is not None else other

    def _children(self, database: sqlite3.Connection, folder: Found | None, leaf: int, first: bytes) -> Iterator[Found]:
        parent = _NO_ID if folder is None else folder.id
        if folder is not None:
            yield from (Found(*row) for row in database.execute(_CHILDREN, (parent, leaf, first)))

    def _judge(self, pair: _Pair) -> Change | None:
        """Return what became of it, None where nothing did."""
        before, after = pair.before, pair.after
        item_before = None if before is None else make_item(self._before, before, pair.path)
        item_after = None if after is None else make_item(self._after, after, pair.path)
        path = os.fsdecode(pair.path)
        if before is None or after is None:
            return Change(path, ADDED if before is None else REMOVED, item_before, item_after)
        if self._content(self._before, before) != self._content(self._after, after):
            return Change(path, MODIFIED, item_before, item_after)
        if before.other != after.other:
            return Change(path, CHANGED, item_before, item_after)
        return None

    def _content(self, database: sqlite3.Connection, found: Found) -> tuple[int, int]:
        if found.is_folder:
            return 0, 0
        content = find_content(database, found)
        return content.content, content.size


def _folder_of(found: Found | None) -> Found | None:
    return found if found is not None and found.is_folder else None

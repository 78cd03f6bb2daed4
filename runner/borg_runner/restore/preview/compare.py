"""What a restore would change: the archive's entries held against what is there. Pure, but for questions asked of it.

Something is the same when all agrees that can be seen without reading it, the time of its last change (ctime) too: that
cannot be set, so nobody has touched it since it was archived. All else is replaced.
"""

import posixpath
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import stat_result
from typing import Protocol

from borg_contract.restore.plan import Mode
from borg_runner.restore.archive.entry import Entry
from borg_runner.restore.archive.scope import Scope, Selection
from borg_runner.restore.preview.changes import Changes


class Place(Protocol):
    """What is restored into, see `Target`."""

    def look(self, path: str) -> stat_result | None: ...

    def read_link(self, path: str) -> str: ...

    def walk(self, path: str, enters: Callable[[str], bool]) -> Iterator[str]: ...


@dataclass(frozen=True)
class Rules:
    """How it is compared."""

    mode: Mode
    uid: int | None = None
    """To whom all is to belong; None: to whom the archive says."""
    only: frozenset[str] | None = None
    """Of what is not in the archive, what a Mirror may delete; None: all of it."""
    since: int | None = None
    """Nanoseconds: what was changed later and agrees else was restored by an earlier attempt. None: there was none."""
    grain: int = 1
    """Nanoseconds: how exact times are in the target, as far as an earlier attempt can tell."""


def compare(selection: Selection, place: Place, scope: Scope, rules: Rules) -> Changes:
    """Return what would be changed. Raises OSError for what cannot be looked at."""
    comparison = _Comparison(selection, place, scope, rules)
    comparison.compare_entries()
    comparison.find_untold()
    comparison.join_hard_links()
    if rules.mode is Mode.MIRROR:
        comparison.find_surplus()
    return comparison.changes


class _Comparison:
    def __init__(self, selection: Selection, place: Place, scope: Scope, rules: Rules) -> None:
        self.selection, self.place, self.scope, self.rules = selection, place, scope, rules
        self.changes = Changes()
        self.found: dict[str, stat_result] = {}
        """What is there of hard links."""
        self.folders: dict[str, bool | None] = {}
        """Whether a folder is there and stays; None: something else is, and stays."""
        root = place.look("")
        self.folders[""] = root is not None and stat.S_ISDIR(root.st_mode)

    def compare_entries(self) -> None:
        entries, above = self.selection.entries, self.selection.above
        for path in sorted(entries.keys() | above.keys()):
            if (entry := entries.get(path)) is not None:
                self._compare_entry(path, entry)
            else:
                self._compare_above(path, above[path])

    def _compare_entry(self, path: str, entry: Entry) -> None:
        changes = self.changes
        stands = self._stands(posixpath.dirname(path))
        if stands is None:
            changes.keep.add(path)
            changes.stuck.add(path)
            self.folders[path] = None
            return
        found = self.place.look(path) if stands else None
        if found is None:
            changes.create.add(path)
            if entry.is_folder:  # nothing is below a file, and there may be a million of them
                self.folders[path] = False
            return
        if self.selection.group_of(entry):
            self.found[path] = found
        is_folder = stat.S_ISDIR(found.st_mode)
        if self._is_same(path, entry, found):
            changes.same.add(path)
        elif self.rules.mode is Mode.ONLY_MISSING:
            changes.keep.add(path)
            if entry.is_folder and not is_folder:
                self.folders[path] = None
                return
        elif is_folder != entry.is_folder:
            if not self._clear(path, is_folder=is_folder):
                return
            is_folder = False
        else:
            changes.overwrite.add(path)
        self.folders[path] = is_folder and entry.is_folder

    def _compare_above(self, path: str, entry: Entry) -> None:
        """Look at a folder that only leads to what is meant: it is made where it is missing, with all it has."""
        stands = self._stands(posixpath.dirname(path))
        found = self.place.look(path) if stands else None
        if stands is None:
            self.folders[path] = None
        elif found is not None and stat.S_ISDIR(found.st_mode):
            self.folders[path] = True
        elif found is not None and self.rules.mode is Mode.ONLY_MISSING:
            self.folders[path] = None
        else:
            if found is None:
                self.changes.create.add(path)
            else:
                self._clear(path, is_folder=False)
            self.selection.entries[path] = entry
            self.folders[path] = False

    def find_untold(self) -> None:
        """Find the folders that are missing above what is made, and of which the archive tells nothing."""
        missing = {path for path, stands in self.folders.items() if path and stands is False}
        self.changes.untold = missing - self.selection.entries.keys()

    def _stands(self, path: str) -> bool | None:
        """Tell whether the folder is there and stays; None where something else is there and stays."""
        unknown = []
        while path not in self.folders:
            unknown.append(path)
            path = posixpath.dirname(path)
        stands = self.folders[path]
        for path in reversed(unknown):
            stands = stands and self._stays(path)
            self.folders[path] = stands
        return stands

    def _stays(self, path: str) -> bool | None:
        """Tell the same of a folder of which the archive tells nothing, in one that is there."""
        found = self.place.look(path)
        if found is None or stat.S_ISDIR(found.st_mode):
            return found is not None
        if self.rules.mode is Mode.ONLY_MISSING:
            return None
        self.changes.delete.add(path)
        return False

    def _clear(self, path: str, *, is_folder: bool) -> bool:
        """Plan to remove what is there, with all that it holds; return False where something in it must stay."""
        inner: set[str] = set()
        if is_folder:
            held = False

            def enters(below: str) -> bool:
                nonlocal held
                held = held or self.scope.leaves_out(below)
                return not held

            inner.update(self.place.walk(path, enters))
            if held:
                self.changes.keep.add(path)
                self.changes.stuck.add(path)
                return False
        self.changes.delete |= inner
        self.changes.overwrite.add(path)
        self.changes.clear.add(path)
        return True

    def _is_same(self, path: str, entry: Entry, found: stat_result) -> bool:
        size = entry.size
        if (master := entry.master) and (first := self.selection.masters.get(master)) is not None:
            size = first.size
        if (
            found.st_mode != entry.mode
            or found.st_mtime_ns // self.rules.grain != entry.mtime // self.rules.grain
            or (stat.S_ISREG(entry.mode) and found.st_size != size)
            or (entry.is_device and found.st_rdev != entry.extra.rdev)
        ):
            return False
        if self.rules.uid is None:
            if (found.st_uid, found.st_gid) != (entry.uid, entry.gid):
                return False
        elif found.st_uid != self.rules.uid:
            return False
        if found.st_ctime_ns != entry.ctime:
            since = self.rules.since
            if since is None or found.st_ctime_ns < since or entry.is_folder or self.selection.is_patched(path):
                return False
        return not entry.is_symlink or self.place.read_link(path) == entry.link

    def join_hard_links(self) -> None:
        """Let hard links to one file be written together, or none of them: apart, borg would make files of them."""
        if self.rules.mode is Mode.ONLY_MISSING:
            return
        groups: dict[str, list[str]] = {}
        for path, entry in self.selection.entries.items():
            if master := self.selection.group_of(entry):
                groups.setdefault(master, []).append(path)
        changes = self.changes
        for paths in groups.values():
            same = [path for path in paths if path in changes.same]
            files = {(self.found[path].st_dev, self.found[path].st_ino) for path in same}
            if same and (len(same) < len(paths) or len(files) > 1):
                changes.same.difference_update(same)
                changes.overwrite.update(same)

    def find_surplus(self) -> None:
        """Find what is there and not in the archive; a folder stays that holds something which is left alone."""
        entries, only = self.selection.entries, self.rules.only
        held: set[str] = set()
        surplus = list(self._walk_surplus(held))
        if only is not None:
            for path in surplus:
                if path not in only:
                    _add_above(held, path)
        for path in entries:  # the archive may tell nothing of the folder above
            if posixpath.dirname(path) not in entries:
                _add_above(held, path)
        self.changes.delete.update(path for path in surplus if path not in held and (only is None or path in only))

    def _walk_surplus(self, held: set[str]) -> Iterator[str]:
        """Yield what is there and not in the archive; `held` takes the folders above what is left alone."""
        entries, changes = self.selection.entries, self.changes

        def enters(path: str) -> bool:
            if path in changes.delete or path in changes.clear:
                return False
            if not self.scope.leaves_out(path):
                return True
            _add_above(held, path)
            return False

        for start in self.scope.paths or ("",):
            if self._stands(start):
                yield from (path for path in self.place.walk(start, enters) if path not in entries)


def _add_above(held: set[str], path: str) -> None:
    while path := posixpath.dirname(path):
        if path in held:
            return
        held.add(path)

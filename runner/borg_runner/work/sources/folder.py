"""One folder: how many files it holds, whether any can be opened, and which of the paths of the sources are in it."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from borg_runner.borg.patterns import compile_patterns
from borg_runner.places import LOST_AND_FOUND

Node = tuple[int, int]
"""Device and inode: what a file or folder is, by whatever name."""


@dataclass(frozen=True)
class Excluded:
    """What the patterns of `exclude` leave out. Of each path, `enough` files that they do not leave out are sought.

    None are where any number is good: all count then.
    """

    leaves_out: Callable[[str], bool] = lambda _: False
    enough: int = 1


NOTHING = Excluded()


def derive_excluded(patterns: Sequence[str], min_files: int | None) -> Excluded:
    """Return what is to be known of the patterns, for a repository whose archives must hold `min_files`."""
    return Excluded(compile_patterns(patterns), 0 if min_files == 0 else max(1, min_files or 0))


@dataclass(frozen=True)
class Met:
    """Which of the given paths a folder holds: those that are there by their own names, and all, by whatever name."""

    paths: frozenset[str] = frozenset()
    nodes: frozenset[Node] = frozenset()


NOBODY = Met()


@dataclass(frozen=True)
class Counts:
    """What there is in a folder, see SourcePath."""

    files: int
    regular: int
    sockets: int
    problem: str | None
    kept: int
    met: Met


def count_folder(path: str, given: Mapping[str, Node], excluded: Excluded, on_folder: Callable[[], None]) -> Counts:
    """Count what the folder holds, and look for one file that can be opened. Raises OSError of the folder itself.

    `given`: all that borg is to be given.
    """
    files, regular, sockets, readable, refused = 0, 0, 0, False, ""
    search, watch = _Search(excluded), _Watch(given)
    folders = [(path, search.lacks(path))]
    while folders:
        on_folder()
        folder, is_left_out = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    watch.see(entry)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((entry.path, is_left_out or search.lacks(entry.path)))
                    elif entry.is_file(follow_symlinks=False):
                        files, regular = files + 1, regular + 1
                        search.take(entry.path, is_left_out)
                        if not readable:
                            problem = _explain_closed(entry)
                            readable, refused = not problem, refused or problem
                    elif _is_socket(entry):
                        sockets += 1
                    else:
                        files += 1
                        search.take(entry.path, is_left_out)
        except OSError as error:
            if folder == path and not files:
                raise
            if os.path.relpath(folder, path) != LOST_AND_FOUND:
                refused = refused or f"{folder}: {error.strerror}"
    return Counts(files, regular, sockets, None if readable or not refused else refused, search.found, watch.met)


class _Watch:
    """Looks out for what borg is given besides. Where that is one path alone, there is nothing to look out for."""

    def __init__(self, given: Mapping[str, Node]) -> None:
        self._given = given if len(given) > 1 else {}
        self._nodes = frozenset(self._given.values())
        self._inodes = frozenset(inode for _, inode in self._nodes)
        self._names = frozenset(path.rpartition("/")[2] for path in self._given)
        self._paths: set[str] = set()
        self._met: set[Node] = set()

    def see(self, entry: "os.DirEntry[str]") -> None:
        """Take note of what is in the folder. The entry of a folder tells nothing of what is mounted there.

        By its name borg comes to it, whatever it has become since it was looked at.
        """
        if not self._given:
            return
        if entry.name in self._names and entry.path in self._given:
            self._paths.add(entry.path)
        if not (entry.inode() in self._inodes or entry.is_dir(follow_symlinks=False)):
            return
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:  # gone, or as good as
            return
        node = status.st_dev, status.st_ino
        if node in self._nodes:
            self._met.add(node)

    @property
    def met(self) -> Met:
        return Met(frozenset(self._paths), frozenset(self._met))


@dataclass
class _Search:
    """Looks for files that `exclude` does not leave out, until it has found enough of them."""

    excluded: Excluded
    found: int = 0

    def lacks(self, folder: str) -> bool:
        """Tell whether more is to be found, and not in this folder, for it is left out with all that is in it."""
        return self.found < self.excluded.enough and self.excluded.leaves_out(folder)

    def take(self, path: str, is_left_out: bool) -> None:
        """Take note of a file; `is_left_out`: its folder is."""
        known = self.excluded
        if not known.enough or not (is_left_out or self.found >= known.enough or known.leaves_out(path)):
            self.found += 1


def _is_socket(entry: "os.DirEntry[str]") -> bool:
    return not entry.is_symlink() and stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)


def _explain_closed(entry: "os.DirEntry[str]") -> str:
    """Return why the file cannot be opened, empty when it can."""
    try:
        try_to_open(entry.path)
    except OSError as error:
        return f"{entry.path}: {error.strerror}"
    return ""


def try_to_open(path: str) -> None:
    """Raise OSError for a file that cannot be opened. What another user may not read only the file itself tells."""
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

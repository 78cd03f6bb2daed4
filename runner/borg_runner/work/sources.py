"""Sources: what of them can be read and goes into an archive, what cannot, and how many files they hold.

Borg only warns about a path that it cannot read, and says nothing of one that holds nothing. A backup without its data
must not look like a backup, so the folders are read once before borg begins: the names alone, which costs about a
hundredth of what borg takes for the same tree (docs/adr/0020). What `exclude` leaves out is counted like the rest, but
for a few files that it must not leave out: a source of which it leaves out everything is as good as empty.
"""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from borg_contract.ownership import ArchiveContent, digest_paths
from borg_contract.plan import SourcePlan
from borg_runner.borg.patterns import compile_patterns
from borg_runner.places import LOST_AND_FOUND


@dataclass(frozen=True)
class SourcePath:
    """One of a source's `paths` as it was found."""

    source: str
    path: str
    """Absolute."""
    files: int = 0
    """All that borg keeps and that is no folder: of links the link, of hard links each."""
    regular: int = 0
    """Files alone, of which borg tells the number: no links, no devices."""
    sockets: int = 0
    """Borg keeps nothing of them, and says nothing."""
    problem: str | None = None
    """Why nothing of it can be read; None when something can, or when it is empty."""
    kept: int = 0
    """How many of its files `exclude` does not leave out, as far as they were looked for: see `Excluded`."""
    is_link: bool = False
    """Whether the path itself is a symbolic link: borg keeps that, and nothing of what it leads to."""
    identity: tuple[int, int] | None = None
    """Of a folder its device and inode: another one by the same name has others."""
    is_dump: bool = False
    """Whether a command writes it: it is in no volume."""


@dataclass(frozen=True)
class Excluded:
    """What the patterns of `exclude` leave out. Of each path, `enough` files that they do not leave out are sought."""

    leaves_out: Callable[[str], bool] = lambda _: False
    enough: int = 1


NOTHING = Excluded()


def derive_excluded(patterns: Sequence[str], min_files: int | None) -> Excluded:
    """Return what is to be known of the patterns, for a repository whose archives must hold `min_files`."""
    return NOTHING if min_files == 0 else Excluded(compile_patterns(patterns), max(1, min_files or 0))


@dataclass(frozen=True)
class Survey:
    """All paths of all sources, in order."""

    found: tuple[SourcePath, ...]
    asked: Mapping[str, str] = field(default_factory=dict)
    """What of each source is asked for, see `ArchiveContent.paths`."""

    @property
    def paths(self) -> list[str]:
        """What borg is given of volumes: each path once."""
        return list(dict.fromkeys(item.path for item in self.found if item.problem is None and not item.is_dump))

    @property
    def dumps(self) -> list[str]:
        """Which absolute paths what commands write gets."""
        return [item.path for item in self.found if item.is_dump]

    @property
    def has_something(self) -> bool:
        """Whether anything of it can be read."""
        return any(item.problem is None for item in self.found)

    @property
    def unreadable(self) -> list[SourcePath]:
        return [item for item in self.found if item.problem is not None]

    @property
    def empty(self) -> list[SourcePath]:
        """What can be read and holds nothing."""
        return [item for item in self.found if item.problem is None and (item.is_link or not item.files)]

    @property
    def left_out(self) -> list[SourcePath]:
        """What holds files, and `exclude` leaves out all of them."""
        return [item for item in self.found if item.problem is None and item.files and not item.kept]

    @property
    def files(self) -> dict[str, int]:
        """How many files there are by the source's name."""
        counts: dict[str, int] = {}
        for item in self.found:
            counts[item.source] = counts.get(item.source, 0) + item.files
        return counts

    @property
    def files_of_whole(self) -> dict[str, int]:
        """The same of the sources of which each path can be read."""
        partial = {item.source for item in self.unreadable}
        return {name: count for name, count in self.files.items() if name not in partial}

    @property
    def regular(self) -> int:
        return sum(item.regular for item in self.found)

    @property
    def sockets(self) -> int:
        return sum(item.sockets for item in self.found)

    def derive_content(self, min_files: int | None) -> ArchiveContent:
        """Return what the archive's comment says of the sources."""
        too_few = sum(item.kept for item in self.found) < (min_files or 0)
        suspect = bool(self.unreadable or too_few or ((self.empty or self.left_out) and min_files != 0))
        return ArchiveContent(self.files, suspect, self.asked)


def survey_sources(
    sources: Sequence[SourcePlan],
    root: Path,
    *,
    excluded: Excluded = NOTHING,
    on_folder: Callable[[], None] = lambda: None,
) -> Survey:
    """Look at all paths of the sources. `on_folder` is called before each folder is read, and may raise."""
    found = tuple(_survey_path(source, path, root, excluded, on_folder) for source in sources for path in source.paths)
    digests = {source.name: digest_paths(source.paths) for source in sources}
    return Survey(found, {name: digest for name, digest in digests.items() if digest})


def _survey_path(
    source: SourcePlan, path: str, root: Path, excluded: Excluded, on_folder: Callable[[], None]
) -> SourcePath:
    folder = root / source.name
    if source.dump is not None:  # one file, and nobody knows before whether it comes
        dump = os.path.normpath(folder / path)
        return SourcePath(source.name, dump, files=1, regular=1, kept=1, is_dump=True)
    joined = os.path.normpath(folder / path)
    if _leads_out(joined, folder):
        problem = f'the path "{path}" leads out of the volume: name a path inside it'
        return SourcePath(source.name, joined, problem=problem)
    try:
        status = os.lstat(joined)
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            found = _survey_folder(source.name, joined, excluded, on_folder)
            return replace(found, identity=(status.st_dev, status.st_ino))
        if stat.S_ISREG(mode):
            _open(joined)
    except OSError as error:
        return SourcePath(source.name, joined, problem=f"{joined}: {error.strerror}")
    sockets = int(stat.S_ISSOCK(mode))
    return SourcePath(
        source.name,
        joined,
        files=1 - sockets,
        regular=int(stat.S_ISREG(mode)),
        sockets=sockets,
        kept=int(not sockets and not excluded.leaves_out(joined)),
        is_link=stat.S_ISLNK(mode),
    )


def _leads_out(path: str, folder: Path) -> bool:
    """Tell whether the path leaves the volume, by `..` or through a symbolic link inside it."""
    inside = os.path.realpath(folder)
    real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))  # noqa: PTH118, PTH119, PTH120 - lexical
    lexical = path == str(folder) or path.startswith(f"{folder}/")
    physical = path == str(folder) or real.startswith(f"{inside}/")
    return not lexical or not physical


def _survey_folder(source: str, path: str, excluded: Excluded, on_folder: Callable[[], None]) -> SourcePath:
    """Count what the folder holds, and look for one file that can be opened. Raises OSError of the folder itself."""
    files, regular, sockets, readable, refused = 0, 0, 0, False, ""
    search = _Search(excluded)
    folders = [(path, search.lacks(path))]
    while folders:
        on_folder()
        folder, is_left_out = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((entry.path, is_left_out or search.lacks(entry.path)))
                    elif entry.is_file(follow_symlinks=False):
                        files, regular = files + 1, regular + 1
                        search.take(entry.path, is_left_out)
                        if not readable:
                            problem = _try_to_open(entry)
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
    return SourcePath(source, path, files, regular, sockets, None if readable or not refused else refused, search.found)


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
        if not is_left_out and self.found < self.excluded.enough and not self.excluded.leaves_out(path):
            self.found += 1


def _is_socket(entry: "os.DirEntry[str]") -> bool:
    return not entry.is_symlink() and stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)


def _try_to_open(entry: "os.DirEntry[str]") -> str:
    """Return why the file cannot be opened, empty when it can."""
    try:
        _open(entry.path)
    except OSError as error:
        return f"{entry.path}: {error.strerror}"
    return ""


def _open(path: str) -> None:
    """Raise OSError for a file that cannot be opened. What another user may not read only the file itself tells."""
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

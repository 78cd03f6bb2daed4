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
from borg_runner.work.sources.folder import NOBODY, NOTHING, Excluded, Met, Node, count_folder, try_to_open


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
    is_folder: bool = False
    is_dump: bool = False
    """Whether a command writes it: it is in no volume."""
    node: Node | None = None
    """What it is, by whatever name."""
    met: Met = NOBODY
    """What of the other paths is in the folder."""
    is_within: bool = False
    """Whether borg comes to it by another path: it is neither given to borg nor counted once more."""

    @property
    def identity(self) -> Node | None:
        """Of a folder what it is: another one by the same name is another."""
        return self.node if self.is_folder else None


@dataclass(frozen=True)
class Survey:
    """All paths of all sources, in order."""

    found: tuple[SourcePath, ...]
    asked: Mapping[str, str] = field(default_factory=dict)
    """What of each source is asked for, see `ArchiveContent.paths`."""

    @property
    def paths(self) -> list[str]:
        """What borg is given of volumes: each path once, and none after another one that is in it.

        Borg is done with what it was given: whatever is the same, a hard link or a folder that is mounted twice, it
        passes over afterwards without a word.
        """
        given = {item.path: item for item in self._counted if item.problem is None and not item.is_dump}
        nodes = [item.met.nodes for item in given.values()]
        return sorted(given, key=lambda path: sum(given[path].node in each for each in nodes))

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
        for item in self._counted:
            counts[item.source] = counts.get(item.source, 0) + item.files
        return counts

    @property
    def files_of_whole(self) -> dict[str, int]:
        """The same of the sources of which each path can be read."""
        partial = {item.source for item in self.unreadable}
        return {name: count for name, count in self.files.items() if name not in partial}

    @property
    def regular(self) -> int:
        return sum(item.regular for item in self._counted)

    @property
    def sockets(self) -> int:
        return sum(item.sockets for item in self._counted)

    @property
    def _counted(self) -> list[SourcePath]:
        return [item for item in self.found if not item.is_within]

    def derive_content(self, min_files: int | None) -> ArchiveContent:
        """Return what the archive's comment says of the sources."""
        too_few = sum(item.kept for item in self._counted) < (min_files or 0)
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
    seen = []
    for source in sources:
        on_folder()
        seen += [_look_at(source, path, root) for path in source.paths]
    given = {item.path: item.node for item in seen if item.node is not None}
    found = _settle([_count(item, given, excluded, on_folder) for item in seen], excluded.leaves_out)
    digests = {source.name: digest_paths(source.paths) for source in sources}
    return Survey(found, {name: digest for name, digest in digests.items() if digest})


def _look_at(source: SourcePlan, path: str, root: Path) -> SourcePath:
    """Return what the path is; how many files it holds is still to be counted."""
    folder = root / source.name
    joined = os.path.normpath(folder / path)
    if source.dump is not None:  # one file, and nobody knows before whether it comes
        return SourcePath(source.name, joined, files=1, regular=1, kept=1, is_dump=True)
    if _leads_out(joined, folder):
        problem = f'the path "{path}" leads out of the volume: name a path inside it'
        return SourcePath(source.name, joined, problem=problem)
    try:
        status = os.lstat(joined)
        if stat.S_ISREG(status.st_mode):
            try_to_open(joined)
    except OSError as error:
        return SourcePath(source.name, joined, problem=f"{joined}: {error.strerror}")
    is_file, is_folder, is_socket = (test(status.st_mode) for test in (stat.S_ISREG, stat.S_ISDIR, stat.S_ISSOCK))
    return SourcePath(
        source.name,
        joined,
        files=int(not is_socket and not is_folder),
        regular=int(is_file),
        sockets=int(is_socket),
        is_link=stat.S_ISLNK(status.st_mode),
        is_folder=is_folder,
        node=(status.st_dev, status.st_ino),
    )


def _count(
    item: SourcePath, given: Mapping[str, Node], excluded: Excluded, on_folder: Callable[[], None]
) -> SourcePath:
    if item.problem is not None or item.is_dump:
        return item
    if not item.is_folder:
        is_left_out = excluded.enough and excluded.leaves_out(item.path)
        return replace(item, kept=0 if is_left_out else item.files)
    try:
        counts = count_folder(item.path, given, excluded, on_folder)
    except OSError as error:
        return replace(item, problem=f"{item.path}: {error.strerror}", node=None)
    return replace(item, **vars(counts))


def _leads_out(path: str, folder: Path) -> bool:
    """Tell whether the path leaves the volume, by `..` or through a symbolic link inside it."""
    inside = os.path.realpath(folder)
    real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))  # noqa: PTH118, PTH119, PTH120 - lexical
    lexical = path == str(folder) or path.startswith(f"{folder}/")
    physical = path == str(folder) or real.startswith(f"{inside}/")
    return not lexical or not physical


def _settle(found: Sequence[SourcePath], leaves_out: Callable[[str], bool]) -> tuple[SourcePath, ...]:
    """Return them with what is to be known where they overlap."""
    first: dict[Node, SourcePath] = {}
    settled = []
    for item in found:
        if item.node is None or item.problem is not None:
            settled.append(item)
            continue
        is_within = any(_leads_to(other, item, leaves_out) for other in found)
        twin = item if is_within else first.setdefault(item.node, item)
        if twin.path == item.path:
            settled.append(replace(item, is_within=is_within or twin is not item))
        else:
            is_same = f"{item.path} is the same as {twin.path} by its device and inode, and borg archives that once"
            problem = f"{is_same}: name the folder above, or one of them"
            settled.append(replace(item, problem=problem, files=0, regular=0, sockets=0, kept=0))
    return tuple(settled)


def _leads_to(other: SourcePath, item: SourcePath, leaves_out: Callable[[str], bool]) -> bool:
    """Tell whether borg comes to it by the other one: where it is, and no folder on the way is left out."""
    if other.problem is not None or item.path not in other.met.paths:
        return False
    above = item.path
    while above != other.path:
        above = os.path.dirname(above)  # noqa: PTH120 - lexical
        if leaves_out(above):
            return False
    return True

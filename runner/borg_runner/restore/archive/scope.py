"""What of an archive is meant: one of its sources, some paths of it, without what is left out.

Paths here are below the source's root, which is the empty path. An archive is not trusted: what only a forged one has
(absolute paths, `..`, something below a link) is set apart, as borg would follow it.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from borg_contract.reasons import Reason
from borg_contract.restore.plan import RestorePlan
from borg_runner.borg.patterns import compile_patterns
from borg_runner.fault import Fault, FaultError
from borg_runner.restore.archive.entry import Entry

OWN_FILES = ".borg-restore."
"""How the names of the runner's own files in a target begin: never restored, compared or deleted."""
_OWN = re.compile(rf"{re.escape(OWN_FILES)}[a-z0-9.-]+\.(json|list)(\.new)?")
"""With the names of BorgRestores in them: what else begins so is somebody's."""

_SHOWN = 5
_OUTSIDE = "/"


@dataclass
class Selection:
    """Entries by their paths, in the archive's order."""

    prefix: str
    """The path of the source in the archive; empty for all of it."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """What is meant, but for the root."""
    root: Entry | None = None
    """The source's root, where all of the source is meant."""
    above: dict[str, Entry] = field(default_factory=dict)
    """The folders that lead to it: made where they are missing, and else left as they are."""
    masters: dict[str, Entry] = field(default_factory=dict)
    """The first of the hard links that the archive has, whether meant or not; none of a file without others."""
    unsafe: list[str] = field(default_factory=list)
    """What is left out as it could lead out of the target, by its path in the archive."""
    dropped: list[str] = field(default_factory=list)
    """What else the source has in the archive."""
    repeated: set[str] = field(default_factory=set)
    """What the archive has twice, as of paths that overlap; the second is meant."""
    knots: set[str] = field(default_factory=set)
    """Of these, what the archive has as a hard link to itself: borg would remove the file, and then fail."""
    is_alone: bool = True
    """Whether the archive has nothing but this source."""

    def archive_path(self, path: str) -> str:
        """Return the path in the archive of what has this path, or this `Entry.master`, here."""
        if path.startswith(_OUTSIDE):
            return path.removeprefix(_OUTSIDE)
        return posixpath.join(self.prefix, path) if path else self.prefix

    def group_of(self, entry: Entry) -> str:
        """Return the path of the first of its hard links, empty where the archive has no other one."""
        master = entry.master
        return master if master != entry.path or master in self.masters else ""

    def is_patched(self, path: str) -> bool:
        """Tell whether a repair put zeros where parts of its content were lost."""
        entry = self.entries[path]
        return self.masters.get(entry.master, entry).is_patched

    def drop(self, path: str) -> None:
        """Leave out what was meant."""
        del self.entries[path]
        self.dropped.append(path)

    @property
    def depth(self) -> int:
        """How many parts of an archive's path lead to the source's root."""
        return self.prefix.count("/") + 1 if self.prefix else 0


@dataclass(frozen=True)
class Scope:
    """What is asked for, ready to be held against paths."""

    paths: tuple[str, ...]
    leaves_out: Callable[[str], bool]

    def has(self, path: str) -> bool:
        """Tell whether `paths` name it or a folder above it."""
        return not self.paths or any(path == root or path.startswith(f"{root}/") for root in self.paths)

    def leads_to(self, path: str) -> bool:
        """Tell whether it is above one of the paths."""
        return any(root.startswith(f"{path}/") for root in self.paths)


def derive_scope(plan: RestorePlan) -> Scope:
    """Return what the plan asks for. Raises FaultError where that cannot be understood."""
    scope = make_scope(plan.paths)
    for pattern in plan.exclude:
        if pattern.startswith("re:"):
            try:
                re.compile(pattern.removeprefix("re:"))
            except re.error as error:
                text = f'The pattern "{pattern}" of `exclude` is no regular expression: {error}. Correct it.'
                raise FaultError(Fault(Reason.INVALID_ARGUMENT, text)) from error
    return Scope(() if "" in scope.paths else scope.paths, _exclude(plan.exclude))


def make_scope(given: Sequence[str]) -> Scope:
    """Return the paths, as they are in archives. Raises FaultError for one that leads elsewhere."""
    paths = tuple(dict.fromkeys(_normalize(path) for path in given))
    if any(path == ".." or path.startswith("../") for path in paths):
        raise FaultError(Fault(Reason.INVALID_ARGUMENT, "A path of `paths` leads out of the source: correct it."))
    return Scope(paths, lambda _: False)


def is_own(path: str) -> bool:
    """Tell whether it is one of the runner's own files in a target."""
    return _OWN.fullmatch(path) is not None


def _normalize(path: str) -> str:
    normal = posixpath.normpath(path.strip("/") or ".")
    return "" if normal == "." else normal


def _exclude(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    if not patterns:
        return lambda _: False
    test = compile_patterns(patterns, strict=True)

    def leaves_out(path: str) -> bool:
        try:
            return test(path)
        except TimeoutError:
            text = f"A pattern of `exclude` takes too long for {path!r}: use a simpler one. Nothing was changed."
            raise FaultError(Fault(Reason.INVALID_ARGUMENT, text)) from None

    return leaves_out


def select(found: Iterable[Entry], prefix: str, scope: Scope) -> Selection:
    """Return what is meant of what the archive holds. Raises FaultError where a path of `paths` is not in it."""
    choosing = _Choosing(Selection(prefix), scope)
    for entry in found:
        choosing.take(entry)
    choosing.settle_masters()
    choosing.drop_forged()
    _set_apart(choosing.selection, choosing.forged)
    if missing := [path for path in scope.paths if path not in choosing.present]:
        raise FaultError(_explain_missing(missing))
    return choosing.selection


@dataclass
class _Choosing:
    """Takes one entry after the other."""

    selection: Selection
    scope: Scope
    left_out: set[str] = field(default_factory=set)
    """Folders that `exclude` matches."""
    forged: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)
    """Those of the scope's paths that the archive has."""
    linked: set[str] = field(default_factory=set)
    """To what there are hard links."""

    def take(self, entry: Entry) -> None:
        selection, prefix = self.selection, self.selection.prefix
        inner = _inner(entry.path, prefix)
        if inner is None:
            selection.is_alone = False
            if not is_safe(entry.path):
                selection.unsafe.append(entry.path)
            elif entry.is_master:
                key = f"{_OUTSIDE}{entry.path}"
                selection.masters[key] = replace(entry, path=key)
            return
        link = entry.link
        if link and not entry.is_symlink:
            linked = _inner(link, prefix)
            link = f"{_OUTSIDE}{link}" if linked is None else linked
            self.linked.add(link)
        seen = replace(entry, path=inner, link=link)
        if not inner:
            selection.root = None if self.scope.paths else seen
            if not prefix:  # borg would give the folder it works in what the root has
                selection.dropped.append(entry.path)
        elif self.scope.has(inner):
            self._take_below(seen)
        else:
            self._drop(seen)
            if seen.is_folder and self.scope.leads_to(inner):
                selection.above[inner] = seen

    def _take_below(self, entry: Entry) -> None:
        path, selection = entry.path, self.selection
        for root in self.scope.paths:
            if path == root or path.startswith(f"{root}/"):
                self.present.add(root)
        if is_own(path) or posixpath.dirname(path) in self.left_out or self.scope.leaves_out(path):
            self._drop(entry)
            if entry.is_folder:
                self.left_out.add(path)
            return
        before = selection.entries.get(path)
        if before is not None:
            selection.repeated.add(path)
            if before.mode != entry.mode:
                self.forged.add(path)
            if entry.link == path and not entry.is_symlink:
                selection.knots.add(path)
                return
        selection.entries[path] = entry

    def _drop(self, entry: Entry) -> None:
        self.selection.dropped.append(entry.path)
        if entry.is_master:
            self.selection.masters[entry.path] = entry

    def settle_masters(self) -> None:
        """Find the first of all hard links. Which files have others is known at the end: nearly none do."""
        masters, entries = self.selection.masters, self.selection.entries
        first = {path: entries.get(path) or masters.get(path) for path in self.linked}
        self.selection.masters = {path: entry for path, entry in first.items() if entry is not None and entry.is_master}

    def drop_forged(self) -> None:
        """Take out what borg could not be told to leave out alone."""
        selection = self.selection
        # To borg's patterns an absolute path is the same as without its slash.
        self.forged.update(_inner(path.lstrip("/"), selection.prefix) or "" for path in selection.unsafe)
        for path in self.forged & selection.entries.keys():
            del selection.entries[path]
            selection.unsafe.append(selection.archive_path(path))


def _inner(path: str, prefix: str) -> str | None:
    """Return the path below the source's root; None for what is not in the source, or not safe."""
    if not prefix:
        return "" if path == "." else path if is_safe(path) else None
    if path == prefix:
        return ""
    if not path.startswith(f"{prefix}/") or not is_safe(path):
        return None
    return path[len(prefix) + 1 :]


def is_safe(path: str) -> bool:
    """Tell whether it is a path as `borg create` writes it: relative, without empty parts, `.` and `..`."""
    if "//" not in path and "." not in path and path[:1] != "/" and path[-1:] != "/":
        return bool(path)
    return path == "." or not any(part in ("", ".", "..") for part in path.split("/"))


def find_above(path: str) -> Iterator[str]:
    """Yield the folders above, from below, without the root."""
    while path := posixpath.dirname(path):
        yield path


def _set_apart(selection: Selection, forged: set[str]) -> None:
    """Take out what lies below something that is no folder, or is taken out itself, and hard links to such."""
    entries = selection.entries
    apart = set(forged)
    for path in sorted(entries):
        above = posixpath.dirname(path)
        while above:
            if above in apart or not _is_folder(above, entries, selection.above):
                apart.add(path)
                break
            if above in entries:  # looked at before
                break
            above = posixpath.dirname(above)
    unsafe = {*selection.unsafe, *map(selection.archive_path, apart)}
    apart.update(
        path for path, entry in entries.items() if entry.master and selection.archive_path(entry.master) in unsafe
    )
    for path in apart & entries.keys():
        selection.unsafe.append(selection.archive_path(path))
        del entries[path]


def _is_folder(path: str, entries: Mapping[str, Entry], above: Mapping[str, Entry]) -> bool:
    found = entries.get(path) or above.get(path)
    return found is None or found.is_folder


def _explain_missing(missing: list[str]) -> Fault:
    named = ", ".join(f'"{path}"' for path in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    text = (
        f"The archive's source has no {named}{more}. Correct `paths`: they are below the source's root, as `borg list` "
        "shows them behind it. Nothing was changed."
    )
    return Fault(Reason.PATHS_NOT_FOUND, text)

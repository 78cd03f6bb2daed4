"""The folder that is restored into, as it is: looked at without following links, and emptied without leaving it."""

import contextlib
import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from borg_runner.places import LOST_AND_FOUND
from borg_runner.restore.archive.scope import is_own

NO_LINK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
"""Opens a folder, and fails where a link has its name."""


@dataclass(frozen=True)
class Target:
    """The folder `root`, which need not be there yet; paths are below it."""

    volume: Path
    folder: str

    @property
    def root(self) -> Path:
        return self.volume / self.folder if self.folder else self.volume

    def join(self, path: str) -> str:
        return os.path.join(self.root, path) if path else str(self.root)  # noqa: PTH118 - a million of them

    def look(self, path: str) -> os.stat_result | None:
        """Return what is there under this path, None where nothing is. The folder above it must be none by a link.

        Raises OSError.
        """
        try:
            return os.lstat(self.join(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read_link(self, path: str) -> str:
        return os.readlink(self.join(path))  # noqa: PTH115

    def walk(self, path: str, enters: Callable[[str], bool]) -> Iterator[str]:
        """Yield all that is below the folder `path`, folders before what is in them; not what `enters` is false for.

        Raises OSError.
        """
        waiting = [path]
        while waiting:
            folder = waiting.pop()
            with os.scandir(self.join(folder)) as found:
                for item in found:
                    inner = f"{folder}/{item.name}" if folder else item.name
                    if self.is_own(inner) or not enters(inner):
                        continue
                    yield inner
                    if item.is_dir(follow_symlinks=False):
                        waiting.append(inner)

    def is_own(self, path: str) -> bool:
        """Tell whether it is the runner's or the file system's, and nobody's data."""
        return is_own(path) or (not self.folder and (path == LOST_AND_FOUND or path.startswith(f"{LOST_AND_FOUND}/")))

    def holds(self, error: OSError) -> bool:
        """Tell whether it is of a file in here. Names alone are of what was asked for in one of its folders."""
        name = error.filename
        return isinstance(name, str) and (not name.startswith("/") or Path(name).is_relative_to(self.volume))

    @property
    def is_empty(self) -> bool:
        """Whether there is no folder, or nothing in it. Raises OSError."""
        found = self.look("")
        return found is None or (stat.S_ISDIR(found.st_mode) and next(self.walk("", lambda _: True), None) is None)

    def find_obstacle(self) -> str | None:
        """Return the part of `folder` that is there and no folder, None where nothing is in the way."""
        at = self.volume
        for part in Path(self.folder).parts:
            at /= part
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISDIR(at.lstat().st_mode):
                    return str(at.relative_to(self.volume))
        return None

    @contextlib.contextmanager
    def open_parent(self, path: str) -> Iterator[tuple[int, str]]:
        """Yield the folder above `path`, opened without following a link below the root, and the name in it.

        Raises OSError.
        """
        *above, name = path.split("/")
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in above:
                inner = os.open(part, NO_LINK, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor, name
        finally:
            os.close(descriptor)

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty folder; nothing where it is gone. Raises OSError."""
        with contextlib.suppress(FileNotFoundError), self.open_parent(path) as (parent, name):
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                os.rmdir(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)


class Folders:
    """Tells what is in the target from what a link there leads to: what stands in the place of a folder may be one."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._real = {"": True}

    def hold(self, path: str) -> bool:
        """Tell whether all above the path are folders. Raises OSError."""
        return self.has(posixpath.dirname(path))

    def has(self, folder: str) -> bool:
        """Tell whether it is a folder, and all above it are. Raises OSError."""
        unknown = []
        while folder not in self._real:
            unknown.append(folder)
            folder = posixpath.dirname(folder)
        real = self._real[folder]
        for inner in reversed(unknown):
            found = self._target.look(inner) if real else None
            real = self._real[inner] = found is not None and stat.S_ISDIR(found.st_mode)
        return real

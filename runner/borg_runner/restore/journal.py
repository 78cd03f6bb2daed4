"""What a restore that is under way leaves in its target, so that the next attempt can finish it.

Two files: the journal, and the list of all that was to be changed when the restore began. Both are written before the
first change and removed after the last one, the journal first: who finds it knows that the folder may be half restored.
Those of a former BorgRestore of the same name stay, under names of their own, until another one has gone over it.
"""

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from borg_runner.restore.archive.scope import OWN_FILES
from borg_runner.restore.preview.changes import list_name, parse_list

_JOURNAL = ".json"
_GRAINS = (1, 100, 1000, 10**6, 10**7, 10**9, 2 * 10**9)
_ODD = 1_000_000_001_999_999_999
"""A time, in nanoseconds since 1970, of which each file system that is less exact keeps another one."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class NoFileError(OSError):
    """What is called like a journal, or a list, is a folder, a link, a pipe."""


@dataclass(frozen=True)
class Journal:
    """A restore that has begun to change its target."""

    restore: str
    archive: str
    archive_id: str
    digest: str
    """Of the changes that were to be made."""
    undo_archive: str
    """Empty where there is none."""
    began: int
    """Nanoseconds since 1970, by the clock of the target's files."""
    boot: str
    """Which run of which kernel: after a crash of the node, what seemed to be written may not be."""
    uid: str = ""
    """The BorgRestore's: one that was made anew under the name goes on from nothing."""
    paths_digest: str = ""
    """What tells the paths that it restores from any others."""
    late: tuple[str, ...] = ()
    """Undo archives of what others wrote between its attempts: the oldest first."""
    earlier: tuple[str, ...] = ()
    """Undo archives of BorgRestores of this name and archive before it, that never finished: the oldest first."""

    @property
    def is_of_this_boot(self) -> bool:
        """Whether the node has run on since: what was written is there."""
        return self.boot == read_boot_id()


def read_boot_id() -> str:
    """Return what tells this run of the node's kernel from all others."""
    return _BOOT_ID.read_text().strip()


def read_journals(folder: Path) -> list[Journal]:
    """Return the journals in the folder; what is none is passed over. Raises OSError."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(folder.glob(f"{OWN_FILES}*{_JOURNAL}")):
            with contextlib.suppress(ValueError, TypeError, NoFileError):
                journal = Journal(**json.loads(_read(path)))
                names = (*journal.late, *journal.earlier)  # raises where these are no lists
                is_one = all(isinstance(name, str) for name in (*names, journal.restore, journal.undo_archive))
                places = (_journal_name(journal.restore), _journal_name(_stem_aside(journal)))
                if is_one and path.name in places:  # what it names is removed later
                    found.append(journal)
    return found


def read_began(folder: Path, journal: Journal) -> int:
    """Return when the restore began: nanoseconds since 1970, by the clock of the volume where that can be had.

    The list is written then; its mtime stays when somebody gives all files another owner or label.
    """
    with contextlib.suppress(OSError):
        return (folder / list_name(_find_list_stem(folder, journal))).lstat().st_mtime_ns
    return journal.began


def write_list(folder: Path, restore: str, lines: Iterator[str]) -> None:
    """Write each change, with its sign, into the list. Raises OSError."""
    data = b"".join(line.encode("utf-8", "surrogateescape") + b"\0" for line in lines)
    _write(folder, list_name(restore), data)


def read_list(folder: Path, restore: str) -> dict[str, str]:
    """Return the sign of each change by its path. Raises OSError."""
    return parse_list(_read(folder / list_name(restore)))


def read_list_of(folder: Path, journal: Journal) -> dict[str, str]:
    """Return the same of the restore that left this journal, whether it was set aside or not. Raises OSError."""
    return read_list(folder, _find_list_stem(folder, journal))


def write_journal(folder: Path, journal: Journal) -> None:
    """Write the journal; once this returns, it is there whatever happens. Raises OSError."""
    _write(folder, _journal_name(journal.restore), json.dumps(asdict(journal), indent=1).encode())


def measure_grain(folder: Path, journal: Journal) -> int:
    """Return how exact times are in the folder, in nanoseconds, by those of the journal. Raises OSError."""
    path = folder / _journal_name(journal.restore)
    with contextlib.suppress(PermissionError):  # an earlier attempt wrote it, as another user
        os.utime(path, ns=(_ODD, _ODD), follow_symlinks=False)
    kept = path.lstat().st_mtime_ns
    return next((grain for grain in _GRAINS if _ODD - _ODD % grain == kept), 1)


def set_aside(folder: Path, journal: Journal) -> None:
    """Let the names of journal and list be free for another restore of that name, and lose nothing. Raises OSError."""
    stem, aside = _find_stem(folder, journal), _stem_aside(journal)
    with contextlib.suppress(FileNotFoundError):  # it has no list
        (folder / list_name(stem)).rename(folder / list_name(aside))
    (folder / _journal_name(stem)).rename(folder / _journal_name(aside))


def remove_former(folder: Path, journal: Journal) -> None:
    """Remove this journal, wherever it is, and its list. Raises OSError."""
    found = folder / list_name(_find_list_stem(folder, journal))
    remove_journal(folder, _find_stem(folder, journal))
    found.unlink(missing_ok=True)


def remove_journal(folder: Path, restore: str) -> None:
    """Remove journal and list. Raises OSError."""
    for name in (_journal_name(restore), list_name(restore)):
        (folder / name).unlink(missing_ok=True)


def is_aside(folder: Path, journal: Journal) -> bool:
    """Tell whether another restore of that name has set it aside."""
    return os.path.lexists(folder / _journal_name(_stem_aside(journal)))


def _find_stem(folder: Path, journal: Journal) -> str:
    """Return what stands for the restore in the names of its files."""
    return _stem_aside(journal) if is_aside(folder, journal) else journal.restore


def _find_list_stem(folder: Path, journal: Journal) -> str:
    """Return the same of its list: that is set aside first, and the journal may not have come after it."""
    aside = _stem_aside(journal)
    return aside if os.path.lexists(folder / list_name(aside)) else _find_stem(folder, journal)


def _stem_aside(journal: Journal) -> str:
    told = repr((journal.uid, journal.archive_id)).encode("utf-8", "surrogateescape")
    return f"{journal.restore}.{hashlib.sha256(told).hexdigest()[:12]}"


def _journal_name(restore: str) -> str:
    return f"{OWN_FILES}{restore}{_JOURNAL}"


def _read(path: Path) -> bytes:
    """Return what the file holds. Raises OSError; NoFileError for what is none, as others may write here."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a symbolic link, a socket
            raise NoFileError(errno.EINVAL, "no regular file", path.name) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NoFileError(errno.EINVAL, "no regular file", path.name)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read()
    finally:
        os.close(descriptor)


def _write(folder: Path, name: str, data: bytes) -> None:
    """Write a file, whole or not at all, and wait until the disk has it."""
    fresh = folder / f"{name}.new"
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:  # which names no file
        fresh.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(fresh)) from error
    fresh.rename(folder / name)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

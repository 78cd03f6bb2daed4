"""Reads back what was restored and holds it against the archive: content byte by byte, and all else that borg keeps.

Borg sends the contents one after the other (`extract --stdout`), in the archive's order, without a word between them:
where each begins is known. So nothing is hashed, and each byte is read once on either side.
"""

import contextlib
import os
import posixpath
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from borg_contract.plan import RepositoryPlan
from borg_contract.restore.progress import describe_progress
from borg_runner.borg.invocation import make_connection_arguments, name_archive
from borg_runner.log import Log
from borg_runner.restore.archive.attributes import MISSING, find_differences
from borg_runner.restore.archive.damage import accept
from borg_runner.restore.archive.entry import Entry
from borg_runner.restore.archive.listing import read_items
from borg_runner.restore.archive.patterns import Choice, choose, write_patterns
from borg_runner.restore.archive.scope import Selection
from borg_runner.restore.extract import PROGRESS_SECONDS, Work
from borg_runner.restore.preview.target import Target
from borg_runner.verbs.repository import Repository

_BLOCK_BYTES = 1 << 18
_KEPT = 1000


@dataclass
class Findings:
    """What is not as in the archive, by path; the first of them, and how many in all."""

    different: dict[str, str] = field(default_factory=dict)
    count: int = 0
    unread: list[str] = field(default_factory=list)
    """What this pod may not read, so that nobody knows."""

    missing: set[str] = field(default_factory=set)
    alike: set[str] = field(default_factory=set)
    """Whose content is as in the archive, or its beginning; filled only where that is enough."""

    def forgive(self, path: str, *names: str) -> None:
        """Take out of what is wrong with `path` what these name."""
        if path not in self.different:
            return
        left = [what for what in self.different[path].split(", ") if what not in names]
        if left:
            self.different[path] = ", ".join(left)
        else:
            del self.different[path]
            self.count -= 1

    def add(self, path: str, what: str) -> None:
        if path in self.different:
            self.different[path] += f", {what}"
            return
        self.count += 1
        if self.count <= _KEPT:
            self.different[path] = what


def verify_attributes(
    selection: Selection, target: Target, paths: set[str], *, uid: int | None, grain: int = 1
) -> Findings:
    """Return what of the `paths` is not as in the archive, their content aside; `grain`: see `find_differences`."""
    findings = Findings()
    files: dict[str, tuple[int, int]] = {}
    for path in sorted(paths):
        entry = selection.entries[path]
        master = entry.master
        size = selection.masters[master].size if master in selection.masters else entry.size
        try:
            found = target.look(path)
            if found is None:
                findings.add(path, MISSING)
                findings.missing.add(path)
                continue
            differences = find_differences(entry, target.join(path), size=size, uid=uid, found=found, grain=grain)
            if what := ", ".join(differences):
                findings.add(path, what)
        except OSError as error:
            findings.add(path, error.strerror or "cannot be looked at")
            continue
        if master and files.setdefault(master, (found.st_dev, found.st_ino)) != (found.st_dev, found.st_ino):
            findings.add(path, "hard link")
    return findings


def verify_content(
    repository: Repository,
    archive: str,
    selection: Selection,
    target: Target,
    *,
    paths: set[str],
    findings: Findings,
    scratch: Path,
    items: Path,
    may_be_short: bool = False,
) -> int:
    """Add to the `findings` which contents differ; return how many files were read. Raises FaultError, OSError.

    `items`: where `fetch_items` wrote to; `may_be_short`: the beginning of a content is no difference.
    """
    wanted = find_contents(selection, paths)
    if not wanted:
        return 0
    inner = {key for key in wanted if not key.startswith("/")}
    rest = (path for path, entry in selection.entries.items() if entry.has_content and path not in inner)
    if len(inner) < len(wanted):  # the first of some hard links are elsewhere in the archive
        choice = Choice(frozenset(map(selection.archive_path, wanted)), is_only=True)
    else:
        choice = choose(selection, inner, rest)
    words = write_patterns(choice, selection, scratch / "verify-patterns")
    by_path = {selection.archive_path(key): inner for key, inner in wanted.items()}
    readable, writable = os.pipe()
    with os.fdopen(readable, "rb", buffering=_BLOCK_BYTES) as stream:
        far = HowFar(_measure(selection, wanted), repository.log)
        reader = _Reader(stream, by_path, items, target, findings=findings, far=far, may_be_short=may_be_short)
        reader.start()
        closed = False

        def begin(_pid: int) -> None:
            nonlocal closed
            os.close(writable)
            closed = True

        try:
            outcome = repository.with_borg(output_fd=writable, on_start=begin).borg.run(
                make_content_arguments(repository.plan, archive, words=words, lock_wait=repository.locks.seconds)
            )
        finally:
            if not closed:
                os.close(writable)
            reader.join()
    accept(repository, archive, outcome, words)
    if reader.error is not None:
        raise reader.error
    return reader.count


def make_content_arguments(repository: RepositoryPlan, archive: str, *, words: list[str], lock_wait: int) -> list[str]:
    """Return the arguments that send the contents of files."""
    return [
        "extract",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--stdout",
        *words,
        name_archive(repository, archive),
    ]


def find_contents(selection: Selection, paths: set[str]) -> dict[str, str]:
    """Return of which paths the content is to be asked for, each with the path under which it is to be found here.

    Of what the archive has twice, only borg knows which comes when.
    """
    found: dict[str, str] = {}
    for path in sorted(paths - selection.repeated):
        entry = selection.entries[path]
        if stat.S_ISREG(entry.mode):
            found.setdefault(entry.master or path, path)
    return found


def _measure(selection: Selection, wanted: Iterable[str]) -> Work:
    entries = [entry for key in wanted if (entry := selection.masters.get(key) or selection.entries.get(key))]
    return Work(len(entries), sum(entry.size for entry in entries))


class HowFar:
    """How far the reading has come: said in the log, every few seconds."""

    def __init__(self, work: Work, log: Log) -> None:
        self._work, self._log = work, log
        self._began = self._said_at = time.monotonic()
        self._bytes = 0

    def add(self, size: int, *, files: int, current: str) -> None:
        """Take in so many bytes more of the file; `files`: how many were read before it."""
        self._bytes += size
        now = time.monotonic()
        if now - self._said_at >= PROGRESS_SECONDS:
            self._said_at = now
            seconds = now - self._began
            progress = self._work.reckon(files=files, size=self._bytes, seconds=seconds, current=current)
            self._log.say(describe_progress(replace(progress, reads_back=True)))


class _Reader(threading.Thread):
    """Holds the stream of contents against the files, while borg writes it."""

    def __init__(
        self,
        stream: BinaryIO,
        wanted: Mapping[str, str],
        items: Path,
        target: Target,
        *,
        findings: Findings,
        far: HowFar,
        may_be_short: bool,
    ) -> None:
        super().__init__(name="verify", daemon=True)
        self._stream, self._wanted, self._items, self._target = stream, wanted, items, target
        self._findings, self._far, self._may_be_short = findings, far, may_be_short
        self.count = 0
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for entry in read_items(self._items):
                if entry.has_content and (path := self._wanted.get(entry.path)) is not None:
                    self._compare(entry, path)
            if self._stream.read(1):
                self.error = ValueError("borg sent more than the archive tells of")
        except Exception as error:  # noqa: BLE001 - raised in the main thread
            self.error = error
        finally:
            with contextlib.suppress(OSError):
                while self._stream.read(_BLOCK_BYTES):
                    pass

    def _compare(self, entry: Entry, path: str) -> None:
        try:
            with _open(self._target, path) as file:
                is_same = self._compare_content(file, entry.size, path)
        except PermissionError:
            self._skip(entry.size)
            self._findings.unread.append(path)
            return
        except OSError as error:
            self._skip(entry.size)
            self._findings.add(path, error.strerror or "cannot be opened")
            return
        self.count += 1
        if not is_same:
            self._findings.add(path, "content")
        elif self._may_be_short:
            self._findings.alike.add(path)

    def _compare_content(self, file: BinaryIO, size: int, path: str) -> bool:
        is_same, left = True, size
        while left:
            block = self._stream.read(min(left, _BLOCK_BYTES))
            if not block:
                raise EOFError("borg's stream ended early")
            left -= len(block)
            self._far.add(len(block), files=self.count, current=path)
            is_same = is_same and self._is_as_in(block, _read(file, len(block)))
        return is_same and _read(file, 1) == b""

    def _is_as_in(self, block: bytes, read: bytes | None) -> bool:
        return read == block or (self._may_be_short and read is not None and block.startswith(read))

    def _skip(self, size: int) -> None:
        while size and (block := self._stream.read(min(size, _BLOCK_BYTES))):
            size -= len(block)


def _read(file: BinaryIO, size: int) -> bytes | None:
    """Return the next bytes, None where the volume does not give them."""
    try:
        return file.read(size)
    except OSError:
        return None


@contextlib.contextmanager
def _open(target: Target, path: str) -> Iterator[BinaryIO]:
    """Open a file without following links, and without a trace in its time of access where that is allowed."""
    with target.open_parent(path) as (parent, name):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(name, flags | os.O_NOATIME, dir_fd=parent)
        except PermissionError:
            descriptor = os.open(name, flags, dir_fd=parent)
    with os.fdopen(descriptor, "rb", buffering=_BLOCK_BYTES) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "no file", posixpath.basename(path))
        yield file

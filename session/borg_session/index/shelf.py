"""The databases of the archives that were looked into; what is not used for long makes room for others."""

import asyncio
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from borg_contract.reasons import Reason
from borg_runner.restore.archive.listing import make_items_arguments
from borg_runner.scratch import remove_tree
from borg_runner.verbs.list import StoredArchive
from borg_runner.verbs.repository import Repository
from borg_session.borgs import Borgs, run_once
from borg_session.index.build import END
from borg_session.index.query import Progress, read_progress
from borg_session.index.schema import open_for_reading
from borg_session.refusal import RefusedError, StillReadingError, gone

MOST = 32
"""Databases at a time."""

PATIENCE_SECONDS = 1.0
"""So long a request waits for what is just about to come."""

FAILURE_SECONDS = 5.0
"""After so long why an archive could not be read is news of yesterday: the lock that was in the way may be gone."""

_LOOK_SECONDS = 0.03
_KEY_BYTES = 32


@dataclass
class Index:
    """The database of one archive; `name` is the archive's."""

    name: str
    path: Path
    used_at: float = 0.0
    failure: RefusedError | None = None
    failed_at: float = 0.0
    task: "asyncio.Task[None] | None" = field(default=None, repr=False)

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Give a moment's state of it. Raises StillReadingError before there is any, RefusedError for a broken one."""
        try:
            database = open_for_reading(self.path)
        except sqlite3.Error:
            raise StillReadingError(0) from None
        try:
            yield database
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # it was made just now
                raise StillReadingError(0) from None
            text = f"What was read of the archive cannot be used: {error}."
            raise RefusedError(Reason.INTERNAL_ERROR, text) from error
        finally:
            database.close()

    def fail(self, why: RefusedError) -> None:
        """Keep why it could not be read."""
        self.failure, self.failed_at = why, time.monotonic()

    def progress(self) -> Progress:
        """Return how far it is."""
        try:
            with self.opened() as database:
                return read_progress(database)
        except StillReadingError:
            return Progress(0, listed=False, searchable=False)


class Shelf:
    """To be used by one event loop."""

    def __init__(self, borgs: Borgs, folder: Path, limit_bytes: int) -> None:
        self._borgs, self._folder, self._limit_bytes = borgs, folder, limit_bytes
        self._indices: dict[str, Index] = {}
        self._one = asyncio.Lock()
        self._key = secrets.token_bytes(_KEY_BYTES)

    async def take(self, name: str, archive: StoredArchive) -> Index:
        """Return the archive's database, which may still grow. Raises RefusedError, StillReadingError."""
        index = self._find(name, archive)
        until = time.monotonic() + PATIENCE_SECONDS
        while not index.progress().entries and not index.progress().listed:
            self._raise_failure(archive.id, index)
            if time.monotonic() >= until:
                raise StillReadingError(0)
            await asyncio.sleep(_LOOK_SECONDS)
        self._raise_failure(archive.id, index)
        return index

    async def take_whole(self, name: str, archive: StoredArchive) -> Index:
        """Return the same when all of the archive is in it. Raises RefusedError."""
        index = self._find(name, archive)
        while not index.progress().listed:
            await asyncio.sleep(_LOOK_SECONDS)
            self._raise_failure(archive.id, index)
            index = self._find(name, archive)  # it may have made room for another one
        return index

    def count_entries(self, id_: str) -> int | None:
        """Return how many entries the archive has, None where not all of it was read."""
        index = self._indices.get(id_)
        progress = index.progress() if index is not None else None
        return progress.entries if progress is not None and progress.listed else None

    def keep_only(self, ids: Collection[str]) -> None:
        """Throw away what was read of archives that are gone."""
        for id_ in self._indices.keys() - set(ids):
            index = self._indices[id_]
            index.fail(gone(index.name))  # for whoever waits for it
            self._discard(id_)

    def close(self) -> None:
        """Stop reading."""
        for index in self._indices.values():
            if index.task is not None:
                index.task.cancel()

    def _find(self, name: str, archive: StoredArchive) -> Index:
        index = self._indices.get(archive.id)
        if index and index.failure and time.monotonic() - index.failed_at >= FAILURE_SECONDS:
            self._discard(archive.id)
            index = None
        if index is None:
            self._make_room()
            index = Index(name, self._folder / f"{archive.id}.sqlite")
            self._indices[archive.id] = index
            index.task = asyncio.create_task(self._build(index))
        index.used_at = time.monotonic()
        return index

    def _raise_failure(self, id_: str, index: Index) -> None:
        """Raise why it could not be read: once, the next one who asks has it tried again."""
        if index.failure is not None:
            if self._indices.get(id_) is index:
                self._discard(id_)
            raise index.failure

    def _make_room(self) -> None:
        idle = [id_ for id_, index in self._indices.items() if index.task is None or index.task.done()]
        idle.sort(key=lambda id_: self._indices[id_].used_at)
        while idle and (len(self._indices) >= MOST or self._count_bytes() > self._limit_bytes // 2):
            self._discard(idle.pop(0))

    def _count_bytes(self) -> int:
        return sum(path.stat().st_size for path in self._folder.glob("*.sqlite*"))

    def _discard(self, id_: str) -> None:
        index = self._indices.pop(id_)
        for path in self._folder.glob(f"{index.path.name}*"):
            path.unlink(missing_ok=True)

    async def _build(self, index: Index) -> None:
        items = index.path.with_suffix(".items")
        try:
            async with self._one:
                remove_tree(items)
                items.mkdir(mode=0o700)
                builder = await self._borgs.read(lambda repository: self._list(repository, index, items))
                await _wait_for(builder)
        except RefusedError as error:
            index.fail(error)
        except OSError as error:
            index.fail(RefusedError(Reason.DISK_FULL, f"The archive cannot be read into /tmp: {error}."))
        finally:
            remove_tree(items)

    def _list(self, repository: Repository, index: Index, items: Path) -> "subprocess.Popen[bytes]":
        """Let borg tell all of the archive; return the process that reads it, which goes on to its end."""
        builder = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "borg_session.index.build", str(items), str(index.path)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert builder.stdin is not None  # noqa: S101 - asked for above
        try:
            with suppress(BrokenPipeError):  # it ended early, and says why
                builder.stdin.write(self._key.hex().encode() + b"\n")
                builder.stdin.flush()
            _tell_items(repository, index.name, items)
            with suppress(BrokenPipeError):
                builder.stdin.write(END.encode() + b"\n")
                builder.stdin.flush()
        except BaseException:
            builder.kill()
            builder.communicate()
            raise
        return builder


def _tell_items(repository: Repository, archive: str, items: Path) -> None:
    """Let borg write what it knows of the archive's files into the folder. Raises FaultError, RefusedError."""
    with open("/dev/null", "wb") as nowhere:  # noqa: PTH123 - borg says each file's name
        run_once(
            repository.with_borg(directory=str(items), output_fd=nowhere.fileno()),
            lambda lock_wait: make_items_arguments(repository.plan, archive, lock_wait=lock_wait),
            archive,
        )


async def _wait_for(builder: "subprocess.Popen[bytes]") -> None:
    """Return when it has written all. Raises RefusedError."""
    try:
        said, code = await asyncio.to_thread(_end, builder)
    except BaseException:
        builder.kill()
        raise
    if code:
        reason = Reason.DISK_FULL if "full" in said or "No space" in said else Reason.INTERNAL_ERROR
        reason = Reason.KILLED if code < 0 else reason
        raise RefusedError(reason, f"What borg tells of the archive could not be read: {said or f'signal {-code}'}.")


def _end(builder: "subprocess.Popen[bytes]") -> tuple[str, int]:
    assert builder.stderr is not None  # noqa: S101 - a pipe
    said = builder.stderr.read().decode(errors="replace").strip()
    code = builder.wait()
    builder.stderr.close()
    if builder.stdin is not None:
        with suppress(BrokenPipeError):
            builder.stdin.close()
    return said, code

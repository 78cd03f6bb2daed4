"""Lets borg bring files back, and says how far it has come while it does.

Borg's own progress would cost an eighth of the time: it looks through the archive twice. What it has written the kernel
knows, and how many files there are more the file system.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from borg_contract.plan import RepositoryPlan
from borg_contract.restore.progress import Progress, describe_progress
from borg_runner.borg.invocation import make_connection_arguments, name_archive
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.verbs.repository import Repository

PROGRESS_SECONDS = 5.0
_LINE = "wchar:"


def extract(
    repository: Repository,
    archive: str,
    *,
    depth: int,
    words: list[str],
    root: Path,
    files: int,
    size: int,
) -> BorgOutcome:
    """Extract into `root`, without the first `depth` parts of each path; return how borg ended.

    `words`: arguments that choose paths. `files`, `size` in bytes: how many there are of it. Raises FaultError when the
    lock cannot be had.
    """
    with _show(Work(files, size), repository, root) as watch:
        return repository.with_borg(directory=str(root), on_start=watch).try_borg(
            lambda lock_wait: make_extract_arguments(
                repository.plan, archive, depth=depth, words=words, lock_wait=lock_wait
            )
        )


def make_extract_arguments(
    repository: RepositoryPlan, archive: str, *, depth: int, words: list[str], lock_wait: int
) -> list[str]:
    """Return the arguments that extract into the folder where borg is."""
    return [
        "extract",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--numeric-ids",
        "--sparse",
        f"--strip-components={depth}",
        *words,
        name_archive(repository, archive),
    ]


@dataclass(frozen=True)
class Work:
    """All that there is to restore, or to read back."""

    files: int
    size: int

    def reckon(self, *, files: int | None, size: int, seconds: float, current: str = "") -> Progress:
        """Return how far it is after so many seconds; `files` is None where nobody knows."""
        size = min(size, self.size)
        done, all_of_it = size, self.size
        if files is not None:  # a file without content takes its time too
            files = max(0, min(files, self.files))
            done, all_of_it = done + files * _FILE_COST, all_of_it + self.files * _FILE_COST
        share = done / all_of_it if all_of_it else 1.0
        return Progress(
            percent=round(share * 100),
            all_files=self.files,
            bytes=size,
            bytes_per_second=round(size / seconds) if seconds > 0 else 0,
            files=files,
            seconds_left=round(seconds / share - seconds) if share > 0 else None,
            current=current,
        )


_FILE_COST = 32 * 1024
"""Bytes that could be written in the time that a file takes."""


class _Watch:
    """Looks, in a thread of its own, at what the newest borg has written so far."""

    def __init__(self, work: Work, repository: Repository, root: Path) -> None:
        self._work, self._log, self._root = work, repository.log, root
        self._notice = repository.borg.notice
        self._ended = threading.Event()
        self._pid = 0
        self._began = time.monotonic()
        self._free_at_first = self._count_free()

    def __call__(self, pid: int) -> None:
        self._pid, self._began = pid, time.monotonic()

    def run(self) -> None:
        while not self._ended.wait(PROGRESS_SECONDS):
            with suppress(OSError, StopIteration, ValueError):
                lines = Path(f"/proc/{self._pid}/io").read_text().splitlines()
                size = int(next(line for line in lines if line.startswith(_LINE)).split()[1])
                free = self._count_free()
                files = None if free is None or self._free_at_first is None else self._free_at_first - free
                seconds = time.monotonic() - self._began
                progress = self._work.reckon(files=files, size=size, seconds=seconds, current=self._find_current())
                if self._notice is not None and (progress.files or progress.current):
                    self._notice.clear()  # borg itself says nothing until it ends: it has its locks, and is at work
                self._log.say(describe_progress(progress))

    def end(self) -> None:
        self._ended.set()

    def _find_current(self) -> str:
        """Return which file below the root borg has open, empty where none is."""
        root = f"{os.path.realpath(self._root)}/"
        with suppress(OSError):
            for found in Path(f"/proc/{self._pid}/fd").iterdir():
                with suppress(OSError):  # closed meanwhile
                    if (path := os.readlink(found)).startswith(root):  # noqa: PTH115 - a text is wanted
                        return path.removeprefix(root)
        return ""

    def _count_free(self) -> int | None:
        """Return how many more files the file system has room for; None where it does not count them."""
        with suppress(OSError):
            found = os.statvfs(self._root)
            return found.f_ffree if found.f_files else None
        return None


@contextmanager
def _show(work: Work, repository: Repository, root: Path) -> Iterator[_Watch]:
    watch = _Watch(work, repository, root)
    thread = threading.Thread(target=watch.run, name="progress", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()

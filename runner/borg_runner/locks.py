"""Borg's locks in places that can be read (a local repository, the cache): who holds them, and which are proven dead.

Borg writes `lock.exclusive/<host id>.<pid>-<thread>` and a JSON `lock.roster` of shared holders. Pods of ours set the
host id to their Job (`contract.lock_holder`), so a lock names the Job that left it. A lock whose Job has no pod left
is removed here entry by entry, as borg does with its own stale ones; the entries of anyone else are never touched,
not even in a race with a process that takes the lock meanwhile.
"""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from borg_contract.lock_holder import parse_lock_holder

_EXCLUSIVE = "lock.exclusive"
_ROSTER = "lock.roster"
_ROSTER_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True)
class Holder:
    """One entry of a lock: `host` is borg's host id, for pods of ours `contract.lock_holder()`."""

    host: str
    pid: int
    thread: int
    exclusive: bool

    @property
    def job_uid(self) -> str | None:
        """The uid of the Job of ours that took the lock, None for anyone else."""
        parsed = parse_lock_holder(self.host)
        return parsed[2] if parsed else None

    def describe(self) -> str:
        """Return who it is, for people."""
        parsed = parse_lock_holder(self.host)
        if parsed is None:
            return f'process {self.pid} on host "{self.host}"'
        namespace, job_name, _ = parsed
        return f'run "{job_name}" in namespace "{namespace}"'


def find_lock_folders(location: str, base_dir: Path) -> list[Path]:
    """Return the folders with locks of a repository: its own when local, and those of the caches below `base_dir`."""
    local = [Path(location)] if location.startswith("/") else []
    return [*local, *sorted(path for path in base_dir.glob(".cache/borg/*") if path.is_dir())]


def read_holders(folder: Path) -> list[Holder]:
    """Return all who hold, or wait with an entry for, the lock in `folder`; empty when nobody does."""
    return [*_read_exclusive(folder), *(holder for holder in _read_roster(folder) if not holder.exclusive)]


def release_dead(folder: Path, dead_job_uids: Collection[str]) -> list[Holder]:
    """Remove the lock entries of Jobs in `dead_job_uids`, return them. Raises OSError when the folder is read-only."""
    dead = [holder for holder in _read_exclusive(folder) if holder.job_uid in dead_job_uids]
    for holder in dead:
        (folder / _EXCLUSIVE / _entry_name(holder)).unlink(missing_ok=True)
    if dead:
        with contextlib.suppress(OSError):  # not empty or gone: somebody else has the lock now, which is fine
            (folder / _EXCLUSIVE).rmdir()
    listed = [holder for holder in _read_roster(folder) if holder.job_uid in dead_job_uids]
    if listed and _remove_from_roster(folder, dead_job_uids):
        dead += [holder for holder in listed if holder not in dead]
    return dead


def _read_exclusive(folder: Path) -> list[Holder]:
    try:
        names = [path.name for path in (folder / _EXCLUSIVE).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [holder for name in names if (holder := _parse_entry(name))]


def _parse_entry(name: str) -> Holder | None:
    try:
        rest, thread = name.rsplit("-", 1)
        host, pid = rest.rsplit(".", 1)
        return Holder(host, int(pid), int(thread, 16), exclusive=True)
    except ValueError:
        return None


def _entry_name(holder: Holder) -> str:
    return f"{holder.host}.{holder.pid}-{holder.thread:x}"


def _load_roster(folder: Path) -> dict[str, list[list[object]]]:
    try:
        value = json.loads((folder / _ROSTER).read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_roster(folder: Path) -> list[Holder]:
    try:
        return [
            Holder(str(host), int(str(pid)), int(str(thread)), exclusive=key == "exclusive")
            for key, entries in _load_roster(folder).items()
            for host, pid, thread in entries
        ]
    except (TypeError, ValueError):
        return []


def _remove_from_roster(folder: Path, dead_job_uids: Collection[str]) -> bool:
    """Rewrite the roster while holding the exclusive lock, as borg itself does; return whether that was possible."""
    with _exclusive_lock(folder) as locked:
        if not locked:
            return False
        kept = {
            key: [entry for entry in entries if _uid_of(str(entry[0])) not in dead_job_uids]
            for key, entries in _load_roster(folder).items()
        }
        if any(kept.values()):
            (folder / _ROSTER).write_text(json.dumps(kept))
        else:
            (folder / _ROSTER).unlink(missing_ok=True)
        return True


def _uid_of(host: str) -> str | None:
    parsed = parse_lock_holder(host)
    return parsed[2] if parsed else None


@contextlib.contextmanager
def _exclusive_lock(folder: Path) -> Iterator[bool]:
    """Take the lock as borg takes it: rename a folder with our entry over the lock's place. Yield whether we got it."""
    entry = f"{os.environ.get('BORG_HOST_ID', 'borg-runner')}.{os.getpid()}-0"
    prepared = Path(tempfile.mkdtemp(".tmp", f"{_EXCLUSIVE}.", folder))
    (prepared / entry).touch()
    deadline = time.monotonic() + _ROSTER_PATIENCE_SECONDS
    locked = _try_rename(prepared, folder / _EXCLUSIVE)
    while not locked and time.monotonic() < deadline:
        time.sleep(0.1)
        locked = _try_rename(prepared, folder / _EXCLUSIVE)
    place = folder / _EXCLUSIVE if locked else prepared
    try:
        yield locked
    finally:
        (place / entry).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            place.rmdir()


def _try_rename(prepared: Path, place: Path) -> bool:
    try:
        prepared.rename(place)
    except OSError:
        return False
    return True

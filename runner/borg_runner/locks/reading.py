"""Borg's locks in places that can be read, which are a local repository and the cache: who holds them.

Borg writes `lock.exclusive/<host id>.<pid>-<thread>` and a JSON `lock.roster` of shared holders. Pods of ours set the
host id to their Job (`borg_contract.pod`), so a lock names the Job that left it.
"""

import json
from pathlib import Path

from borg_runner.locks.holder import Holder, parse_entry_name

EXCLUSIVE = "lock.exclusive"
ROSTER = "lock.roster"


def find_lock_folders(location: str, base_dir: Path) -> list[Path]:
    """Return the folders with locks of a repository: its own when local, and those of the caches below `base_dir`."""
    local = [Path(location)] if location.startswith("/") else []
    return [*local, *sorted(path for path in base_dir.glob(".cache/borg/*") if path.is_dir())]


def read_holders(folder: Path) -> list[Holder]:
    """Return all who hold, or wait with an entry for, the lock in `folder`; empty when nobody does."""
    return [*read_exclusive(folder), *(holder for holder in read_roster(folder) if not holder.exclusive)]


def read_exclusive(folder: Path) -> list[Holder]:
    """Return who holds the exclusive lock."""
    try:
        names = [path.name for path in (folder / EXCLUSIVE).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [holder for name in names if (holder := parse_entry_name(name))]


def read_exclusive_since(folder: Path) -> float | None:
    """Return since when the exclusive lock is held, in seconds since 1970; None when it is not, or nobody can tell."""
    try:
        return max((path.stat().st_mtime for path in (folder / EXCLUSIVE).iterdir()), default=None)
    except OSError:
        return None


def read_roster(folder: Path) -> list[Holder]:
    """Return who is on the roster; nobody when it is damaged."""
    try:
        return [
            Holder(str(host), int(str(pid)), int(str(thread)), exclusive=key == "exclusive")
            for key, entries in load_roster(folder).items()
            for host, pid, thread in entries
        ]
    except (TypeError, ValueError):
        return []


def load_roster(folder: Path) -> dict[str, list[list[object]]]:
    """Return the roster as borg writes it: lists of (host id, pid, thread) by kind of lock."""
    try:
        value = json.loads((folder / ROSTER).read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

"""Removes the locks of holders that are proven dead.

Such a lock goes entry by entry, as borg removes its own stale ones; the entries of anyone else are never touched, not
even in a race with a process that takes the lock meanwhile.
"""

import contextlib
import json
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from borg_runner.locks.holder import Holder
from borg_runner.locks.reading import EXCLUSIVE, ROSTER, load_roster, read_exclusive, read_roster
from borg_runner.scratch import make_unique_folder

ROSTER_PATIENCE_SECONDS = 3.0
"""How long to wait for the exclusive lock, without which nobody may write the roster."""


def remove_dead_locks(
    folder: Path, dead_holders: Collection[str], *, host_id: str | None, patience: float = ROSTER_PATIENCE_SECONDS
) -> list[Holder]:
    """Remove the lock entries of `dead_holders` (host ids), return them. Raises OSError in a folder of others.

    The roster is rewritten under a lock that `host_id` holds for that moment, so that, should this process die just
    then, the lock names its Job. Without one the roster stays as it is: nobody could ever prove that holder dead.
    """
    dead = [holder for holder in read_exclusive(folder) if holder.host in dead_holders]
    for holder in dead:
        (folder / EXCLUSIVE / holder.entry_name).unlink(missing_ok=True)
    if dead:
        with contextlib.suppress(OSError):  # not empty or gone: somebody else has the lock now, which is fine
            (folder / EXCLUSIVE).rmdir()
    listed = [holder for holder in read_roster(folder) if holder.host in dead_holders]
    if listed and host_id is not None:
        with exclusive_lock(folder, Holder(host_id, os.getpid(), 0, exclusive=True), patience) as locked:
            if locked:
                _rewrite_roster(folder, dead_holders)
                dead += [holder for holder in listed if holder not in dead]
    return dead


def _rewrite_roster(folder: Path, dead_holders: Collection[str]) -> None:
    kept = {
        key: [entry for entry in entries if str(entry[0]) not in dead_holders]
        for key, entries in load_roster(folder).items()
    }
    if any(kept.values()):
        (folder / ROSTER).write_text(json.dumps(kept))
    else:
        (folder / ROSTER).unlink(missing_ok=True)


@contextlib.contextmanager
def exclusive_lock(folder: Path, holder: Holder, patience: float) -> Iterator[bool]:
    """Take the lock as borg takes it: rename a folder with our entry over the lock's place. Yield whether we got it."""
    prepared = make_unique_folder(folder, f"{EXCLUSIVE}.", ".tmp")
    (prepared / holder.entry_name).touch()
    deadline = time.monotonic() + patience
    locked = _try_rename(prepared, folder / EXCLUSIVE)
    while not locked and time.monotonic() < deadline:
        time.sleep(0.1)
        locked = _try_rename(prepared, folder / EXCLUSIVE)
    place = folder / EXCLUSIVE if locked else prepared
    try:
        yield locked
    finally:
        (place / holder.entry_name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            place.rmdir()


def _try_rename(prepared: Path, place: Path) -> bool:
    try:
        prepared.rename(place)
    except OSError:
        return False
    return True

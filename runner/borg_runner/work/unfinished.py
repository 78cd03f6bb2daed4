"""What a `borg init` that was killed leaves: neither a repository nor an empty folder, so no later run could begin.

It is removed where the volume can be looked at, and only what borg itself writes before its first commit. Without a
commit there is no manifest and no archive, whatever else there is; see ADR 0025.
"""

import contextlib
import os
import re
import time
from pathlib import Path

from borg_runner.borg.layout import CONFIG
from borg_runner.locks.holder import Holder
from borg_runner.locks.reading import EXCLUSIVE, ROSTER
from borg_runner.locks.removal import exclusive_lock
from borg_runner.scratch import remove_tree
from borg_runner.verbs.repository import Repository

SETTLE_SECONDS = 10.0
"""For so long nothing may change: another run may be about to create the repository, before it can take a lock."""

_LOOK_SECONDS = 0.5
_AT_ONCE_SECONDS = 60.0
"""So long `borg init` takes at most. One that was used has a younger `nonce`, also while its data is not mounted."""
_README = b"This is a Borg Backup repository."
_BEGINNINGS = {"README": _README, CONFIG: b"[repository]", ROSTER: b"{"}
_NONCE = re.compile(rb"[0-9a-f]{0,16}")
_OWN_FILES = re.compile(rf"(?P<kind>README|{CONFIG}|nonce|{re.escape(ROSTER)})(\.old|-\w+\.tmp)?")
_OWN_FOLDERS = re.compile(rf"data|{re.escape(EXCLUSIVE)}(\.[\w-]+\.tmp)?")
_SEGMENT = b"BORG_SEG"
_SEGMENT_LIMIT_BYTES = 64 * 1024
_COMMIT = bytes.fromhex("40f43c250900000002")
"""What ends the segment of a commit, always the same nine bytes."""


def remove_unfinished(repository: Repository) -> None:
    """Empty the folder of a local repository whose creation was interrupted, so that it can begin anew.

    Not where another one was known: it is not begun anew unasked.

    Raises OSError, and FaultError when the pod is shutting down meanwhile.
    """
    folder, host_id = Path(repository.plan.location), repository.locks.host_id
    plan = repository.plan
    if host_id is None or not plan.initialize or plan.repository_ids or not is_unfinished(folder):
        return
    repository.locks.remove_dead()
    with contextlib.suppress(FileNotFoundError):  # somebody else is at it, and borg tells what comes of that
        if (seen := _settle(repository, folder)) is not None:
            _empty(repository, folder, host_id, seen)


def _empty(repository: Repository, folder: Path, host_id: str, seen: list[tuple[str, int]]) -> None:
    """Empty the folder if it still is as it was `seen`: two runs may have looked at the same time."""
    with exclusive_lock(folder, Holder(host_id, os.getpid(), 0, exclusive=True), 0.0) as locked:
        if not locked or _look(folder) != seen:
            return
        repository.log.say(f"{folder}: its creation was interrupted before the first commit, so it begins anew")
        for path in folder.iterdir():
            if path.name not in ("README", EXCLUSIVE):
                remove_tree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (folder / "README").unlink()  # by which it is known: last, or a kill just now would leave what nobody knows


def is_unfinished(folder: Path) -> bool:
    """Return whether all that is in `folder` is what `borg init` writes before its first commit."""
    try:
        paths = list(folder.iterdir())
        return all(map(_is_borgs_own, paths)) and _holds_no_commit(folder, {path.name for path in paths})
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_borgs_own(path: Path) -> bool:
    """Tell whether it is, by its name and by what is in it, what borg writes into the folder of a repository."""
    if path.is_symlink():
        return path.name == "data"
    if path.is_dir():
        return _OWN_FOLDERS.fullmatch(path.name) is not None
    if not path.is_file() or (found := _OWN_FILES.fullmatch(path.name)) is None:
        return False
    with path.open("rb") as file:
        content = file.read(len(_README))
    if found["kind"] == "nonce":
        return _NONCE.fullmatch(content.strip(b"\0")) is not None
    return _begins(content, _BEGINNINGS[found["kind"]])


def _begins(content: bytes, words: bytes) -> bool:
    """Tell whether it begins with `words`, or was cut within them: after a crash all may be NUL, too."""
    return words.startswith(content.strip(b"\0")[: len(words)])


def _holds_no_commit(folder: Path, names: set[str]) -> bool:
    data = folder / "data"
    if "README" not in names or data.is_symlink() or data.is_mount() or not _was_written_at_once(folder):
        return False
    segments = (path for path in data.rglob("*") if not path.is_dir())
    return all(CONFIG in names and _is_uncommitted(data, segment) for segment in segments)


def _was_written_at_once(folder: Path) -> bool:
    """Tell whether its files are of one moment: a key in `config` has then protected nothing."""
    times = [path.stat().st_mtime for path in folder.iterdir() if path.is_file()]
    return max(times) - min(times) <= _AT_ONCE_SECONDS


def _is_uncommitted(data: Path, segment: Path) -> bool:
    if segment.parent != data / "0" or segment.is_symlink() or segment.stat().st_size > _SEGMENT_LIMIT_BYTES:
        return False
    content = segment.read_bytes()
    return _begins(content, _SEGMENT) and _COMMIT not in content


def _settle(repository: Repository, folder: Path) -> list[tuple[str, int]] | None:
    """Return how it looks if it stays unfinished, without a lock on it, for long enough; else None."""
    before = _look(folder)
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        repository.raise_when_interrupted()
        if (folder / EXCLUSIVE).exists() or _look(folder) != before:
            return None
        time.sleep(_LOOK_SECONDS)
    return before if is_unfinished(folder) else None


def _look(folder: Path) -> list[tuple[str, int]]:
    return sorted(
        (str(path), path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.relative_to(folder).parts[0].startswith(EXCLUSIVE)
    )

"""What a `borg init` that was killed leaves: neither a repository nor an empty folder, so no later run could begin.

It is removed where the volume can be looked at, and only what borg itself writes before its first commit. Without a
commit there is no manifest and no archive, whatever else there is; see ADR 0025.
"""

import re
import time
from pathlib import Path

from borg_runner.locks.reading import EXCLUSIVE, ROSTER
from borg_runner.scratch import remove_tree
from borg_runner.verbs.repository import Repository

SETTLE_SECONDS = 10.0
"""For so long nothing may change: another run may be about to create the repository, before it can take a lock."""

_LOOK_SECONDS = 0.5
_AT_ONCE_SECONDS = 60.0
"""So long `borg init` takes at most. One that was used has a younger `nonce`, also while its data is not mounted."""
_README = "This is a Borg Backup repository."
_OWN_NAMES = re.compile(
    rf"README|config(\.old)?|nonce|data|(config|nonce)-\w+\.tmp|{re.escape(ROSTER)}|{re.escape(EXCLUSIVE)}\.\w+\.tmp"
)
_SEGMENT_LIMIT_BYTES = 64 * 1024
_COMMIT = bytes.fromhex("40f43c250900000002")
"""What ends the segment of a commit, always the same nine bytes."""


def remove_unfinished(repository: Repository) -> None:
    """Empty the folder of a local repository whose creation was interrupted, so that it can begin anew.

    Raises OSError, and FaultError when the pod is shutting down meanwhile.
    """
    folder = Path(repository.plan.location)
    if not repository.plan.initialize or not is_unfinished(folder):
        return
    repository.locks.remove_dead()
    if not _settle(repository, folder):
        return
    repository.log.say(f"{folder}: its creation was interrupted before the first commit, so it begins anew")
    for path in sorted(folder.iterdir(), key=lambda path: path.name == "README"):  # by which it is known, last
        remove_tree(path) if path.is_dir() else path.unlink()


def is_unfinished(folder: Path) -> bool:
    """Return whether all that is in `folder` is what `borg init` writes before its first commit."""
    try:
        names = {path.name for path in folder.iterdir()} - {EXCLUSIVE}
        readme = (folder / "README").read_text(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not all(_OWN_NAMES.fullmatch(name) for name in names) or not _README.startswith(readme[: len(_README)]):
        return False
    data = folder / "data"
    if data.is_symlink() or data.is_mount() or not _was_written_at_once(folder):
        return False
    segments = (path for path in data.rglob("*") if not path.is_dir())
    return all("config" in names and _is_uncommitted(data, segment) for segment in segments)


def _was_written_at_once(folder: Path) -> bool:
    """Tell whether its files are of one moment: a key in `config` has then protected nothing."""
    times = [path.stat().st_mtime for path in folder.iterdir() if path.is_file()]
    return max(times) - min(times) <= _AT_ONCE_SECONDS


def _is_uncommitted(data: Path, segment: Path) -> bool:
    if segment.parent != data / "0" or segment.is_symlink() or segment.stat().st_size > _SEGMENT_LIMIT_BYTES:
        return False
    return _COMMIT not in segment.read_bytes()


def _settle(repository: Repository, folder: Path) -> bool:
    """Return whether it stays unfinished, without a lock on it, for long enough."""
    before = _look(folder)
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        repository.raise_when_interrupted()
        if (folder / EXCLUSIVE).exists() or _look(folder) != before:
            return False
        time.sleep(_LOOK_SECONDS)
    return is_unfinished(folder)


def _look(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))

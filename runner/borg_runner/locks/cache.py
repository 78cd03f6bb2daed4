"""Borg's cache of a repository: when it is broken, borg gets an empty one, and makes it anew from the repository.

A kill or a full disk cuts its files short, and borg then ends with a traceback, night after night. So the cache is put
aside and borg tried once more. If that goes no better, the cache was not to blame, and comes back.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from borg_runner.borg.outcome import BorgOutcome
from borg_runner.locks.holder import Holder
from borg_runner.locks.reading import find_lock_folders
from borg_runner.locks.removal import exclusive_lock
from borg_runner.scratch import make_unique_folder, remove_tree

_ASIDE = "cache-aside-"
_PATIENCE_SECONDS = 3.0
_GENERIC_ERROR = 2
_INTEGRITY_ERROR = 91
_ABOUT_CACHE = re.compile(r"borg[/\\](cache|crypto[/\\]nonces)\.py|[Ll]ocal security dir")

_AT_THE_END = re.compile(r"cache\.py.*\bin commit\b")
_HANDED_ON = re.compile(r"borg[/\\](cache|crypto[/\\]nonces)\.py[\s\S]*borg[/\\](repository|remote)\.py")
"""The cache hands each chunk on to the repository, and it may be that where borg fails: its disk is full, say."""
_NEXT_TRACEBACK = re.compile(r"^(During handling of|The above exception was)", re.MULTILINE)

_SECURITY = ".config/borg/security"
_WELL_FORMED = {"nonce": re.compile(rb"[0-9a-f]{16}\s*"), "manifest-timestamp": re.compile(rb"[0-9T:.+-]{19,40}\s*")}
"""Files beside the cache that borg cannot read when they are cut, and writes anew from the repository. What it is to
recognize the repository by, `key-type` and `location`, is never touched."""
_NEWEST_STATE = "manifest-timestamp"
"""By this borg notices an older copy in the repository's place, and by the same in the cache."""


@dataclass(frozen=True)
class CacheAside:
    """A cache that was put aside."""

    folders: tuple[tuple[Path, Path], ...]
    """Where each one was, and where it is."""

    def discard(self) -> None:
        """Delete it for good."""
        for _, aside in self.folders:
            remove_tree(aside)

    def restore(self, host_id: str) -> None:
        """Put it back in place of what borg has made since. Raises OSError."""
        for folder, aside in self.folders:
            if not folder.exists() or _move(folder, aside.with_suffix(".new"), host_id):
                aside.rename(folder)
            remove_tree(aside.with_suffix(".new"))
            remove_tree(aside)


def is_cache_suspect(outcome: BorgOutcome, base_dir: Path) -> bool:
    """Tell whether borg failed over its cache, and not when all was done and it wrote the new one."""
    if outcome.exit_code not in (_GENERIC_ERROR, _INTEGRITY_ERROR) or outcome.interrupted:
        return False
    if failed_at_the_end(outcome):
        return False
    said = _all_errors(outcome)
    if str(base_dir) in said:
        return True
    cause = _NEXT_TRACEBACK.split(said)[0]
    return _ABOUT_CACHE.search(said) is not None and _HANDED_ON.search(cause) is None


def failed_at_the_end(outcome: BorgOutcome) -> bool:
    """Tell whether borg failed when all was done and it wrote its new cache."""
    return _AT_THE_END.search(_all_errors(outcome)) is not None


def _all_errors(outcome: BorgOutcome) -> str:
    return "\n".join(error.text for error in outcome.errors)


def put_cache_aside(base_dir: Path, host_id: str) -> CacheAside | None:
    """Take away the caches below `base_dir` that nobody else works with, under a lock of `host_id`.

    Returns what was put aside, None where there was nothing to put aside. Raises OSError.
    """
    malformed = [path for path in base_dir.glob(f"{_SECURITY}/*/*") if _is_malformed(path)]
    for path in malformed:
        _delete(path)
    if any(path.name == _NEWEST_STATE for path in malformed):
        return CacheAside(())  # the caches must stay: they alone still know what is the newest state
    moved = []
    for folder in find_lock_folders("", base_dir):
        aside = make_unique_folder(base_dir, _ASIDE, "")
        if _move(folder, aside, host_id):
            moved.append((folder, aside))
        else:
            aside.rmdir()
    return CacheAside(tuple(moved)) if moved or malformed else None


def remove_asides(base_dir: Path) -> None:
    """Delete what a runner that was killed meanwhile left."""
    for path in base_dir.glob(f"{_ASIDE}*"):
        remove_tree(path)


def _move(folder: Path, place: Path, host_id: str) -> bool:
    """Move the folder if nobody works with it, and leave our lock out of it. Borg takes an empty one for broken too."""
    with exclusive_lock(folder, Holder(host_id, os.getpid(), 0, exclusive=True), _PATIENCE_SECONDS) as locked:
        if locked:
            folder.rename(place)
    if locked:
        for path in place.glob("lock.*"):
            _delete(path)
    return locked


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)


def _is_malformed(path: Path) -> bool:
    """Tell whether it is known not to be what borg writes there. What cannot be read just now may be whole."""
    expected = _WELL_FORMED.get(path.name)
    if expected is None:
        return False
    try:
        return path.is_dir() or expected.fullmatch(path.read_bytes()) is None
    except OSError:
        return False

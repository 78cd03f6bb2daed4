"""Whose a local repository is: what a pod of root writes into it, or into its cache, is given to its owner.

Borg makes its files for their owner alone. Left to root, they would keep out a schedule's pods: those are another user.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from borg_runner.borg.layout import CONFIG
from borg_runner.log import Log


def make_giver(location: str, base_dir: Path, log: Log) -> Callable[[], None]:
    """Return what gives root's files in repository and cache to the repository's owner; it does nothing for others.

    Over SSH the server's borg writes, and only the cache is here: it goes to whom its folder belongs.
    """
    if os.geteuid() != 0:
        return lambda: None
    folders = [base_dir, *([Path(location)] if location.startswith("/") else [])]

    def give() -> None:
        try:
            owner = _find_owner(location, base_dir)
            if owner is not None and owner[0] != 0:
                for folder in folders:
                    _give(folder, owner)
        except OSError as error:
            log.say(f"what root wrote cannot be given to the repository's owner: {error}")

    return give


def _find_owner(location: str, base_dir: Path) -> tuple[int, int] | None:
    try:
        found = (Path(location, CONFIG) if location.startswith("/") else base_dir).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_uid, found.st_gid


def _give(folder: Path, owner: tuple[int, int]) -> None:
    for path in _find_roots(str(folder)):
        os.chown(path, *owner, follow_symlinks=False)


def _find_roots(folder: str) -> Iterator[str]:
    """Yield what is root's in the folder, and below."""
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for item in found:
                if item.stat(follow_symlinks=False).st_uid == 0:
                    yield item.path
                if item.is_dir(follow_symlinks=False):
                    waiting.append(item.path)

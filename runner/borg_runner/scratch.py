"""A private folder for one run, removed after it.

`tempfile` would do the same, but brings `shutil` with three compressors and `random`: a tenth of the time that the
runner takes to start.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in `parent` that only this user can look into. Raises OSError when there can be none."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = make_unique_folder(parent, "run-", "")
    try:
        yield folder
    finally:
        remove_tree(folder)


def make_unique_folder(parent: Path, prefix: str, suffix: str) -> Path:
    """Return a folder that did not exist before. Raises OSError, FileExistsError included."""
    folder = parent / f"{prefix}{os.getpid()}-{time.monotonic_ns()}{suffix}"
    folder.mkdir(mode=0o700)
    return folder


def remove_tree(folder: Path) -> None:
    """Remove what can be removed of `folder`; links go, what they point to stays."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in (*files, *folders):
            _remove(os.path.join(parent, name))  # noqa: PTH118 - os.walk speaks in texts
    _remove(str(folder))


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - as above
            os.rmdir(path)  # noqa: PTH106
        else:
            os.unlink(path)  # noqa: PTH108

"""What borg tells of an archive's files, read while borg still writes it: `borg debug dump-archive-items`.

`borg list` loses the bytes of names that are no UTF-8, and takes three times as long; see ADR 0033.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_LOOK_SECONDS = 0.02


def follow(folder: Path, has_ended: Callable[[], bool]) -> Iterator[bytes]:
    """Yield the content of each file that borg writes into the folder, in order, and delete it.

    A file is whole when borg has begun the next one, or has ended. Raises OSError.
    """
    while True:
        ended = has_ended()
        paths = sorted(path for path in os.listdir(folder) if path.endswith(".items"))  # noqa: PTH208
        whole = paths if ended else paths[:-1]
        for name in whole:
            path = folder / name
            yield path.read_bytes()
            path.unlink()
        if ended:
            return
        if not whole:
            time.sleep(_LOOK_SECONDS)

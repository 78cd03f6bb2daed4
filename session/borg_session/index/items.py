"""What borg tells of an archive's files, read while borg still writes it: `borg debug dump-archive-items`.

`borg list` loses the bytes of names that are no UTF-8, and takes three times as long; see ADR 0033.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgpack

_LOOK_SECONDS = 0.02
_LARGEST_ITEM = 1 << 31
_NIL = b"\xc0"


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


def unpack(parts: Iterator[bytes]) -> Iterator[Mapping[bytes, Any]]:
    """Yield borg's items; one may begin in a part and end in another. Raises ValueError for what is none."""
    unpacker = msgpack.Unpacker(raw=True, use_list=False, strict_map_key=False, max_buffer_size=_LARGEST_ITEM)
    try:
        for part in parts:
            unpacker.feed(part)
            yield from unpacker
    except (msgpack.UnpackException, msgpack.ExtraData, RecursionError) as error:
        raise ValueError(f"no items of borg's: {error!r}") from error
    unpacker.feed(_NIL)  # which is a value of its own only where no other one is open
    if next(unpacker, b"") is not None:
        raise ValueError("it ends in the middle of an item")

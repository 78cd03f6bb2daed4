"""Reads what `borg debug dump-archive-items` writes: all that borg keeps of an archive's files, as MessagePack.

Borg 1.x writes texts as bytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgpack

_LARGEST_ITEM = 1 << 31
_NIL = b"\xc0"


def unpack(parts: Iterable[bytes]) -> Iterator[Mapping[bytes, Any]]:
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

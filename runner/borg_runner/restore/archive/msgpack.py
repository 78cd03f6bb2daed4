"""Reads MessagePack, in which borg keeps what it knows of files; the standard library has nothing for it.

Borg 1.x writes texts as bytes. Of what it never writes (extensions, floats), nothing is read.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from typing import Any

_U16, _U32, _U64 = Struct(">H").unpack_from, Struct(">I").unpack_from, Struct(">Q").unpack_from
_I8, _I16, _I32, _I64 = (Struct(form).unpack_from for form in (">b", ">h", ">i", ">q"))


class TruncatedError(ValueError):
    """The value goes on beyond the end."""


def unpack_stream(parts: Iterable[bytes]) -> Iterator[Any]:
    """Yield the values that the parts hold one after the other; one may begin in a part and end in another.

    Raises ValueError for what is no such stream.
    """
    rest = b""
    for part in parts:
        data, position = rest + part, 0
        while position < len(data):
            try:
                value, end = _read(data, position)
            except (TruncatedError, IndexError):
                break
            yield value
            position = end
        rest = data[position:]
    if rest:
        raise TruncatedError("it ends in the middle of a value")


def _read(data: bytes, at: int) -> tuple[Any, int]:
    """Return the value that begins at `at`, and where it ends."""
    first = data[at]
    if first <= 0x7F:  # noqa: PLR2004 - the format's own numbers, here and below
        return first, at + 1
    if first >= 0xE0:  # noqa: PLR2004
        return first - 0x100, at + 1
    if first >= 0xA0 and first <= 0xBF:  # noqa: PLR2004
        return _read_bytes(data, at + 1, first & 0x1F)
    if first <= 0x8F:  # noqa: PLR2004
        return _read_map(data, at + 1, first & 0x0F)
    if first <= 0x9F:  # noqa: PLR2004
        return _read_array(data, at + 1, first & 0x0F)
    return _read_long(data, at, first)


def _read_long(data: bytes, at: int, first: int) -> tuple[Any, int]:
    if (constant := _CONSTANTS.get(first, _NONE)) is not _NONE:
        return constant, at + 1
    try:
        if (number := _NUMBERS.get(first)) is not None:
            return number[0](data, at + 1)[0], at + 1 + number[1]
        if (sized := _SIZED.get(first)) is not None:
            read, unpack, width = sized
            size = data[at + 1] if unpack is None else unpack(data, at + 1)[0]
            return read(data, at + 1 + width, size)
    except struct.error as error:
        raise TruncatedError("a number is cut off") from error
    raise ValueError(f"byte {first:#x} begins nothing that borg writes")


def _read_bytes(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    end = at + size
    if end > len(data):
        raise TruncatedError("bytes are cut off")
    return data[at:end], end


def _read_array(data: bytes, at: int, size: int) -> tuple[list[Any], int]:
    found = []
    for _ in range(size):
        value, at = _read(data, at)
        found.append(value)
    return found, at


def _read_map(data: bytes, at: int, size: int) -> tuple[dict[Any, Any], int]:
    found = {}
    for _ in range(size):
        key, at = _read(data, at)
        found[key], at = _read(data, at)
    return found, at


_NONE = object()
_CONSTANTS: dict[int, Any] = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS: dict[int, tuple[Callable[[bytes, int], tuple[int, ...]], int]] = {
    0xCC: (Struct(">B").unpack_from, 1),
    0xCD: (_U16, 2),
    0xCE: (_U32, 4),
    0xCF: (_U64, 8),
    0xD0: (_I8, 1),
    0xD1: (_I16, 2),
    0xD2: (_I32, 4),
    0xD3: (_I64, 8),
}
_SIZED: dict[int, tuple[Callable[[bytes, int, int], tuple[Any, int]], Callable[..., tuple[int, ...]] | None, int]] = {
    0xC4: (_read_bytes, None, 1),
    0xC5: (_read_bytes, _U16, 2),
    0xC6: (_read_bytes, _U32, 4),
    0xD9: (_read_bytes, None, 1),
    0xDA: (_read_bytes, _U16, 2),
    0xDB: (_read_bytes, _U32, 4),
    0xDC: (_read_array, _U16, 2),
    0xDD: (_read_array, _U32, 4),
    0xDE: (_read_map, _U16, 2),
    0xDF: (_read_map, _U32, 4),
}

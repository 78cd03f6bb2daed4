"""A part of a listing: rows of archives and the ids of those that are gone, in as few characters as they take.

It travels in a pod's result, where it is decoded once and never kept. An id is 32 bytes that nothing compresses; so the
ids come as they are, the rest compressed, and all of it in base 85.
"""

import base64
import datetime as dt
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from borg_contract.archives.ids import SHORT_DIGITS
from borg_contract.ownership import fit_comment

NAME_LIMIT = 1024
COMMENT_LIMIT = 1024
"""Characters of a name and a comment; a longer comment is cut, an archive with a longer name is not told."""

_NAME_BYTES = 2048
_VERSION = "1"
_HEAD = struct.Struct(">HH")
_ID_BYTES, _SHORT_BYTES = 32, SHORT_DIGITS // 2
_MOST_ROWS = 512
_MOST_GONE = 2048
_PLAIN_LIMIT = 256 * 1024
"""Bytes that the compressed part may become; rows that come to more are told by the next listing."""
_WORDS = b'["borgoperator.io/  repository= cluster= paths= suspect files=data:daily-nightly-2026-T00:00:00","'
_LAST_SECOND = int(dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC).timestamp())
_SAFE = bytes.maketrans(b"$", b".")
_UNSAFE = bytes.maketrans(b".", b"$")
"""A `$` would be escaped, see `codec.encode`; base 85 has no full stop."""


@dataclass(frozen=True)
class ArchiveRow:
    """One archive. `time`: when it was begun, RFC 3339 in UTC to the second."""

    id: str
    name: str
    time: str
    comment: str = ""


@dataclass(frozen=True)
class Part:
    """`gone`: short ids."""

    rows: tuple[ArchiveRow, ...] = ()
    gone: tuple[str, ...] = ()


def can_be_told(name: str, time: str) -> bool:
    """Tell whether an archive of this name and time can be: borg lists what it cannot decode, and bounds neither."""
    try:
        _parse_time(time)
    except ValueError:
        return False
    return _is_name(name)


def fit_part(rows: Sequence[ArchiveRow], gone: Sequence[str], room: int) -> Part:
    """Return as much of both, from their beginnings, as `pack_part` brings into `room` characters.

    What is gone comes first, and takes half of the room at most.
    """
    least = len(pack_part(Part()))
    told = tuple(gone[: min(_MOST_GONE, (room // 2 - least) * 4 // (_SHORT_BYTES * 5))])
    low, high = 0, min(len(rows), _MOST_ROWS)
    while low < high:  # a row more is never shorter
        middle = (low + high + 1) // 2
        if _fits(Part(tuple(rows[:middle]), told), room):
            low = middle
        else:
            high = middle - 1
    if rows and not low:
        bare = Part((replace(rows[0], comment=""),), told)
        return bare if _fits(bare, room) else Part((), told)
    return Part(tuple(rows[:low]), told)


def _fits(part: Part, room: int) -> bool:
    return len(_render_columns(part.rows)) < _PLAIN_LIMIT and len(pack_part(part)) <= room


def pack_part(part: Part) -> str:
    """Return the part as text; comments are cut. Raises ValueError for an archive that cannot be told."""
    ids = bytes.fromhex("".join([*(row.id for row in part.rows), *part.gone]))
    plain = _render_columns(part.rows)
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS, zdict=_WORDS)
    packed = _HEAD.pack(len(part.rows), len(part.gone)) + ids + compressor.compress(plain) + compressor.flush()
    return _VERSION + base64.b85encode(packed).translate(_SAFE).decode()


def _render_columns(rows: Sequence[ArchiveRow]) -> bytes:
    seconds = [_parse_time(row.time) for row in rows]
    steps = [later - earlier for later, earlier in zip([0, *seconds], seconds, strict=False)]
    comments = [fit_comment(row.comment.encode(errors="replace").decode(), COMMENT_LIMIT) for row in rows]
    columns = [[row.name for row in rows], steps, comments]
    return json.dumps(columns, separators=(",", ":"), ensure_ascii=False).encode()


def unpack_part(text: str) -> Part:
    """Return the part in `text`, which anybody may have written. Raises ValueError for what is none."""
    if text[:1] != _VERSION or not text.isascii() or "$" in text:
        raise ValueError("a part of a listing: not of a version that is known here")
    data = base64.b85decode(text[1:].encode().translate(_UNSAFE))
    if len(data) < _HEAD.size:
        raise ValueError("a part of a listing: too short")
    count, gone = _HEAD.unpack_from(data)
    if count > _MOST_ROWS or gone > _MOST_GONE:
        raise ValueError(f"a part of a listing: {count} rows and {gone} ids are too many")
    first, second = _HEAD.size + count * _ID_BYTES, _HEAD.size + count * _ID_BYTES + gone * _SHORT_BYTES
    if len(data) < second:
        raise ValueError("a part of a listing: cut off")
    ids = _split(data[_HEAD.size : first], _ID_BYTES)
    names, steps, comments = _read_columns(_decompress(data[second:]), count)
    seconds = list(accumulate(steps, lambda time, step: time - step, initial=0))[1:]
    rows = tuple(
        ArchiveRow(id_, name, _render_time(time), comment)
        for id_, name, time, comment in zip(ids, names, seconds, comments, strict=True)
    )
    if len({row.id for row in rows}) < count:
        raise ValueError("a part of a listing: an id comes twice")
    return Part(rows, tuple(_split(data[first:second], _SHORT_BYTES)))


def _split(data: bytes, size: int) -> list[str]:
    return [data[at : at + size].hex() for at in range(0, len(data), size)]


def _decompress(data: bytes) -> bytes:
    decompressor = zlib.decompressobj(wbits=-zlib.MAX_WBITS, zdict=_WORDS)
    try:
        plain = decompressor.decompress(data, _PLAIN_LIMIT)
    except zlib.error as error:
        raise ValueError(f"a part of a listing: {error}") from error
    if not decompressor.eof or decompressor.unused_data:
        raise ValueError("a part of a listing: too large, cut off, or followed by something")
    return plain


def _read_columns(plain: bytes, count: int) -> tuple[list[str], list[int], list[str]]:
    try:
        columns: Any = json.loads(plain.decode())
    except RecursionError as error:
        raise ValueError("a part of a listing: nested too deeply") from error
    if not (isinstance(columns, list) and [_length(column) for column in columns] == [count] * 3):
        raise ValueError(f"a part of a listing: not three columns of {count}")
    names, steps, comments = columns
    if not all(isinstance(name, str) and _is_name(name) for name in names):
        raise ValueError("a part of a listing: a name is none")
    if not all(type(step) is int for step in steps):
        raise ValueError("a part of a listing: a time is none")
    if not all(isinstance(comment, str) and _is_comment(comment) for comment in comments):
        raise ValueError("a part of a listing: a comment is none")
    return names, steps, comments


def _length(column: Any) -> int:
    return len(column) if isinstance(column, list) else -1


def _is_name(text: str) -> bool:
    try:
        return 0 < len(text) <= NAME_LIMIT and len(text.encode()) <= _NAME_BYTES
    except UnicodeEncodeError:
        return False


def _is_comment(text: str) -> bool:
    return len(text) <= COMMENT_LIMIT and not any("\ud800" <= character <= "\udfff" for character in text)


def _parse_time(text: str) -> int:
    return _judge_time(int(dt.datetime.fromisoformat(text).timestamp()))


def _render_time(seconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(_judge_time(seconds), dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _judge_time(seconds: int) -> int:
    if not 0 <= seconds <= _LAST_SECOND:
        raise ValueError(f"a part of a listing: no time is {seconds}")
    return seconds

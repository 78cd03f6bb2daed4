"""One entry of an archive as the database has it."""

import stat
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from borg_runner.restore.archive.entry import Entry, parse_item

_DIGEST_BYTES = 8
_HALF = 1 << 63


class Row(NamedTuple):
    """An entry; `content`, `other` and `tally` are digests under the session's key, so nobody can make two alike."""

    path: bytes
    is_folder: bool
    mode: int
    size: int
    mtime: int
    user: bytes
    group: bytes
    link: bytes
    healthy: bool
    content: int
    other: int
    tally: int

    @property
    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.mode)


def read_row(item: Mapping[bytes, Any], key: bytes) -> Row:
    """Return the row of one of borg's items. Raises KeyError, TypeError or ValueError for what is none."""
    entry = parse_item(item)
    path, link = item[b"path"], item.get(b"source") or b""
    chunks = item.get(b"chunks") or ()
    user, group = _name(item.get(b"user"), entry.uid), _name(item.get(b"group"), entry.gid)
    content = blake2b(b"".join([chunk[0] for chunk in chunks]) or link, digest_size=_DIGEST_BYTES, key=key).digest()
    other = blake2b(_describe(entry, user, group), digest_size=_DIGEST_BYTES, key=key).digest()
    tally = blake2b(b"\0".join((content, other, path)), digest_size=_DIGEST_BYTES, key=key).digest()
    return Row(
        path,
        entry.is_folder,
        entry.mode,
        _fit(entry.size),
        _fit(entry.mtime),
        user,
        group,
        link,
        not entry.is_patched,
        _number(content),
        _number(other),
        _number(tally),
    )


def digest_linked(row: Row, content: int, key: bytes) -> int:
    """Return the digest of a hard link's path and the content that is told with another one."""
    told = content.to_bytes(_DIGEST_BYTES, "little", signed=True) + row.path
    return _number(blake2b(told, digest_size=_DIGEST_BYTES, key=key).digest())


def _name(name: bytes | None, number: int) -> bytes:
    return name or str(number).encode()


def _describe(entry: Entry, user: bytes, group: bytes) -> bytes:
    extra = entry.extra
    attributes = sorted(extra.xattrs.items())
    return repr(
        (entry.mode, entry.uid, entry.gid, user, group, entry.mtime, extra.rdev, extra.flags)
        + ((attributes, extra.acl_access, extra.acl_default) if attributes or extra.acl_access else ())
        + ((extra.acl_default,) if extra.acl_default else ())
    ).encode()


def _fit(number: int) -> int:
    """Return the number as near as SQLite has it: borg keeps times of any size."""
    return max(-_HALF, min(number, _HALF - 1))


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "little", signed=True)

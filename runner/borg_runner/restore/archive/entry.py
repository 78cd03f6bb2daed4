"""One file, folder or link of an archive, with all that borg keeps of it."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Extra:
    """What few files have. Names and values as Linux has them, ACLs as the texts that borg makes of them."""

    xattrs: Mapping[bytes, bytes]
    acl_access: bytes = b""
    acl_default: bytes = b""
    flags: int = 0
    """As BSD numbers them: borg keeps nodump, immutable, append-only and compressed."""
    rdev: int = 0


NOTHING = Extra({})


@dataclass(frozen=True, slots=True)
class Entry:
    """`path` is as the archive has it, undecodable bytes as surrogates. Times are nanoseconds since 1970."""

    path: str
    mode: int
    size: int
    """Bytes of its content. Of a further hard link 0: its content is told with the first."""
    least: int
    """Bytes that its content takes at least, each of its chunks counted once: holes are all the same chunk."""
    mtime: int
    ctime: int | None
    """None where the archive does not tell."""
    uid: int
    gid: int
    link: str = ""
    """Of a symbolic link what it leads to; of a further hard link the path of the first in the archive."""
    is_master: bool = False
    """Whether hard links to it may follow."""
    has_content: bool = False
    """Whether the archive tells its content here, as of each file but further hard links."""
    is_patched: bool = False
    """Whether a repair put zeros where parts of its content were lost."""
    extra: Extra = NOTHING

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def is_device(self) -> bool:
        return stat.S_ISCHR(self.mode) or stat.S_ISBLK(self.mode)

    @property
    def master(self) -> str:
        """The path of the first of its hard links; empty where there are no others."""
        if self.is_master:
            return self.path
        return "" if self.is_symlink else self.link


def parse_item(item: Mapping[bytes, Any]) -> Entry:
    """Return the entry of one of borg's items. Raises KeyError, TypeError or ValueError for what is none."""
    mode = int(item[b"mode"])
    chunks = item.get(b"chunks")
    mtime = _number(item[b"mtime"])
    ctime = item.get(b"ctime")
    size = least = sum(chunk[1] for chunk in chunks) if chunks else 0
    if chunks and len(chunks) > 1:
        least = sum({chunk[0]: chunk[1] for chunk in chunks}.values())
    return Entry(
        path=os.fsdecode(item[b"path"]),
        mode=_shared(mode),
        size=size,
        least=least,
        mtime=mtime,
        ctime=None if ctime is None else _number(ctime),
        uid=_shared(int(item[b"uid"])),
        gid=_shared(int(item[b"gid"])),
        link=os.fsdecode(item.get(b"source", b"")),
        # Borg before 1.2 did not say which files have others linked to them.
        is_master=_is_linkable(mode) and b"source" not in item and bool(item.get(b"hardlink_master", True)),
        has_content=chunks is not None,
        is_patched=b"chunks_healthy" in item,
        extra=_parse_extra(item),
    )


@lru_cache(maxsize=4096)
def _shared(number: int) -> int:
    """Return one object for all that are equal: of modes and owners there are few, of entries a million."""
    return number


def _is_linkable(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _parse_extra(item: Mapping[bytes, Any]) -> Extra:
    if item.keys().isdisjoint(_EXTRA_KEYS):
        return NOTHING
    return Extra(
        xattrs={name: value or b"" for name, value in (item.get(b"xattrs") or {}).items()},
        acl_access=item.get(b"acl_access") or b"",
        acl_default=item.get(b"acl_default") or b"",
        flags=int(item.get(b"bsdflags") or 0),
        rdev=int(item.get(b"rdev") or 0),
    )


_EXTRA_KEYS = frozenset({b"xattrs", b"acl_access", b"acl_default", b"bsdflags", b"rdev"})


def _number(value: int | bytes) -> int:
    """Return a number of borg's: bytes where it needs more than 63 bits."""
    return int.from_bytes(value, "little", signed=True) if isinstance(value, bytes) else int(value)

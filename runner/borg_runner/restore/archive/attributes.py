"""What a file has besides its content, held against the archive; and what is set here, as borg does not do it."""

import array
import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator

from borg_runner.restore.archive import acl
from borg_runner.restore.archive.entry import Entry

MISSING, FLAGS = "missing", "flags"
"""How differences are named that a pod may not be able to help."""

_GET_FLAGS = 0x80086601
"""The request FS_IOC_GETFLAGS of 64-bit Linux."""
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20
_FLAGS = {0x1: 0x40, 0x2: _IMMUTABLE, 0x4: _APPEND_ONLY}
"""Linux's flags by BSD's: nodump, immutable, append-only."""
_OF_THE_NODE = frozenset({"security.selinux"})
"""Given by the node to its files, whatever an archive says."""


def find_differences(
    entry: Entry, path: str, *, size: int, uid: int | None, found: os.stat_result, grain: int = 1
) -> Iterator[str]:
    """Yield what of a file is not as the archive has it, in a word or two each; `size` is that of its content.

    `uid`: to whom it is to belong; None: to whom the archive says. `grain`: how exact times are there, in nanoseconds.
    Raises OSError where it cannot be looked at.
    """
    if stat.S_IFMT(found.st_mode) != stat.S_IFMT(entry.mode):
        yield "kind"
        return
    if stat.S_ISREG(entry.mode) and found.st_size != size:
        yield "size"
    if entry.is_symlink:
        if os.readlink(path) != entry.link:  # noqa: PTH115
            yield "link"
    elif _visible_mode(found.st_mode, uid) != _visible_mode(entry.mode, uid):
        yield "mode"
    if entry.is_device and found.st_rdev != entry.extra.rdev:
        yield "device"
    if found.st_mtime_ns // grain != entry.mtime // grain:
        yield "time"
    if (found.st_uid, found.st_gid) != (entry.uid, entry.gid) if uid is None else found.st_uid != uid:
        yield "owner"
    yield from _find_extra_differences(entry, path)


def _visible_mode(mode: int, uid: int | None) -> int:
    """Return the mode; of files that belong to others than in the archive, Linux takes the bit setgid away."""
    return stat.S_IMODE(mode) & ~(0 if uid is None else stat.S_ISGID)


def _find_extra_differences(entry: Entry, path: str) -> Iterator[str]:
    names = _list_attributes(path)
    acls = {name for name in names if name in (acl.ACCESS, acl.DEFAULT)}
    wanted = {os.fsdecode(name): value for name, value in entry.extra.xattrs.items()}
    there = {name: os.getxattr(path, name, follow_symlinks=False) for name in names if name not in acls}
    for name in sorted(wanted.keys() | there.keys()):
        if name not in _OF_THE_NODE and wanted.get(name) != there.get(name):
            yield f"attribute {name}"
    for name, text in ((acl.ACCESS, entry.extra.acl_access), (acl.DEFAULT, entry.extra.acl_default)):
        value = os.getxattr(path, name, follow_symlinks=False) if name in acls else b""
        with contextlib.suppress(ValueError, KeyError):
            meant, found = acl.parse_text(text or b""), acl.parse_attribute(value) if value else frozenset()
            if name == acl.ACCESS:  # one that says no more than the mode is not kept as a list
                meant, found = acl.without_mode(meant), acl.without_mode(found)
            if meant != found:
                yield "access control list"
    if entry.extra.flags and (stat.S_ISREG(entry.mode) or entry.is_folder):
        flags = _read_flags(path)
        if any(bool(entry.extra.flags & bsd) != bool(flags & linux) for bsd, linux in _FLAGS.items()):
            yield FLAGS


def is_held(path: str, found: os.stat_result, *, only_new: bool = False) -> bool:
    """Tell whether a flag keeps everybody, root as well, from replacing or deleting what is there.

    `only_new`: from making something new in it; an append-only folder allows that.
    """
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return False
    try:
        flags = _read_flags(path)
    except OSError:  # it may not be read: what becomes of it, borg says
        return False
    return bool(flags & (_IMMUTABLE if only_new else _IMMUTABLE | _APPEND_ONLY))


def _list_attributes(path: str) -> list[str]:
    try:
        return os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise


def _read_flags(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        buffer = array.array("l", [0])
        fcntl.ioctl(descriptor, _GET_FLAGS, buffer, True)
        return buffer[0]
    except OSError:
        return 0
    finally:
        os.close(descriptor)


def strip_folder(descriptor: int) -> None:
    """Take away the attributes and access control lists of a folder that stays: borg only adds to them.

    What its new files would inherit goes with them. Raises OSError.
    """
    try:
        names = os.listxattr(descriptor)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return
        raise
    for name in names:
        if name.startswith(("user.", "system.posix_acl_")):
            os.removexattr(descriptor, name)


def set_root(entry: Entry, path: str, *, keeps_owner: bool) -> None:
    """Give the folder that is restored into what the source's root has. Raises OSError.

    One that this pod may not change stays as it is, where owners are not kept: volumes' roots are root's.
    """
    if keeps_owner:
        os.chown(path, entry.uid, entry.gid)
    try:
        os.chmod(path, stat.S_IMODE(entry.mode))  # noqa: PTH101
    except PermissionError:
        if keeps_owner:
            raise
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        strip_folder(descriptor)
        for name, text in ((acl.ACCESS, entry.extra.acl_access), (acl.DEFAULT, entry.extra.acl_default)):
            if text:
                with contextlib.suppress(ValueError, KeyError):
                    os.setxattr(descriptor, name, acl.render_attribute(acl.parse_text(text)))
        for attribute, value in entry.extra.xattrs.items():
            if os.fsdecode(attribute) not in _OF_THE_NODE:
                os.setxattr(descriptor, attribute, value)
    finally:
        os.close(descriptor)
    os.utime(path, ns=(entry.mtime, entry.mtime))

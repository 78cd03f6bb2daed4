"""Whether it can be done: room for it, owners and attributes that this pod may give. Asked before any write."""

import os
import posixpath
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from borg_contract.reasons import Reason
from borg_contract.restore.plan import Ownership
from borg_contract.restore.sizes import describe_size
from borg_runner.fault import Fault, FaultError
from borg_runner.log import describe_paths, make_printable
from borg_runner.restore.archive.attributes import FLAGS, MISSING, is_held
from borg_runner.restore.archive.entry import Entry
from borg_runner.restore.archive.scope import Selection
from borg_runner.restore.preview.changes import Changes, count_bytes
from borg_runner.restore.preview.target import Folders, Target

_CHOWN, _IMMUTABLE, _MKNOD, _SETFCAP = 0, 9, 27, 31
"""Numbers of Linux's capabilities."""
_STATUS, _MOUNTS = Path("/proc/self/status"), Path("/proc/self/mountinfo")
_FILE_CAPABILITY = "security.capability"
_KEPT_FLAGS = 0x2 | 0x4
"""Immutable and append-only, as BSD numbers them."""
_SHOWN = 3
_BLOCK = 4096
"""Of nearly all file systems; some tell a larger one, and take less."""
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Powers:
    """What this process may do."""

    uid: int
    groups: frozenset[int]
    capabilities: int

    def may(self, capability: int) -> bool:
        return bool(self.capabilities >> capability & 1)

    def can_give(self, entry: Entry) -> bool:
        """Tell whether it can make a file of that owner and group."""
        return self.may(_CHOWN) or (entry.uid == self.uid and entry.gid in self.groups)


def read_powers() -> Powers:
    """Return what this process may do."""
    lines = _STATUS.read_text().splitlines()
    mask = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return Powers(os.geteuid(), frozenset({os.getegid(), *os.getgroups()}), int(mask, 16))


def check_owners(selection: Selection, changes: Changes, ownership: Ownership, powers: Powers) -> None:
    """Raise FaultError where owners are to be kept and this pod cannot give them."""
    if ownership is Ownership.RUN_AS:
        return
    entries = [selection.entries[path] for path in sorted(changes.written) if path in selection.entries]
    foreign = [entry for entry in entries if not powers.can_give(entry)]
    if not foreign:
        return
    owners = Counter((entry.uid, entry.gid) for entry in foreign)
    named = ", ".join(f"{uid}:{gid} ({count:,})" for (uid, gid), count in owners.most_common(_SHOWN))
    more = f" and {len(owners) - _SHOWN} more owners" if len(owners) > _SHOWN else ""
    text = (
        f"{len(foreign):,} of {len(entries):,} files belong to others than the pod's user {powers.uid}, which may not "
        f"give files away: {named}{more}; the first is {make_printable(foreign[0].path)}. Nothing was changed. Let the "
        "namespace admit pods of the baseline Pod Security Standard, set `job.runAsUser` to their one owner, or choose "
        "`ownership: RunAs`: then all belongs to the pod's user."
    )
    raise FaultError(Fault(Reason.OWNERSHIP_NOT_POSSIBLE, text))


@dataclass(frozen=True)
class Loss:
    """What of some files this pod cannot bring back."""

    what: str
    paths: list[str]
    difference: str
    """How reading back names it."""


def find_losses(entries: Iterable[Entry], powers: Powers) -> Iterator[Loss]:
    """Yield what of the entries this pod cannot bring back."""
    devices, capable, flagged = [], [], []
    for entry in entries:
        if entry.is_device:
            devices.append(entry.path)
        if _FILE_CAPABILITY.encode() in entry.extra.xattrs:
            capable.append(entry.path)
        if entry.extra.flags & _KEPT_FLAGS:
            flagged.append(entry.path)
    for paths, capability, what, difference in (
        (devices, _MKNOD, "device nodes, not made, as the pod lacks the capability MKNOD", MISSING),
        (capable, _SETFCAP, "lose their file capabilities, as the pod lacks SETFCAP", f"attribute {_FILE_CAPABILITY}"),
        (flagged, _IMMUTABLE, "lose the flags immutable or append-only, as the pod lacks LINUX_IMMUTABLE", FLAGS),
    ):
        if paths and not powers.may(capability):
            yield Loss(what, paths, difference)


def check_flags(changes: Changes, target: Target) -> None:
    """Raise FaultError where files or folders in the target let nobody change them; OSError."""
    if changes.is_nothing:
        return
    changed = changes.overwrite | changes.delete
    # Whatever is changed, the journal comes and goes in the root.
    above = {""} | {posixpath.dirname(path) for path in changes.written | changes.delete | changes.untold}
    above -= changes.create | changed
    emptied, folders = {posixpath.dirname(path) for path in changed}, Folders(target)
    held = sorted(
        path
        for path in changed | above
        if folders.hold(path)
        and (found := target.look(path)) is not None
        and is_held(target.join(path), found, only_new=path != "" and path in above and path not in emptied)
    )
    if not held:
        return
    text = (
        f"{describe_paths(path or '.' for path in held)} in the target: immutable or append-only, so that nobody can "
        "replace, delete or make what is to be (see `lsattr -d`). Nothing was changed. Take the flag away "
        "(`chattr -i -a`), or leave it out (`exclude`)."
    )
    raise FaultError(Fault(Reason.PERMISSION_DENIED, text))


def check_mounts(changes: Changes, target: Target) -> None:
    """Raise FaultError where something is to go on which something is mounted: nobody can remove it."""
    root, mounts = os.path.realpath(target.root), _read_mounts()
    inside = {mount[len(root) + 1 :] for mount in mounts if mount.startswith(f"{root}/")}
    mounted = sorted(inside & (changes.delete | changes.clear))
    if not mounted:
        return
    text = (
        f"{describe_paths(mounted)} in the target: something is mounted there, so that nobody can delete it. Nothing "
        "was changed. Leave it out (`exclude`), or unmount it."
    )
    raise FaultError(Fault(Reason.INVALID_ARGUMENT, text))


def _read_mounts() -> set[str]:
    """Return where something is mounted. A device of its own tells less: a subvolume of btrfs has one, too."""
    lines = os.fsdecode(_MOUNTS.read_bytes()).removesuffix("\n").split("\n")  # a path may hold what else ends a line
    return {_OCTAL.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in lines}


def check_space(selection: Selection, changes: Changes, target: Target) -> str | None:
    """Return a warning where it may get tight. Raises FaultError where there is no room; OSError."""
    at = target.root
    while not at.is_dir():
        at = at.parent
    room = os.statvfs(at)
    freed = count_freed(changes, target)
    free = room.f_bavail * room.f_frsize + freed
    block = min(room.f_frsize, _BLOCK)
    # Some file systems pack small files, so whole blocks are no bound from below.
    needed = count_bytes(selection, changes.written, block=block)
    least = count_bytes(selection, changes.written, least=True)
    if least > free:
        text = (
            f"{describe_size(needed)} are to be written, and {describe_size(free)} are free, what is replaced or "
            "deleted included. Nothing was changed. Enlarge the claim, restore into a new one (`target.newClaim`), or "
            "less of it (`paths`, `exclude`)."
        )
        raise FaultError(Fault(Reason.NOT_ENOUGH_SPACE, text))
    made = changes.create | changes.untold
    if room.f_files and len(made) > room.f_favail + len(changes.delete):
        text = (
            f"{len(made):,} files and folders are to be made, and the file system has room for "
            f"{room.f_favail:,} more (inodes). Nothing was changed. Restore into a new, larger claim, or less of it."
        )
        raise FaultError(Fault(Reason.NOT_ENOUGH_SPACE, text))
    if needed > free:
        return (
            f"There may not be enough room: {describe_size(needed)} if none of it are holes, {describe_size(free)} are "
            "free."
        )
    return None


def count_freed(changes: Changes, target: Target) -> int:
    """Return the bytes that are free again once these changes are made: of a file, when its last link goes."""
    total, links = 0, Counter[tuple[int, int]]()
    for path in (*changes.delete, *changes.overwrite):
        found = target.look(path)
        if found is None:
            continue
        file = (found.st_dev, found.st_ino)
        links[file] += 1
        goes = path in changes.delete or path in changes.clear
        if goes if stat.S_ISDIR(found.st_mode) else links[file] == found.st_nlink:
            total += found.st_blocks * 512
    return total

"""Folders that lead to what is restored, and of which the archive tells nothing: it was made of paths below them.

Borg makes them for its own user alone, who is root as a rule, and the application could not reach its files. So they
are made before, like what comes first below them. Those of which the archive tells, borg gives what they had.
"""

import contextlib
import os
import posixpath
import stat
from collections.abc import Collection
from dataclasses import replace

from borg_runner.restore.archive.entry import Entry
from borg_runner.restore.archive.scope import Selection, find_above
from borg_runner.restore.preview.changes import Changes
from borg_runner.restore.preview.target import NO_LINK, Folders, Target

_UNFINISHED = 0o700
"""The mode of what is made and not given away yet."""
_OWNERS, _KEPT = 0o700, 0o2775
"""What the owner may do in any case; what is taken over, without which anybody could write in there."""
_READS, _OF_ANYBODY = 0o444, 0o755
_SEVERAL = -1
"""In place of the owner, or the group, of what lies below: the folder keeps its own."""


def make_untold(target: Target, selection: Selection, changes: Changes, *, keeps_owner: bool) -> None:
    """Make the folders that lead to what is written, each with the mode of what comes first below it, and its owner.

    What lies below may be of several owners, or groups: then it is none of theirs. One that others made meanwhile stays
    as it is. Those above of which the archive tells are made too, for borg to give them what they had. Raises OSError.
    """
    likes = _find_likes(selection, changes)
    told = {above for path in likes for above in find_above(path)} & changes.written
    for path in sorted(likes.keys() | told):
        with target.open_parent(path) as (parent, name):
            is_made = False
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, _UNFINISHED, dir_fd=parent)
                is_made = True
            if path in told or (not is_made and path not in changes.unfinished):
                continue
            like = likes[path]
            folder = os.open(name, NO_LINK, dir_fd=parent)
            try:
                is_empty = not os.listdir(folder)  # noqa: PTH208 - of a descriptor
                if not is_made and not (is_empty and is_unfinished(os.fstat(folder), like)):
                    continue  # nothing is put in there before it is finished
                if keeps_owner:
                    with contextlib.suppress(OSError):  # as borg does with files
                        os.fchown(folder, like.uid, like.gid)
                os.fchmod(folder, _derive_mode(like))
            finally:
                os.close(folder)


def finish_above(
    target: Target, selection: Selection, changes: Changes, made: Collection[str], *, is_own: bool = True
) -> None:
    """Take what leads to the entries and an earlier attempt made as still to be made: it may not be as it is to be.

    `made`: what that was to change, among all else. Of another restore, what looks unfinished counts.
    """
    entries = selection.entries
    folders, there = {posixpath.dirname(path) for path in entries}, Folders(target)
    above = {path for folder in folders for path in (folder, *find_above(folder))}.intersection(made)
    for path in above - entries.keys():
        if not there.has(path):
            continue
        found = target.look(path)
        looks_so = found is not None and is_unfinished(found)
        if path not in selection.above:
            if is_own or (looks_so and next(target.walk(path, lambda _: True), None) is None):
                changes.untold.add(path)
                changes.unfinished.add(path)
        elif looks_so:
            entries[path] = selection.above[path]
            changes.overwrite.add(path)


def _find_likes(selection: Selection, changes: Changes) -> dict[str, Entry]:
    """Return what comes first below each of the folders that lead to what is written; see `_SEVERAL`."""
    likes: dict[str, Entry] = {}
    written = changes.written | changes.resumed if changes.untold else ()
    for path in sorted(written, key=lambda path: (path.count("/"), path)):
        entry = selection.entries[path]
        for above in find_above(path):
            if above not in changes.untold:
                break
            like = likes.setdefault(above, entry)
            if (like.uid, like.gid) != (entry.uid, entry.gid):
                uid = like.uid if like.uid == entry.uid else _SEVERAL
                gid = like.gid if like.gid == entry.gid else _SEVERAL
                likes[above] = replace(like, uid=uid, gid=gid)
    return likes


def is_unfinished(found: os.stat_result, like: Entry | None = None) -> bool:
    """Tell whether a folder may be one that an attempt made, and did not come to give away, or its mode."""
    owners = {os.geteuid(), os.geteuid() if like is None else like.uid}
    return found.st_uid in owners and found.st_mode & 0o777 == _UNFINISHED


def _derive_mode(like: Entry) -> int:
    """Return the mode of a folder above: where a file may be read, it may be entered."""
    if like.is_symlink or _SEVERAL in (like.uid, like.gid):
        return _OF_ANYBODY
    mode = stat.S_IMODE(like.mode)
    if not like.is_folder:
        mode = mode & 0o777 | (mode & _READS) >> 2
    return mode & _KEPT | _OWNERS

"""What others wrote into the target since the restore began: while its undo archive was made, or between two attempts.

The undo archive is of before, so it has nothing of that. What an attempt itself had begun to write is not of others.
"""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from borg_runner.log import describe_paths
from borg_runner.restore.archive.entry import Entry
from borg_runner.restore.journal import Journal, read_began, read_list
from borg_runner.restore.preview.changes import Changes
from borg_runner.restore.preview.reckon import Meant, Task
from borg_runner.restore.preview.target import Folders
from borg_runner.restore.verify import Findings, find_contents, verify_content

_BACK_AGAIN = "restore that with `mode: Merge` to have it back"


@dataclass(frozen=True)
class Late:
    """What of others is to be replaced or deleted. Folders are not among it: what they hold is."""

    written: set[str]
    touched: set[str]
    """What is there with the times of before: its owner, label or hard links changed, if not its content."""

    @property
    def paths(self) -> set[str]:
        return self.written | self.touched


def find_late(task: Task, meant: Meant, journal: Journal, changes: Changes, *, is_again: bool) -> Late:
    """Return what others wrote since the restore began.

    Of what was to be made nothing was there before, so all that is there came since. Of all else the time of the last
    change (ctime) tells, which no program sets. Raises FaultError, OSError.
    """
    root, lost = task.target.root, changes.written | changes.delete
    since = read_began(root, journal)
    try:
        signs = read_list(root, journal.restore)
    except FileNotFoundError:  # the target was empty
        signs = dict.fromkeys(lost, "+")
    late, touched, folders = set(), set(), Folders(task.target)
    for path in lost:
        found = task.target.look(path) if folders.hold(path) else None
        if found is None or stat.S_ISDIR(found.st_mode):
            continue
        if signs.get(path) == "+" or found.st_ctime_ns > since:
            late.add(path)
            if signs.get(path) != "+" and found.st_mtime_ns <= since:
                touched.add(path)
    if is_again:
        late -= find_ours(task, meant, late)
    return Late(late - touched, late & touched)


def find_ours(task: Task, meant: Meant, paths: set[str]) -> set[str]:
    """Return those of the `paths` that a killed attempt may have left so. Raises FaultError, OSError.

    Of a file that is the beginning of what the archive has, of all else what it leads to, or its kind: borg gives
    things their attributes last.
    """
    selection, ours = meant.selection, set()
    files: dict[str, tuple[str, int, int]] = {}
    for path in paths & selection.entries.keys():
        entry, found = selection.entries[path], task.target.look(path)
        if found is None or stat.S_IFMT(found.st_mode) != stat.S_IFMT(entry.mode):
            continue
        if stat.S_ISREG(entry.mode):
            files[path] = (entry.master, found.st_dev, found.st_ino)
        elif _is_as_made(task, path, entry, found):
            ours.add(path)
    findings, compared = Findings(), set(find_contents(selection, set(files)).values())
    if compared:
        verify_content(
            task.repository,
            meant.archive.name,
            selection,
            task.target,
            paths=compared,
            findings=findings,
            scratch=task.scratch,
            items=task.items,
            may_be_short=True,
        )
    begun = {files[path] for path in findings.alike}  # of hard links one was compared for all
    return ours | findings.alike | {path for path, inode in files.items() if inode[0] and inode in begun}


def _is_as_made(task: Task, path: str, entry: Entry, found: os.stat_result) -> bool:
    if entry.is_symlink:
        return task.target.read_link(path) == entry.link
    return not entry.is_device or found.st_rdev == entry.extra.rdev


def tell_late(task: Task, late: Late, undo_archive: str) -> None:
    """Warn of what `find_late` found. `undo_archive`: that has it now; empty where there is none."""
    held = (
        f'what that held is in the undo archive "{undo_archive}"'
        if undo_archive
        else "with `undo: false` nothing has what that held"
    )
    if late.written:
        back = f": {_BACK_AGAIN}" if undo_archive else ""
        named = describe_paths(sorted(late.written))
        task.repository.warn(f"{named}: written since the restore began, and replaced now; {held}{back}")
    if late.touched:
        task.repository.warn(
            f"{describe_paths(sorted(late.touched))}: touched since the restore began, perhaps only the owner, a label "
            f"or hard links, by the restore itself too, and replaced now; {held}"
        )


def tell_late_before(task: Task, undo_archives: Iterable[str]) -> None:
    """Warn of what earlier attempts archived."""
    names = ", ".join(f'"{name}"' for name in undo_archives)
    task.repository.warn(
        f"What others wrote since it began, and was replaced, is in the undo archives {names}: {_BACK_AGAIN}."
    )

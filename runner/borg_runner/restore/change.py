"""Carries out what was reckoned: deletions first, then borg, then what borg does not do, and a look at all of it."""

import contextlib
import ctypes
import errno
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace

from borg_contract.reasons import Reason
from borg_contract.restore.plan import Mode
from borg_contract.restore.result import Verified
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import Fault, FaultError
from borg_runner.log import describe_paths, make_printable
from borg_runner.restore.archive import acl
from borg_runner.restore.archive.attributes import set_root, strip_folder
from borg_runner.restore.archive.damage import accept
from borg_runner.restore.archive.patterns import choose, write_patterns
from borg_runner.restore.extract import extract
from borg_runner.restore.journal import Journal, remove_former, remove_journal, set_aside
from borg_runner.restore.preview.changes import Changes, count_bytes
from borg_runner.restore.preview.reckon import Meant, Task
from borg_runner.restore.preview.room import find_losses
from borg_runner.restore.preview.target import NO_LINK, Folders, Target
from borg_runner.restore.untold import make_untold
from borg_runner.restore.verify import Findings, verify_attributes, verify_content

_SHOWN = 5
_STOPS_EVERY = 1000
_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
_BECAME_FULL = "The target became full meanwhile: enlarge it, or restore into a new claim."


def change(task: Task, meant: Meant, changes: Changes) -> None:
    """Bring the target to what was reckoned, and look at it. Raises FaultError, OSError."""
    whole = changes.of_all_attempts
    with held_times(task.target, find_folders_above(task.target, changes)):
        _delete(task, changes)
        task.add(deleted=len(whole.delete))
        make_untold(task.target, meant.selection, changes, keeps_owner=task.uid is None)
        outcome = _extract(task, meant, changes)
    if _sets_root(task, meant):
        assert meant.selection.root is not None  # noqa: S101 - for the type alone
        set_root(meant.selection.root, str(task.target.root), keeps_owner=task.uid is None)
    task.add(files=len(whole.written | whole.untold), bytes=count_bytes(meant.selection, whole.written))
    if task.plan.verify:
        _verify(task, meant, changes, outcome)
    elif outcome is not None and outcome.warned:
        findings = verify_attributes(meant.selection, task.target, changes.written, uid=task.uid, grain=task.grain)
        _raise_for(task, meant, findings, outcome, Reason.EXTRACT_FAILED)


def finish(task: Task, covers: Iterable[Journal], leaves: Iterable[Journal]) -> None:
    """Let the disk have all of it; remove the journals of this restore and of those that it covers. Raises OSError.

    `leaves`: those of this name that are to stay.
    """
    root = task.target.root
    if not root.is_dir():
        return
    _sync(task.target)
    with held_times(task.target, {""}):
        for journal in leaves:
            set_aside(root, journal)
        for journal in covers:
            remove_former(root, journal)
        remove_journal(root, task.plan.name)


def _sets_root(task: Task, meant: Meant) -> bool:
    """Tell whether the folder itself takes what the source's root has: to OnlyMissing it is there."""
    return meant.selection.root is not None and task.plan.mode is not Mode.ONLY_MISSING


def find_folders_above(target: Target, changes: Changes) -> set[str]:
    """Return the folders that are there, stay, and get another time when something in them is made or deleted."""
    changed = changes.create | changes.overwrite | changes.delete | changes.untold
    above = {posixpath.dirname(path) for path in changed} - changed
    return set(filter(Folders(target).has, above))


@contextlib.contextmanager
def held_times(target: Target, paths: set[str]) -> Iterator[None]:
    """Give these folders their times back when all is done. Raises OSError."""
    times = {path: found for path in paths if (found := target.look(path)) is not None}
    yield
    for path, before in times.items():
        with contextlib.suppress(FileNotFoundError, PermissionError), _opened(target, path) as folder:
            os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


@contextlib.contextmanager
def _opened(target: Target, path: str) -> Iterator[int]:
    if path:
        with target.open_parent(path) as (parent, name):
            descriptor = os.open(name, NO_LINK, dir_fd=parent)
    else:
        descriptor = os.open(target.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _delete(task: Task, changes: Changes) -> None:
    """Delete what is surplus or in the way, and make folders that stay ready to take what the archive has."""
    stayed = []
    for number, path in enumerate(sorted(changes.delete | changes.clear, reverse=True)):
        if number % _STOPS_EVERY == 0:
            task.repository.raise_when_interrupted()
        try:
            task.target.remove(path)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            stayed.append(path)
    if stayed:
        task.repository.warn(f"{describe_paths(stayed)} not deleted: something was made in there meanwhile")
    for path in changes.overwrite - changes.clear:
        found = task.target.look(path)
        if found is not None and stat.S_ISDIR(found.st_mode):
            with contextlib.suppress(PermissionError), _opened(task.target, path) as folder:
                strip_folder(folder)


def _extract(task: Task, meant: Meant, changes: Changes) -> BorgOutcome | None:
    written, selection, repository = changes.written, meant.selection, task.repository
    if not written:
        _drop_inherited(task, meant, changes.resumed)
        return None
    choice = choose(selection, written, selection.entries.keys() - written)
    words = write_patterns(choice, selection, task.scratch / "patterns")
    outcome = extract(
        repository,
        meant.archive.name,
        depth=selection.depth,
        words=words,
        root=task.target.root,
        files=len(written),
        size=count_bytes(selection, written),
    )
    try:
        accept(repository, meant.archive.name, outcome, words)
    except FaultError as error:
        done = sum(1 for path in written if _is_back(task, meant, path)) + len(changes.resumed)
        task.add(files=done)
        reason = Reason.EXTRACT_FAILED if error.fault.reason is Reason.BORG_FAILED else error.fault.reason
        text = f"{done:,} of {len(written | changes.resumed):,} files and folders were restored when it ended: {error}"
        if _became_full(outcome):  # of which borg may die, with other words at its end
            reason, text = Reason.NOT_ENOUGH_SPACE, f"{text} {_BECAME_FULL}"
        raise FaultError(replace(error.fault, reason=reason, text=text)) from error
    _drop_inherited(task, meant, written | changes.resumed)
    return outcome


def _is_back(task: Task, meant: Meant, path: str) -> bool:
    found, grain = task.target.look(path), task.grain
    return found is not None and found.st_mtime_ns // grain == meant.selection.entries[path].mtime // grain


def _drop_inherited(task: Task, meant: Meant, written: set[str]) -> None:
    """Take away the access control lists that new files took over from a folder, where the archive has none."""
    target = task.target
    giving = {path for path in {posixpath.dirname(path) for path in written} if _gives_acl(target.join(path))}
    if not giving:
        return
    for path in written:
        entry = meant.selection.entries[path]
        if posixpath.dirname(path) not in giving or entry.is_symlink or entry.extra.acl_access:
            continue
        with contextlib.suppress(OSError):  # what stays, a look at it finds
            where = target.join(path)
            for name in set(os.listxattr(where, follow_symlinks=False)) & {acl.ACCESS, acl.DEFAULT}:
                if name == acl.ACCESS or not entry.extra.acl_default:
                    os.removexattr(where, name, follow_symlinks=False)
            os.chmod(where, stat.S_IMODE(entry.mode))  # noqa: PTH101


def _gives_acl(folder: str) -> bool:
    try:
        return bool(os.getxattr(folder, acl.DEFAULT, follow_symlinks=False))
    except OSError:
        return False


def _verify(task: Task, meant: Meant, changes: Changes, outcome: BorgOutcome | None) -> None:
    """Read back all that is meant, but what was left alone though it differs. Raises FaultError.

    Where a repair put zeros, only attributes: what is in place since it was archived may be better than the archive.
    """
    repository, selection = task.repository, meant.selection
    paths = (changes.written | changes.same) & selection.entries.keys()
    repository.log.say(f"reading back {len(paths):,} files and folders")
    findings = verify_attributes(selection, task.target, paths, uid=task.uid, grain=task.grain)
    count = verify_content(
        repository,
        meant.archive.name,
        selection,
        task.target,
        paths={path for path in paths - findings.missing if not selection.is_patched(path)},
        findings=findings,
        scratch=task.scratch,
        items=task.items,
    )
    if findings.unread:
        repository.warn(f"{describe_paths(findings.unread)}: not read back, as the pod's user may not read it")
    _drop_losses(task, meant, findings)
    task.add(verified=Verified(count, findings.count))
    repository.log.say(f"{count:,} files read back, {findings.count:,} differ from the archive")
    _raise_for(task, meant, findings, outcome, Reason.VERIFICATION_FAILED)


def _drop_losses(task: Task, meant: Meant, findings: Findings) -> None:
    """Take out of the findings what was foreseen, and warned of, as this pod cannot bring it back."""
    for loss in find_losses(meant.selection.entries.values(), task.powers):
        for path in loss.paths:
            findings.forgive(path, loss.difference)


def _raise_for(task: Task, meant: Meant, findings: Findings, outcome: BorgOutcome | None, reason: Reason) -> None:
    """Raise FaultError where something is not as in the archive."""
    if reason is Reason.EXTRACT_FAILED:
        _drop_losses(task, meant, findings)
    for path, what in findings.different.items():
        task.repository.log.say(f"differs: {make_printable(path)} ({what})", "  ")
    if not findings.count:
        return
    named = ", ".join(f"{make_printable(path)} ({what})" for path, what in list(findings.different.items())[:_SHOWN])
    more = f" and {findings.count - _SHOWN:,} more" if findings.count > _SHOWN else ""
    text = f"{findings.count:,} files are not as in the archive: {named}{more}."
    said = outcome.warnings if outcome is not None else ()
    if outcome is not None and _became_full(outcome):
        reason, text = Reason.NOT_ENOUGH_SPACE, f"{text} {_BECAME_FULL}"
    elif said:
        text += f" Borg said: {said[0]}."
    else:
        text += " Does something write to the target? Stop it, and restore again; else look at the volume."
    raise FaultError(Fault(reason, text))


def _became_full(outcome: BorgOutcome) -> bool:
    return any(words in line for line in outcome.warnings for words in _FULL)


def _sync(target: Target) -> None:
    """Wait until the disk has what was written into the target's file system. Raises OSError."""
    with _opened(target, "") as folder:
        library = ctypes.CDLL(None, use_errno=True)
        if library.syncfs(folder) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(target.root))

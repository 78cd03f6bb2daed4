"""One restore: reckoned anew, checked, undo archive, deletions, extraction, all of it read back.

Nothing in the target changes before the undo archive is complete and the journal is on the disk. From then on, whoever
ends it leaves the journal behind, and the next attempt goes on by it.
"""

import stat
import time
from collections.abc import Iterable
from dataclasses import replace

from borg_contract.ownership import UndoOf
from borg_contract.reasons import Reason
from borg_contract.restore.plan import Mode, RestorePlan
from borg_runner.fault import Fault, FaultError, explain_os_error
from borg_runner.restore.change import change, find_folders_above, finish, held_times
from borg_runner.restore.compare import Changes
from borg_runner.restore.journal import (
    Journal,
    list_name,
    read_boot_id,
    read_journals,
    read_list,
    remove_list,
    write_journal,
    write_list,
)
from borg_runner.restore.reckon import (
    Meant,
    Task,
    check,
    derive_digest,
    describe,
    describe_paths,
    find_meant,
    reckon,
    say_changes,
)
from borg_runner.restore.target import Target
from borg_runner.restore.undo import find_linked, make_undo_archive


def restore(task: Task) -> None:
    """Do it. Raises FaultError, whose text says what is half done, if anything is; OSError before any change."""
    meant = find_meant(task)
    root, plan = task.target.root, task.plan
    before = read_journals(root)
    journal = _find_own(task, before, meant)
    changes = reckon(task, meant)
    digest = journal.digest if journal is not None else derive_digest(task, meant, changes)
    if plan.digest and digest != plan.digest:
        task.add(preview=describe(task, meant, changes, digest))  # to be looked at in place of the old one
        raise FaultError(_explain_outdated(plan.digest, digest))
    if journal is not None:
        _hold_to_list(task, journal, changes)
    found = describe(task, meant, changes, digest)
    task.add(preview=found)
    say_changes(task, changes, found)
    check(task, meant, changes)
    task.repository.raise_when_interrupted()
    was_empty = task.target.is_empty
    if not changes.is_nothing or meant.selection.root is not None:
        root.mkdir(parents=True, exist_ok=True)
    if journal is None and not changes.is_nothing:
        journal = _begin(task, meant, changes, digest, was_empty=was_empty, earlier=_list_earlier(before, task))
    if journal is not None:
        task.add(undo_archive=journal.undo_archive or None)
    try:
        change(task, meant, changes)
        finish(task, covers=_find_covered(task, meant))
    except FaultError as error:
        raise FaultError(replace(error.fault, text=f"{error} {_describe_half(journal)}".rstrip())) from error
    except OSError as error:
        fault = explain_os_error(error)
        raise FaultError(replace(fault, text=f"{fault.text} {_describe_half(journal)}".rstrip())) from error


def _find_own(task: Task, found: Iterable[Journal], meant: Meant) -> Journal | None:
    """Return the journal of an earlier attempt at this very restore, after a warning of those of others.

    One of the same name that was deleted was another: since then others may have written, and what was approved, or
    was to be undone, may have been another thing.
    """
    own, plan = None, task.plan
    for journal in found:
        if (journal.restore, journal.uid, journal.archive_id) == (plan.name, plan.uid, meant.archive.id):
            own = journal
            task.repository.log.say(
                f"an earlier attempt began to change the target: going on from there ({journal.digest[:12]}…)"
            )
            continue
        undo = (
            f' What was there before it is in the undo archive "{journal.undo_archive}".'
            if journal.undo_archive
            else ""
        )
        task.repository.warn(
            f'The target was half restored by {_name(journal, plan)} from archive "{journal.archive}", which never '
            f"finished; this one goes over it.{undo}"
        )
    return own


def _name(journal: Journal, plan: RestorePlan) -> str:
    former = "an earlier " if journal.restore == plan.name else ""
    return f'{former}BorgRestore "{journal.restore}"'


def _list_earlier(found: Iterable[Journal], task: Task) -> tuple[str, ...]:
    """Return the undo archives of BorgRestores that had this one's name, whose journal this one takes the place of."""
    return tuple(
        archive
        for journal in found
        if journal.restore == task.plan.name
        for archive in (*journal.earlier, journal.undo_archive)
        if archive
    )


def _find_covered(task: Task, meant: Meant) -> set[str]:
    """Return the restores that left the target half restored and of which nothing is left once this one has ended."""
    plan, undone = task.plan, meant.archive.undo
    is_whole = not (plan.paths or plan.exclude) and plan.mode is not Mode.ONLY_MISSING
    return {
        journal.restore
        for journal in read_journals(task.target.root)
        if is_whole or (undone is not None and undone.restore == journal.restore)
    }


def _explain_outdated(wanted: str, found: str) -> Fault:
    text = (
        f"The target has changed since the preview: what would be done now is another thing ({found[:12]}…) than "
        f"what was to be done ({wanted[:12]}…). Nothing was changed."
    )
    return Fault(Reason.PREVIEW_OUTDATED, text)


def _hold_to_list(task: Task, journal: Journal, changes: Changes) -> None:
    """Leave alone what was not to be changed when the restore began: nobody has seen it, and no undo archive has it."""
    try:
        signs = read_list(task.target.root, journal.restore)
    except FileNotFoundError:  # the target was empty: all that can be replaced in it has come since
        new, late = set(changes.delete), set()
    else:
        new = {path for path in changes.delete if path not in signs}
        late = {path for path in changes.overwrite if path not in signs and not _stays_folder(task, changes, path)}
    changes.delete -= new
    changes.overwrite -= late
    changes.clear -= late
    changes.keep |= late
    if new or late:
        task.repository.warn(
            f"{describe_paths(sorted(new | late))}: changed since the restore began, and not what it was to change, so "
            "left alone"
        )


def _stays_folder(task: Task, changes: Changes, path: str) -> bool:
    found = task.target.look(path)
    return path not in changes.clear and found is not None and stat.S_ISDIR(found.st_mode)


def _begin(
    task: Task, meant: Meant, changes: Changes, digest: str, *, was_empty: bool, earlier: tuple[str, ...]
) -> Journal:
    """Make the undo archive and leave the journal: from here on the target may be changed."""
    root, name = task.target.root, task.plan.name
    undo_archive = ""
    if not was_empty:
        with held_times(task.target, {""}):
            write_list(root, name, changes.lines())
    if task.plan.undo and not was_empty:
        try:
            undo_archive = _archive_before(task, meant, changes)
        except FaultError:
            with held_times(task.target, {""}):
                remove_list(root, name)
            raise
        task.add(undo_archive=undo_archive)
    journal = Journal(
        restore=name,
        archive=meant.archive.name,
        archive_id=meant.archive.id,
        digest=digest,
        undo_archive=undo_archive,
        began=time.time_ns(),
        boot=read_boot_id(),
        uid=task.plan.uid,
        earlier=earlier,
    )
    with held_times(task.target, {""}):
        write_journal(root, journal)
    return journal


def _archive_before(task: Task, meant: Meant, changes: Changes) -> str:
    target, owner = task.target, task.repository.plan.name
    paths = changes.overwrite | changes.delete
    if sockets := sorted(path for path in paths if _is_socket(target, path)):
        text = f"{describe_paths(sockets)}: of sockets archives hold nothing, so no undo brings them back"
        task.repository.warn(text)
    paths |= find_linked(target, paths)
    paths |= find_folders_above(target, changes) - {""}
    return make_undo_archive(
        task.repository,
        UndoOf(task.run.namespace, task.plan.name, owner, meant.archive.id, task.run.cluster),
        paths | {list_name(task.plan.name), "."},
        root=target.root,
        scratch=task.scratch / "undo",
        run_name=task.run_name,
    )


def _is_socket(target: Target, path: str) -> bool:
    found = target.look(path)
    return found is not None and stat.S_ISSOCK(found.st_mode)


def _describe_half(journal: Journal | None) -> str:
    if journal is None:
        return ""
    undo = (
        f'What was there before is in the undo archive "{journal.undo_archive}": restoring that with `mode: Mirror` '
        "into the same folder takes everything back."
        if journal.undo_archive
        else "There is no undo archive, as the folder was empty or `undo` is false."
    )
    earlier = ", ".join(f'"{name}"' for name in reversed(journal.earlier))
    before = f" Then restore what was there before its forerunners, in this order: {earlier}." if earlier else ""
    return (
        "The target may be half restored. Mend the cause and make the BorgRestore anew: it looks at all again, and "
        f"archives what it overwrites then. {undo}{before}"
    )

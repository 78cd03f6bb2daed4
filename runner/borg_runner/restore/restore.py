"""One restore: reckoned anew, checked, undo archive, deletions, extraction, all of it read back.

Nothing in the target changes before the undo archive is complete and the journal is on the disk. From then on, whoever
ends it leaves the journal behind, and the next attempt goes on by it.
"""

import contextlib
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from borg_contract.ownership import UndoOf
from borg_contract.reasons import Reason
from borg_contract.restore.plan import Mode
from borg_runner.fault import Fault, FaultError, explain_os_error
from borg_runner.log import describe_paths
from borg_runner.restore.change import change, find_folders_above, finish, held_times
from borg_runner.restore.earlier import (
    find_of_same,
    find_own,
    hold_to_list,
    leave_alone,
    list_earlier,
    name_undo_archives,
)
from borg_runner.restore.journal import (
    Journal,
    measure_grain,
    read_boot_id,
    read_journals,
    remove_journal,
    set_aside,
    write_journal,
    write_list,
)
from borg_runner.restore.late import find_late, tell_late
from borg_runner.restore.others import digest_selection, find_covered, heed_unfinished, tell_above, tell_unfinished
from borg_runner.restore.preview.changes import Changes, list_name
from borg_runner.restore.preview.reckon import (
    Meant,
    Task,
    check,
    derive_digest,
    describe,
    find_meant,
    reckon,
    say_changes,
)
from borg_runner.restore.preview.target import Target
from borg_runner.restore.undo import find_linked, make_undo_archive

_EXACT = 10**6
"""Nanoseconds. Nobody misses what is less."""


def preview(task: Task) -> None:
    """Say what a restore would do, and change nothing. Raises FaultError, OSError."""
    meant = find_meant(task)
    before = read_journals(task.target.root)
    journal = find_own(task, before, meant)
    others = [item for item in before if item is not journal]
    changes = reckon(task, meant)
    heed_unfinished(task, meant, changes, others)
    tell_above(task)
    tell_unfinished(task, meant, changes, others)
    found = describe(task, meant, changes, derive_digest(task, meant, changes))
    task.add(preview=found)
    say_changes(task, changes, found)
    check(task, meant, changes)


def restore(task: Task) -> None:
    """Do it. Raises FaultError, whose text says what is half done, if anything is; OSError before any change."""
    before = read_journals(task.target.root)
    half = find_of_same(task.plan, before)
    if half is not None:  # told first of all: whatever fails now, what was there before is in that archive
        task.add(undo_archive=half.undo_archive or None)
        if half.undo_archive:
            task.count()
    with _telling_what_is_half(task, half):
        _restore(task, before)


def _restore(task: Task, before: list[Journal]) -> None:
    meant = find_meant(task)
    root, plan = task.target.root, task.plan
    journal = find_own(task, before, meant)
    former = [item for item in before if item.restore == plan.name and item is not journal]
    since = journal.began if journal is not None and journal.is_of_this_boot else None
    if journal is not None:
        _heed_grain(task, journal)
    others = [item for item in before if item is not journal]
    changes = reckon(task, meant, since=since)
    heed_unfinished(task, meant, changes, others)
    digest = journal.digest if journal is not None else derive_digest(task, meant, changes)
    if plan.digest and digest != plan.digest:
        task.add(preview=describe(task, meant, changes, digest))  # to be looked at in place of the old one
        raise FaultError(_explain_outdated(plan.digest, digest))
    is_again = journal is not None
    if journal is not None:
        hold_to_list(task, meant, journal, changes)
    tell_above(task)
    tell_unfinished(task, meant, changes, others)
    found = describe(task, meant, changes, digest)
    task.add(preview=found)
    say_changes(task, changes, found)
    check(task, meant, changes)
    task.repository.raise_when_interrupted()
    was_empty = task.target.is_empty
    if not changes.is_nothing or meant.selection.root is not None:
        root.mkdir(parents=True, exist_ok=True)
    try:
        if journal is not None:
            journal = _keep_late(task, meant, journal, changes, is_again=True)
        elif not changes.is_nothing:
            with _begun_in_vain(task, former):
                journal = _begin(task, meant, changes, digest, was_empty=was_empty, earlier=list_earlier(former))
                _heed_grain(task, journal)
                journal = _keep_late(task, meant, journal, changes, is_again=False)
        with _telling_what_is_half(task, None if is_again else journal):
            change(task, meant, changes)
            covered = find_covered(task, meant, changes)
            finish(task, covers=covered, leaves=[item for item in former if item not in covered])
    finally:
        if journal is not None and (journal.undo_archive or journal.late):
            task.count()  # anew: others may have used the repository meanwhile, and this counts as of the run's end


@contextlib.contextmanager
def _telling_what_is_half(task: Task, journal: Journal | None) -> Iterator[None]:
    """Raise FaultErrors, and OSErrors as such, with what is half done and how to go on: as the journal tells."""
    try:
        yield
    except (FaultError, OSError) as error:
        if journal is None:
            raise
        if isinstance(error, FaultError):
            fault = error.fault
        else:
            fault = explain_os_error(error, of_target=task.target.holds(error))
        # What an attempt says of itself would be read as of the restore.
        said = fault.text.replace("Nothing was changed", "This attempt changed nothing")
        raise FaultError(replace(fault, text=f"{said} {_describe_half(journal)}")) from error


@contextlib.contextmanager
def _begun_in_vain(task: Task, former: Sequence[Journal]) -> Iterator[None]:
    """Take back that the restore began where it cannot go on, and nothing is changed yet.

    What `former` ones of its name left is set aside before: whatever ends this one, it says what they half restored.
    """
    with held_times(task.target, {""} if former else set()):
        for item in former:
            set_aside(task.target.root, item)
    try:
        yield
    except (FaultError, OSError):
        with contextlib.suppress(OSError), held_times(task.target, {""}):
            remove_journal(task.target.root, task.plan.name)
        raise


def _explain_outdated(wanted: str, found: str) -> Fault:
    text = (
        f"The target has changed since the preview: what would be done now is another thing ({found[:12]}…) than "
        f"what was to be done ({wanted[:12]}…). Nothing was changed."
    )
    return Fault(Reason.PREVIEW_OUTDATED, text)


def _begin(
    task: Task, meant: Meant, changes: Changes, digest: str, *, was_empty: bool, earlier: tuple[str, ...]
) -> Journal:
    """Make the undo archive and leave the journal: from here on the target may be changed."""
    root, name = task.target.root, task.plan.name
    undo_archive = ""
    with held_times(task.target, {""}):
        write_list(root, name, changes.lines())
    if task.plan.undo and not was_empty:
        undo_archive = _archive_before(task, meant, changes)
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
        paths_digest=digest_selection(task.plan),
        earlier=earlier,
    )
    try:
        with held_times(task.target, {""}):
            write_journal(root, journal)
    finally:
        if undo_archive:
            task.count()
    return journal


def _heed_grain(task: Task, journal: Journal) -> None:
    task.grain = measure_grain(task.target.root, journal)
    if task.grain > _EXACT:
        seconds = task.grain / 10**9
        task.repository.warn(f"The target keeps times to {seconds:g} s: what comes back has no more exact ones")


def _keep_late(task: Task, meant: Meant, journal: Journal, changes: Changes, *, is_again: bool) -> Journal:
    """Archive what others wrote since the restore began and is replaced now: the undo archive is of before."""
    only_missing = task.plan.mode is Mode.ONLY_MISSING
    if is_again and only_missing and journal.is_of_this_boot:  # it was told from what the attempt itself wrote
        return journal
    late = find_late(task, meant, journal, changes, is_again=is_again)
    if not late.paths:
        return journal
    if only_missing and not is_again:
        leave_alone(task, meant, changes, late.paths)
        return journal
    undo_archive = ""
    if task.plan.undo:
        undo_archive = _archive_before(
            task, meant, Changes(overwrite=late.paths), so_far=f"Nothing {'more ' if is_again else ''}was changed"
        )
        journal = replace(journal, late=(*journal.late, undo_archive))
        try:
            with held_times(task.target, {""}):
                write_journal(task.target.root, journal)
        finally:
            task.count()
    tell_late(task, late, undo_archive)
    return journal


def _archive_before(task: Task, meant: Meant, changes: Changes, *, so_far: str = "Nothing was changed") -> str:
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
        so_far=so_far,
    )


def _is_socket(target: Target, path: str) -> bool:
    found = target.look(path)
    return found is not None and stat.S_ISSOCK(found.st_mode)


def _describe_half(journal: Journal) -> str:
    undo = (
        f'What was there before is in the undo archive "{journal.undo_archive}": restoring that with `mode: Mirror` '
        "into the same folder takes everything back."
        if journal.undo_archive
        else "There is no undo archive, as the folder was empty or `undo` is false."
    )
    earlier = f" Then restore what was there before its forerunners, in this order: {name_undo_archives(journal)}."
    before = earlier if journal.earlier else ""
    return (
        "The target may be half restored. Mend the cause and make the BorgRestore anew: it looks at all again, and "
        f"archives what it overwrites then. {undo}{before}"
    )

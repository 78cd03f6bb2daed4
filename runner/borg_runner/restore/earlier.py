"""What earlier attempts left in the target: those of this restore, which it goes on from, and those of others.

A BorgRestore that was deleted and made anew under its name is another one: since then others may have written, and what
was approved, or is in an undo archive, was of the first.
"""

import stat
from collections.abc import Iterable, Mapping

from borg_contract.restore.plan import RestorePlan
from borg_runner.log import describe_paths
from borg_runner.restore.archive.scope import find_above
from borg_runner.restore.journal import Journal, is_aside, read_list
from borg_runner.restore.late import find_ours, tell_late_before
from borg_runner.restore.preview.changes import Changes
from borg_runner.restore.preview.reckon import Meant, Task
from borg_runner.restore.untold import finish_above


def find_of_same(plan: RestorePlan, found: Iterable[Journal]) -> Journal | None:
    """Return the journal that an earlier attempt of this very BorgRestore left."""
    return next((item for item in found if _is_of_same(item, plan)), None)


def _is_of_same(journal: Journal, plan: RestorePlan) -> bool:
    return (journal.restore, journal.uid) == (plan.name, plan.uid)


def find_own(task: Task, found: Iterable[Journal], meant: Meant) -> Journal | None:
    """Return the journal of an earlier attempt at this very restore, after a warning of those of others."""
    own, plan = None, task.plan
    for journal in found:
        is_own = _is_of_same(journal, plan) and journal.archive_id == meant.archive.id
        if is_own and not is_aside(task.target.root, journal):
            own = journal
            task.repository.log.say(
                f"an earlier attempt began to change the target: going on from there ({journal.digest[:12]}…)"
            )
            if journal.late:
                tell_late_before(task, journal.late)
            if journal.earlier:
                names = name_undo_archives(journal)
                task.repository.warn(
                    f"What was there before earlier ones of this name is in the undo archives {names}."
                )
            continue
        undo = (
            f' What was there before it is in the undo archive "{journal.undo_archive}".'
            if journal.undo_archive
            else ""
        )
        task.repository.warn(
            f'The target was half restored by {_name(journal, plan)} from archive "{journal.archive}", which never '
            f"finished.{undo}"
        )
    return own


def _name(journal: Journal, plan: RestorePlan) -> str:
    former = "an earlier " if journal.restore == plan.name else ""
    return f'{former}BorgRestore "{journal.restore}"'


def name_undo_archives(journal: Journal) -> str:
    return ", ".join(f'"{name}"' for name in reversed(journal.earlier))


def list_earlier(former: Iterable[Journal]) -> tuple[str, ...]:
    """Return the undo archives of the BorgRestores before this one of its name.

    Each of these names those before it too: however they come, the first mention of each is in their order.
    """
    names = (name for item in former for name in (*item.earlier, item.undo_archive, *item.late) if name)
    return tuple(dict.fromkeys(names))


def hold_to_list(task: Task, meant: Meant, journal: Journal, changes: Changes) -> None:
    """Leave alone what was not to be changed when the restore began: nobody has seen it, and no undo archive has it.

    What was to be made then is finished, also where anything that is there is left alone else.
    """
    signs: dict[str, str] = {}
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
    finish_above(task.target, meant.selection, changes, signs)
    below = _keep_below(meant, changes, late | new)
    begun = there = _find_begun(task, meant, changes, signs)
    if journal.is_of_this_boot or not task.plan.undo:
        begun = find_ours(task, meant, there)
    # Else nobody knows what of an attempt came to the disk: all of it is replaced, and in an undo archive.
    changes.overwrite |= begun
    changes.keep -= begun
    left = there - begun
    _tell_left(task, left, doubtful=left & meant.selection.repeated if journal.is_of_this_boot else left)
    _note_begun(task, changes, signs)
    if new or late:
        what = f", and what was to be in there with it ({describe_paths(sorted(below))})" if below else ""
        task.repository.warn(
            f"{describe_paths(sorted(new | late))}: changed since the restore began, and not what it was to change, so "
            f"left alone{what}"
        )


def leave_alone(task: Task, meant: Meant, changes: Changes, late: set[str]) -> None:
    """Leave what others made since the target was looked at, as OnlyMissing does."""
    changes.create -= late
    changes.keep |= late
    _keep_below(meant, changes, late)
    _tell_left(task, late, doubtful=set())


def _keep_below(meant: Meant, changes: Changes, kept: set[str]) -> set[str]:
    """Leave out, and return, what was to be made in folders in whose place something else is, and stays."""
    entries = meant.selection.entries
    folders = {path for path in kept if path not in entries or entries[path].is_folder}
    below = {path for path in changes.written if folders and not folders.isdisjoint(find_above(path))}
    changes.create -= below
    changes.overwrite -= below
    changes.clear -= below
    changes.untold -= {path for path in changes.untold if not folders.isdisjoint((path, *find_above(path)))}
    changes.keep |= below
    changes.stuck |= below
    return below


def _tell_left(task: Task, left: set[str], *, doubtful: set[str]) -> None:
    """Warn of what OnlyMissing leaves as it is although it was to be made: others wrote it, or nobody can tell."""
    if others := sorted(left - doubtful):
        task.repository.warn(
            f"{describe_paths(others)}: written since the restore began, and so left alone, as OnlyMissing does"
        )
    if doubtful:
        task.repository.warn(
            f"{describe_paths(sorted(doubtful))}: not as in the archive, and left alone: others wrote it, or the "
            "earlier attempt but a part of it. Look at it, or restore it with `mode: Merge`."
        )


def _note_begun(task: Task, changes: Changes, signs: Mapping[str, str]) -> None:
    """Note what of the changes is the earlier attempts' work; a folder that was right got other times by that."""
    met = (changes.written | changes.same) & signs.keys()
    gone = {path for path, sign in signs.items() if sign == "-" and task.target.look(path) is None}
    changes.begun = {path: signs[path] for path in met | gone}
    if signs:
        changes.begun |= dict.fromkeys((path for path in changes.overwrite if path not in signs), "=")


def _find_begun(task: Task, meant: Meant, changes: Changes, signs: Mapping[str, str]) -> set[str]:
    """Return what differs from the archive and was to be made by an attempt whose list has these `signs`."""
    kept = (path for path in changes.keep - changes.stuck if signs.get(path) == "+")
    return {path for path in kept if _is_of_its_kind(task, meant, path)}


def _is_of_its_kind(task: Task, meant: Meant, path: str) -> bool:
    found, entry = task.target.look(path), meant.selection.entries.get(path)
    return found is not None and entry is not None and stat.S_IFMT(found.st_mode) == stat.S_IFMT(entry.mode)


def _stays_folder(task: Task, changes: Changes, path: str) -> bool:
    found = task.target.look(path)
    return path not in changes.clear and found is not None and stat.S_ISDIR(found.st_mode)

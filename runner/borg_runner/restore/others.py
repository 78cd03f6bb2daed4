"""What other restores that never finished left in the target, and this one leaves as it is.

Each has left its journal, and the list of what it was to change. What it did of that nobody wrote down: the time of the
last change (ctime) tells what was touched since it began, and of its own archive what is whole by now.
"""

import contextlib
import hashlib
import stat
from collections.abc import Iterable, Iterator, Mapping
from os import stat_result

from borg_contract.restore.plan import Mode, RestorePlan
from borg_runner.log import describe_paths
from borg_runner.restore.archive.attributes import find_differences
from borg_runner.restore.archive.scope import find_above
from borg_runner.restore.journal import Journal, NoFileError, read_began, read_journals, read_list_of
from borg_runner.restore.preview.changes import Changes
from borg_runner.restore.preview.reckon import Meant, Task
from borg_runner.restore.preview.target import Folders
from borg_runner.restore.untold import finish_above, is_unfinished


def heed_unfinished(task: Task, meant: Meant, changes: Changes, others: Iterable[Journal]) -> None:
    """Finish the folders that lead to what is restored, and that these made, and did not come to give what they had.

    OnlyMissing changes nothing that is there, but for folders of which no archive tells, and which are empty.
    """
    for journal in others:
        made = {path for path, _, _ in _find_touched(task, journal, _read_signs(task, journal))}
        if task.plan.mode is Mode.ONLY_MISSING:
            made -= meant.selection.above.keys()
        finish_above(task.target, meant.selection, changes, made, is_own=False)


def tell_unfinished(task: Task, meant: Meant, changes: Changes, others: Iterable[Journal]) -> None:
    """Warn of what is asked for, and these may have written in part, and this restore leaves as it is."""
    left = {path for journal in others for path in _find_left(task, meant, changes, journal)}
    if asked_for := sorted(path for path in left if _is_asked_for(meant, path)):
        task.repository.warn(
            f"{describe_paths(asked_for)}: left as it is, and an earlier restore may have done but a part of it. Look "
            "at it, or restore the archive of that one, or its undo archive, with `mode: Merge`."
        )


def tell_above(task: Task) -> None:
    """Warn of restores into folders above, within the volume, that never finished."""
    root, volume = task.target.root, task.target.volume
    for folder in (above for above in root.parents if above.is_relative_to(volume)):
        for journal in read_journals(folder):
            task.repository.warn(
                f"What is in the target may be half written, and is not named: a folder above was half restored by "
                f'BorgRestore "{journal.restore}" from archive "{journal.archive}", which never finished.'
            )


def find_covered(task: Task, meant: Meant, changes: Changes) -> list[Journal]:
    """Return the journals of the restores of which nothing is half restored once this one has ended."""
    plan = task.plan
    undoes = plan.mode is Mode.MIRROR and not (plan.paths or plan.exclude)
    return [
        journal
        for journal in read_journals(task.target.root)
        if (undoes and journal.undo_archive == meant.archive.name)
        or ((_is_whole(plan) or _does_again(plan, journal)) and not _find_left(task, meant, changes, journal))
    ]


def _is_whole(plan: RestorePlan) -> bool:
    """Tell whether it goes over all that its archive has."""
    return not (plan.paths or plan.exclude) and plan.mode is not Mode.ONLY_MISSING


def _does_again(plan: RestorePlan, journal: Journal) -> bool:
    """Tell whether it asks for all that the one of its name was to restore."""
    is_same = journal.restore == plan.name and journal.paths_digest == digest_selection(plan)
    return is_same and plan.mode is not Mode.ONLY_MISSING


def digest_selection(plan: RestorePlan) -> str:
    return hashlib.sha256(repr((plan.source, plan.paths, plan.exclude)).encode("utf-8", "surrogateescape")).hexdigest()


def _find_left(task: Task, meant: Meant, changes: Changes, journal: Journal) -> set[str]:
    """Return what that restore wrote, or began to, and this one neither writes, deletes nor finds as in its archive."""
    done = changes.written | changes.same | changes.delete | changes.untold
    signs = _read_signs(task, journal)
    left = set(_find_half_emptied(task, signs)) - done
    is_same = journal.archive_id == meant.archive.id and journal.is_of_this_boot
    for path, sign, found in _find_touched(task, journal, signs):
        if path in done or (is_same and _is_as_archived(task, meant, path, found)):
            continue
        is_made = sign == "+" and stat.S_ISDIR(found.st_mode) and not is_unfinished(found)
        if path in meant.selection.entries or not is_made:
            left.add(path)
    return left


def _find_touched(task: Task, journal: Journal, signs: Mapping[str, str]) -> Iterator[tuple[str, str, stat_result]]:
    """Yield, with its sign, what is there of what it was to make or replace, and was changed since it began."""
    since, folders = read_began(task.target.root, journal), Folders(task.target)
    for path, sign in signs.items():
        found = task.target.look(path) if sign != "-" and folders.hold(path) else None
        if found is not None and found.st_ctime_ns >= since:
            yield path, sign, found


def _find_half_emptied(task: Task, signs: Mapping[str, str]) -> Iterator[str]:
    """Yield the folders that are still there, and were to be replaced, and of which something is gone."""
    folders = Folders(task.target)
    for path, sign in signs.items():
        if sign == "-" and (not folders.hold(path) or task.target.look(path) is None):
            yield from (above for above in find_above(path) if signs.get(above) == "~" and folders.has(above))


def _is_as_archived(task: Task, meant: Meant, path: str, found: stat_result) -> bool:
    """Tell whether all but its content is as in the archive: borg gives attributes last, so it wrote all of it."""
    selection = meant.selection
    if (entry := selection.entries.get(path)) is None:
        return False
    size = selection.masters.get(entry.master, entry).size
    where = task.target.join(path)
    with contextlib.suppress(OSError):
        return not any(find_differences(entry, where, size=size, uid=task.uid, found=found, grain=task.grain))
    return False


def _is_asked_for(meant: Meant, path: str) -> bool:
    scope = meant.scope
    return (scope.has(path) or scope.leads_to(path)) and not scope.leaves_out(path)


def _read_signs(task: Task, journal: Journal) -> dict[str, str]:
    with contextlib.suppress(FileNotFoundError, NoFileError):
        return read_list_of(task.target.root, journal)
    return {}

"""What a restore would do: the archive that is meant, what of it, and what that changes in the target as it is now."""

import datetime as dt
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path

from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_contract.restore.plan import Mode, Ownership, RestorePlan
from borg_contract.restore.result import ResolvedArchive, RestorePreview, RestoreResult
from borg_contract.restore.sizes import describe_size
from borg_runner.fault import Fault, FaultError
from borg_runner.log import describe_paths, make_printable
from borg_runner.restore.archive.listing import fetch_file, fetch_items, read_items
from borg_runner.restore.archive.resolve import find_fuller, resolve
from borg_runner.restore.archive.scope import Scope, Selection, derive_scope, is_own, select
from borg_runner.restore.preview.changes import Changes, count_bytes, list_name, parse_list
from borg_runner.restore.preview.compare import Rules, compare
from borg_runner.restore.preview.room import (
    Powers,
    check_flags,
    check_mounts,
    check_owners,
    check_space,
    find_losses,
    read_powers,
)
from borg_runner.restore.preview.target import Target
from borg_runner.verbs.list import ListedArchive
from borg_runner.verbs.repository import Repository

_SAMPLE = 32
_SAMPLE_CHARACTERS = 1024
_SHOWN = 3
_LOG_LINES = 1000


@dataclass
class Task:
    """One preview or restore: what is asked for, what it works with, and what is known so far."""

    run: RunPlan
    plan: RestorePlan
    repository: Repository
    target: Target
    sources_root: Path
    scratch: Path
    run_name: str
    keep: Callable[[RestoreResult], None]
    """Told what is known so far."""
    count: Callable[[], None] = lambda: None
    """Counts the archives anew: whoever knows them has to hear of one more."""
    result: RestoreResult = field(default_factory=RestoreResult)
    powers: Powers = field(default_factory=read_powers)
    grain: int = 1
    """How exact the target keeps times, in nanoseconds."""

    def add(self, **facts: object) -> None:
        """Take over facts, by the names of the result's fields."""
        self.result = replace(self.result, **facts)  # type: ignore[arg-type]
        self.keep(self.result)

    @property
    def uid(self) -> int | None:
        """To whom all is to belong; None: to whom the archive says."""
        return self.powers.uid if self.plan.ownership is Ownership.RUN_AS else None

    @property
    def items(self) -> Path:
        return self.scratch / "items"


@dataclass(frozen=True)
class Meant:
    """What is to be restored, whatever the target is."""

    archive: ListedArchive
    scope: Scope
    selection: Selection
    made: frozenset[str] | None
    """Of an undo archive: what the restore had made that it undoes."""


def find_meant(task: Task) -> Meant:
    """Return what is to be restored. Raises FaultError where that is not there; OSError."""
    plan, repository = task.plan, task.repository
    scope = derive_scope(plan)
    archive = resolve(task.run, plan, repository, now=dt.datetime.now(dt.UTC).replace(tzinfo=None))
    resolved = ResolvedArchive(archive.name, archive.id, archive.time, plan.source if archive.undo is None else "")
    task.add(resolved=resolved)
    repository.log.say(f'archive "{archive.name}" of {archive.time} ({archive.id[:16]}…)')
    fetch_items(repository, archive.name, task.items)
    source = _find_source(task, archive)
    prefix = str(task.sources_root / source).lstrip("/") if source else ""
    selection = select(read_items(task.items), prefix, scope)
    if source and selection.root is None and not selection.entries and not selection.dropped:
        raise FaultError(_explain_no_source(task, archive, source))
    for path in [path for path in selection.entries if task.target.is_own(path)]:
        selection.drop(path)
    task.add(resolved=replace(resolved, source=source), size=count_bytes(selection, set(selection.entries)))
    if archive.undo is None and all(entry.is_folder for entry in selection.entries.values()):
        _tell_empty(task, archive, source)
    asked_for = (path for path in selection.dropped if is_own(path) and scope.has(path) and not scope.leaves_out(path))
    if archive.undo is None and (like_ours := sorted(asked_for)):
        repository.warn(f"{describe_paths(like_ours)} left out: what is called so is taken for a restore's own files")
    if selection.unsafe:
        repository.warn(
            f"{describe_paths(sorted(selection.unsafe))} left out: borg never archives such paths, which lead out of "
            "the target. Somebody forged the archive, or damaged it."
        )
    return Meant(archive, scope, selection, _find_made(task, archive))


def _find_source(task: Task, archive: ListedArchive) -> str:
    """Return which source of the archive is meant; empty for all of an archive that has none."""
    if archive.undo is not None:
        return ""
    if task.plan.source or archive.owner is None:
        return task.plan.source
    names = sorted(archive.content.files) or find_sources(task)
    if len(names) == 1:
        return names[0]
    held = f"{len(names)} sources: {', '.join(names)}" if names else "no source"
    text = f'Archive "{archive.name}" has {held}. Say with `source` which of them is meant. Nothing was changed.'
    raise FaultError(Fault(Reason.SOURCE_NOT_FOUND, text))


def _tell_empty(task: Task, archive: ListedArchive, source: str) -> None:
    """Say that the archive has nothing but folders. Where it is only the newest, it is hardly what was meant.

    Backups go on after data is lost, or a claim made anew, and these are then the newest.
    """
    what = f'archive "{archive.name}" has no file of what is to be restored'
    if task.plan.latest is None or task.plan.archive_id:
        task.repository.warn(f"{what[0].upper()}{what[1:]}.")
        return
    if held := archive.content.files.get(source):
        text = (
            f"The newest that fits, {what}: of the {held:,} files that it has of the source, `paths` and `exclude` "
            "leave nothing. Nothing was changed. Correct these, or name the archive that you mean with `archive`."
        )
        raise FaultError(Fault(Reason.ARCHIVE_EMPTY, text))
    fuller = find_fuller(task.run, task.plan.latest, task.repository, archive, source)
    there = f' The newest before it that has files of the source is "{fuller}": `archive: {fuller}`.' if fuller else ""
    text = (
        f"The newest that fits, {what}: it was made when the data was gone already, or `paths` and `exclude` leave "
        "nothing of it. Nothing was changed. Set `latest.before` to a time before that, or name the one that you mean "
        f"with `archive`.{there}"
    )
    raise FaultError(Fault(Reason.ARCHIVE_EMPTY, text))


def find_sources(task: Task) -> list[str]:
    """Return the names of the sources that the archive has."""
    begin = f"{str(task.sources_root).lstrip('/')}/"
    paths = (entry.path for entry in read_items(task.items))
    return sorted({path[len(begin) :].partition("/")[0] for path in paths if path.startswith(begin)})


def _explain_no_source(task: Task, archive: ListedArchive, source: str) -> Fault:
    names = ", ".join(find_sources(task))
    there = f"It has {names}: correct `source`." if names else "It has none of this operator: leave `source` out."
    text = f'Archive "{archive.name}" has no source "{source}". {there} Nothing was changed.'
    return Fault(Reason.SOURCE_NOT_FOUND, text)


def _find_made(task: Task, archive: ListedArchive) -> frozenset[str] | None:
    if archive.undo is None:
        return None
    path = task.scratch / "made"
    fetch_file(task.repository, archive.name, list_name(archive.undo.restore), path)
    return frozenset(name for name, sign in parse_list(path.read_bytes()).items() if sign == "+")


def reckon(task: Task, meant: Meant, *, since: int | None = None) -> Changes:
    """Return what would be changed in the target. Raises FaultError, OSError.

    `since`: what was changed later and agrees with the archive was restored by an earlier attempt at the same.
    """
    target = task.target
    if (obstacle := target.find_obstacle()) is not None:
        text = (
            f'"{obstacle}" in the target, of `path: {task.plan.folder}`, is no folder but a link or a file. Nothing '
            "was changed. Name another folder."
        )
        raise FaultError(Fault(Reason.INVALID_ARGUMENT, text))
    rules = Rules(task.plan.mode, task.uid, meant.made, since, task.grain)
    changes = compare(meant.selection, target, meant.scope, rules)
    for paths, what in (
        (changes.stuck, "are not restored, as what is in their way must stay"),
        (meant.selection.repeated, "are in the archive twice: the later one counts, and is not read back"),
    ):
        if paths:
            task.repository.warn(f"{describe_paths(sorted(paths))} {what}")
    return changes


def check(task: Task, meant: Meant, changes: Changes) -> None:
    """Warn of what this pod cannot bring back. Raises FaultError where it cannot be done; OSError."""
    if knots := changes.written & meant.selection.knots:
        raise FaultError(explain_knots(meant.archive.name, knots, "Nothing was changed."))
    if patched := sorted(filter(meant.selection.is_patched, changes.written & meant.selection.entries.keys())):
        task.repository.warn(
            f"{describe_paths(patched)}: parts are lost, and a repair of the repository put zeros in their place. They "
            "are restored so, also over what is there, and not read back: leave them out (`exclude`), or restore them "
            "from an archive that has them whole."
        )
    check_owners(meant.selection, changes, task.plan.ownership, task.powers)
    check_flags(changes, task.target)
    check_mounts(changes, task.target)
    written = (meant.selection.entries[path] for path in sorted(changes.written) if path in meant.selection.entries)
    if changes.untold:
        task.repository.warn(
            f"{describe_paths(sorted(changes.untold))}: the archive tells nothing of these folders, which lead to what "
            "is restored; they are made, with the owner and the mode of what comes first below them; where that is "
            "of several owners or groups, they are none of theirs, and anybody may enter"
        )
    for loss in find_losses(written, task.powers):
        task.repository.warn(f"{len(loss.paths):,} files ({describe_paths(loss.paths)}): {loss.what}")
    if task.plan.has_target and (tight := check_space(meant.selection, changes, task.target)):
        task.repository.warn(tight)


def explain_knots(archive: str, knots: set[str], outcome: str) -> Fault:
    """Return the fault of files that borg cannot bring back; see `Selection.knots`."""
    text = (
        f'Archive "{archive}" has {describe_paths(sorted(knots))} twice, the second time as hard links to themselves: '
        f"it was made of paths that overlap, by an earlier version, and borg cannot bring these back. {outcome} Leave "
        "them out (`exclude`), and bring back each by `borg extract --stdout`, see docs/restore.md."
    )
    return Fault(Reason.EXTRACT_FAILED, text)


def derive_digest(task: Task, meant: Meant, changes: Changes) -> str:
    """Return what tells these changes from any others; where nothing can be undone, what would be lost as well."""
    lost = () if task.plan.undo else sorted(changes.overwrite | changes.delete)
    return changes.digest(meant.archive.id, task.plan.folder, task.plan.mode, *map(partial(_describe_lost, task), lost))


def _describe_lost(task: Task, path: str) -> str:
    found = task.target.look(path)
    if found is None or stat.S_ISDIR(found.st_mode):
        return ""  # of a folder nothing is lost but its times
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def describe(task: Task, meant: Meant, changes: Changes, digest: str) -> RestorePreview:
    """Return the changes in figures, with a sample; what earlier attempts did is part of them."""
    whole = changes.of_all_attempts
    sample = tuple(make_printable(line)[:_SAMPLE_CHARACTERS] for line in islice(whole.lines(), _SAMPLE))
    return RestorePreview(
        create=len(whole.create | whole.untold),
        overwrite=len(whole.overwrite),
        delete=len(whole.delete),
        same=len(whole.same),
        keep=len(whole.keep),
        bytes=count_bytes(meant.selection, whole.written),
        sample=tuple(map(task.repository.log.conceal, sample)),
        digest=digest,
    )


def say_changes(task: Task, changes: Changes, preview: RestorePreview) -> None:
    """Tell the log each path."""
    log, lines = task.repository.log, changes.lines()
    while some := list(islice(lines, _LOG_LINES)):
        log.say("\n".join(line.replace("\n", "\\x0a") for line in some), "  ")
    kept = f", {preview.keep:,} that differ are left alone" if task.plan.mode is Mode.ONLY_MISSING else ""
    log.say(
        f"{preview.create:,} to make (+), {preview.overwrite:,} to replace (~), {preview.delete:,} to delete (-), "
        f"{preview.same:,} are the same{kept}; {describe_size(preview.bytes)} to write"
    )
    if changes.begun:
        log.say(f"earlier attempts did some of it: {len(changes.written | changes.delete):,} are left")

"""A drill: a part of the newest archives is restored into the pod's own folder, and held against the archive.

What is compared is the content of files, where links lead, and that all is there. Owners, modes and attributes are not:
the pod's folder may not be able to hold them, and that would say nothing of the archive.
"""

import datetime as dt
import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from borg_contract.plan import RunPlan
from borg_contract.reasons import Reason
from borg_contract.restore.plan import LatestPlan
from borg_contract.restore.proof import Drilled, DrillPlan, DrillResult
from borg_contract.restore.sizes import describe_size
from borg_runner.drill.sample import Sample, add_always, choose_sample, find_files
from borg_runner.fault import Fault, FaultError
from borg_runner.log import describe_paths, make_printable
from borg_runner.restore.archive.attributes import MISSING
from borg_runner.restore.archive.damage import accept
from borg_runner.restore.archive.entry import Entry
from borg_runner.restore.archive.listing import fetch_items, read_items
from borg_runner.restore.archive.patterns import choose, write_patterns
from borg_runner.restore.archive.resolve import choose_latest, describe_age
from borg_runner.restore.archive.scope import Scope, Selection, make_scope, select
from borg_runner.restore.extract import extract
from borg_runner.restore.preview.reckon import explain_knots
from borg_runner.restore.preview.target import Target
from borg_runner.restore.verify import Findings, verify_content
from borg_runner.scratch import remove_tree
from borg_runner.verbs.list import ListedArchive, fetch_archives
from borg_runner.verbs.repository import Repository

_MOST_ARCHIVES = 8
"""In one drill: the result has little room. Of more schedules, the others are first the next time."""
_PLAIN = ("--noxattrs", "--noacls", "--noflags")
_SPARE_BYTES = 64 << 20
_SHOWN = 5
_DAMAGE = (Reason.REPOSITORY_DAMAGED, Reason.VERIFICATION_FAILED)


@dataclass
class _Drill:
    """One drill, and what is known so far."""

    repository: Repository
    keep: Callable[[DrillResult], None]
    """Told what is known so far."""
    plan: DrillPlan
    scratch: Path
    restored: Path
    app_scope: Scope
    """What is restored besides the samples, for the application."""
    present: set[str] = field(default_factory=set)
    """Those of its paths that an archive has."""
    result: DrillResult = field(default_factory=DrillResult)
    faults: list[Fault] = field(default_factory=list)


def drill(
    run: RunPlan, repository: Repository, keep: Callable[[DrillResult], None], *, scratch: Path, restored: Path
) -> None:
    """Do it, for all archives even if one is not as it should be. Raises FaultError when one is not; OSError.

    `keep` is told what is known so far; `scratch`: a folder of the pod's own, which has to hold what is restored;
    `restored`: what has to hold it instead where an application is to try it.
    """
    plan = run.drill
    if plan is None:
        text = "The plan asks for a drill and does not say of what. Do operator and runner have one version?"
        raise FaultError(Fault(Reason.INVALID_PLAN, text))
    archives = fetch_archives(repository, glob="*")
    newest = [(name, choose_latest(archives, run, LatestPlan(name), before=None)) for name in plan.schedules]
    found = [(name, archive) for name, archive in newest if archive is not None][:_MOST_ARCHIVES]
    if not found:
        raise FaultError(_explain_nothing(plan, archives))
    this = _Drill(repository, keep, plan, scratch, restored, make_scope(plan.app_paths))
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    for number, (name, archive) in enumerate(found):
        folder = scratch / f"drill-{number}"
        folder.mkdir(mode=0o700)
        try:
            _drill_archive(this, name, archive, folder)
            _judge_age(this, archive, now)
        except FaultError as error:
            if error.fault.reason is Reason.INTERRUPTED:
                raise
            this.faults.append(error.fault)
        finally:
            remove_tree(folder)
    if not this.faults and (missing := [path for path in this.app_scope.paths if path not in this.present]):
        named = describe_paths(missing)
        text = f"No archive that was drilled has {named}, which `drill.app.paths` asks for: correct that."
        this.faults.append(Fault(Reason.PATHS_NOT_FOUND, text))
    if gone := [item for item in plan.drilled if (item.schedule, None) in newest]:
        this.faults.append(_explain_gone(gone))
    if this.faults:
        raise FaultError(_sum_up(this.faults))


def _drill_archive(this: _Drill, schedule: str, archive: ListedArchive, folder: Path) -> None:
    """Restore and compare a part of one archive. Raises FaultError, OSError."""
    repository, plan = this.repository, this.plan
    fetch_items(repository, archive.name, folder / "items")
    selection = select(read_items(folder / "items"), "", Scope((), lambda _: False))
    if selection.knots:
        raise FaultError(explain_knots(archive.name, selection.knots, "The next backup has them once."))
    files = find_files(selection.entries[path] for path in selection.entries.keys() - selection.repeated)
    if len(files) < plan.min_files:
        text = f'Archive "{archive.name}" holds {len(files):,} files, and `drill.minFiles` asks for {plan.min_files:,}.'
        raise FaultError(Fault(Reason.TOO_FEW_FILES, f"{text} Look at the sources of schedule {schedule}."))
    last = next((drilled for drilled in plan.drilled if drilled.schedule == schedule), None)
    named = Drilled(schedule, archive.name, archive.time, 0, 1, archive.time)
    masters = {path: entry.size for path, entry in selection.masters.items()}
    sample = choose_sample(files, plan, last, archive=named, masters=masters)
    if sample is None:
        text = f'Archive "{archive.name}" holds no file that is smaller than `drill.maxBytes`: raise that.'
        raise FaultError(Fault(Reason.ARCHIVE_NOT_FOUND, f"Nothing could be restored. {text}"))
    sample = _add_for_app(this, archive, sample, files, masters)
    if sample.oversize:
        repository.warn(f"{describe_paths(sample.oversize)}: never drilled, larger than `drill.maxBytes`")
    if patched := sorted(entry.path for entry in files if entry.is_patched):
        repository.warn(
            f'Archive "{archive.name}": {describe_paths(patched)}: parts were lost, and `borg check --repair` put '
            "zeros in their place. A new archive has these files whole"
        )
    position = sample.drilled
    repository.log.say(
        f'drilling "{archive.name}": round {position.round + 1:,} of {position.rounds:,}, {len(sample.paths):,} of '
        f"{position.files:,} files, {describe_size(sample.bytes)}"
    )
    data = this.restored / schedule if plan.for_app else folder / "data"
    seconds = _restore(this, archive, selection, sample, (data, folder))
    result = this.result
    this.result = replace(
        result,
        archives=(*result.archives, position),
        files=result.files + len(sample.paths),
        bytes=result.bytes + sample.bytes,
        seconds=round(result.seconds + seconds, 3),
    )
    this.keep(this.result)


def _add_for_app(
    this: _Drill, archive: ListedArchive, sample: Sample, files: Sequence[Entry], masters: dict[str, int]
) -> Sample:
    """Return the sample with what the application needs. Raises FaultError where that is too much."""
    scope = this.app_scope
    if not scope.paths:
        return sample
    for entry in files:
        this.present.update(path for path in scope.paths if entry.path == path or entry.path.startswith(f"{path}/"))
    whole = add_always(sample, files, masters, scope.has)
    if (size := whole.bytes - sample.bytes) > this.plan.max_bytes:
        text = (
            f'Of archive "{archive.name}", `drill.app.paths` asks for {describe_size(size)} besides the sample, and '
            f"`drill.maxBytes` allows {describe_size(this.plan.max_bytes)}: raise that, and give nodes the room."
        )
        raise FaultError(Fault(Reason.NOT_ENOUGH_SPACE, text))
    return whole


def _restore(
    this: _Drill, archive: ListedArchive, selection: Selection, sample: Sample, places: tuple[Path, Path]
) -> float:
    """Return how long borg took to restore the sample, which is as in the archive. Raises FaultError, OSError.

    `places`: where the files go, and a folder for what is needed meanwhile.
    """
    data, folder = places
    repository, target = this.repository, Target(data, "")
    target.root.mkdir(mode=0o700)
    _check_room(target.root, sample.bytes)
    wanted = set(sample.paths)
    choice = choose(selection, wanted, selection.entries.keys() - wanted)
    words = write_patterns(choice, selection, folder / "patterns")
    began = time.monotonic()
    outcome = extract(
        repository,
        archive.name,
        depth=selection.depth,
        words=[*_PLAIN, *words],
        root=target.root,
        files=len(wanted),
        size=sample.bytes,
    )
    seconds = time.monotonic() - began
    accept(repository, archive.name, outcome, words)
    findings = Findings()
    _compare_kinds(selection, target, wanted, findings)
    if findings.missing:
        _check_room(target.root, 0)  # where the disk became full, nothing is wrong with the archive
    count = verify_content(
        repository,
        archive.name,
        selection,
        target,
        paths=wanted - findings.missing,
        findings=findings,
        scratch=folder,
        items=folder / "items",
    )
    repository.log.say(f"{count:,} files read back, {findings.count:,} differ from the archive")
    if findings.count:
        raise FaultError(_explain_differences(this, archive, findings))
    return seconds


def _compare_kinds(selection: Selection, target: Target, wanted: set[str], findings: Findings) -> None:
    for path in sorted(wanted):
        entry, found = selection.entries[path], target.look(path)
        if found is None:
            findings.add(path, MISSING)
            findings.missing.add(path)
        elif stat.S_IFMT(found.st_mode) != stat.S_IFMT(entry.mode):
            findings.add(path, "kind")
        elif entry.is_symlink:
            if target.read_link(path) != entry.link:
                findings.add(path, "link")
        else:
            os.chmod(target.join(path), 0o600)  # noqa: PTH101 - so that its owner can read it back


def _check_room(folder: Path, size: int) -> None:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < size + _SPARE_BYTES:
        text = (
            f"The pod's /tmp has room for {describe_size(free)}, and the drill needs "
            f"{describe_size(size + _SPARE_BYTES)}: give nodes more room, or lower `drill.maxBytes`."
        )
        raise FaultError(Fault(Reason.NOT_ENOUGH_SPACE, text))


def _judge_age(this: _Drill, archive: ListedArchive, now: dt.datetime) -> None:
    bound = this.plan.max_age_seconds
    if bound is not None and (age := now - archive.began) > dt.timedelta(seconds=bound):
        text = (
            f'The newest archive, "{archive.name}", is {describe_age(age)} old, and `drill.maxAge` allows '
            f"{describe_age(dt.timedelta(seconds=bound))}. Look at why its schedule makes none."
        )
        raise FaultError(Fault(Reason.ARCHIVE_TOO_OLD, text))


def _explain_nothing(plan: DrillPlan, archives: list[ListedArchive]) -> Fault:
    whose = f"of {', '.join(plan.schedules)}" if plan.schedules else "of any schedule, as none writes into it"
    text = (
        f"There is nothing to restore: of {len(archives):,} archives in the repository, none is {whose}. Look at its "
        "backups."
    )
    return Fault(Reason.ARCHIVE_NOT_FOUND, text)


def _explain_gone(gone: Sequence[Drilled]) -> Fault:
    shown = ", ".join(f'{item.schedule} (drilled last: "{item.archive}")' for item in gone[:_SHOWN])
    more = f" and {len(gone) - _SHOWN:,} more" if len(gone) > _SHOWN else ""
    text = f"No archive is left of {shown}{more}. Find out who deleted them, and why its schedule makes none."
    return Fault(Reason.ARCHIVE_NOT_FOUND, text)


def _explain_differences(this: _Drill, archive: ListedArchive, findings: Findings) -> Fault:
    for path, what in findings.different.items():
        this.repository.log.say(f"differs: {make_printable(path)} ({what})", "  ")
    shown = list(findings.different.items())[:_SHOWN]
    named = ", ".join(f"{make_printable(path)} ({what})" for path, what in shown)
    more = f" and {findings.count - _SHOWN:,} more" if findings.count > _SHOWN else ""
    text = (
        f'{findings.count:,} files restored from archive "{archive.name}" are not as in the archive: {named}{more}. '
        "Run a BorgRun with operation Check to see what is damaged."
    )
    return Fault(Reason.VERIFICATION_FAILED, text)


def _sum_up(faults: list[Fault]) -> Fault:
    """Return all that is wrong, damage first: nothing is worse."""
    ordered = sorted(faults, key=lambda fault: fault.reason not in _DAMAGE)
    return replace(ordered[0], text=" ".join(dict.fromkeys(fault.text for fault in ordered)))

"""A restore into a command of another container: one file of the archive becomes its input.

What the command does with it only the command knows. So nothing can be compared before, archived for an undo, or read
back: its exit code is what counts.
"""

import stat
from hashlib import sha256

from borg_contract.plan import StreamPlan
from borg_contract.reasons import Reason
from borg_contract.restore.result import RestorePreview
from borg_contract.restore.sizes import describe_size
from borg_runner.fault import Fault, FaultError
from borg_runner.log import describe_paths, make_printable
from borg_runner.restore.archive.damage import accept
from borg_runner.restore.archive.entry import Entry
from borg_runner.restore.archive.listing import make_file_arguments
from borg_runner.restore.preview.reckon import Meant, Task, find_meant
from borg_runner.streams.container import Container
from borg_runner.streams.delivery import Delivery

_HALF = "It may have taken a part of it: look at what it restores into before another BorgRestore."


def preview_delivery(task: Task, stream: StreamPlan) -> None:
    """Say what would be given to the command. Raises FaultError, OSError."""
    meant = find_meant(task)
    _say(task, meant, *_find_file(meant), stream)


def deliver(task: Task, container: Container) -> None:
    """Give the one file that is meant to the container's command. Raises FaultError, OSError."""
    repository, plan = task.repository, task.plan
    borg = repository.borg
    meant = find_meant(task)
    path, entry = _find_file(meant)
    found = _say(task, meant, path, entry, container.plan)
    if plan.digest and plan.digest != found.digest:
        text = "What would be given to the command is not what the preview showed. Nothing was changed."
        raise FaultError(Fault(Reason.PREVIEW_OUTDATED, text))
    container.wait(borg.interruption, borg.notice)
    delivery = Delivery(container, repository.log, borg.notice)
    name = meant.selection.archive_path(entry.master or path)
    try:
        outcome = repository.with_borg(plumbing=delivery).try_borg(
            lambda lock_wait: make_file_arguments(repository.plan, meant.archive.name, name, lock_wait=lock_wait)
        )
        fault = None if outcome.interrupted else delivery.fault
        if fault is None:
            accept(repository, meant.archive.name, outcome, (f"pf:{name}",))
            fault = _find_damage(path) if outcome.warned else delivery.finish(borg.interruption)
    except FaultError as error:
        fault = error.fault
    moved, has_begun = delivery.moved, delivery.has_begun
    delivery.abort()
    if fault is not None:
        half = f" {_HALF}" if has_begun else " Nothing was changed."
        raise FaultError(Fault(fault.reason, f"{fault.text}{half}", fault.locked_by))
    task.add(files=1, bytes=moved)
    repository.log.say(f"{container.plan.program} took {describe_size(moved)} and ended well")


def _find_file(meant: Meant) -> tuple[str, Entry]:
    """Return the only file that is meant. Raises FaultError where it is none, or one of several, or damaged."""
    files = {path: entry for path, entry in meant.selection.entries.items() if stat.S_ISREG(entry.mode)}
    if len(files) != 1:
        which = f"{len(files):,} files are meant ({describe_paths(sorted(files))})" if files else "no file is meant"
        text = f"A command is given one file, and {which}: name one in `paths`. Nothing was changed."
        raise FaultError(Fault(Reason.PATHS_NOT_FOUND, text))
    [(path, entry)] = files.items()
    if entry.is_patched:
        raise FaultError(_find_damage(path))
    return path, entry


def _find_damage(path: str) -> Fault:
    text = f"Parts of {make_printable(path)} are lost, and a repair of the repository put zeros in their place."
    return Fault(Reason.EXTRACT_FAILED, text)


def _say(task: Task, meant: Meant, path: str, entry: Entry, stream: StreamPlan) -> RestorePreview:
    digest = sha256(f"{meant.archive.id}\0{path}\0{stream.program}".encode("utf-8", "surrogateescape")).hexdigest()
    size = task.result.size or entry.size
    line = task.repository.log.conceal(f"> {make_printable(path)}")[:1024]
    found = RestorePreview(create=0, overwrite=0, delete=0, bytes=size, sample=(line,), digest=digest)
    task.add(preview=found)
    task.repository.log.say(f"{line} ({describe_size(size)}) into {stream.program}", "  ")
    return found

"""The undo archive: all that a restore replaces or deletes, and the list of what it makes, before the first change.

Restored with Mode Mirror into the same folder, it takes the restore back: what was replaced or deleted comes again,
what the restore had made goes.
"""

import datetime as dt
import stat
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from borg_contract.ownership import UndoOf, derive_undo_name, render_undo_comment
from borg_contract.plan import RepositoryPlan
from borg_contract.reasons import DAMAGE, Reason
from borg_runner.borg.exit_codes import NAME_TAKEN
from borg_runner.borg.invocation import escape_placeholders, make_connection_arguments, name_archive
from borg_runner.fault import Fault, FaultError
from borg_runner.restore.archive.damage import accept
from borg_runner.restore.archive.patterns import Choice, write_patterns
from borg_runner.restore.archive.scope import Selection
from borg_runner.restore.preview.target import Target
from borg_runner.verbs.repository import Repository

_KEPT = (Reason.INTERRUPTED, Reason.KILLED, Reason.CONNECTION_LOST, *DAMAGE)
"""By these the operator tries once more, or knows of damage."""

_SECOND = 1.0

_FILE_CHANGED = 100
"""Borg's exit code for a file that was written to while it was read: it is in the archive all the same."""


def make_undo_archive(
    repository: Repository,
    undo: UndoOf,
    paths: Iterable[str],
    *,
    root: Path,
    scratch: Path,
    run_name: str,
    so_far: str,
) -> str:
    """Archive the `paths` below `root`, themselves and nothing below them; return the archive's name.

    `so_far`: what is said of the target if that fails. Raises FaultError, also where a path could not be archived or
    not be read back: then nothing is to be changed.
    """
    name, comment = "", render_undo_comment(undo, run_name or "-")
    given = sorted(paths)
    # Borg takes a carriage return in its list of paths for a line break: then it looks through the folder instead.
    by_list = not any("\r" in path for path in given)
    scratch.mkdir(mode=0o700, exist_ok=True)
    if by_list:
        (scratch / "paths").write_bytes(b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in given))
        words = ["--paths-from-stdin", "--paths-delimiter=\\0"]
        changes = {"input_path": str(scratch / "paths")}
    else:
        choice = Choice(frozenset(given), is_only=True)
        words, changes = write_patterns(choice, Selection(""), scratch / "patterns", creates=True), {}

    def make_arguments(lock_wait: int) -> list[str]:
        nonlocal name
        name = derive_undo_name(undo.restore, dt.datetime.now(dt.UTC))
        repository.log.say(f'making the undo archive "{name}" of {len(given):,} files and folders')
        return [
            *make_undo_arguments(repository.plan, name, comment, words, lock_wait=lock_wait),
            *([] if by_list else ["."]),
        ]

    inside = repository.with_borg(directory=str(root), **changes)
    try:
        outcome = inside.try_borg(make_arguments)
        if outcome.exit_code == NAME_TAKEN:  # names are of the second, and the one before may be of this one too
            time.sleep(_SECOND)
            outcome = inside.try_borg(make_arguments)
        if not outcome.warned or outcome.exit_code == _FILE_CHANGED:
            repository.accept(outcome)
            _read_back(repository, name)
            return name
    except FaultError as error:
        reason = error.fault.reason if error.fault.reason in _KEPT else Reason.UNDO_FAILED
        text = f"{so_far}, as the undo archive could not be made: {error}"
        raise FaultError(replace(error.fault, reason=reason, text=text)) from error
    said = outcome.warnings[0] if outcome.warnings else "borg warned without words"
    text = (
        f'{so_far}, as the undo archive "{name}" lacks what could not be read: {said}. Let the pod read it '
        "(`job.runAsUser`, `ownership: Keep`), or do without: `undo: false`."
    )
    raise FaultError(Fault(Reason.UNDO_FAILED, text))


def _read_back(repository: Repository, name: str) -> None:
    """Raise FaultError where it cannot be restored: it may share data with older archives, and that be damaged."""
    outcome = repository.try_borg(
        lambda lock_wait: [
            "extract",
            *make_connection_arguments(repository.plan, lock_wait=lock_wait),
            "--dry-run",
            name_archive(repository.plan, name),
        ]
    )
    accept(repository, name, outcome, ())


def find_linked(target: Target, paths: Iterable[str]) -> set[str]:
    """Return all hard links in the target to files of which some links are among `paths`. Raises OSError.

    Where one of them is replaced, the others have to be replaced with it when that is undone.
    """
    left: dict[tuple[int, int], int] = {}
    for path in paths:
        found = target.look(path)
        if found is not None and found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            key = found.st_dev, found.st_ino
            left[key] = left.get(key, found.st_nlink) - 1
    if not any(left.values()):
        return set()
    looked = ((path, target.look(path)) for path in target.walk("", lambda _: True))
    return {path for path, found in looked if found is not None and (found.st_dev, found.st_ino) in left}


def make_undo_arguments(
    repository: RepositoryPlan, archive: str, comment: str, words: list[str], *, lock_wait: int
) -> list[str]:
    """Return the arguments that archive what the `words` name, of the folder where borg is."""
    return [
        "create",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--files-cache=disabled",
        f"--comment={escape_placeholders(comment)}",
        *([f"--compression={repository.compression}"] if repository.compression else []),
        *words,
        name_archive(repository, archive),
    ]

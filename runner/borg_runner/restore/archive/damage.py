"""Where damage is. Borg names no archive and no file when it meets some, unless it lists what it comes to."""

from collections.abc import Sequence
from dataclasses import replace

from borg_contract.reasons import DAMAGE
from borg_runner.borg.invocation import make_connection_arguments, name_archive
from borg_runner.borg.message import BorgMessage
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import FaultError
from borg_runner.log import make_printable
from borg_runner.verbs.repository import Repository

_LISTED = "borg.output.list"
"""Borg's logger for what `--list` names."""


def accept(
    repository: Repository, archive: str, outcome: BorgOutcome, words: Sequence[str] | None = None
) -> BorgOutcome:
    """Return `outcome` as `Repository.accept` does. Raises FaultError, of damage with where it is.

    `words`: arguments that choose paths, where contents of files were read; None where they were not.
    """
    try:
        return repository.accept(outcome)
    except FaultError as error:
        fault = error.fault
        if fault.reason not in DAMAGE:
            raise
        path = None if words is None else _find_file(repository, archive, words)
        where = f'file "{make_printable(path)}" of archive' if path else "archive"
        raise FaultError(replace(fault, text=f'In {where} "{archive}": {fault.text}')) from error


def _find_file(repository: Repository, archive: str, words: Sequence[str]) -> str | None:
    """Return at which file borg meets the damage, None where it does not any more, or cannot be asked."""
    last: str | None = None

    def remember(note: BorgMessage) -> None:
        nonlocal last
        last = note.text if note.logger == _LISTED else last

    repository.log.say(f'looking for the damaged file in "{archive}"')
    connection = make_connection_arguments(repository.plan, lock_wait=repository.locks.seconds)
    arguments = ["extract", *connection, "--dry-run", "--list", name_archive(repository.plan, archive), *words]
    try:
        again = repository.borg.run(arguments, on_note=remember, asks_why=False, keeps_notes=False)
    except OSError:
        return None
    return None if again.succeeded or again.interrupted else last

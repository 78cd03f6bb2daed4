"""A `borg create` that failed, and whose archive may be there all the same.

Borg commits the archive first and writes its cache after that: a full disk or a kill in between fails the command.
"""

from dataclasses import replace

from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import FaultError
from borg_runner.locks.cache import failed_at_the_end
from borg_runner.verbs.create import Created
from borg_runner.verbs.list import ask_times
from borg_runner.verbs.repository import Repository
from borg_runner.work.record import Record

_GENERIC_ERROR = 2


def accept_created(repository: Repository, record: Record, created: Created) -> BorgOutcome:
    """Return the outcome of a `borg create` that succeeded. Raises FaultError for one that failed.

    Then the archive is kept in the record if it was written; where that cannot be found out, the fault says so.
    """
    try:
        return repository.accept(created.outcome)
    except FaultError as error:
        if not _may_have_written(created.outcome):
            raise
        times = ask_times(repository)
        if times is not None and created.archive not in times:
            raise
        if times is None and not failed_at_the_end(created.outcome):
            raise
        how = "may have been written" if times is None else "was written"
        if times is not None:
            record.add(archive=created.archive)
        text = f'Archive "{created.archive}" {how}, but borg failed then: {error}'
        raise FaultError(replace(error.fault, text=text)) from error


def _may_have_written(outcome: BorgOutcome) -> bool:
    """Tell whether borg ended in an unforeseen way: before it begins, it ends with an error of its own."""
    return outcome.exit_code == _GENERIC_ERROR or outcome.exit_code < 0

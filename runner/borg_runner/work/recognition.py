"""Is it the repository that runs before found? Looked at before anything is written, as far as that can be seen.

A folder says it in its file `config`. Over SSH borg says it with the list of archives; for a backup, which asks for no
list before it begins unless another one was found there last time, only with the archive that it has written.
"""

import configparser
from pathlib import Path

from borg_contract.archives.ids import ID
from borg_contract.plan import ACCEPTED_ID_ANNOTATION, SHOWN_DIGITS, RepositoryPlan
from borg_contract.reasons import Reason
from borg_contract.run import Operation
from borg_runner.borg.exit_codes import ABSENT
from borg_runner.borg.failure import describe_where_to_look, explain_missing
from borg_runner.borg.layout import CONFIG, FIRST_SEGMENTS
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.init import describe_no_repository
from borg_runner.verbs.list import make_list_arguments, parse_repository_id
from borg_runner.verbs.repository import Repository
from borg_runner.work.record import Record
from borg_runner.work.unfinished import is_unfinished

_NOT_LISTED_BEFORE = frozenset({Operation.BACKUP, Operation.BREAK_LOCK})
"""Over SSH a BreakLock cannot be told: to ask would take the very lock that it is to break."""


def recognize(repository: Repository, record: Record, operation: Operation) -> None:
    """Raise FaultError where a repository is known and it is not there; OSError where the folder cannot be read."""
    plan = repository.plan
    if not plan.repository_ids:
        return
    found = None
    if plan.ssh is None:
        found = _read_folder(plan)
    elif operation not in _NOT_LISTED_BEFORE or (plan.is_doubted and operation is Operation.BACKUP):
        found = _ask_server(repository, operation)
    if found is None:
        return
    record.add(repository_id=found)
    if found in plan.repository_ids:
        return
    text = (
        f"At {plan.location} is {_describe_other(plan, found)} Nothing was written. {describe_where_to_look(plan)} "
        f"{_how_to_accept(plan, found)}"
    )
    raise FaultError(Fault(Reason.REPOSITORY_REPLACED, text))


def compare_after(plan: RepositoryPlan, found: str, *, archive: str) -> Fault | None:
    """Return what is wrong where `archive` was written into a repository that is not the known one."""
    if not plan.repository_ids or found in plan.repository_ids:
        return None
    text = (
        f'Archive "{archive}" was written into {_describe_other(plan, found)} Nothing was pruned or compacted. '
        f"{describe_where_to_look(plan)} {_how_to_accept(plan, found)}"
    )
    return Fault(Reason.REPOSITORY_REPLACED, text)


def _read_folder(plan: RepositoryPlan) -> str | None:
    """Return the id in `config`, None where borg is to tell what is wrong. Raises FaultError where nothing is there."""
    folder = Path(plan.location)
    try:
        text = (folder / CONFIG).read_text()
    except (FileNotFoundError, NotADirectoryError):
        if (folder / FIRST_SEGMENTS).exists():
            return None
        raise FaultError(explain_missing(plan, describe_no_repository(folder))) from None
    except (PermissionError, UnicodeDecodeError):
        return None
    found = _parse_config(text)
    if found not in plan.repository_ids and is_unfinished(folder):
        what = f"At {folder} is only the beginning of another one, whose creation was interrupted."
        raise FaultError(explain_missing(plan, what))
    return found


def _parse_config(text: str) -> str | None:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
        found = parser["repository"]["id"].strip().lower()
    except (configparser.Error, KeyError):
        return None
    return found if ID.fullmatch(found) else None


def _ask_server(repository: Repository, operation: Operation) -> str | None:
    """Return the id that the server's repository says. Raises FaultError; for a Check, only where there is none."""
    outcome = repository.try_borg(lambda lock_wait: make_list_arguments(repository.plan, lock_wait=lock_wait))
    if operation is Operation.CHECK and not outcome.succeeded and outcome.exit_code not in ABSENT:
        return None  # what is wrong is what a Check is for
    try:
        return parse_repository_id(repository.accept(outcome).output)
    except (ValueError, KeyError, TypeError):
        return None


def _describe_other(plan: RepositoryPlan, found: str) -> str:
    return (
        f"another borg repository ({found[:SHOWN_DIGITS]}…) than runs before found "
        f"({plan.repository_ids[0][:SHOWN_DIGITS]}…), without their archives: find out who replaced it."
    )


def _how_to_accept(plan: RepositoryPlan, found: str) -> str:
    return f"If it is right so: `kubectl annotate brepo {plan.name} --overwrite {ACCEPTED_ID_ANNOTATION}={found}`."

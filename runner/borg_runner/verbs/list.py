"""`borg list`: how many archives a repository has, and what they say of themselves."""

import json
from dataclasses import dataclass

from borg_contract.plan import RepositoryPlan
from borg_contract.reasons import Reason
from borg_runner.borg.arguments import escape_placeholders, make_connection_arguments
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.repository import Repository


@dataclass(frozen=True)
class ListedArchive:
    name: str
    comment: str


def fetch_archives(repository: Repository, *, glob: str) -> list[ListedArchive]:
    """Return the archives whose names match `glob`. Raises FaultError."""
    outcome = repository.run_borg(
        lambda lock_wait: make_archives_arguments(repository.plan, glob=glob, lock_wait=lock_wait)
    )
    try:
        return parse_archives_output(outcome.output)
    except (ValueError, KeyError, TypeError) as error:
        text = f"Borg gave no list of the archives: {error!r}. Is this borg 1.4?"
        raise FaultError(Fault(Reason.INTERNAL_ERROR, text)) from error


def make_archives_arguments(repository: RepositoryPlan, *, glob: str, lock_wait: int) -> list[str]:
    """Return the arguments that print the archives whose names match `glob`, with their comments, as JSON."""
    return [
        "list",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--json",
        "--format={comment}",
        f"--glob-archives={escape_placeholders(glob)}",
        escape_placeholders(repository.location),
    ]


def parse_archives_output(output: str) -> list[ListedArchive]:
    """Return the archives. Raises ValueError, KeyError or TypeError for what is no such JSON."""
    return [ListedArchive(item["archive"], item["comment"]) for item in json.loads(output)["archives"]]


def fetch_archive_count(repository: Repository) -> int:
    """Return the number of archives. Raises FaultError."""
    outcome = repository.run_borg(lambda lock_wait: make_list_arguments(repository.plan, lock_wait=lock_wait))
    return parse_list_output(outcome.output)


def ask_archive_count(repository: Repository) -> int | None:
    """Return the number of archives, None when it cannot be had."""
    output = repository.ask_borg(lambda lock_wait: make_list_arguments(repository.plan, lock_wait=lock_wait))
    return None if output is None else parse_list_output(output)


def make_list_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the arguments that print one line for each archive."""
    return [
        "list",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--format=.{NL}",
        escape_placeholders(repository.location),
    ]


def parse_list_output(output: str) -> int:
    """Return the number of archives."""
    return len(output.split())

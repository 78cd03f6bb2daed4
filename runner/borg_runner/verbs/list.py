"""`borg list`: which archives a repository has, and what they say of themselves."""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from borg_contract.archive_name import CHECKPOINT, RECREATED
from borg_contract.ownership import (
    ArchiveContent,
    ArchiveOwner,
    UndoOf,
    parse_comment,
    parse_content,
    parse_run,
    parse_undo_comment,
)
from borg_contract.plan import RepositoryPlan
from borg_contract.reasons import Reason
from borg_runner.borg.failure import explain_stop
from borg_runner.borg.invocation import escape_placeholders, make_connection_arguments, name_archive
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import Fault, FaultError
from borg_runner.verbs.repository import Repository

_CHECKPOINT = re.compile(rf"{re.escape(CHECKPOINT)}(\.\d+)?\Z")
_GLOB = re.compile(r"[*?\[]")
_LEFTOVER = re.compile(rf"({re.escape(RECREATED)})?({re.escape(CHECKPOINT)}(\.\d+)?)?\Z")


_COMMENT = "--comment="
_FOLDER = "d"
_T = TypeVar("_T")


def _is_checkpoint(name: str) -> bool:
    return _CHECKPOINT.search(name) is not None


@dataclass(frozen=True)
class ListedArchive:
    """An archive, or what is left of one: of an interrupted `borg create` a checkpoint, of a `borg recreate` a copy."""

    name: str
    id: str
    comment: str
    command_line: Sequence[str]
    """The words by which it was made."""
    began: dt.datetime
    """In UTC, as borg runs here and says nowhere."""

    @property
    def is_checkpoint(self) -> bool:
        return _is_checkpoint(self.name)

    @property
    def original(self) -> str | None:
        """Of the copy that an interrupted `borg recreate` leaves, the name that it was to get; of others None."""
        return self.name.removesuffix(RECREATED) if self.name.endswith(RECREATED) else None

    @property
    def run(self) -> str | None:
        """Which run made it, as `borg_contract.ownership.name_run` says it."""
        return parse_run(self.comment)

    @property
    def owner(self) -> ArchiveOwner | None:
        """To whom it belongs. Borg gives a checkpoint no comment: there the command tells what it was to be."""
        if not self.is_checkpoint or self.comment:
            return parse_comment(self.comment)
        return next(filter(None, map(parse_comment, self._asked_for())), None)

    @property
    def undo(self) -> UndoOf | None:
        """Of which restore it is, if it is an undo archive, or the checkpoint of one."""
        if not self.is_checkpoint or self.comment:
            return parse_undo_comment(self.comment)
        return next(filter(None, map(parse_undo_comment, self._asked_for())), None)

    def _asked_for(self) -> Iterator[str]:
        return (word.removeprefix(_COMMENT) for word in self.command_line if word.startswith(_COMMENT))

    @property
    def time(self) -> str:
        """When it was begun: UTC, RFC 3339."""
        return render_time(self.began)

    @property
    def content(self) -> ArchiveContent:
        """What its sources held."""
        return parse_content(self.comment)


@dataclass(frozen=True)
class StoredArchive:
    """What borg knows of an archive without looking into it. `time`: when it was begun, UTC, RFC 3339."""

    id: str
    time: str


def fetch_archives(repository: Repository, *, glob: str) -> list[ListedArchive]:
    """Return the archives whose names match `glob`, and what is left of such. Raises FaultError."""
    archives = _fetch(repository, glob=f"{glob}*")
    return [archive for archive in archives if fnmatchcase(_LEFTOVER.sub("", archive.name), glob)]


def fetch_newest_archives(repository: Repository, *, count: int) -> list[ListedArchive]:
    """Return the newest `count` whole archives, whatever their names; fewer where there are no more.

    Raises FaultError.
    """
    asked = count
    while True:
        found = _fetch(repository, glob="*", newest=asked)
        whole = [archive for archive in found if not archive.is_checkpoint]
        if len(whole) >= count or len(found) < asked:
            return whole
        asked *= 2


def fetch_named_archives(repository: Repository, name: str) -> list[ListedArchive]:
    """Return the whole archive of that name, for which borg looks into no other one. Raises FaultError."""
    return _fetch(repository, glob=escape_glob(name), newest=1)


def escape_glob(name: str) -> str:
    """Return the pattern that matches that name alone."""
    return _GLOB.sub(lambda match: f"[{match[0]}]", name)


def _fetch(repository: Repository, *, glob: str, newest: int | None = None) -> list[ListedArchive]:
    outcome = repository.run_borg(
        lambda lock_wait: make_archives_arguments(repository.plan, glob=glob, lock_wait=lock_wait, newest=newest)
    )
    return _parse(parse_archives_output, outcome)


def fetch_names(repository: Repository) -> dict[str, str]:
    """Return the name of each archive by its id. Raises FaultError."""
    outcome = repository.run_borg(lambda lock_wait: make_list_arguments(repository.plan, lock_wait=lock_wait))
    return _parse(parse_names_output, outcome)


def _parse(parse: Callable[[str], _T], outcome: BorgOutcome) -> _T:
    try:
        return parse(outcome.output)
    except (ValueError, KeyError, TypeError) as error:
        raise FaultError(explain_no_list(error, outcome)) from error


def explain_no_list(error: Exception, outcome: BorgOutcome) -> Fault:
    """Return why what borg printed is no list."""
    if outcome.interrupted:
        return explain_stop()
    return Fault(Reason.INTERNAL_ERROR, f"Borg gave no list of the archives: {error!r}. Is this borg 1.4?")


def ask_newest_archives(repository: Repository, *, glob: str, count: int) -> list[ListedArchive]:
    """Return the newest `count` archives whose names match `glob`, none when they cannot be had."""
    output = repository.ask_borg(
        lambda lock_wait: make_archives_arguments(repository.plan, glob=glob, lock_wait=lock_wait, newest=count),
        patient=True,
    )
    try:
        return [] if output is None else parse_archives_output(output)
    except (ValueError, KeyError, TypeError):
        return []


def make_archives_arguments(
    repository: RepositoryPlan, *, glob: str, lock_wait: int, newest: int | None = None
) -> list[str]:
    """Return the arguments that print, as JSON, the archives that match `glob`: all, or the `newest`.

    Checkpoints are asked for too: borg takes what has `.checkpoint` anywhere in its name for one, and hides it.
    """
    return [
        "list",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--json",
        "--consider-checkpoints",
        *([] if newest is None else [f"--last={newest}"]),
        "--format={id}{comment}{command_line}{start}",
        f"--glob-archives={escape_placeholders(glob)}",
        escape_placeholders(repository.location),
    ]


def parse_archives_output(output: str) -> list[ListedArchive]:
    """Return the archives. Raises ValueError, KeyError or TypeError for what is no such JSON."""
    return [
        ListedArchive(
            item["archive"],
            item["id"],
            item["comment"],
            item["command_line"],
            dt.datetime.fromisoformat(item["start"]),
        )
        for item in json.loads(output)["archives"]
    ]


def fetch_stored(repository: Repository) -> dict[str, StoredArchive]:
    """Return what borg knows of each archive without looking into it, by its name. Raises FaultError."""
    outcome = repository.run_borg(lambda lock_wait: make_list_arguments(repository.plan, lock_wait=lock_wait))
    return _parse(parse_list_output, outcome)


def ask_stored(repository: Repository, *, patient: bool = False) -> dict[str, StoredArchive] | None:
    """Return the same, None when it cannot be had; `patient`: see `Repository.ask_borg`."""
    output = repository.ask_borg(
        lambda lock_wait: make_list_arguments(repository.plan, lock_wait=lock_wait), patient=patient
    )
    try:
        return None if output is None else parse_list_output(output)
    except (ValueError, KeyError, TypeError):
        return None


def make_list_arguments(repository: RepositoryPlan, *, lock_wait: int) -> list[str]:
    """Return the arguments that print the archives' names and times, which borg knows without looking into them."""
    return [
        "list",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--json",
        "--consider-checkpoints",
        escape_placeholders(repository.location),
    ]


def parse_list_output(output: str) -> dict[str, StoredArchive]:
    """Return the whole archives by their names. Raises ValueError, KeyError or TypeError."""
    return {
        item["archive"]: StoredArchive(str(item["id"]), render_time(dt.datetime.fromisoformat(item["time"])))
        for item in json.loads(output)["archives"]
        if not _is_checkpoint(item["archive"])
    }


def parse_names_output(output: str) -> dict[str, str]:
    """Return the name of each whole archive by its id. Raises ValueError, KeyError or TypeError."""
    archives = ((str(item["id"]), str(item["archive"])) for item in json.loads(output)["archives"])
    return {id_: name for id_, name in archives if not _is_checkpoint(name)}


def ask_held(repository: Repository, archive: str, path: str) -> int | None:
    """Return how many files the archive holds of an absolute path, links and devices included; None: borg cannot tell.

    Borg reads the archive's whole list of files for it.
    """
    output = repository.ask_borg(
        lambda lock_wait: make_held_arguments(repository.plan, archive, path, lock_wait=lock_wait)
    )
    return None if output is None else sum(line != _FOLDER for line in output.splitlines())


def make_held_arguments(repository: RepositoryPlan, archive: str, path: str, *, lock_wait: int) -> list[str]:
    """Return the arguments that print the type of each item that the archive holds of the path."""
    return [
        "list",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--format={type}{NL}",
        name_archive(repository, archive),
        f"pp:{path}",
    ]


def parse_repository_id(output: str) -> str:
    """Return borg's id of the repository of which that is a list. Raises ValueError, KeyError or TypeError."""
    return str(json.loads(output)["repository"]["id"])


def render_time(time: dt.datetime) -> str:
    """Return a time of borg's, which runs in UTC here and says so nowhere, as RFC 3339 to the second."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"

"""`borg create`: one archive and borg's figures for it; `borg recreate`, `borg rename`: another comment or name."""

import datetime as dt
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from borg_contract.archive_name import without_times
from borg_contract.plan import RepositoryPlan
from borg_runner.borg.exit_codes import NAME_TAKEN
from borg_runner.borg.invocation import escape_placeholders, make_connection_arguments, name_archive
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.borg.patterns import UnusedPatterns
from borg_runner.streams.dumps import Dumps
from borg_runner.verbs.list import render_time
from borg_runner.verbs.repository import Repository

_SECOND = 1.0


@dataclass(frozen=True, kw_only=True)
class ArchiveFigures:
    """Sizes in bytes; `repository_*` are of the whole repository after this archive."""

    original_size: int
    compressed_size: int
    deduplicated_size: int
    files: int
    repository_original_size: int
    repository_deduplicated_size: int
    encryption: str
    repository_id: str
    began: str
    """UTC, RFC 3339."""


@dataclass(frozen=True)
class Created:
    """How a `borg create` went. `archive`: its name, also where borg ended without one."""

    archive: str
    outcome: BorgOutcome
    unused_excludes: tuple[str, ...]
    """Patterns that left nothing out."""


@dataclass(frozen=True)
class Request:
    """What is asked for: an archive of that name, of the `paths` (absolute), after what borg is given by `dumps`."""

    archive: str
    paths: Sequence[str]
    comment: str
    dumps: Dumps | None = None


def create(repository: Repository, *, make_request: Callable[[], Request]) -> Created:
    """Back up; return how borg ended, which may be without an archive.

    `make_request` is asked at each attempt, so that the name tells when borg began, not when it began to wait for the
    lock, and the comment what there was then. Raises what it raises, and FaultError when the lock is not free within
    its bound.
    """
    archive, unused = "", UnusedPatterns(())

    def make_arguments(lock_wait: int) -> list[str]:
        nonlocal archive, unused
        request, unused = make_request(), UnusedPatterns(repository.plan.exclude)
        archive = request.archive
        return make_create_arguments(repository.plan, request, lock_wait=lock_wait)

    def attempt() -> BorgOutcome:
        return repository.try_borg(make_arguments, on_note=lambda note: unused.see(note.excluded))

    outcome = attempt()
    if outcome.exit_code == NAME_TAKEN and without_times(archive) != archive:
        # Borg refuses before it reads. Names are of the second, and a run that was over at once was in this one too.
        repository.log.say(f"an archive {archive} is there already: trying once more in the next second")
        time.sleep(_SECOND)
        outcome = attempt()
    return Created(archive, outcome, unused.names)


def make_create_arguments(repository: RepositoryPlan, request: Request, *, lock_wait: int) -> list[str]:
    """Return the arguments that do what is asked for. Patterns are for volumes: what they leave out is never a dump."""
    dumps = request.dumps
    excluded = repository.exclude if request.paths else ()
    told = [*(["x"] if excluded else []), *(["i"] if dumps else [])]  # left out; about to read its input
    return [
        "create",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--progress",
        "--json",
        f"--comment={escape_placeholders(request.comment)}",
        *([f"--compression={repository.compression}"] if repository.compression else []),
        *(["--list", f"--filter={''.join(told)}"] if told else []),
        *(f"--exclude={pattern}" for pattern in excluded),
        *(dumps.options if dumps else []),
        name_archive(repository, request.archive),
        *(dumps.words if dumps else []),
        *request.paths,
    ]


def change_comment(repository: Repository, archive: str, comment: str) -> None:
    """Give the archive another comment. The list of its files is written anew, its time stays. Raises FaultError."""
    repository.run_borg(
        lambda lock_wait: make_comment_arguments(repository.plan, archive, comment, lock_wait=lock_wait)
    )


def make_comment_arguments(repository: RepositoryPlan, archive: str, comment: str, *, lock_wait: int) -> list[str]:
    """Return the arguments that do so."""
    return [
        "recreate",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        f"--comment={escape_placeholders(comment)}",
        name_archive(repository, archive),
    ]


def rename(repository: Repository, archive: str, name: str) -> None:
    """Give the archive another name, which none has. Raises FaultError."""
    repository.run_borg(lambda lock_wait: make_rename_arguments(repository.plan, archive, name, lock_wait=lock_wait))


def make_rename_arguments(repository: RepositoryPlan, archive: str, name: str, *, lock_wait: int) -> list[str]:
    """Return the arguments that do so."""
    return [
        "rename",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--",
        name_archive(repository, archive),
        escape_placeholders(name),
    ]


def parse_create_output(output: str) -> ArchiveFigures:
    """Return the figures in the JSON of `borg create`. Raises ValueError, KeyError or TypeError."""
    value = json.loads(output)
    archive, repository = value["archive"]["stats"], value["cache"]["stats"]
    return ArchiveFigures(
        original_size=archive["original_size"],
        compressed_size=archive["compressed_size"],
        deduplicated_size=archive["deduplicated_size"],
        files=archive["nfiles"],
        repository_original_size=repository["total_size"],
        repository_deduplicated_size=repository["unique_csize"],
        encryption=str(value.get("encryption", {}).get("mode", "")),
        repository_id=str(value["repository"]["id"]),
        began=render_time(dt.datetime.fromisoformat(value["archive"]["start"])),
    )

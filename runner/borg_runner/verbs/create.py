"""`borg create`: one archive, and the figures that borg gives for it."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from borg_contract.archive_name import without_times
from borg_contract.plan import RepositoryPlan
from borg_runner.borg.arguments import escape_placeholders, make_connection_arguments
from borg_runner.borg.exit_codes import NAME_TAKEN
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.borg.patterns import UnusedPatterns
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


@dataclass(frozen=True)
class Created:
    """How a `borg create` went. `archive`: its name, also where borg ended without one."""

    archive: str
    outcome: BorgOutcome
    unused_excludes: tuple[str, ...]
    """Patterns that left nothing out."""


def create(repository: Repository, *, make_name: Callable[[], str], paths: Sequence[str], comment: str) -> Created:
    """Back up `paths`; return how borg ended, which may be without an archive.

    `make_name` is asked at each attempt, so that the name tells when borg began, not when it began to wait for the
    lock. Raises FaultError when the lock is not free within its bound.
    """
    archive, unused = "", UnusedPatterns(())

    def make_arguments(lock_wait: int) -> list[str]:
        nonlocal archive, unused
        archive, unused = make_name(), UnusedPatterns(repository.plan.exclude)
        return make_create_arguments(
            repository.plan, archive=archive, paths=paths, comment=comment, lock_wait=lock_wait
        )

    def attempt() -> BorgOutcome:
        return repository.try_borg(make_arguments, on_note=lambda note: unused.see(note.excluded))

    repository.log.say(f"backing up {', '.join(paths)}")
    outcome = attempt()
    if outcome.exit_code == NAME_TAKEN and without_times(archive) != archive:
        # Borg refuses before it reads. Names are of the second, and a run that was over at once was in this one too.
        repository.log.say(f"an archive {archive} is there already: trying once more in the next second")
        time.sleep(_SECOND)
        outcome = attempt()
    return Created(archive, outcome, unused.names)


def make_create_arguments(
    repository: RepositoryPlan, *, archive: str, paths: Sequence[str], comment: str, lock_wait: int
) -> list[str]:
    """Return the arguments that back up `paths` (absolute) into `archive`."""
    return [
        "create",
        *make_connection_arguments(repository, lock_wait=lock_wait),
        "--progress",
        "--json",
        f"--comment={escape_placeholders(comment)}",
        *([f"--compression={repository.compression}"] if repository.compression else []),
        *(["--list", "--filter=x"] if repository.exclude else []),  # names what the patterns leave out
        *(f"--exclude={pattern}" for pattern in repository.exclude),
        f"{escape_placeholders(repository.location)}::{escape_placeholders(archive)}",
        *paths,
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
    )

"""`borg create`: the arguments of one archive, and the figures that borg gives for it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from borg_contract.plan import RepositoryPlan
from borg_runner.borg import escape_placeholders, make_connection_arguments


@dataclass(frozen=True)
class ArchiveFigures:
    """Sizes in bytes; `repository_*` are of the whole repository after this archive."""

    original_size: int
    compressed_size: int
    deduplicated_size: int
    files: int
    repository_original_size: int
    repository_deduplicated_size: int
    encryption: str


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
        *(f"--exclude={pattern}" for pattern in repository.exclude),
        f"{escape_placeholders(repository.location)}::{escape_placeholders(archive)}",
        *paths,
    ]


def parse_create_output(output: str) -> ArchiveFigures:
    """Return the figures in the JSON of `borg create`. Raises ValueError or KeyError."""
    value = json.loads(output)
    archive, repository = value["archive"]["stats"], value["cache"]["stats"]
    return ArchiveFigures(
        archive["original_size"],
        archive["compressed_size"],
        archive["deduplicated_size"],
        archive["nfiles"],
        repository["total_size"],
        repository["unique_csize"],
        str(value.get("encryption", {}).get("mode", "")),
    )

"""What a run told of a repository's archives: part of its result, and so of its BorgRun's status."""

from dataclasses import dataclass
from typing import Annotated

from borg_contract.schema import Schema


def _count(description: str) -> Schema:
    return Schema(description, format="int64", minimum=0)


@dataclass(frozen=True)
class ListingResult:
    """`found` and `gone` are of the newest archives only, as many as `spec.archiveLimit` of the BorgRepository says."""

    archives: Annotated[int, _count("How many archives are in the repository.")]
    newest: Annotated[str, Schema("What tells the set of these newest archives from any other.", maxLength=32)]
    found: Annotated[int, _count("How many archives it told that had no BorgArchive.")] = 0
    gone: Annotated[int, _count("How many that had a BorgArchive are no longer in the repository.")] = 0
    left: Annotated[int, _count("How many of both did not fit into this result: another run tells them.")] = 0

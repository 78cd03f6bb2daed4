"""What became of a restore, or what would: part of a run's result, and so of its BorgRun's status."""

from dataclasses import dataclass
from typing import Annotated

from borg_contract.schema import Schema


def _count(description: str) -> Schema:
    return Schema(description, format="int64", minimum=0)


@dataclass(frozen=True)
class ResolvedArchive:
    """The archive that was meant, once and for all."""

    archive: Annotated[str, Schema("Its name.", maxLength=1024)]
    id: Annotated[str, Schema("Borg's own id of it.", maxLength=64)]
    time: Annotated[str, Schema("When it was begun: RFC 3339 in UTC.", maxLength=32)]
    source: Annotated[
        str,
        Schema(
            "Which of its sources; empty for an archive that was not made by this operator: all of it.", maxLength=63
        ),
    ] = ""


@dataclass(frozen=True)
class RestorePreview:
    """What a restore would do with the target as it is."""

    create: Annotated[int, _count("How many files, folders and links would be made.")]
    overwrite: Annotated[int, _count("How many that are there would be replaced.")]
    delete: Annotated[int, _count("How many that are there would be deleted, for Mirror.")]
    same: Annotated[int, _count("How many are there and as in the archive: they are left alone.")] = 0
    keep: Annotated[int, _count("How many are there, differ, and are left alone, for OnlyMissing.")] = 0
    bytes: Annotated[int, _count("How many bytes would be written.")] = 0
    sample: Annotated[
        tuple[Annotated[str, Schema("One of them: `+`, `~` or `-`, a blank, and the path.", maxLength=1024)], ...],
        Schema(
            "Some of what would be made (`+ path`), replaced (`~ path`) and deleted (`- path`), deletions first; the "
            "run's log has all of it.",
            maxItems=32,
        ),
    ] = ()
    digest: Annotated[
        str,
        Schema("What tells this from any other preview: `spec.approve` takes it.", maxLength=64),
    ] = ""


@dataclass(frozen=True)
class Verified:
    """How the target compares with the archive after the restore."""

    files: Annotated[int, _count("How many files were read back and compared.")]
    mismatches: Annotated[int, _count("How many differ from the archive; the message names some.")] = 0


@dataclass(frozen=True)
class RestoreResult:
    """Of one run that previews or restores."""

    resolved: Annotated[ResolvedArchive | None, Schema("The archive that was meant.")] = None
    size: Annotated[int | None, _count("Bytes of all that is to be restored, as if the target were empty.")] = None
    preview: Annotated[RestorePreview | None, Schema("What would be done, or was to be done.")] = None
    files: Annotated[int | None, _count("How many files, folders and links were written.")] = None
    bytes: Annotated[int | None, _count("How many bytes were written.")] = None
    deleted: Annotated[int | None, _count("How many were deleted.")] = None
    undo_archive: Annotated[
        str | None,
        Schema("The archive with what was overwritten or deleted, in the same repository.", maxLength=1024),
    ] = None
    verified: Annotated[Verified | None, Schema("What reading back showed.")] = None

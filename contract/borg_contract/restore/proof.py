"""Whether an archive could be brought back: what checks and drills are asked for, and what they showed."""

from dataclasses import dataclass
from typing import Annotated

from borg_contract.schema import Schema


def _count(description: str) -> Schema:
    return Schema(description, format="int64", minimum=0)


@dataclass(frozen=True)
class CheckPlan:
    """How far a check goes. The defaults: repository and archives, without reading all data."""

    slice_seconds: int | None = None
    """Look so long at the repository and go on there the next time; archives when it is through. None: at all of it."""
    data_every_seconds: int | None = None
    """So often a check is a whole one that reads all data; None: never."""
    data_time: str = ""
    """When one did so and found nothing wrong: RFC 3339; empty: never."""


@dataclass(frozen=True)
class CheckResult:
    complete: Annotated[
        bool,
        Schema("Whether it came to the end of the repository, and so to the archives; false for a slice before."),
    ]
    data: Annotated[bool, Schema("Whether all data were read and verified.")] = False


@dataclass(frozen=True)
class Drilled:
    """How far the drills of one schedule's archives are. A round restores the files of one group, see `rounds`."""

    schedule: Annotated[str, Schema("The BorgSchedule whose newest archive it is.", maxLength=63)]
    archive: Annotated[str, Schema("The archive that was drilled last.", maxLength=1024)]
    time: Annotated[str, Schema("When that was begun: RFC 3339 in UTC.", maxLength=32)]
    round: Annotated[int, _count("Which of its groups of files was restored, from 0.")]
    rounds: Annotated[
        int, _count("How many groups there are: by a digest of its path, a file is always in the same one.")
    ]
    since: Annotated[
        str, Schema("When the archive was begun with which these rounds began: RFC 3339 in UTC.", maxLength=32)
    ]
    before: Annotated[
        str, Schema("The same of the rounds before, if they came to their end; else empty.", maxLength=32)
    ] = ""
    files: Annotated[int, _count("How many files and symbolic links the archive holds.")] = 0
    covered: Annotated[
        int,
        _count(
            "How many of these were drilled as they are: in this drill, or in one before and not changed since the "
            "first archive of those rounds."
        ),
    ] = 0
    size: Annotated[int, _count("Bytes of all its files.")] = 0


@dataclass(frozen=True)
class DrillPlan:
    """What a drill restores."""

    schedules: tuple[str, ...] = ()
    """Whose newest archives, those first whose last drill is the longest ago."""
    sample: int = 10
    """Percent of an archive's files, about."""
    max_bytes: int = 5 * 1024**3
    """Of one archive at most so much at once."""
    min_files: int = 1
    """How many files an archive must hold."""
    max_age_seconds: int | None = None
    """How old an archive may be; None: as old as it is."""
    for_app: bool = False
    """Whether what is restored stays, below `borg_contract.pod.RESTORED_DIR`."""
    app_paths: tuple[str, ...] = ()
    """What is restored for that besides the sample: paths in the archive, those of folders with all in them."""
    drilled: tuple[Drilled, ...] = ()
    """What the drills before told."""


@dataclass(frozen=True)
class DrillResult:
    """Of the archives that were as they should be."""

    archives: Annotated[
        tuple[Annotated[Drilled, Schema("One schedule's newest archive.")], ...],
        Schema("The archives of which a part was restored and was as in the archive.", maxItems=16),
    ] = ()
    files: Annotated[int, _count("How many files were restored and compared.")] = 0
    bytes: Annotated[int, _count("How many bytes these hold.")] = 0
    seconds: Annotated[float, Schema("How long borg took to restore them.", minimum=0)] = 0.0

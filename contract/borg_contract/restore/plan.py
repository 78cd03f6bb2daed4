"""What a run that restores, or says what a restore would do, is asked for."""

from dataclasses import dataclass
from enum import StrEnum

TARGET_DIR = "/target"
"""Where the volume is mounted into which is restored: writable for a restore, read-only for a preview."""


class Mode(StrEnum):
    """What becomes of what is in the target."""

    MERGE = "Merge"
    ONLY_MISSING = "OnlyMissing"
    MIRROR = "Mirror"


class Ownership(StrEnum):
    """Whose the restored files are."""

    KEEP = "Keep"
    RUN_AS = "RunAs"


@dataclass(frozen=True)
class LatestPlan:
    """The newest archive that fits. `schedule`: whose, by what archives say of themselves; empty: anybody's."""

    schedule: str = ""
    before: str = ""
    """RFC 3339 in UTC: begun earlier than this. Empty: at any time."""
    max_age_seconds: int | None = None
    """How old it may be; None: as old as it is."""


@dataclass(frozen=True)
class RestorePlan:
    """What to bring back, and where. Exactly one of `archive` and `latest` is given."""

    name: str
    """The BorgRestore's."""
    uid: str = ""
    """The BorgRestore's: another one may have the name of one that was deleted."""
    archive: str = ""
    """Its name in the repository."""
    archive_id: str = ""
    """Borg's id of it, once it has been resolved: that very archive, or none."""
    latest: LatestPlan | None = None
    source: str = ""
    """Which of the archive's sources (`sources/<source>` in it); empty: the only one, all of a stranger's."""
    paths: tuple[str, ...] = ()
    """Below the source; empty: all of it."""
    exclude: tuple[str, ...] = ()
    """Borg's patterns, for paths below the source."""
    has_target: bool = True
    """Whether a volume is mounted; without one a preview says what there is to restore, and how large it is."""
    folder: str = ""
    """Below the volume's root; empty: the root itself. It is made where it is missing."""
    mode: Mode = Mode.MERGE
    digest: str = ""
    """Of the preview that is to come true; another one stops the restore before it changes anything. Empty: any."""
    undo: bool = True
    """Whether what is overwritten or deleted is archived before."""
    ownership: Ownership = Ownership.KEEP
    verify: bool = True

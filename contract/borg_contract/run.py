"""What a run does, and how far it has come."""

from enum import StrEnum


class Operation(StrEnum):
    """What a run does."""

    BACKUP = "Backup"
    PRUNE = "Prune"
    COMPACT = "Compact"
    CHECK = "Check"
    DRILL = "Drill"
    LIST = "List"
    BREAK_LOCK = "BreakLock"
    PREVIEW = "Preview"
    RESTORE = "Restore"

    @property
    def needs_schedule(self) -> bool:
        """Whether a schedule must say what is backed up or kept; the others can be done on a repository alone."""
        return self in (Operation.BACKUP, Operation.PRUNE)

    @property
    def needs_restore(self) -> bool:
        """Whether a BorgRestore must say what is brought back."""
        return self in (Operation.PREVIEW, Operation.RESTORE)


class Phase(StrEnum):
    """Where a run, or one repository of it, stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    COMPLETED_WITH_WARNINGS = "CompletedWithWarnings"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SKIPPED = "Skipped"

    @property
    def finished(self) -> bool:
        """Whether it stays in this phase."""
        return self not in (Phase.PENDING, Phase.RUNNING)

    @property
    def succeeded(self) -> bool:
        """Whether it did its work, perhaps with warnings."""
        return self in (Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS)

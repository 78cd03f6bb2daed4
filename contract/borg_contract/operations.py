"""What a run does."""

from enum import StrEnum


class Operation(StrEnum):
    """What a run does."""

    BACKUP = "Backup"
    PRUNE = "Prune"
    COMPACT = "Compact"
    CHECK = "Check"
    LIST = "List"
    BREAK_LOCK = "BreakLock"

    @property
    def needs_schedule(self) -> bool:
        """Whether a schedule must say what is backed up or kept; the others can be done on a repository alone."""
        return self in (Operation.BACKUP, Operation.PRUNE)

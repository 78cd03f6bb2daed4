"""What a run does."""

from enum import StrEnum


class Operation(StrEnum):
    """What a run does."""

    BACKUP = "Backup"
    PRUNE = "Prune"
    COMPACT = "Compact"
    CHECK = "Check"
    BREAK_LOCK = "BreakLock"

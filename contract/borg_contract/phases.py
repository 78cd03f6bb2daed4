"""How far a run has come."""

from enum import StrEnum


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

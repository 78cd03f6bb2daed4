"""A run as planning sees it: the BorgRun, its Job, and the status that it is to have after this reconciliation."""

from dataclasses import dataclass

from borg_contract.operations import Operation
from borg_core.kinds.run import BorgRun, BorgRunStatus
from borg_core.native.job import ObservedJob


@dataclass(frozen=True)
class Entry:
    """At least one of `run` and `job` is there; they have the same name."""

    name: str
    run: BorgRun | None
    job: ObservedJob | None
    status: BorgRunStatus

    @property
    def operation(self) -> Operation:
        if self.run:
            return self.run.spec.operation
        return Operation(self.job.operation) if self.job else Operation.BACKUP

    @property
    def finished(self) -> bool:
        return self.status.phase is not None and self.status.phase.finished

    @property
    def just_finished(self) -> bool:
        """It ended, and its BorgRun does not say so yet."""
        return self.finished and not (self.run and self.run.finished)

    @property
    def began(self) -> str:
        """When it began, or was asked for: RFC 3339, so that texts sort as times."""
        status = self.status
        created = self.run.metadata.creation_timestamp if self.run else ""
        return status.start_time or status.scheduled_time or created or status.completion_time or ""

    @property
    def order(self) -> tuple[str, str]:
        """Sort key: oldest first, ties by name."""
        return self.status.completion_time or self.began, self.name

"""BorgRun: one run of a schedule, asked for by hand or begun by its CronJob."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

from borg_contract.operations import Operation
from borg_contract.phases import Phase
from borg_core.kinds.base import GROUP, VERSION, Condition, Metadata, Model, NameRef
from borg_core.registry import Kind, Reference


class BorgRunSpec(Model):
    schedule_ref: NameRef
    operation: Operation = Operation.BACKUP
    cancel: bool = False


class Trigger(StrEnum):
    """Who asked for a run: the CronJob, a person, or the operator itself (to break a dead Job's locks)."""

    SCHEDULED = "Scheduled"
    MANUAL = "Manual"
    AUTOMATIC = "Automatic"


class RunPrune(Model):
    kept: int
    deleted: int


class RunCompact(Model):
    freed_bytes: int


class RunTotals(Model):
    archives: int
    original_size: int
    deduplicated_size: int


class RunRepository(Model):
    """What a run did in one repository; sizes in bytes."""

    name: str
    phase: Phase
    archive: str | None = None
    original_size: int | None = None
    compressed_size: int | None = None
    deduplicated_size: int | None = None
    files: int | None = None
    seconds: float | None = None
    lock_wait_seconds: float | None = None
    prune: RunPrune | None = None
    compact: RunCompact | None = None
    totals: RunTotals | None = None
    warnings: tuple[str, ...] = ()
    warning_count: int = 0
    reason: str | None = None
    error: str | None = None
    locked_by: str | None = None


class BorgRunStatus(Model):
    """Times are RFC 3339 texts in UTC; absent until known.

    `job_uid`: uid of the Job of the same name; `duration`: from start to completion, for people ("1m32s").
    """

    conditions: tuple[Condition, ...] = ()
    phase: Phase | None = None
    trigger: Trigger | None = None
    job_uid: str | None = None
    scheduled_time: str | None = None
    start_time: str | None = None
    completion_time: str | None = None
    duration: str | None = None
    reason: str | None = None
    message: str = ""
    repositories: tuple[RunRepository, ...] = ()


class BorgRun(Model):
    kind: Literal["BorgRun"] = "BorgRun"
    metadata: Metadata
    spec: BorgRunSpec
    status: BorgRunStatus = BorgRunStatus()

    @property
    def finished(self) -> bool:
        return self.status.phase is not None and self.status.phase.finished


def references_of_run(run: BorgRun) -> Iterator[Reference]:
    namespace = run.metadata.namespace
    yield Reference("BorgSchedule", namespace, run.spec.schedule_ref.name)
    for item in run.status.repositories:
        yield Reference("BorgRepository", namespace, item.name)


RUNS = Kind("BorgRun", GROUP, VERSION, "borgruns", BorgRun.model_validate, references_of_run)

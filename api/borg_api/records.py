"""The edge: what the API server hands out becomes what the facade keeps, parsed once."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from borg_contract.operations import Operation
from borg_contract.phases import Phase
from borg_core import labels
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.run import BorgRun, Trigger
from borg_core.kinds.schedule import TITLE, BorgSchedule
from borg_core.kinds.script import BorgScript
from borg_core.registry import Body, Reference

Order = tuple[str, str, str]
"""(creation time, namespace, name): sorts by age, and never ties."""


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """`updated`: when its spec was last written, RFC 3339. `titled`: since which version it has its title."""

    resource: BorgSchedule
    updated: str
    titled: int = 0

    @property
    def namespace(self) -> str:
        return self.resource.metadata.namespace

    @property
    def name(self) -> str:
        return self.resource.metadata.name

    @property
    def edition(self) -> str:
        """What an edit must be based on: it changes with the spec, and not with the status."""
        return f"{self.resource.metadata.uid[:8]}-{self.resource.metadata.generation}"


def parse_schedule(body: Body) -> ScheduleRecord:
    resource = BorgSchedule.model_validate(body)
    return ScheduleRecord(resource, _written(body["metadata"]), int(resource.metadata.resource_version))


def succeed_schedule(old: ScheduleRecord, new: ScheduleRecord) -> ScheduleRecord:
    return replace(new, titled=old.titled) if new.resource.title == old.resource.title else new


def groups_of_schedule(record: ScheduleRecord) -> Iterable[tuple[str, str]]:
    return [(TITLE, record.resource.title)]


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run did in one repository; sizes in bytes."""

    name: str
    phase: Phase
    archive: str | None
    original_size: int | None
    compressed_size: int | None
    deduplicated_size: int | None
    files: int | None
    warnings: tuple[str, ...]
    error: str | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is shown of a run, and no more: ten are kept of every schedule. `key`: of what made it, see `labels`."""

    namespace: str
    name: str
    uid: str
    version: int
    created: str
    key: str | None
    schedule: str
    operation: Operation
    phase: Phase
    trigger: Trigger | None
    job_uid: str | None
    started: str | None
    completed: str | None
    message: str
    repositories: tuple[RunOutcome, ...]

    @property
    def finished(self) -> bool:
        return self.phase.finished

    @property
    def order(self) -> Order:
        return self.created, self.namespace, self.name


def parse_run(body: Body) -> RunRecord:
    run = BorgRun.model_validate(body)
    metadata, status = run.metadata, run.status
    return RunRecord(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        version=int(metadata.resource_version),
        created=metadata.creation_timestamp,
        key=metadata.labels.get(labels.IDEMPOTENCY_KEY),
        schedule=run.spec.schedule_ref.name,
        operation=run.spec.operation,
        phase=status.phase or Phase.PENDING,
        trigger=status.trigger,
        job_uid=status.job_uid,
        started=status.start_time,
        completed=status.completion_time,
        message=status.message,
        repositories=tuple(
            RunOutcome(
                name=item.name,
                phase=item.phase,
                archive=item.archive,
                original_size=item.original_size,
                compressed_size=item.compressed_size,
                deduplicated_size=item.deduplicated_size,
                files=item.files,
                warnings=item.warnings,
                error=item.error,
            )
            for item in status.repositories
        ),
    )


def references_of_run(run: RunRecord) -> Iterable[Reference]:
    return [Reference("BorgSchedule", run.namespace, run.schedule)]


def order_of(resource: BorgSchedule | BorgRepository | BorgScript) -> Order:
    """Return the resource's place in lists: oldest first."""
    metadata = resource.metadata
    return metadata.creation_timestamp, metadata.namespace, metadata.name


def _written(metadata: dict[str, Any]) -> str:
    times: list[str] = [
        entry["time"] for entry in metadata.get("managedFields", []) if "time" in entry and "subresource" not in entry
    ]
    created: str = metadata["creationTimestamp"]
    return max([*times, created])

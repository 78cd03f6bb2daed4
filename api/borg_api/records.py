"""The edge: what the API server hands out becomes what the facade keeps, parsed once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from borg_cluster.collection import TITLE, Body, Reference
from borg_core.models.hooks import BorgScript
from borg_core.models.repository import BorgRepository
from borg_core.models.run import BorgRun
from borg_core.models.schedule import BorgSchedule


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """`updated`: when its spec was last written, RFC 3339."""

    resource: BorgSchedule
    updated: str

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
    return ScheduleRecord(BorgSchedule.model_validate(body), _written(body["metadata"]))


def references_of_schedule(record: ScheduleRecord) -> Iterable[Reference]:
    return [(TITLE, record.namespace, record.resource.title)]


def parse_repository(body: Body) -> BorgRepository:
    return BorgRepository.model_validate(body)


def parse_script(body: Body) -> BorgScript:
    return BorgScript.model_validate(body)


def parse_run(body: Body) -> BorgRun:
    return BorgRun.model_validate(body)


def references_of_run(run: BorgRun) -> Iterable[Reference]:
    return [("BorgSchedule", run.metadata.namespace, run.spec.schedule_ref.name)]


def _written(metadata: dict[str, Any]) -> str:
    times: list[str] = [
        entry["time"] for entry in metadata.get("managedFields", []) if "time" in entry and "subresource" not in entry
    ]
    created: str = metadata["creationTimestamp"]
    return max([*times, created])

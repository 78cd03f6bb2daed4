"""A Job of ours: made by a CronJob of ours, or by the operator for a run by hand."""

from dataclasses import dataclass
from datetime import datetime

from borg_contract.operations import Operation
from borg_core import labels
from borg_core.native.metadata import controller_of, holds, time_of
from borg_core.registry import Body, Kind, Reference
from borg_core.timestamps import parse_time


@dataclass(frozen=True)
class ObservedJob:
    """A Job that a CronJob of ours, or this operator for a BorgRun, made."""

    namespace: str
    name: str
    uid: str
    schedule: str
    operation: str
    owner_kind: str | None
    owner_uid: str | None
    created: datetime
    scheduled: datetime | None = None
    started: datetime | None = None
    completed: datetime | None = None
    succeeded: bool | None = None
    """None while it is not finished."""
    failure_reason: str = ""
    failure_message: str = ""
    ready: int = 0
    deleting: bool = False

    @property
    def finished(self) -> bool:
        return self.succeeded is not None

    @property
    def begun_by_cron_job(self) -> bool:
        return self.owner_kind == "CronJob"


def parse_job(body: Body) -> ObservedJob:
    metadata, status = body["metadata"], body.get("status", {})
    owner = controller_of(metadata)
    ended = next((c for c in status.get("conditions", []) if c["type"] in ("Complete", "Failed") and holds(c)), None)
    return ObservedJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        schedule=metadata.get("labels", {}).get(labels.SCHEDULE, ""),
        operation=metadata.get("labels", {}).get(labels.OPERATION, Operation.BACKUP.value),
        owner_kind=owner.get("kind"),
        owner_uid=owner.get("uid"),
        created=parse_time(metadata["creationTimestamp"]),
        scheduled=time_of(metadata.get("annotations", {}).get(labels.SCHEDULED_TIMESTAMP)),
        started=time_of(status.get("startTime")),
        completed=time_of(status.get("completionTime") or (ended or {}).get("lastTransitionTime")),
        succeeded=ended["type"] == "Complete" if ended else None,
        failure_reason=ended.get("reason", "") if ended and ended["type"] == "Failed" else "",
        failure_message=ended.get("message", "") if ended and ended["type"] == "Failed" else "",
        ready=status.get("ready") or 0,
        deleting="deletionTimestamp" in metadata,
    )


def references_of_job(job: ObservedJob) -> set[Reference]:
    return {Reference("BorgSchedule", job.namespace, job.schedule)}


JOBS = Kind("Job", "batch", "v1", "jobs", parse_job, references_of_job, selector=labels.SCHEDULE)

"""A Job of ours: made by a CronJob of ours, or by the operator for a run by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from borg_contract.pod import STREAM_CONTAINER_PREFIX
from borg_contract.run import Operation
from borg_core import labels
from borg_core.formats import parse_time
from borg_core.kinds.parts.base import OwnerReference
from borg_core.native.copy import CopyVolume, find_copies
from borg_core.native.metadata import (
    controller_of,
    holds,
    is_foreign,
    kept_once,
    owners_beside,
    subject_of,
    time_of,
)
from borg_core.registry import Body, Kind, Reference


@dataclass(frozen=True)
class ObservedJob:
    """`subject`: the resource of ours it is for; `run_uid`: of the BorgRun that records it, once there is one."""

    namespace: str
    name: str
    uid: str
    subject: Reference | None
    operation: Operation
    owner_kind: str | None
    owner_uid: str | None
    created: datetime
    owners_beside: tuple[OwnerReference, ...] = ()
    run_uid: str | None = None
    scheduled: datetime | None = None
    """The tick it stands for; None for a run by hand."""
    times: tuple[str, str] | None = None
    """Time zone and schedule of its CronJob when that made it, where it bears them."""
    started: datetime | None = None
    """None while it is suspended, and until its controller has taken up that it is no longer."""
    completed: datetime | None = None
    succeeded: bool | None = None
    """None while it is not finished."""
    failure_reason: str = ""
    failure_message: str = ""
    ready: int = 0
    suspended: bool = False
    at_rest: bool = False
    """Its controller has taken up that it is suspended: no pod comes, and those there were are on their way out."""
    rests_since: datetime | None = None
    suspended_by: str = ""
    """The field manager that suspended it, where it is told and is none of the operator's or of Kubernetes' own."""
    turn: str = ""
    """What `labels.TURN` says of it."""
    deleting: bool = False
    copies: tuple[CopyVolume, ...] = ()
    """What its pod reads copies of."""
    reads_own: bool = True
    """Whether the snapshots among them can be no others than its own, as far as is said of it."""
    claims: frozenset[str] = frozenset()
    """The claims that its pod mounts."""
    has_stream: bool = False
    """Whether a container of its pod writes what is archived, or is given what was."""

    @property
    def reference(self) -> Reference:
        return Reference(JOBS.kind, self.namespace, self.name)

    @property
    def finished(self) -> bool:
        return self.succeeded is not None

    @property
    def working(self) -> bool:
        """Whether a pod of it may be at work, now or in a moment."""
        return not self.finished and (not self.suspended or self.paused)

    @property
    def paused(self) -> bool:
        """Whether somebody else suspended it, Kueue or a person, who lets it begin at any moment.

        The operator lets begin only what was made to wait for it, and that once: else the two would go on for ever, and
        each time a pod would be killed.
        """
        if self.finished or not self.suspended:
            return False
        return self.turn == labels.TURN_GIVEN or not (self.turn or self.made_to_wait)

    @property
    def made_to_wait(self) -> bool:
        """Whether it may have been made suspended: by the operator for a run by hand, or by a CronJob for snapshots."""
        by_hand = self.scheduled is None and self.owner_kind != "BorgRun"
        return by_hand or any(copy.snapshot for copy in self.copies)

    @property
    def by_clock(self) -> bool:
        return self.scheduled is not None and self.owner_kind == "CronJob"


def parse_job(body: Body) -> ObservedJob:
    metadata, spec, status = body["metadata"], body.get("spec", {}), body.get("status", {})
    owner, marks, notes = controller_of(metadata), metadata.get("labels", {}), metadata.get("annotations", {})
    held = {condition["type"]: condition for condition in status.get("conditions", []) if holds(condition)}
    ended = held.get("Complete") or held.get("Failed")
    failed = ended if ended and ended["type"] == "Failed" else {}
    return ObservedJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        subject=subject_of(metadata),
        operation=_operation(marks.get(labels.OPERATION, "")),
        owner_kind=owner.get("kind"),
        owner_uid=owner.get("uid"),
        owners_beside=owners_beside(metadata),
        run_uid=notes.get(labels.RUN_UID),
        created=parse_time(metadata["creationTimestamp"]),
        scheduled=_tick(notes.get(labels.SCHEDULED_TIMESTAMP)),
        times=_times(notes.get(labels.TIMES)),
        started=None if "Suspended" in held else time_of(status.get("startTime")),
        completed=time_of(status.get("completionTime") or (ended or {}).get("lastTransitionTime")),
        succeeded=ended["type"] == "Complete" if ended else None,
        failure_reason=failed.get("reason", ""),
        failure_message=failed.get("message", ""),
        ready=status.get("ready") or 0,
        suspended=bool(spec.get("suspend")),
        at_rest="Suspended" in held,
        rests_since=time_of(held.get("Suspended", {}).get("lastTransitionTime")),
        suspended_by=kept_once(_suspender(metadata)),
        turn=kept_once(notes.get(labels.TURN, "")),
        deleting="deletionTimestamp" in metadata,
        copies=find_copies(spec.get("template", {}).get("spec", {})),
        reads_own=notes.get(labels.OWN_SNAPSHOTS) != "false",
        claims=kept_once(frozenset(_claims(spec.get("template", {}).get("spec", {})))),
        has_stream=_has_stream(spec.get("template", {}).get("spec", {})),
    )


def _suspender(metadata: Body) -> str:
    held = (entry for entry in metadata.get("managedFields", []) if is_foreign(entry))
    return next((entry["manager"] for entry in held if "f:suspend" in entry["fieldsV1"]["f:spec"]), "")


def _claims(pod_spec: Body) -> Iterator[str]:
    for volume in pod_spec.get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            yield claim["claimName"]


def _has_stream(pod_spec: Body) -> bool:
    return any(item["name"].startswith(STREAM_CONTAINER_PREFIX) for item in pod_spec.get("containers") or ())


def _operation(text: str) -> Operation:
    """Return what the label says; a label that somebody changed must not keep the Job from being recorded."""
    try:
        return Operation(text)
    except ValueError:
        return Operation.BACKUP


def _tick(text: str | None) -> datetime | None:
    try:
        return time_of(text)
    except ValueError:
        return None


def _times(text: str | None) -> tuple[str, str] | None:
    time_zone, _, schedule = (text or "").partition(" ")
    return (time_zone, schedule) if schedule else None


def _references(job: ObservedJob) -> list[Reference]:
    return [job.subject] if job.subject else []


JOBS = Kind("Job", "batch", "v1", "jobs", parse_job, _references, selector=labels.OURS)

"""What reconciling decided to do; the operator's `apply` matches on these and does it.

Every action may be repeated: whoever is stopped in the middle finds at the next reconciliation what is left to do.
A `uid` says which object is meant: one that was made anew under the same name is left alone.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from borg_core.registry import Reference


@dataclass(frozen=True)
class CreateCronJob:
    manifest: dict[str, Any]


@dataclass(frozen=True)
class RepairCronJob:
    """Make the CronJob that exists what `manifest` says."""

    manifest: dict[str, Any]
    forget_missed_before: datetime | None = None
    """Ticks up to then are not made up for: the times or `suspend` change, and a CronJob would run what it missed."""


@dataclass(frozen=True)
class DeleteCronJob:
    target: Reference
    uid: str


@dataclass(frozen=True)
class CreateJob:
    manifest: dict[str, Any]


@dataclass(frozen=True)
class CreateNetworkPolicy:
    """Make a NetworkPolicy. One of its name that is there is the same, by its name."""

    manifest: dict[str, Any]


@dataclass(frozen=True)
class DeleteSession:
    session: Reference
    uid: str


@dataclass(frozen=True)
class ReserveTurn:
    """Enter a suspended Job, and a placeholder beside it, in the CronJob's `status.active`: see `runs.turns`."""

    cron_job: Reference
    cron_job_uid: str
    job: Reference
    job_uid: str


@dataclass(frozen=True)
class RecordTick:
    """Enter a tick's Job in its CronJob's status: the controller made it, could not record it, and tries for ever."""

    cron_job: Reference
    cron_job_uid: str
    job: Reference
    job_uid: str
    tick: datetime


@dataclass(frozen=True)
class StartJob:
    """Let a suspended Job begin, this once, unless a fresh look finds another one of its `subject` at work."""

    job: Reference
    uid: str
    subject: Reference


@dataclass(frozen=True)
class SuspendJob:
    """Take back a Job that began while another one of its schedule was at work: it waits for its turn."""

    job: Reference
    uid: str


@dataclass(frozen=True)
class MarkJob:
    """Note on the Job which BorgRun records it, that its pod reads its own snapshots alone, or that it had its turn."""

    job: Reference
    uid: str
    annotations: dict[str, str]


@dataclass(frozen=True)
class DeleteJob:
    """Delete a Job, if it still is the one with `uid`, and its pods first: no other run begins before they are gone."""

    job: Reference
    uid: str


@dataclass(frozen=True)
class EndPod:
    """Let the kubelet end the pod in order; its object stays, with result and log."""

    pod: Reference
    uid: str


@dataclass(frozen=True)
class CreateRun:
    """`only_if_dead`: only if a fresh look proves that this holder of a lock can write no more."""

    manifest: dict[str, Any]
    only_if_dead: str | None = None


@dataclass(frozen=True)
class AdoptRun:
    """Merge `metadata` into that of the BorgRun."""

    run: Reference
    uid: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class DeleteRun:
    run: Reference
    uid: str


@dataclass(frozen=True)
class CancelRun:
    run: Reference
    uid: str


@dataclass(frozen=True)
class CreateArchive:
    """Make the BorgArchive of an archive that there is. One of its name that is there is the same, by its name."""

    manifest: dict[str, Any]


@dataclass(frozen=True)
class DeleteArchive:
    """Delete a BorgArchive. The archive itself is gone, or too old to be known."""

    archive: Reference
    uid: str


@dataclass(frozen=True)
class CreateClaim:
    """Make a claim that outlives its restore; one of that name that another made is left alone."""

    manifest: dict[str, Any]


@dataclass(frozen=True)
class CreateSnapshot:
    manifest: dict[str, Any]


@dataclass(frozen=True)
class DeleteSnapshot:
    snapshot: Reference
    uid: str


@dataclass(frozen=True)
class ReleaseSnapshot:
    """Leave a snapshot that is being deleted no more than these finalizers, if it is as it was seen."""

    snapshot: Reference
    version: str
    finalizers: tuple[str, ...]


@dataclass(frozen=True)
class ScaleWorkload:
    """Give a Deployment or StatefulSet so many replicas, if it is the one with `uid`."""

    target: Reference
    uid: str
    replicas: int


@dataclass(frozen=True)
class MergeMetadata:
    """Merge `metadata` into that of an object as it is known. Lists in it, of finalizers say, are whole."""

    target: Reference
    uid: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class PatchStatus:
    """Merge `status` into that of the resource; None removes a field. `uid`: None for one that this plan makes."""

    target: Reference
    uid: str | None
    status: dict[str, Any]


@dataclass(frozen=True)
class RecordEvent:
    """An Event on a resource of ours; `warning` or normal. It waits while the write of its `about` is refused."""

    regarding: Reference
    uid: str
    reason: str
    message: str
    warning: bool = False
    about: Reference | None = None


Creation = (
    CreateCronJob
    | RepairCronJob
    | CreateJob
    | CreateNetworkPolicy
    | CreateRun
    | CreateClaim
    | CreateSnapshot
    | CreateArchive
)
"""What has a whole manifest."""

Action = (
    Creation
    | DeleteCronJob
    | DeleteSession
    | ReserveTurn
    | RecordTick
    | StartJob
    | SuspendJob
    | MarkJob
    | DeleteJob
    | EndPod
    | AdoptRun
    | DeleteRun
    | CancelRun
    | DeleteSnapshot
    | ReleaseSnapshot
    | ScaleWorkload
    | MergeMetadata
    | DeleteArchive
    | PatchStatus
    | RecordEvent
)


@dataclass(frozen=True)
class Plan:
    """`requeue_after`: seconds after which to look again, although no event may come; None: no need."""

    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None


def object_of(action: Action) -> Reference:
    """Return what the action is done for: if that is refused, it is what a status has to speak of."""
    if isinstance(action, Creation):
        metadata = action.manifest["metadata"]
        return Reference(action.manifest["kind"], metadata["namespace"], metadata["name"])
    match action:
        case ReserveTurn(_, _, target) | RecordTick(_, _, target) | DeleteSnapshot(target) | ReleaseSnapshot(target):
            return target
        case StartJob(target) | SuspendJob(target) | MarkJob(target) | DeleteJob(target) | EndPod(target):
            return target
        case PatchStatus(target) | ScaleWorkload(target) | MergeMetadata(target) | AdoptRun(target):
            return target
        case CancelRun(target) | RecordEvent(target):
            return target
        case DeleteCronJob(target) | DeleteArchive(target) | DeleteSession(target) | DeleteRun(target):
            return target


def describe(action: Action) -> str:
    """Return one line for the operator's log: what is done, and to what."""
    found = object_of(action)
    line = f"{type(action).__name__} {found.kind} {found.namespace}/{found.name}"
    match action:
        case RecordEvent(_, _, reason):
            return f"{line}: {reason}"
        case ScaleWorkload(_, _, replicas):
            return f"{line}: to {replicas}"
        case CreateRun(_, str() as holder):
            return f"{line}: if it is proven that {holder} is dead"
    return line

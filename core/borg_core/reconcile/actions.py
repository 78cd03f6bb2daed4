"""What reconciling decided to do; the operator's `apply` matches on these and does it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ApplyCronJob:
    """Make the CronJob what `manifest` says."""

    manifest: dict[str, Any]
    forget_missed_before: datetime | None = None
    """Ticks up to then are not made up for: the times or `suspend` change, and a CronJob would run what it missed."""


@dataclass(frozen=True)
class CreateJob:
    manifest: dict[str, Any]


@dataclass(frozen=True)
class DeleteJob:
    """Delete a Job and its pods, if it still is the one with `uid`."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class CreateRun:
    manifest: dict[str, Any]


@dataclass(frozen=True)
class AdoptRun:
    """Merge `metadata` into that of the BorgRun."""

    namespace: str
    name: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class DeleteRun:
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class PatchStatus:
    """Merge `status` into that of the resource; None removes a field."""

    kind: str
    namespace: str
    name: str
    status: dict[str, Any]


@dataclass(frozen=True)
class RecordEvent:
    """An Event on a resource of ours; `warning` or normal."""

    kind: str
    namespace: str
    name: str
    uid: str
    reason: str
    message: str
    warning: bool = False


Action = ApplyCronJob | CreateJob | DeleteJob | CreateRun | AdoptRun | DeleteRun | PatchStatus | RecordEvent


def describe(action: Action) -> str:
    """Return one line for the operator's log: what is done, to what, and for a status which fields."""
    match action:
        case ApplyCronJob(manifest) | CreateJob(manifest) | CreateRun(manifest):
            metadata = manifest["metadata"]
            return f"{type(action).__name__} {metadata['namespace']}/{metadata['name']}"
        case PatchStatus(kind, namespace, name, status):
            return f"PatchStatus {kind} {namespace}/{name}: {', '.join(status)}"
        case RecordEvent(kind, namespace, name, _, reason):
            return f"RecordEvent {kind} {namespace}/{name}: {reason}"
        case AdoptRun(namespace, name) | DeleteJob(namespace, name) | DeleteRun(namespace, name):
            return f"{type(action).__name__} {namespace}/{name}"

"""The pod of a Job, as far as it tells how the run goes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from borg_contract.codec import decode_result
from borg_contract.result import RunResult
from borg_core.native.metadata import time_of
from borg_core.registry import ResourceType

PODS = ResourceType("Pod", "", "v1", "pods")


@dataclass(frozen=True)
class PodOutcome:
    """What the newest pod of a Job tells: the runner's result, or why there is none (yet)."""

    pod_name: str | None = None
    result: RunResult | None = None
    unreadable: str | None = None
    """The termination message when it is not a result."""
    terminated_reason: str = ""
    """The kubelet's word: OOMKilled, Error, Evicted, ..."""
    exit_code: int | None = None
    waiting: str = ""
    """Why it does not run yet: `ImagePullBackOff: …`, `Unschedulable: …`."""
    finished_at: datetime | None = None


def derive_outcome(pods: list[dict[str, Any]]) -> PodOutcome:
    """Return what the newest of a Job's pods tells."""
    if not pods:
        return PodOutcome()
    pod = max(pods, key=lambda item: item["metadata"]["creationTimestamp"])
    name, status = pod["metadata"]["name"], pod.get("status", {})
    containers = status.get("containerStatuses", [])
    state = containers[0]["state"] if containers else {}
    if "terminated" in state:
        return _terminated(name, state["terminated"])
    if status.get("phase") == "Failed":
        return PodOutcome(pod_name=name, terminated_reason=status.get("reason", ""))
    return PodOutcome(pod_name=name, waiting=_waiting(status, state))


def is_alive(pod: dict[str, Any]) -> bool:
    """Tell whether a container of the pod may still run: a pod on a lost node is, as long as nobody says otherwise."""
    return pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


def _terminated(pod_name: str, terminated: dict[str, Any]) -> PodOutcome:
    message = terminated.get("message", "")
    result, unreadable = None, None
    if message:
        try:
            result = decode_result(message)
        except (ValueError, KeyError, TypeError):
            unreadable = message
    return PodOutcome(
        pod_name=pod_name,
        result=result,
        unreadable=unreadable,
        terminated_reason=terminated.get("reason", ""),
        exit_code=terminated.get("exitCode"),
        finished_at=time_of(terminated.get("finishedAt")),
    )


def _waiting(status: dict[str, Any], state: dict[str, Any]) -> str:
    waiting = state.get("waiting", {})
    if waiting and waiting.get("reason") != "ContainerCreating":
        return f"{waiting.get('reason')}: {waiting.get('message', '')}".rstrip(": ")
    unscheduled = next(
        (c for c in status.get("conditions", []) if c["type"] == "PodScheduled" and c["status"] == "False"), None
    )
    return f"{unscheduled.get('reason')}: {unscheduled.get('message', '')}" if unscheduled else ""

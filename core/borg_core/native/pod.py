"""The pod of a run or a session, as far as it tells how that goes: what becomes of its container, and why it waits."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from borg_contract.codec import decode_result
from borg_contract.pod import APP_NAME, CONTAINER_NAME
from borg_contract.result import RunResult
from borg_contract.session.plan import SESSION_CONTAINER_NAME
from borg_core import labels
from borg_core.formats import parse_time
from borg_core.kinds.parts.base import OwnerReference
from borg_core.native.app import NOT_STARTED, has_run, parse_app
from borg_core.native.copy import CopyVolume, find_copies
from borg_core.native.metadata import controller_of, holds, owners_beside, subject_of, time_of
from borg_core.registry import Body, Kind, Reference

JOB = "job"
"""Index of pods: the uid of the Job."""

SESSION = "session"
"""The same: the uid of the BorgSession."""

_PULL = "ErrImagePull"
_ADVICE = {
    "ReadWriteOncePod": "Another pod uses that claim, and only one may: stop it, and this goes on by itself",
    "unbound immediate PersistentVolumeClaims": "`kubectl describe pvc` tells which claim is not bound, and why",
    "node affinity/selector": (
        "If the pod asks for what no node has, mend that in the schedule and cancel this run (`spec.cancel`): it keeps "
        "what it was made with"
    ),
    'violates PodSecurity "restricted': (
        "This namespace admits only restricted pods: a restore needs `ownership: RunAs`, all else `job.fileAccess: "
        "Restricted`"
    ),
}
"""What to do about what the scheduler says, or admission."""
_EPHEMERAL = "waiting for ephemeral volume controller"
"""What the scheduler says of each pod with a volume of its own, until a moment later its claim is made."""
_STILL_STARTING = ("ContainerCreating", "PodInitializing")


@dataclass(frozen=True)
class Ending:
    """How the container `borg` ended: with the runner's result, or why there is none.

    In a drill's pod with an application, the result has in it how that ended.
    """

    result: RunResult | None = None
    unreadable: str | None = None
    """The termination message when it is not a result."""
    reason: str = ""
    """The kubelet's word: Completed, Error, OOMKilled, Evicted, DeadlineExceeded …"""
    exit_code: int | None = None
    finished: datetime | None = None
    partial: RunResult | None = None
    """What a runner that was killed had written before, when it had done some of its repositories."""
    words: str = ""
    """Why the kubelet ended the pod, in its own words, where it did."""
    start_error: str = ""
    """Why the container could not be started, in the words of its runtime, where that is it."""


@dataclass(frozen=True)
class ObservedPod:
    namespace: str
    name: str
    uid: str
    job_uid: str
    subject: Reference | None
    created: datetime
    began: bool = False
    """Whether the container `borg` runs or has run."""
    ending: Ending | None = None
    """None as long as the container `borg` has not ended, and `app` of a drill's pod after it."""
    waiting: str = ""
    """Why it does not run yet, in the kubelet's or the scheduler's words: `ImagePullBackOff: …`."""
    others_left: tuple[str, ...] = ()
    """Containers besides `borg` that run, or are yet to run: those of dumps, and what somebody put into the pod."""
    others_waiting: str = ""
    """Why one of them does not run, in the kubelet's words."""
    finished: bool = False
    """Whether every container has ended for good."""
    job_name: str = ""
    node: str = ""
    """Where it was put, empty where it has not been."""
    stopped: bool = False
    """Whether the kubelet has said that the container `borg` has ended. The phase is no proof: it is given by others
    too, to the pods of a node that is lost."""
    waits: bool = False
    """Whether the container `borg` runs and is not ready: its readiness probe tells what the run waits for."""
    running_since: datetime | None = None
    """Since when the container `borg` runs."""
    disrupted: bool = False
    """Taken away by the cluster (a drain, a preemption): its Job makes another one."""
    ending_asked: bool = False
    """Whether a deadline was set that ends the pod now, see `actions.EndPod`."""
    deleting: bool = False
    owner_kind: str = "Job"
    """Of what controls it, empty where nothing does."""
    owners_beside: tuple[OwnerReference, ...] = ()
    app_deadline: datetime | None = None
    """Until when the container `app`, which is all that is still awaited, has to have ended."""
    copies: tuple[CopyVolume, ...] = ()
    """What it reads copies of."""
    ready: bool = False
    """Whether the container runs and its readiness probe succeeds."""
    address: str = ""
    """Its IP address, empty while it has none."""
    session_uid: str = ""
    """Of the BorgSession whose pod it is."""

    @property
    def orphaned(self) -> bool:
        """Whether its Job was deleted with `--cascade=orphan`: it works on, and nothing takes it away."""
        return self.owner_kind != "Job"

    @property
    def reference(self) -> Reference:
        return Reference(PODS.kind, self.namespace, self.name)


def parse_pod(body: Body) -> ObservedPod:
    metadata, spec, status = body["metadata"], body.get("spec", {}), body.get("status", {})
    session_uid = metadata.get("labels", {}).get(labels.SESSION_UID, "")
    name = SESSION_CONTAINER_NAME if session_uid else CONTAINER_NAME
    app = parse_app(body)
    states = {item["name"]: item.get("state", {}) for item in status.get("containerStatuses", [])}
    before = {item["name"]: item.get("state", {}) for item in status.get("initContainerStatuses", [])}
    state = (before if app else states).get(name, {})
    ready = {item["name"]: item.get("ready", True) for item in status.get("containerStatuses", [])}
    finished = status.get("phase") in ("Succeeded", "Failed")
    conditions = status.get("conditions", [])
    ending = _ending(status, state, finished=finished)
    app_deadline, awaited = None, state
    if app and ending and ending.result and ending.result.phase.succeeded:
        app_deadline, awaited = None if finished else app.deadline_after(ending.finished), app.state
        # Why the pod was ended, the application's words say.
        told = app.judge(ending.result, finished=finished)
        ending = replace(ending, result=told, reason="", finished=app.ended or ending.finished) if told else None
    ours = (name, APP_NAME) if app else (name,)
    others = {other: found for other, found in states.items() if other not in ours}
    return ObservedPod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        job_uid=metadata.get("labels", {}).get(labels.CONTROLLER_UID, ""),
        subject=subject_of(metadata),
        created=parse_time(metadata["creationTimestamp"]),
        began="running" in state or _ran(state),
        ending=ending,
        waiting="" if finished or "running" in awaited else _waiting(conditions, awaited),
        others_left=tuple(sorted(other for other, found in others.items() if "terminated" not in found)),
        others_waiting=next((words for found in others.values() if (words := _waiting([], found))), ""),
        finished=finished,
        job_name=metadata.get("labels", {}).get(labels.JOB_NAME, ""),
        node=spec.get("nodeName", ""),
        stopped="terminated" in state,
        waits="running" in state and not finished and not ready.get(name, True),
        running_since=time_of(state.get("running", {}).get("startedAt")),
        disrupted=any(condition["type"] == "DisruptionTarget" and holds(condition) for condition in conditions),
        ending_asked=spec.get("activeDeadlineSeconds") == 1,
        deleting="deletionTimestamp" in metadata,
        owner_kind=controller_of(metadata).get("kind", ""),
        owners_beside=owners_beside(metadata),
        app_deadline=app_deadline,
        copies=find_copies(spec),
        ready="running" in state and not finished and ready.get(name, True),
        address=status.get("podIP", ""),
        session_uid=session_uid,
    )


def newest(pods: Iterable[ObservedPod]) -> ObservedPod | None:
    """Return the pod that was made last: a Job makes another one where the cluster took one away."""
    return max(pods, key=lambda pod: (pod.created, not pod.deleting, pod.name), default=None)


def _ran(state: dict[str, Any]) -> bool:
    """Tell whether the container has ended after it ran."""
    return has_run(state.get("terminated", {}))


def _ending(status: dict[str, Any], state: dict[str, Any], *, finished: bool) -> Ending | None:
    terminated = state.get("terminated")
    if terminated is None:
        return Ending(reason=status.get("reason", ""), words=_why_ended(status)) if finished else None
    # Of a container that never ran, the kubelet says 137 and words of its own.
    message = terminated.get("message", "") if _ran(state) else ""
    result, partial, unreadable = None, None, None
    if message:
        try:
            told = decode_result(message)
            result, partial = (None, told) if told.provisional else (told, None)
        except ValueError:
            unreadable = message
    # A pod that was evicted, or ran out of time, says so itself; its container only that it was killed.
    reason = terminated.get("reason", "")
    if reason != "OOMKilled" and status.get("reason"):
        reason = status["reason"]
    finished_at = time_of(terminated.get("finishedAt"))
    start_error = " ".join(terminated.get("message", "").split()) if terminated.get("reason") in NOT_STARTED else ""
    return Ending(
        result, unreadable, reason, terminated.get("exitCode"), finished_at, partial, _why_ended(status), start_error
    )


def _why_ended(status: dict[str, Any]) -> str:
    """Return the kubelet's sentence, empty where it did not end the pod: others write messages without a reason."""
    return " ".join(status.get("message", "").split()) if status.get("reason") else ""


def _waiting(conditions: list[dict[str, Any]], state: dict[str, Any]) -> str:
    waiting = state.get("waiting", {})
    if waiting and waiting.get("reason") not in _STILL_STARTING:
        return _words(waiting)
    unscheduled = next((c for c in conditions if c["type"] == "PodScheduled" and not holds(c)), None)
    words = _words(unscheduled) if unscheduled else ""
    if _EPHEMERAL in words:
        return ""
    return advise(words.rstrip("."))


def advise(words: str) -> str:
    """Return why no pod comes, in the words of Kubernetes, and what to do about it where that is known."""
    advice = [what for said, what in _ADVICE.items() if said in words]
    return ". ".join([words.rstrip("."), *advice]) if advice else words


def _words(said: dict[str, Any]) -> str:
    reason, message = said.get("reason", ""), said.get("message", "")
    # Between two attempts the kubelet backs off, and repeats what the last one said.
    _, pulled, cause = message.partition(f": {_PULL}: ")
    if reason == "ImagePullBackOff" and pulled:
        reason, message = _PULL, cause
    return f"{reason}: {message}".strip(": ")


def _references(pod: ObservedPod) -> list[Reference]:
    return [pod.subject] if pod.subject else []


def _groups(pod: ObservedPod) -> list[tuple[str, str]]:
    return [(JOB, pod.job_uid), *([(SESSION, pod.session_uid)] if pod.session_uid else [])]


PODS = Kind("Pod", "", "v1", "pods", parse_pod, _references, _groups, selector=labels.OURS)

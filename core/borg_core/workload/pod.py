"""The pod of a run or a session: restricted by default, without an API token, its plan in one environment value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from borg_contract.codec import encode
from borg_contract.pod import (
    CONTAINER_NAME,
    GRACE_SECONDS,
    JOB_NAME_ENV,
    JOB_UID_ENV,
    NODE_ENV,
    NOTICE_FILE,
    PLAN_ENV,
    RUNNER_UID,
    TERMINATION_LOG,
)
from borg_contract.run import Operation
from borg_core import labels
from borg_core.kinds.parts.job import FileAccess, JobOptions
from borg_core.settings import PodDefaults, Settings
from borg_core.workload.containers import derive_app_notes, render_app, render_containers, render_init_containers
from borg_core.workload.defaults import with_defaults
from borg_core.workload.mounts import render_mounts
from borg_core.workload.plan import render_plan
from borg_core.workload.workload import Workload

_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_WAITS_FOR_NOTHING = {
    # Without an API token this is how a run tells what it waits for: the kubelet reports what a failing probe prints.
    # To enter a container costs a node about 30 ms of CPU, whatever is done there, so it is not done more often.
    "exec": {"command": ["sh", "-c", f"! cat {NOTICE_FILE} 2>/dev/null"]},
    "periodSeconds": 30,
    "timeoutSeconds": 10,
    "failureThreshold": 1,
    "successThreshold": 1,
}


@dataclass(frozen=True)
class Program:
    """What runs in a pod: how it is told what to do, and how it tells that it gets on."""

    name: str
    env: Mapping[str, str]
    probe: dict[str, Any]
    """Readiness."""
    grace_seconds: int
    """How long it may take to end in order."""
    command: tuple[str, ...] = ()
    """In place of the image's own; empty: that one."""
    ports: Mapping[str, int] = field(default_factory=dict)


def render_pod_template(workload: Workload, settings: Settings, own_labels: dict[str, str]) -> dict[str, Any]:
    """Return the `template` of a run's Job."""
    plan = encode(render_plan(workload, cluster=settings.cluster))
    program = Program(CONTAINER_NAME, {PLAN_ENV: plan}, _WAITS_FOR_NOTHING, GRACE_SECONDS)
    near = None
    if workload.operation is Operation.BREAK_LOCK:
        # To the node where a run waits for that very lock: a ReadWriteOnce volume is there, and would come to another
        # node only after that run has given up.
        near = {key: value for key, value in own_labels.items() if key in labels.SUBJECTS.values()}
    return render_program(program, workload, settings, own_labels, near=near)


def render_program(
    program: Program,
    workload: Workload,
    settings: Settings,
    own_labels: dict[str, str],
    *,
    near: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return the `template` of a Job that runs the program with all that the workload mounts.

    `near`: labels of pods of its namespace on whose node it is put if it can.
    """
    job = with_defaults(workload.options, settings.pods.options)
    mounts = render_mounts(workload)
    container = {
        "name": program.name,
        "image": job.image or settings.runner_image,
        "imagePullPolicy": job.image_pull_policy or settings.image_pull_policy,
        **({"command": list(program.command)} if program.command else {}),
        "env": [
            *({"name": name, "value": value} for name, value in program.env.items()),
            {"name": JOB_NAME_ENV, "valueFrom": _label_ref(labels.JOB_NAME)},
            {"name": JOB_UID_ENV, "valueFrom": _label_ref(labels.CONTROLLER_UID)},
            {"name": NODE_ENV, "valueFrom": _field_ref("spec.nodeName")},
        ],
        **(
            {"ports": [{"name": name, "containerPort": port} for name, port in program.ports.items()]}
            if program.ports
            else {}
        ),
        # An init container can have none.
        **({} if workload.app else {"readinessProbe": program.probe}),
        "securityContext": _container_security(job, workload.capabilities),
        "volumeMounts": mounts.mounts,
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File",
        **({"resources": job.resources} if job.resources else {}),
    }
    spec = {
        "restartPolicy": "Never",
        # The pod's own deadline, not only the Job's: the kubelet ends the pod in order and keeps it, with its result
        # and its log, whether or not the operator lives.
        "activeDeadlineSeconds": workload.deadline_seconds,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": program.grace_seconds,
        "securityContext": _pod_security(job, settings.pods, has_group=workload.has_group),
        **_containers(workload, container),
        "volumes": mounts.volumes,
        "imagePullSecrets": [{"name": ref.name} for ref in job.image_pull_secrets],
        "nodeSelector": job.node_selector,
        "tolerations": list(job.tolerations),
        "affinity": _near(near, job.affinity) if near else job.affinity,
        "priorityClassName": job.priority_class_name,
        "runtimeClassName": settings.pods.runtime_class_name,
    }
    notes = derive_app_notes(workload.app) if workload.app else {}
    metadata = {"labels": {**job.labels, **own_labels}, "annotations": {**job.annotations, **notes}}
    return {
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": {key: value for key, value in spec.items() if value not in (None, [], {})},
    }


def _containers(workload: Workload, borg: dict[str, Any]) -> dict[str, Any]:
    if workload.app:
        return {"initContainers": [borg], "containers": [render_app(workload.app, borg)]}
    first = render_init_containers(workload, borg)
    return {"initContainers": first, "containers": [borg, *render_containers(workload, borg)]}


def _near(marks: dict[str, str], affinity: dict[str, Any] | None) -> dict[str, Any]:
    """Return the affinity with the wish to be on a node where there is a pod with these labels."""
    term = {"labelSelector": {"matchLabels": marks}, "topologyKey": "kubernetes.io/hostname"}
    others = (affinity or {}).get("podAffinity", {})
    preferred = [*others.get(_PREFERRED, []), {"weight": 100, "podAffinityTerm": term}]
    return {**(affinity or {}), "podAffinity": {**others, _PREFERRED: preferred}}


def _label_ref(label: str) -> dict[str, Any]:
    return _field_ref(f"metadata.labels['{label}']")


def _field_ref(path: str) -> dict[str, Any]:
    # apiVersion is what the API server would add: rendered, so that comparing with the live object is exact.
    return {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}


def _pod_security(job: JobOptions, defaults: PodDefaults, *, has_group: bool) -> dict[str, Any]:
    security: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    user, group, fs_group = job.run_as_user, job.run_as_group, job.fs_group
    if job.file_access is FileAccess.READ_ALL:
        user, group = 0, group or 0
    else:
        security["runAsNonRoot"] = True
        if not defaults.users_from_platform:
            user = user if user is not None else RUNNER_UID
            group = group if group is not None else user
            fs_group = fs_group if fs_group is not None or not has_group else group
        # A repository has very many files: once they are the group's, they stay so.
        security["fsGroupChangePolicy"] = "OnRootMismatch"
    numbers = {"runAsUser": user, "runAsGroup": group, "fsGroup": fs_group}
    return security | {key: number for key, number in numbers.items() if number is not None}


def _container_security(job: JobOptions, more: tuple[str, ...]) -> dict[str, Any]:
    capabilities: dict[str, Any] = {"drop": ["ALL"]}
    if job.file_access is FileAccess.READ_ALL:
        capabilities["add"] = ["DAC_OVERRIDE", *more]
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": capabilities}

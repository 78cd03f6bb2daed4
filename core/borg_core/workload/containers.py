"""The containers beside the runner's, in the same pod, whose commands are those of the pod's owner.

Those of streams write what is archived, or are given what was. Each has the image and the environment that its owner
named, nothing of the repository's, and as its first process our helper, which an init container puts into a volume: the
image need not even have a shell.

The application of a drill tries what was restored: `borg` is an init container of such a pod. So the application's own
image needs no program of ours to wait for the files, and its exit code is in the pod's status, where the operator reads
it.
"""

from typing import Any

from borg_contract.pod import (
    APP_NAME,
    CONTAINER_NAME,
    HELPER,
    HELPER_DIR,
    HELPER_IN_IMAGE,
    RESTORED_DIR,
    RUNNER_UID,
    SCRATCH_DIR,
    STREAM_CONTAINER_PREFIX,
    STREAM_DIR,
    STREAM_SOCKET,
    STREAMS_DIR,
    TERMINATION_LOG,
)
from borg_core import labels
from borg_core.kinds.parts.containers.stream import StreamCommand
from borg_core.kinds.parts.job import FileAccess, JobOptions
from borg_core.kinds.parts.verification import DrillApp
from borg_core.workload.workload import Workload

_HELPER = "helper"
_SECURITY = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def name_container(stream: str) -> str:
    """Return the name of the stream's container."""
    return f"{STREAM_CONTAINER_PREFIX}{stream}"


def render_stream_volumes(workload: Workload) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the volumes of all streams, and what of them the runner mounts."""
    if not workload.streams:
        return [], []
    volumes = [_HELPER, *(name for stream in workload.streams for name in (name_container(stream), _name_tmp(stream)))]
    mounts = [_mount(name_container(stream), f"{STREAMS_DIR}/{stream}") for stream in workload.streams]
    return [{"name": name, "emptyDir": {}} for name in volumes], mounts


def render_init_containers(workload: Workload, runner: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what runs before all others: it brings the helper. `runner`: the container whose image has it."""
    if not workload.streams:
        return []
    shared = ("image", "imagePullPolicy", "resources")
    return [
        {
            "name": _HELPER,
            **{key: runner[key] for key in shared if key in runner},
            "command": ["cp", HELPER_IN_IMAGE, f"{HELPER_DIR}/{HELPER}"],
            "securityContext": _derive_security(workload.options),
            "volumeMounts": [_mount(_HELPER, HELPER_DIR)],
        }
    ]


def render_containers(workload: Workload, runner: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of all streams; of `runner`, the runner's, they have what quotas ask for."""
    shared: dict[str, Any] = {key: runner[key] for key in ("imagePullPolicy", "resources") if key in runner}
    return [
        {
            "name": name_container(stream),
            "image": command.image,
            **shared,
            "command": _render_command(command),
            # A pod that waits for a Secret hangs in CreateContainerConfigError: the runner says what is missing.
            **({"env": [item.render(optional=True) for item in command.env]} if command.env else {}),
            "securityContext": _derive_security(workload.options),
            "volumeMounts": [
                _mount(_HELPER, HELPER_DIR) | {"readOnly": True},
                _mount(name_container(stream), STREAM_DIR),
                _mount(_name_tmp(stream), SCRATCH_DIR),
            ],
        }
        for stream, command in workload.streams.items()
    ]


def render_app(app: DrillApp, borg: dict[str, Any]) -> dict[str, Any]:
    """Return the container. `borg`: that of the runner, which has to fit the same quotas.

    What it last printed, the kubelet keeps beside its exit code if it fails: not where that may hold a Secret.
    """
    container = {
        "name": APP_NAME,
        "image": app.image,
        "imagePullPolicy": borg["imagePullPolicy"],
        "command": list(app.command),
        "args": list(app.args),
        "env": [variable.render(optional=False) for variable in app.env],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "restored", "mountPath": RESTORED_DIR, "readOnly": True},
            {"name": "app", "mountPath": SCRATCH_DIR},
        ],
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File" if app.is_told_secrets else "FallbackToLogsOnError",
        "resources": borg.get("resources"),
    }
    return {key: value for key, value in container.items() if value}


def derive_app_notes(app: DrillApp) -> dict[str, str]:
    """Return the annotations of its pod."""
    return {labels.APP_SECONDS: str(app.timeout_seconds), labels.DEFAULT_CONTAINER: CONTAINER_NAME}


def _render_command(command: StreamCommand) -> list[str]:
    return [f"{HELPER_DIR}/{HELPER}", f"{STREAM_DIR}/{STREAM_SOCKET}", *command.command, *command.args]


def _derive_security(options: JobOptions) -> dict[str, Any]:
    """Return a user without any power, also where the runner is root to read files of many owners."""
    if options.file_access is not FileAccess.READ_ALL:
        return _SECURITY
    return {**_SECURITY, "runAsNonRoot": True, "runAsUser": RUNNER_UID, "runAsGroup": RUNNER_UID}


def _mount(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "mountPath": path}


def _name_tmp(stream: str) -> str:
    return f"tmp-{stream}"

"""The containers whose commands write what is archived, or are given what was: beside the runner's, in the same pod.

Each has the image and the environment that its owner named, nothing of the repository's, and as its first process our
helper, which an init container puts into a volume: the image need not even have a shell.
"""

from typing import Any

from borg_contract.pod import (
    HELPER,
    HELPER_DIR,
    HELPER_IN_IMAGE,
    RUNNER_UID,
    SCRATCH_DIR,
    STREAM_CONTAINER_PREFIX,
    STREAM_DIR,
    STREAM_SOCKET,
    STREAMS_DIR,
)
from borg_core.kinds.parts.containers.stream import StreamCommand
from borg_core.kinds.parts.job import FileAccess, JobOptions
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

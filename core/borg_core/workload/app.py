"""The container that tries what a drill restored.

`borg` is an init container of such a pod: so the application's own image needs no program of ours to wait for the
files, and its exit code is in the pod's status, where the operator reads it.
"""

from typing import Any

from borg_contract.pod import APP_NAME, CONTAINER_NAME, RESTORED_DIR, SCRATCH_DIR, TERMINATION_LOG
from borg_core import labels
from borg_core.kinds.parts.verification import DrillApp


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

"""What a run's pod has written, for as long as the pod exists; read with the caller's own token."""

from typing import Any

from borg_api import problem
from borg_api.access import Caller, Permission
from borg_api.run.answers import run_id, run_status
from borg_cluster.api_server import ApiError
from borg_cluster.resources import PODS
from borg_core import labels
from borg_core.models.run import BorgRun

READ_LOG = Permission("get", PODS, "log")
_LIST_PODS = Permission("list", PODS)
_NO_LOG = (400, 404)
"""The container has not begun, or the pod is gone."""


async def read_lines(caller: Caller, run: BorgRun, offset: int) -> dict[str, Any]:
    """Return the lines from `offset` on, none when there is no pod. Raises Problem."""
    text = await _read(caller, run)
    lines = text.splitlines()
    numbered = [{"line_number": offset + n, "content": line} for n, line in enumerate(lines[offset:], start=1)]
    return {
        "job_id": run_id(run),
        "status": run_status(run),
        "lines": numbered,
        "total_lines": len(lines),
        "has_more": False,
    }


async def _read(caller: Caller, run: BorgRun) -> str:
    namespace = run.metadata.namespace
    if run.status.job_uid is None:
        return ""
    try:
        pods = await caller.api.list_labelled(PODS, namespace, f"{labels.CONTROLLER_UID}={run.status.job_uid}")
    except ApiError as error:
        raise problem.of_api_error(error, "list", _LIST_PODS.what(namespace)) from error
    if not pods:
        return ""
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    try:
        return await caller.api.read_log(namespace, newest["metadata"]["name"])
    except ApiError as error:
        if error.status in _NO_LOG:
            return ""
        raise problem.of_api_error(error, "get", READ_LOG.what(namespace)) from error

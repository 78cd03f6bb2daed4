"""What a run's pod has written, for as long as the pod exists; read with the caller's own token."""

from collections.abc import AsyncIterator
from typing import Any

from borg_api import problem
from borg_api.access import Caller, Permission
from borg_api.records import RunRecord
from borg_api.run.answers import run_id, run_status
from borg_cluster.api_server import ApiError
from borg_core import labels
from borg_core.native.pod import PODS

READ_LOG = Permission("get", PODS, "log")
_LIST_PODS = Permission("list", PODS)
_LINES = 5_000
_LINE_BYTES = 64 * 1024
_NO_LOG = (400, 404)
"""The container has not begun, or the pod is gone."""


async def read_lines(caller: Caller, run: RunRecord, offset: int) -> dict[str, Any]:
    """Return the lines from `offset` on, so many at a time; none when there is no pod. Raises Problem.

    `total_lines` is where to go on; a line that is still being written comes when it is whole.
    """
    lines: list[bytes] = []
    number, more = 0, False
    pod = await _find_pod(caller, run)
    if pod:
        try:
            async with caller.api.log(run.namespace, pod) as pieces:
                async for line in _split(pieces, whole=not run.finished):
                    if number - offset >= _LINES:
                        more = True
                        break
                    number += 1
                    if number > offset:
                        lines.append(line)
        except ApiError as error:
            if error.status not in _NO_LOG:
                raise problem.of_api_error(error, "get", READ_LOG.what(run.namespace)) from error
    numbered = [
        {"line_number": offset + n, "content": line.decode(errors="replace")} for n, line in enumerate(lines, start=1)
    ]
    return {
        "job_id": run_id(run),
        "status": run_status(run),
        "lines": numbered,
        "total_lines": number,
        "has_more": more,
    }


async def _find_pod(caller: Caller, run: RunRecord) -> str | None:
    if run.job_uid is None:
        return None
    try:
        pods = await caller.api.list_labelled(PODS, run.namespace, f"{labels.CONTROLLER_UID}={run.job_uid}")
    except ApiError as error:
        raise problem.of_api_error(error, "list", _LIST_PODS.what(run.namespace)) from error
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)
    return newest["metadata"]["name"] if newest else None


async def _split(pieces: AsyncIterator[bytes], *, whole: bool) -> AsyncIterator[bytes]:
    """Yield the lines, a very long one in parts; with `whole`, none at the end that has no end itself."""
    rest = b""
    async for piece in pieces:
        *done, rest = (rest + piece).split(b"\n")
        for line in done:
            yield line
        while len(rest) > _LINE_BYTES:
            yield rest[:_LINE_BYTES]
            rest = rest[_LINE_BYTES:]
    if rest and not whole:
        yield rest

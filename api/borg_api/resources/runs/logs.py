"""What borg's container of a run has written, for as long as its pod exists; read with the caller's own token."""

from collections import deque
from collections.abc import AsyncIterator

from borg_api.edge.guard import Caller, Permission
from borg_api.picture.records import RunRecord
from borg_api.resources.runs.response import LogLine, LogLines, derive_run_id, run_status
from borg_cluster.errors import Forbidden, NotFound, Refused
from borg_contract.pod import CONTAINER_NAME
from borg_core import labels
from borg_core.native.pod import PODS

READ_LOG = Permission("get", PODS, "log")
_LINES = 5_000
_END = 500
_LINE_BYTES = 64 * 1024


async def read_lines(caller: Caller, run: RunRecord, offset: int) -> LogLines:
    """Return the lines from `offset` on, so many at a time; none when there is no pod. Raises ApiError.

    `total_lines` is where to go on; a line that is still being written comes when it is whole.
    """
    lines: list[LogLine] = []
    number, more = 0, False
    async for line in _all_lines(caller, run):
        if number - offset >= _LINES:
            more = True
            break
        number += 1
        if number > offset:
            lines.append({"line_number": number, "content": line.decode(errors="replace")})
    return {
        "job_id": derive_run_id(run),
        "status": run_status(run),
        "lines": lines,
        "total_lines": number,
        "has_more": more,
    }


async def read_end_or_part(caller: Caller, run: RunRecord, offset: int, *, grows: bool) -> LogLines:
    """Return the lines as Borg UI has them: of a log that grows the last 500 where no offset is said, else from there.

    `total_lines` is how many there are: so all are counted, and only what is shown is kept. Raises ApiError.
    """
    from_end = grows and not offset
    kept: deque[tuple[int, bytes]] = deque(maxlen=_END if from_end else _LINES)
    number = 0
    async for line in _all_lines(caller, run):
        number += 1
        if from_end or offset < number <= offset + _LINES:
            kept.append((number, line))
    return {
        "job_id": derive_run_id(run),
        "status": run_status(run),
        "lines": [{"line_number": at, "content": line.decode(errors="replace")} for at, line in kept],
        "total_lines": number,
        "has_more": bool(kept) and kept[-1][0] < number,
    }


async def read_last_lines(caller: Caller, run: RunRecord, count: int) -> list[str]:
    """Return the last lines, so many at the most; none when there is no pod. Raises ApiError."""
    return [line.decode(errors="replace") async for line in _all_lines(caller, run, count)]


async def _all_lines(caller: Caller, run: RunRecord, tail: int | None = None) -> AsyncIterator[bytes]:
    pod = await _find_pod(caller, run)
    if pod is None:
        return
    try:
        async with caller.api.log(run.namespace, pod, CONTAINER_NAME, tail) as pieces:
            async for line in _split(pieces, whole=not run.finished):
                yield line
    except Forbidden:
        raise
    except (NotFound, Refused):
        return  # the pod is gone, or its container has not begun


async def _find_pod(caller: Caller, run: RunRecord) -> str | None:
    if run.job_uid is None:
        return None
    pods = await caller.api.list_labelled(PODS, run.namespace, f"{labels.CONTROLLER_UID}={run.job_uid}")
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

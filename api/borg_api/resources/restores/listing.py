"""Lists of restores, newest first, and how far those have come that run."""

import asyncio
from collections.abc import Iterable
from itertools import islice

from fastapi import Request

from borg_api.edge.guard import Caller, is_allowed
from borg_api.edge.paging import cut_page, decode_token
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord
from borg_api.picture.restoring import RestoreRecord
from borg_api.resources.restores.response import RestoreJob, render_restore
from borg_api.resources.runs.logs import READ_LOG, read_last_lines
from borg_cluster.errors import ApiError
from borg_cluster.turns import in_turns
from borg_contract.restore.progress import Progress, parse_progress
from borg_contract.run import Operation, Phase
from borg_core.kinds.restore_status import RestorePhase

_FOLLOWED = 8
"""Of so many restores of one answer the logs are read: more hardly ever run at once."""
_TAIL = 1_000
"""So many last lines of a log are looked at for a line that tells of progress."""


async def render_page(
    request: Request, caller: Caller, view: View, limit: int | None, token: str | None
) -> tuple[list[RestoreJob], str | None]:
    """Return the restores that come after the token, newest first, and the token of what follows; no previews."""
    before = decode_token(token)
    restores = (restore for restore in reversed(view.restores.in_order()) if not restore.previews)
    remaining = (restore for restore in restores if before is None or restore.order < before)
    shown, following = cut_page(list(islice(remaining, limit and limit + 1)), limit, lambda restore: restore.order)
    progress = await read_progress(request, caller, view, shown)
    return [render_restore(restore, view, progress.get(restore.name)) async for restore in in_turns(shown)], following


async def read_progress(
    request: Request, caller: Caller, view: View, restores: Iterable[RestoreRecord]
) -> dict[str, Progress]:
    """Return how far those of the restores that run have come, by name.

    It stands in their logs, which are read with the caller's own token: of a caller who may not, nothing is known.
    """
    running = [(restore.name, run) for restore in restores if (run := _running_run_of(restore, view))][:_FOLLOWED]
    if not running or not await is_allowed(request, READ_LOG):
        return {}
    found = await asyncio.gather(*(_read(caller, run) for _, run in running))
    return {name: progress for (name, _), progress in zip(running, found, strict=True) if progress}


def _running_run_of(restore: RestoreRecord, view: View) -> RunRecord | None:
    if restore.phase is not RestorePhase.RUNNING:
        return None
    run = view.runs.get(restore.resource.status.run_name or "")
    return run if run and run.operation is Operation.RESTORE and run.phase is Phase.RUNNING else None


async def _read(caller: Caller, run: RunRecord) -> Progress | None:
    try:
        lines = await read_last_lines(caller, run, _TAIL)
    except ApiError:  # its status is known all the same
        return None
    return next(filter(None, map(parse_progress, reversed(lines))), None)

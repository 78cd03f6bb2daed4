"""/runs: what was done, one run, and its log while it is written."""

import asyncio
from collections.abc import AsyncIterator
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from markupsafe import escape
from starlette.responses import StreamingResponse

from borg_api.edge.bodies import derive_etag
from borg_api.edge.boundary import HEAD_ONLY
from borg_api.edge.errors import HttpError
from borg_api.edge.guard import Caller, Permission, TheCaller, TheView, is_allowed, requires
from borg_api.edge.paging import Continue, decode_token, encode_token
from borg_api.page.frame.answers import end_live, is_partial, show
from borg_api.page.frame.guard import PageRoute
from borg_api.page.insight.history import usual_seconds
from borg_api.page.show.times import age
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord
from borg_api.picture.timetable import whole_now
from borg_api.resources.archives.route import find_archive
from borg_api.resources.runs.logs import READ_LOG, read_last_lines, read_lines
from borg_api.resources.runs.response import explain_run, has_logs
from borg_api.resources.runs.route import LIST, RunId, find_run
from borg_api.resources.schedules.route import LIST as LIST_SCHEDULES
from borg_cluster.errors import ApiError
from borg_contract.run import Operation, Phase
from borg_core.kinds.run import RUNS

router = APIRouter(prefix="/runs", route_class=PageRoute, include_in_schema=False)

_PAGE = 50
_LINES = 300
_LOOK_SECONDS = 2.0
_FOLLOWED_SECONDS = 25.0
"""A stream ends after so long, and the browser goes on with another: rights are looked at anew, and a pod can end."""

Chosen = Annotated[str, Query(max_length=253)]


@router.get("")
@requires(LIST)
async def list_runs(  # noqa: PLR0917 - filled in by their names
    request: Request,
    view: TheView,
    schedule: Chosen = "",
    repository: Chosen = "",
    status: Chosen = "",
    operation: Chosen = "",
    token: Continue = None,
) -> Response:
    before = decode_token(token)
    chosen = (
        run
        for run in reversed(view.runs_of(schedule) if schedule else view.runs.in_order())
        if (before is None or run.order < before)
        and status in ("", run.phase.value)
        and operation in ("", run.operation.value)
        and (not repository or repository in view.targets_of(run))
    )
    found = list(islice(chosen, _PAGE + 1))
    sees_schedules = await is_allowed(request, LIST_SCHEDULES)
    return show(
        request,
        "runs.html",
        runs=found[:_PAGE],
        titles=await titles_of(request, view),
        following=encode_token(found[_PAGE - 1].order) if len(found) > _PAGE else None,
        wanted={"schedule": schedule, "repository": repository, "status": status, "operation": operation},
        schedules=view.schedules.in_order() if sees_schedules else [],
        repositories=[item.metadata.name for item in view.repositories.in_order()],
        phases=list(Phase),
        explain=explain_run,
    )


@router.get("/{job_id}")
@requires(LIST)
async def show_run(request: Request, view: TheView, caller: TheCaller, job_id: RunId) -> Response:
    run = find_run(view, job_id)
    usual = usual_seconds(view, run)
    gone = age(run.started, whole_now()) if run.started and run.phase is Phase.RUNNING else None
    lines, log_problem = await _last_lines(request, caller, run)
    page = show(
        request,
        "run.html",
        run=run,
        etag=derive_etag(None, run.edition),
        titles=await titles_of(request, view),
        explained=explain_run(run),
        targets=view.targets_of(run),
        # Of an archive that was pruned since there is no page.
        known={item.name for item in run.repositories if item.archive and find_archive(view, item.name, item.archive)},
        lines=lines,
        log_problem=log_problem,
        has_log=has_logs(run),
        usual=usual,
        percent=min(99, int(100 * gone / usual)) if gone is not None and usual else None,
        left=max(0.0, usual - gone) if gone is not None and usual else None,
        may_cancel=await is_allowed(request, Permission("patch", RUNS)),
        is_backup=run.operation is Operation.BACKUP,
    )
    return end_live(request, page) if run.finished else page


@router.get("/{job_id}/log")
@requires(READ_LOG)
async def follow_log(request: Request, view: TheView, caller: TheCaller, job_id: RunId) -> Response:
    """Send the log as server-sent events: what there is, and then each line as it comes."""
    last = request.headers.get("last-event-id", "")
    begin = int(last) if last.isdecimal() and last.isascii() and len(last) < 10 else 0  # noqa: PLR2004
    name = find_run(view, job_id).name
    stream = iter(()) if request.scope[HEAD_ONLY] else _follow(view, caller, name, begin)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def titles_of(request: Request, view: View) -> dict[str, str]:
    """Return what people call the schedules, by their names; nothing for those who may not list them."""
    if not await is_allowed(request, LIST_SCHEDULES):
        return {}
    return {record.name: record.resource.title for record in view.schedules.in_order()}


async def _last_lines(request: Request, caller: Caller, run: RunRecord) -> tuple[list[str], str]:
    """Return the end of the log, and why there is none."""
    if is_partial(request):
        return [], ""  # only how it stands is wanted
    if not await is_allowed(request, READ_LOG):
        return [], "You may not read logs of pods in this namespace (pods/log)."
    if not has_logs(run):
        return [], "It had no pod that could write one." if run.finished else ""
    try:
        lines = await read_last_lines(caller, run, _LINES)
    except (ApiError, HttpError):
        return [], "The log cannot be read at the moment."
    return lines, "" if lines else "The pod is gone, and its log with it."


async def _follow(view: View, caller: Caller, name: str, offset: int) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop()
    end = clock.time() + _FOLLOWED_SECONDS
    while clock.time() < end:
        run = view.runs.get(name)
        if run is None:
            break
        try:
            found = await read_lines(caller, run, offset)
        except ApiError:
            return  # the browser comes again
        offset = found["total_lines"]
        if found["lines"]:
            # One line of data for each of the log; a line break within one would end it.
            text = "".join(f"data: {_one_line(line['content'])}\n" for line in found["lines"])
            yield f"id: {offset}\n{text}data:\n\n"
        if run.finished and not found["has_more"]:
            yield "event: ended\ndata: \n\n"
            return
        if not found["has_more"]:
            yield ":\n\n"
            await asyncio.sleep(_LOOK_SECONDS)


def _one_line(content: str) -> str:
    return str(escape(content.replace("\r", "⏎").replace("\n", "⏎")))

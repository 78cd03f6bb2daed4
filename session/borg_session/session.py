"""One session from its beginning to its end: it answers, opens the repository, and ends when it is over."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import uvicorn

from borg_contract.reasons import Reason
from borg_contract.session.plan import SessionPlan
from borg_runner.log import Log
from borg_session.authority import Authority
from borg_session.borgs import Borgs
from borg_session.catalogue import Catalogue
from borg_session.index.shelf import Shelf
from borg_session.life import Life
from borg_session.opening import Opened
from borg_session.refusal import RefusedError
from borg_session.web.app import App
from borg_session.web.reader import Reader

_AGAIN_SECONDS = 3.0


async def run_session(
    plan: SessionPlan,
    authority: Authority,
    opened: Opened,
    scratch: Path,
    log: Log,
    *,
    make_server: Callable[[App], uvicorn.Server],
) -> None:
    """Serve until it is over. Raises RefusedError when the repository cannot be opened."""
    borgs = Borgs(opened.repository, opened.host_id)
    shelf = Shelf(borgs, scratch, plan.scratch_bytes)
    catalogue = Catalogue(borgs, lambda archives: shelf.keep_only({archive.id for archive in archives.values()}))
    life = Life(plan.idle_seconds, plan.max_seconds)
    server = make_server(App(authority, Reader(borgs, catalogue, shelf), life, log))
    opening = asyncio.create_task(_open(catalogue, log))
    over = asyncio.create_task(life.until_over())
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.wait({opening, serving, over}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done() and opening.exception() is None:
            await asyncio.wait({serving, over}, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            log.say(f"it ends: {over.result()}")
    finally:
        server.should_exit = True
        borgs.end_all()
        for task in (opening, over):
            task.cancel()
        await serving
        await asyncio.to_thread(borgs.close)
        shelf.close()
    if opening.done() and not opening.cancelled() and (error := opening.exception()) is not None:
        raise error


async def _open(catalogue: Catalogue, log: Log) -> None:
    """Read which archives there are, for the first time. Raises RefusedError, but for a lock: that is waited for."""
    while True:
        try:
            archives = await catalogue.look()
        except RefusedError as error:
            if error.reason is not Reason.REPOSITORY_LOCKED:
                raise
            log.say(error.message)
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            log.say(f"it is open: {len(archives)} archives")
            return

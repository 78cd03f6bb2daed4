"""Reads through the session of a repository: opens it, waits a moment for it, opens another one when it has gone."""

import asyncio
import contextlib
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request

from borg_api.commands.sessions import open_session
from borg_api.commands.writer import SessionWriter, Writer
from borg_api.configuration import Configuration
from borg_api.edge.errors import NoSuchObjectError, UnavailableError
from borg_api.edge.guard import TheView
from borg_api.edge.parts import part_of
from borg_api.keys import Keys
from borg_api.looking.client import AwayError, NotObeyedError, SessionClient, Stream, Target
from borg_api.picture.picture import View
from borg_cluster.errors import ApiError
from borg_contract.session.answers import Pending
from borg_contract.session.request import ReadRequest
from borg_core.formats import parse_time
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.session import BorgSession, SessionPhase
from borg_core.kinds.status import ConditionType

T = TypeVar("T")

PAGE_SECONDS = 8.0
"""For so long a page is waited for before the answer is that it is pending: most sessions open within that."""
STREAM_SECONDS = 20.0
"""The same for a download, which cannot be pending: a browser would save those words as the file."""
_LOOK_SECONDS = 0.25
_WAIT = re.compile(r"(?:^|[,;])[ \t]*wait=([0-9]{1,6})(?![^ \t,;])", re.IGNORECASE)
Prefer = Annotated[
    str | None,
    Header(
        max_length=1024,
        description="`wait=2` (RFC 7240): for so many seconds what is being opened is waited for. Without it, and at "
        f"the most, {PAGE_SECONDS:.0f}; for a download {STREAM_SECONDS:.0f}.",
    ),
]
_PULSE_SECONDS = 2.0
"""After so long without a piece of a download it is asked whether its session is there still."""
_REFUSALS = 2
"""After so many refusals another session is opened: this one obeys another key."""
_SETTLED = timedelta(seconds=15)
"""After this long, a pod that is said to be ready and does not answer is no pod that has just begun or ended."""


@dataclass(frozen=True)
class Opening:
    """It is not there yet. `entries`: how many of the archive's files were read so far."""

    session: BorgSession
    entries: int = 0


@dataclass(frozen=True)
class Reader:
    """Reads in the name of one caller."""

    view: View
    writer: Writer[BorgSession]
    client: SessionClient
    keys: Keys
    patience: float = math.inf
    """For so many seconds at the most what is being opened is waited for."""

    async def read(
        self,
        repository: BorgRepository,
        request: ReadRequest,
        kind: type[T],
        *,
        whole: Callable[[T], bool] | None = None,
    ) -> T | Opening:
        """Return the page, or that it is still being opened. Raises HttpError, ApiError.

        `whole` tells whether a page is waited for on account of what it lacks.
        """

        async def ask(target: Target) -> T | Pending:
            page = await self.client.read(target, request, kind)
            if isinstance(page, Pending) or whole is None or whole(page):
                return page
            return Pending(entries=getattr(page, "entries", 0))

        return await self._insist(repository, ask, PAGE_SECONDS)

    async def open_stream(self, repository: BorgRepository, request: ReadRequest, stack: AsyncExitStack) -> Stream:
        """Return the file or tar; it is open as long as `stack` is. Raises HttpError, ApiError."""

        async def ask(target: Target) -> Stream | Pending:
            async with AsyncExitStack() as own:
                found = await own.enter_async_context(self.client.stream(target, request))
                if isinstance(found, Stream):
                    stack.push_async_exit(own.pop_all())
                    return replace(found, pieces=self._while_it_lives(found.pieces, repository, target.uid))
                return found

        found = await self._insist(repository, ask, STREAM_SECONDS)
        if isinstance(found, Opening):
            words = found.session.status.message or "It takes longer than usual."
            raise UnavailableError(f"The archive is still being opened; try again in some seconds. {words}", seconds=5)
        return found

    async def _while_it_lives(
        self, pieces: AsyncIterator[bytes], repository: BorgRepository, session: str
    ) -> AsyncIterator[bytes]:
        """Yield the pieces. Raises ConnectionResetError when none comes any more and the session has ended.

        Nothing tells the connection itself of a pod that went with its node, or without its grace period.
        """
        while True:
            coming = asyncio.ensure_future(anext(pieces, None))
            try:
                while not (await asyncio.wait([coming], timeout=_PULSE_SECONDS))[0]:
                    known = self.view.sessions_of(repository.metadata.name)
                    if not any(item.live and item.metadata.uid == session for item in known):
                        raise ConnectionResetError("its session has ended")
                piece = coming.result()
            finally:
                coming.cancel()
            if piece is None:
                return
            yield piece

    async def _insist(
        self, repository: BorgRepository, ask: Callable[[Target], Awaitable[T | Pending]], seconds: float
    ) -> T | Opening:
        deadline = time.monotonic() + min(seconds, self.patience)
        refused = 0
        while True:
            session = await open_session(self.view, self.writer, repository, datetime.now(UTC))
            entries = 0
            is_silent = False
            if target := _target_of(session):
                try:
                    found = await ask(target)
                except AwayError:
                    is_silent = True
                except NotObeyedError as error:
                    refused += 1
                    await self._mend(session, error, refused)
                else:
                    if not isinstance(found, Pending):
                        return found
                    entries = found.entries
            if time.monotonic() >= deadline:
                if is_silent and _is_settled(session, datetime.now(UTC)):
                    raise _silent(session)
                return Opening(session, entries)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _mend(self, session: BorgSession, error: NotObeyedError, refused: int) -> None:
        """Do something about a pod that does not obey: the key may be another one by now, or that with which it began.

        Raises UnavailableError where that has not helped, or cannot: others look through the same pod.
        """
        if refused == 1:
            await self.keys.renew()
        elif refused == _REFUSALS and not error.is_late:
            with contextlib.suppress(ApiError):  # of a caller who may not, it ends when nobody looks any more
                await self.writer.delete(session.metadata.name, session.metadata.uid)
        else:
            raise UnavailableError(f"The session's pod does not obey the facade: {error}", seconds=30)


def _target_of(session: BorgSession) -> Target | None:
    status = session.status
    if status.phase is not SessionPhase.READY or not status.address:
        return None
    return Target(session.metadata.uid, status.address)


def _is_settled(session: BorgSession, now: datetime) -> bool:
    ready = next((item for item in session.status.conditions if item.type == ConditionType.READY), None)
    return ready is not None and now - parse_time(ready.last_transition_time) > _SETTLED


def _silent(session: BorgSession) -> UnavailableError:
    return UnavailableError(
        f"Pod {session.status.pod_name} of BorgSession {session.metadata.name} does not answer the facade. If its node "
        "is well, a NetworkPolicy or a mesh may keep the facade from port 8080 of pods in this namespace.",
        seconds=5,
    )


async def _get_reader(request: Request, view: TheView, writer: SessionWriter, prefer: Prefer = None) -> Reader:
    if not part_of(request, Configuration).sessions:
        raise NoSuchObjectError("This facade does not look into archives (api.sessions.enabled of the chart).")
    keys = part_of(request, Keys)
    wait = _WAIT.search(prefer or "")
    patience = float(wait[1]) if wait else math.inf
    return Reader(view, writer, part_of(request, SessionClient), keys, patience)


TheReader = Annotated[Reader, Depends(_get_reader)]

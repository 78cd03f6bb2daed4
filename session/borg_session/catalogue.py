"""Which archives there are: asked of borg now and then, and known between."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Mapping

from borg_runner.verbs.list import StoredArchive, fetch_stored, render_time
from borg_runner.verbs.repository import Repository
from borg_session.borgs import Borgs
from borg_session.opening import make_sure
from borg_session.refusal import RefusedError, StillReadingError, gone, no_archive

FRESH_SECONDS = 10.0
"""A list younger than this is not asked for again, when somebody wants to see it."""

GOOD_SECONDS = 30.0
"""So old it may be for whoever wants to read an archive: longer ago another one may have got the name."""


UNKNOWN_SECONDS = 2.0
"""So old it may be for saying that there never was an archive of a name: a run may just have made it."""


class Catalogue:
    """The archives by their names. `on_change` is told all of them, each time."""

    def __init__(
        self,
        borgs: Borgs,
        on_change: Callable[[Mapping[str, StoredArchive]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._borgs, self._on_change, self._clock = borgs, on_change, clock
        self._archives: Mapping[str, StoredArchive] | None = None
        self._seen: set[str] = set()
        self._read_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self.as_of = ""
        """When they were read: UTC, RFC 3339."""
        self.stale: RefusedError | None = None
        """Why they could not be read anew."""

    async def look(self) -> Mapping[str, StoredArchive]:
        """Return the archives, fresh if borg is free to tell. Raises RefusedError where none were ever read."""
        await self._freshen(FRESH_SECONDS)
        return self._known()

    async def find(self, name: str, *, surely: bool = False) -> StoredArchive:
        """Return the archive of that name. Raises RefusedError.

        `surely`: ask borg first where what is known is old. Else it is asked meanwhile: a page does not wait for it.
        """
        if surely or self._archives is None:
            await self._freshen(GOOD_SECONDS)
        elif self._is_old(GOOD_SECONDS):
            self._ask()
        found = self._known().get(name)
        if found is None and name not in self._seen:
            await self._freshen(UNKNOWN_SECONDS)
            if self._task is not None:
                raise StillReadingError(0)  # borg reads something else before it tells of archives
            found = self._known().get(name)
            if found is None and self.stale is not None:
                raise RefusedError(self.stale.reason, self.stale.message)  # the list is of before
        if found is None:
            raise gone(name) if name in self._seen else no_archive(name)
        return found

    def doubt(self) -> None:
        """Ask borg again before anything else: an archive that was there is not any more."""
        self._read_at = -GOOD_SECONDS

    def _known(self) -> Mapping[str, StoredArchive]:
        if self._archives is None:
            raise StillReadingError(0)
        return self._archives

    def _is_old(self, seconds: float) -> bool:
        return self._archives is None or self._clock() - self._read_at >= seconds

    async def _freshen(self, seconds: float) -> None:
        """Ask borg where the list is older than that, but do not wait while borg reads something else."""
        if self._is_old(seconds):
            busy = self._borgs.is_reading
            task = self._ask()
            if self._archives is None or not busy:
                await asyncio.shield(task)

    def _ask(self) -> "asyncio.Task[None]":
        if self._task is None:
            self._task = asyncio.create_task(self._read())
            self._task.add_done_callback(self._end)
        return self._task

    def _end(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if not task.cancelled():
            task.exception()

    async def _read(self) -> None:
        known = self._archives is not None

        def work(repository: Repository) -> Mapping[str, StoredArchive]:
            if not known:
                make_sure(repository)
            return fetch_stored(repository)

        try:
            self._archives = await self._borgs.read(work)
        except RefusedError as error:
            if not known:
                raise
            self.stale = error
            self._read_at = self._clock()
            return
        self.stale = None
        self._seen |= self._archives.keys()
        self._read_at, self.as_of = self._clock(), render_time(dt.datetime.now(dt.UTC))
        self._on_change(self._archives)

"""The borg processes of the pod: bounded in number, ended with what they are for, their locks never left behind.

All that they do takes shared locks: they hinder each other in nothing, and a run that writes waits for them. One reads
listings at a time; downloads have places of their own, so that nobody who looks waits for somebody who loads.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from borg_contract.reasons import Reason
from borg_runner.borg.exit_codes import ARCHIVE_ABSENT
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.fault import FaultError, explain_error
from borg_runner.interruption import Interruption
from borg_runner.verbs.repository import Repository, Warnings
from borg_session.refusal import RefusedError, gone, refuse

CONTENTS = 2
"""Downloads at a time: a borg takes 60 MB or so, and the pod has 256 MiB."""

CONTENT_WAIT_SECONDS = 30.0

MakeArguments = Callable[[int], list[str]]
_T = TypeVar("_T")


class Borgs:
    """Starts borg on the repository. To be used by one event loop."""

    def __init__(self, repository: Repository, host_id: str, *, wait_seconds: float = CONTENT_WAIT_SECONDS) -> None:
        self.repository = repository
        self._own_locks = replace(repository.locks, dead_holders=frozenset({host_id}))
        self._threads = ThreadPoolExecutor(CONTENTS + 1, thread_name_prefix="borg")
        self._reading = asyncio.Lock()
        self._contents = asyncio.Semaphore(CONTENTS)
        self._wait_seconds = wait_seconds
        self._counting = threading.Lock()
        self._at_work: list[Interruption] = []
        self._closed = False

    @property
    def is_reading(self) -> bool:
        """Whether a listing is being read, so that another one would have to wait."""
        return self._reading.locked()

    async def read(self, work: Callable[[Repository], _T]) -> _T:
        """Return what `work` makes of the repository in a thread, when its turn has come. Raises RefusedError.

        Not to be cancelled but when all ends: the turn would be over before the borg is.
        """
        async with self._reading:
            return await self.start(work, Interruption(0))

    async def take_place(self) -> None:
        """Wait for one of the places for downloads, to be given back with `give_place`. Raises RefusedError."""
        try:
            await asyncio.wait_for(self._contents.acquire(), self._wait_seconds)
        except TimeoutError:
            text = f"{CONTENTS} downloads are under way, as many as there is room for. Try again in a while."
            raise RefusedError(Reason.BUSY, text) from None

    def give_place(self) -> None:
        self._contents.release()

    def start(self, work: Callable[[Repository], _T], interruption: Interruption) -> "asyncio.Future[_T]":
        """Let `work` begin in a thread; `interruption` ends its borg. The future raises RefusedError."""
        own = replace(self.repository.with_borg(interruption=interruption), warnings=Warnings())
        return asyncio.wrap_future(self._threads.submit(self._work, work, own, interruption))

    def end_all(self) -> None:
        """End all of them, and those that begin from now on."""
        self._closed = True
        for interruption in tuple(self._at_work):
            interruption.request()

    def close(self) -> None:
        """Wait until all have ended. Blocks, for as long as borg takes."""
        self.end_all()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _work(self, work: Callable[[Repository], _T], repository: Repository, interruption: Interruption) -> _T:
        with self._counting:
            self._at_work.append(interruption)
            if self._closed:
                interruption.request()
        try:
            return work(repository)
        except FaultError as error:
            raise refuse(error.fault) from error
        except OSError as error:
            raise refuse(explain_error(error, repository.borg.executable)) from error
        finally:
            with self._counting:
                self._at_work.remove(interruption)
                if not self._at_work:
                    # A borg that was killed leaves its lock under our name; just now nobody of that name is at work.
                    self._own_locks.remove_dead()


def run_once(repository: Repository, arguments: MakeArguments, archive: str) -> BorgOutcome:
    """Run borg when it has the lock, and never a second time: somebody reads what it writes. Raises RefusedError."""
    outcome = repository.locks.run(repository.borg, arguments)
    if outcome.exit_code == ARCHIVE_ABSENT:
        raise gone(archive)
    return repository.accept(outcome)

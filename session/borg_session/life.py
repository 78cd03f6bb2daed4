"""How long the pod stays: as long as somebody asks, and not longer than it may."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_SECONDS = 0.2


class Life:
    """Counts the requests that were let in."""

    def __init__(self, idle_seconds: float, max_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle_seconds, self._max_seconds, self._clock = idle_seconds, max_seconds, clock
        self._began = self._asked_at = clock()
        self._working = 0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count what is done inside: the session is not idle while a download goes on."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            self._asked_at = self._clock()

    def why_over(self) -> str:
        """Return why it is over; empty as long as it is not."""
        now = self._clock()
        if now - self._began >= self._max_seconds:
            return f"it has been open for {self._max_seconds:.0f} s"
        if not self._working and now - self._asked_at >= self._idle_seconds:
            return f"nobody has asked for {self._idle_seconds:.0f} s"
        return ""

    async def until_over(self) -> str:
        """Return why it is over, once it is."""
        while not (why := self.why_over()):  # noqa: ASYNC110 - time ends it, and time alone
            await asyncio.sleep(_LOOK_SECONDS)
        return why

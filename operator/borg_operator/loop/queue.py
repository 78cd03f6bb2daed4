"""A work queue of keys, as Kubernetes' controllers have it.

A key that is added while it waits is there once; one that is added while it is being worked on is worked on again
afterwards, never twice at once. A key that failed comes back later and later.

Mostly it is the answer to its own writes that brings a key back at once, and there is nothing left to do: those that
nobody has looked at yet come first, up to a bound.
"""

import asyncio
import itertools
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

FIRST_RETRY_SECONDS = 0.2
LAST_RETRY_SECONDS = 300.0

_LET_PAST = 1000
"""How many keys that are added later a key lets past that has just been worked on."""


@dataclass
class _Pace:
    """Until when a key is worked on at most once in so many `seconds`, and when it was last; by the loop's clock."""

    seconds: float
    until: float
    last: float

    @property
    def end(self) -> float:
        return max(self.until, self.last + self.seconds)


class WorkQueue(Generic[Key]):
    """To be used from one event loop."""

    def __init__(self) -> None:
        self._ready: asyncio.PriorityQueue[tuple[int, int, Key]] = asyncio.PriorityQueue()
        """Each key after its place in the queue and the number of its ticket, of which no two are the same."""
        self._tickets = itertools.count()
        self._waiting: set[Key] = set()
        self._working: set[Key] = set()
        self._again: set[Key] = set()
        self._later: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._paces: dict[Key, _Pace] = {}
        """The one that was set last comes last, so that those that have run out are found at once."""

    def __len__(self) -> int:
        """Return how many keys wait to be worked on now."""
        return len(self._waiting)

    @property
    def failing(self) -> int:
        """How many keys failed when they were worked on last."""
        return len(self._failures)

    def add(self, key: Key) -> None:
        """Let `key` be worked on as soon as a worker is free, and its pace allows."""
        self._add(key, let_past=0)

    def pace(self, key: Key, seconds: float) -> None:
        """For the next `seconds`, let `key` be worked on at most once in so many, whoever adds it.

        So the first of many changes is taken up at once, and those that follow it together, `seconds` later at most.
        """
        now = asyncio.get_running_loop().time()
        while self._paces and next(iter(self._paces.values())).end <= now:
            del self._paces[next(iter(self._paces))]
        known = self._paces.pop(key, None)
        last = known.last if known else now if key in self._working else -seconds
        self._paces[key] = _Pace(seconds, now + seconds, last)

    def add_after(self, key: Key, seconds: float) -> None:
        """Let `key` be worked on in `seconds`; an earlier time that is set already stays."""
        loop = asyncio.get_running_loop()
        planned = self._later.get(key)
        if planned and planned.when() <= loop.time() + seconds:
            return
        if planned:
            planned.cancel()
        self._later[key] = loop.call_later(seconds, self._due, key)

    async def get(self) -> Key:
        """Wait for a key and return it; `done` must follow."""
        _, _, key = await self._ready.get()
        self._waiting.discard(key)
        self._working.add(key)
        if key in self._paces:
            self._paces[key].last = asyncio.get_running_loop().time()
        return key

    def done(self, key: Key) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self._add(key, let_past=_LET_PAST)

    def retry(self, key: Key) -> float:
        """Let `key` come back after a failure; return in how many seconds: twice as many each time."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 30), LAST_RETRY_SECONDS)
        self.add_after(key, seconds)
        return seconds

    def forget(self, key: Key) -> None:
        """Forget earlier failures of `key`."""
        self._failures.pop(key, None)

    def close(self) -> None:
        """Cancel what was to come later."""
        for handle in self._later.values():
            handle.cancel()
        self._later.clear()

    def _add(self, key: Key, *, let_past: int) -> None:
        if (wait := self._wait_for_pace(key)) > 0:
            self.add_after(key, wait)
        elif key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            ticket = next(self._tickets)
            self._ready.put_nowait((ticket + let_past, ticket, key))

    def _wait_for_pace(self, key: Key) -> float:
        pace = self._paces.get(key)
        if pace is None:
            return 0
        now = asyncio.get_running_loop().time()
        if now >= pace.end:
            del self._paces[key]
        return pace.last + pace.seconds - now

    def _due(self, key: Key) -> None:
        self._later.pop(key, None)
        self.add(key)

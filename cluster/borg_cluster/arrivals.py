"""Waiting for what a watch brings: until it has come to a version, and until it has seen an object go."""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count


class Arrivals:
    """What has arrived, and who waits for it. Of one event loop."""

    def __init__(self) -> None:
        self.version = 0
        """All up to this one has been seen."""
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._ticket = count()
        self._deletions: dict[str, list[asyncio.Future[int]]] = defaultdict(list)

    def __len__(self) -> int:
        """Return how many wait for a version."""
        return len(self._waiting)

    def advance(self, version: int) -> None:
        """Note that all up to `version` has been seen."""
        self.version = max(self.version, version)
        while self._waiting and self._waiting[0][0] <= self.version:
            _, _, waiting = heapq.heappop(self._waiting)
            if not waiting.done():
                waiting.set_result(None)

    def deleted(self, uid: str, version: int) -> None:
        """Note that the object of this uid was seen to go at `version`."""
        for waiting in self._deletions.pop(uid, ()):
            if not waiting.done():
                waiting.set_result(version)

    async def seen(self, version: int) -> None:
        """Return when the watch has come to `version`."""
        if version <= self.version:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (version, next(self._ticket), waiting)
        heapq.heappush(self._waiting, entry)
        try:
            await waiting
        except asyncio.CancelledError:  # whoever waits gave up; who is woken was taken out already
            if entry in self._waiting:
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
            raise

    @contextmanager
    def deletion(self, uid: str) -> "Iterator[asyncio.Future[int]]":
        """Give what will be the version at which the object of this uid is seen to go."""
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._deletions[uid].append(waiting)
        try:
            yield waiting
        finally:
            waiting.cancel()
            if all(other.done() for other in self._deletions.get(uid, ())):
                self._deletions.pop(uid, None)

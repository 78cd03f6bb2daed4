"""Keeps an index like the cluster: one listing, then watches, and a new listing after one that failed.

The facade's informer. In the operator kopf takes this place, and feeds the same index.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any

from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError, Forbidden, Unreachable
from borg_cluster.index import Index
from borg_cluster.turns import in_turns

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backoff:
    """In seconds: twice as long after each failure in a row, from `first` to `last`.

    A watch that ends before `shortest` and brings nothing is a failure too: something cuts watches off.
    """

    first: float = 0.2
    last: float = 5.0
    shortest: float = 1.0


_BACKOFF = Backoff()


class Informer:
    """One kind in one namespace, or in all.

    `connected`: the index is as new as a watch can make it. `refused`: since it was last listed, that is forbidden.
    """

    def __init__(
        self,
        api: ApiServer,
        index: Index[Any],
        namespace: str | None,
        *,
        backoff: Backoff = _BACKOFF,
    ) -> None:
        self._api = api
        self._index = index
        self._kind = index.kind
        self._namespace = namespace
        self._backoff = backoff
        self._version = ""
        self._has_brought = False
        self.connected = False
        self.refused = False
        self.filled = asyncio.Event()

    async def run(self) -> None:
        """Run for ever."""
        retry = self._backoff.first
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except ApiError as error:
                logger.warning("%s: %s", self._kind.plural, error)
                self.refused = self.refused or isinstance(error, Forbidden)
            except Exception:
                # A fault of ours must not leave the index as it is for ever.
                logger.exception("%s: unexpected; listing again", self._kind.plural)
            else:
                continue
            # Listed anew: a watch that went on from here would be connected before it has told what was missed.
            self._version = ""
            if self._has_brought:
                retry = self._backoff.first
            self.connected = self._has_brought = False
            await asyncio.sleep(retry)
            retry = min(retry * 2, self._backoff.last)

    async def _list(self) -> None:
        """Take in page after page, so that no listing is ever held whole, nor keeps other work waiting."""
        alive: set[str] = set()
        token = ""
        while True:
            page = await self._api.list_page(self._kind, self._namespace, token, label_selector=self._kind.selector)
            async for body in in_turns(page["items"]):
                alive.add(body["metadata"]["uid"])
                self._index.put(body)
            token = page["metadata"].get("continue", "")
            if not token:
                break
        self._version = page["metadata"]["resourceVersion"]
        self._index.retain(alive, int(self._version))
        self._index.advance(int(self._version))
        self.filled.set()
        self.refused = False

    async def _watch(self) -> None:
        began, self._has_brought = time.monotonic(), False
        selector = self._kind.selector
        async with self._api.watch(self._kind, self._namespace, self._version, label_selector=selector) as events:
            self.connected = True
            async for event in events:
                self._has_brought = True
                self._take(event["type"], event["object"])
        if not self._has_brought and time.monotonic() - began < self._backoff.shortest:
            raise Unreachable("the watch was ended at once")

    def _take(self, event: str, body: dict[str, Any]) -> None:
        match event:
            case "ADDED" | "MODIFIED":
                self._index.put(body)
            case "DELETED":
                self._index.remove(body)
        self._version = body["metadata"]["resourceVersion"]
        self._index.advance(int(self._version))

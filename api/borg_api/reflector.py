"""Keeps a catalogue like the cluster: one listing, then watches, and a new listing after one that failed."""

import asyncio
import logging
from typing import Any

from borg_api.catalogue import Catalogue
from borg_api.turns import in_turns
from borg_cluster.api_server import ApiError, ApiServer
from borg_core.registry import ResourceType

logger = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 0.2
_LAST_RETRY_SECONDS = 5.0


class Reflector:
    """One kind in one namespace, or in all. `connected`: the catalogue is as new as a watch can make it."""

    def __init__(
        self, api: ApiServer, resource: ResourceType, namespace: str | None, catalogue: Catalogue[Any]
    ) -> None:
        self._api = api
        self._resource = resource
        self._namespace = namespace
        self._catalogue = catalogue
        self._version = ""
        self.connected = False
        self.filled = asyncio.Event()

    async def run(self) -> None:
        """Run for ever."""
        retry = _FIRST_RETRY_SECONDS
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except (ApiError, OSError, TimeoutError) as error:
                logger.warning("%s: %s", self._resource.plural, error or type(error).__name__)
            except Exception:
                # A fault of ours must not leave the picture as it is for ever.
                logger.exception("%s: unexpected; listing again", self._resource.plural)
            else:
                continue
            # Drawn anew: a watch that went on from here would be connected before it has told what was missed.
            self._version = ""
            if self.connected:
                retry = _FIRST_RETRY_SECONDS
            self.connected = False
            await asyncio.sleep(retry)
            retry = min(retry * 2, _LAST_RETRY_SECONDS)

    async def _list(self) -> None:
        """Take in page after page, so that no listing is ever held whole, nor keeps other requests waiting."""
        alive: set[str] = set()
        token = ""
        while True:
            page = await self._api.list_page(self._resource, self._namespace, token)
            async for body in in_turns(page["items"]):
                alive.add(body["metadata"]["uid"])
                self._catalogue.put_listed(body)
            token = page["metadata"].get("continue", "")
            if not token:
                break
        self._version = page["metadata"]["resourceVersion"]
        self._catalogue.retain(alive, int(self._version))
        self.filled.set()

    async def _watch(self) -> None:
        async with self._api.watch(self._resource, self._namespace, self._version) as events:
            self.connected = True
            async for event in events:
                self._take(event["type"], event["object"])

    def _take(self, kind: str, body: dict[str, Any]) -> None:
        if kind == "ERROR":
            raise ApiError(body.get("code", 0), body.get("message", ""))
        self._version = body["metadata"]["resourceVersion"]
        match kind:
            case "ADDED" | "MODIFIED":
                self._catalogue.put(body)
            case "DELETED":
                self._catalogue.remove(body)
            case "BOOKMARK":
                self._catalogue.advance(int(self._version))

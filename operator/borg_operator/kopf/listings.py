"""When kopf may start, and when its first listings are complete: before, planning would act on an incomplete store."""

import asyncio
import contextlib
import logging

from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError, NotFound
from borg_core.registry import ResourceType, own_kinds, watched_kinds

logger = logging.getLogger(__name__)

_AWAIT_SECONDS = 2.0


class Listings:
    """The first listings of all watched kinds. `complete` is set once the store holds everything that they returned.

    Either kopf has handed over an event, which it does only after all objects of all first listings were indexed; or
    the API server says that there is not one object of any kind, so that no event is to come. One that comes later
    brings an event.
    """

    def __init__(self, api: ApiServer, namespaces: tuple[str, ...], *, look_seconds: float = _AWAIT_SECONDS) -> None:
        self._api = api
        self._namespaces = namespaces
        self._look_seconds = look_seconds
        self.complete = asyncio.Event()

    async def await_kinds(self) -> None:
        """Return when the API server serves our kinds, in the namespaces if there are any."""
        for kind in own_kinds():
            while not await self._is_served(kind):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(self._look_seconds)

    async def await_complete(self) -> None:
        """Return when the first listings are complete."""
        while not self.complete.is_set():
            try:
                if not await self._has_any():
                    self.complete.set()
            except ApiError as error:
                logger.warning("cannot tell yet whether anything is there: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.complete.wait(), self._look_seconds)

    async def _is_served(self, kind: ResourceType) -> bool:
        try:
            served = await self._count(kind) is not None
        except ApiError as error:
            logger.warning("cannot tell yet whether %s.%s are served: %s", kind.plural, kind.group, error)
            return False
        if not served:
            logger.warning("%s.%s are not served: waiting for the CRDs of this operator", kind.plural, kind.group)
        return served

    async def _has_any(self) -> bool:
        for kind in watched_kinds():
            if await self._count(kind, kind.selector):
                return True
        return False

    async def _count(self, resource: ResourceType, selector: str = "") -> int | None:
        """Return 0 when there is no object of the kind, 1 or more when there is, None when the kind is not served."""
        found = 0
        for namespace in self._namespaces or (None,):
            try:
                page = await self._api.list_page(
                    resource, namespace, label_selector=selector, metadata_only=True, limit=1
                )
            except NotFound:
                return None
            found = found or len(page["items"])
        return found

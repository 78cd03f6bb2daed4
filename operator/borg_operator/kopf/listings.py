"""When kopf may start, and when its first listings are complete: before, planning would act on an incomplete store."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError, Forbidden, NotFound
from borg_core.registry import ResourceType, watched_kinds

logger = logging.getLogger(__name__)

_AWAIT_SECONDS = 2.0
_RETRY_SECONDS = 30.0


class Listings:
    """The first listings of all watched kinds. `complete` is set once the store holds everything that they returned.

    Either kopf has handed over an event, which it does only after all objects of all first listings were indexed; or
    the API server says that there is not one object of any kind, so that no event is to come. One that comes later
    brings an event.

    kopf waits for the first listing of every namespace that it is given, however long one is refused. So it is given
    those alone that can be looked into. `changed` is set when these are others than at the start: then all is to begin
    anew. A namespace that refuses one kind is left out as a whole, for a plan that sees a part of it would be wrong.
    """

    def __init__(
        self,
        api: ApiServer,
        namespaces: tuple[str, ...],
        tell: Callable[[str, bool], None] = lambda _namespace, _refuses: None,
        *,
        look_seconds: float = _AWAIT_SECONDS,
        retry_seconds: float = _RETRY_SECONDS,
    ) -> None:
        """`tell` is told of a namespace whether it refuses."""
        self._api = api
        self._namespaces = namespaces
        self._tell = tell
        self._look_seconds = look_seconds
        self._retry_seconds = retry_seconds
        self._refused: list[str] = []
        self._is_refused = False
        self.complete = asyncio.Event()
        self.changed = asyncio.Event()

    def can_be_shown(self) -> bool:
        """Tell whether the store holds all that can be seen: nothing, while every namespace refuses."""
        return self.complete.is_set() or self._is_refused

    async def await_kinds(self) -> tuple[str, ...]:
        """Return the namespaces in which the API server shows all that is watched, once there are any."""
        while True:
            refusals = {namespace: await self._find_refusal(namespace) for namespace in self._namespaces}
            for namespace, refusal in refusals.items():
                self._tell(namespace, bool(refusal))
                if refusal:
                    logger.warning("namespace %s is not looked after: %s", namespace, refusal)
            self._is_refused = all(refusals.values())
            if not self._is_refused:
                break
            await asyncio.sleep(self._look_seconds)
        self._refused = [namespace for namespace, refusal in refusals.items() if refusal]
        self._namespaces = tuple(namespace for namespace, refusal in refusals.items() if not refusal)
        return self._namespaces

    async def await_complete(self) -> None:
        """Return when the first listings are complete."""
        while not self.complete.is_set():
            try:
                if not await self._has_any():
                    self.complete.set()
            except ApiError as error:
                logger.warning("cannot tell yet whether anything is there: %s", error)
                if isinstance(error, Forbidden) and self._namespaces:  # kopf is refused as well, and waits
                    self.changed.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.complete.wait(), self._look_seconds)

    async def await_refused(self) -> None:
        """Return when a namespace that was left out can be looked into; never, if there is none."""
        while all([await self._find_refusal(namespace) for namespace in self._refused]):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(self._retry_seconds)
        logger.warning("a namespace that was not looked after can be: beginning anew")
        self.changed.set()

    async def _find_refusal(self, namespace: str) -> str:
        """Return why it cannot be looked into, in words; empty when it can. Waits while that cannot be told."""
        for kind in watched_kinds():
            try:
                while not await self._is_served(kind, namespace):  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(self._look_seconds)
            except Forbidden as error:
                return str(error)
        return ""

    async def _is_served(self, kind: ResourceType, namespace: str) -> bool:
        try:
            await self._count(kind, namespace)
        except Forbidden:
            raise
        except NotFound:
            logger.warning("%s.%s are not served: waiting for the CRDs of this operator", kind.plural, kind.group)
            return False
        except ApiError as error:
            logger.warning("cannot tell yet whether %s.%s are served: %s", kind.plural, kind.group, error)
            return False
        return True

    async def _has_any(self) -> bool:
        for kind in watched_kinds():
            for namespace in self._namespaces or (None,):
                with contextlib.suppress(NotFound):
                    if await self._count(kind, namespace, kind.selector):
                        return True
        return False

    async def _count(self, resource: ResourceType, namespace: str | None, selector: str = "") -> int:
        """Return 0 when there is no object of the kind, 1 or more when there is."""
        page = await self._api.list_page(resource, namespace, label_selector=selector, metadata_only=True, limit=1)
        return len(page["items"])

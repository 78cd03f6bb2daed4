"""Finds objects whose deletion brought no event, because the watch was broken at that moment."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError, Forbidden, NotFound
from borg_core.registry import Kind, watched_kinds
from borg_operator.store import Store

logger = logging.getLogger(__name__)

_MORE_SECONDS = 1.0
"""After the first sign of a new listing, others of it follow."""
_RETRY_SECONDS = 5.0


class Resync:
    """Compares the store with the cluster. `done` is told after each comparison of all kinds whether it succeeded.

    A namespace that refuses is left as it is known, and is in nobody's way. `tell` is told of each whether it refuses.
    """

    def __init__(
        self,
        api: ApiServer,
        store: Store,
        namespaces: tuple[str, ...],
        done: Callable[[bool], None],
        tell: Callable[[str, bool], None] = lambda _namespace, _refuses: None,
        *,
        more_seconds: float = _MORE_SECONDS,
        retry_seconds: float = _RETRY_SECONDS,
    ) -> None:
        self._api = api
        self._store = store
        self._namespaces = namespaces
        self._done = done
        self._tell = tell
        self._more_seconds = more_seconds
        self._retry_seconds = retry_seconds
        self._wanted: set[Kind[Any]] = set()
        self._refused: set[tuple[str, str]] = set()
        """Namespaces, each with a kind that it refuses."""
        self._is_wanted = asyncio.Event()

    def request(self, kind: Kind[Any]) -> None:
        """Compare the kind soon: kopf has listed it again, so its watch was broken."""
        self._wanted.add(kind)
        self._is_wanted.set()

    async def run(self, seconds: float) -> None:
        """Run for ever: all kinds every so many seconds, and in between those that are requested."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._is_wanted.wait()
                    await asyncio.sleep(self._more_seconds)
            if loop.time() >= due:
                self._wanted.update(watched_kinds())
                self._done(await self._compare())
                due = loop.time() + seconds
            elif not await self._compare():
                await asyncio.sleep(self._retry_seconds)

    async def compare(self, kind: Kind[Any]) -> int:
        """Remove from the store what the cluster no longer has; return how many objects that were. Raises ApiError."""
        if not self._namespaces:
            return self._store.retain(kind, *await self._list(kind, None))
        gone, refusals = 0, []
        for namespace in self._namespaces:
            try:
                listed = await self._list(kind, namespace)
            except Forbidden as error:
                refusals.append(error)
                self._note(namespace, kind, str(error))
            else:
                gone += self._store.retain(kind, *listed, namespace)
                self._note(namespace, kind, "")
        if len(refusals) == len(self._namespaces):
            raise refusals[0]
        return gone

    def _note(self, namespace: str, kind: Kind[Any], refusal: str) -> None:
        def refuses() -> bool:
            return any(namespace == other for other, _ in self._refused)

        did = refuses()
        (self._refused.add if refusal else self._refused.discard)((namespace, kind.kind))
        if refuses() != did:
            logger.warning("namespace %s is %s", namespace, f"left as it is known: {refusal}" if refusal else "back")
            self._tell(namespace, not did)

    async def _list(self, kind: Kind[Any], namespace: str | None) -> tuple[set[str], int]:
        """Return the uids that there are, and of which version the listing is."""
        alive: set[str] = set()
        token = ""
        while True:
            page = await self._api.list_page(kind, namespace, token, label_selector=kind.selector, metadata_only=True)
            alive.update(item["metadata"]["uid"] for item in page["items"])
            token = page["metadata"].get("continue", "")
            if not token:
                return alive, int(page["metadata"]["resourceVersion"])

    async def _compare(self) -> bool:
        """Compare the requested kinds; return whether it succeeded. Those that failed stay requested."""
        self._is_wanted.clear()
        try:
            for kind in tuple(self._wanted):
                with contextlib.suppress(NotFound):  # its CRD is gone, or not there yet
                    gone = await self.compare(kind)
                    if gone:
                        logger.info("%d of %s are gone and no event said so", gone, kind.plural)
                self._wanted.discard(kind)
        except ApiError as error:
            logger.warning("resync: %s", error)
        except Exception:
            # A fault of ours must not end the resync, without which a lost event is lost for good.
            logger.exception("resync: unexpected")
        if self._wanted:
            self._is_wanted.set()
        return not self._wanted

"""kopf's handlers: each watched kind feeds the store, which tells who it concerns."""

from collections.abc import Callable
from typing import Any

import kopf

from borg_core.registry import Kind, watched_kinds
from borg_operator.kopf.listings import Listings
from borg_operator.kopf.resync import Resync
from borg_operator.kopf.session import SignIn
from borg_operator.store import Store


class Watches:
    """Feeds `store`. `saw` is told the kind of each event, after the first listings."""

    def __init__(self, store: Store, listings: Listings, resync: Resync, saw: Callable[[str], None]) -> None:
        self._store = store
        self._listings = listings
        self._resync = resync
        self._saw = saw
        self._put_late: set[str] = set()
        """uids of objects put after the first listings, between their two handlers."""

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Register the watches of all kinds, and how kopf signs in."""
        kopf.on.login(registry=registry)(SignIn().log_in)
        for kind in watched_kinds():
            self._register(registry, kind)

    def _register(self, registry: kopf.OperatorRegistry, kind: Kind[Any]) -> None:
        # Both are coroutines so that kopf calls them in the event loop and not in threads: the store is used from one.
        async def index(body: kopf.Body, **_: Any) -> None:
            self.put(kind, dict(body))

        async def notice(event: kopf.RawEvent, **_: Any) -> None:
            self.notice(kind, event["type"], dict(event["object"]))

        where = (kind.group, kind.version, kind.plural)
        kopf.index(*where, id=f"put-{kind.plural}", registry=registry)(index)
        kopf.on.event(*where, id=f"notice-{kind.plural}", registry=registry)(notice)

    def put(self, kind: Kind[Any], body: dict[str, Any]) -> None:
        """Take in an object that is there: kopf calls this first, also during its first listings."""
        if self._listings.complete.is_set():
            self._put_late.add(body["metadata"]["uid"])
        self._store.put(kind, body)

    def notice(self, kind: Kind[Any], event: str | None, body: dict[str, Any]) -> None:
        """Take note of an event after its object was put, never before the first listings are complete.

        kopf calls an event None when it comes from a listing.
        """
        self._listings.complete.set()
        self._saw(kind.kind)
        uid = body["metadata"]["uid"]
        was_late = uid in self._put_late
        self._put_late.discard(uid)
        if event == "DELETED":
            self._store.remove(kind, body)
        elif event is None and was_late:
            self._resync.request(kind)

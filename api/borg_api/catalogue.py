"""What the facade knows of one kind: found by name and by id, listed oldest first, and counted in revisions."""

import asyncio
import heapq
import logging
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from borg_api.identifiers import derive_id
from borg_api.records import Order
from borg_cluster.collection import Collection, Key
from borg_core.registry import Body, Reference

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Catalogue(Generic[T]):
    """Fed by a watch and by the answers to this facade's own writes; read by the routes. Of one event loop."""

    def __init__(
        self,
        kind: str,
        parse: Callable[[Body], T],
        references: Callable[[T], Iterable[Reference]] = lambda _: (),
        groups: Callable[[T], Iterable[tuple[str, str]]] = lambda _: (),
        succeed: Callable[[T, T], T] = lambda _, new: new,
    ) -> None:
        self.kind = kind
        self._objects: Collection[T] = Collection(parse, references, groups, succeed)
        self._created: dict[Key, str] = {}
        self._by_id: dict[int, Key] = {}
        self._ordered: dict[str, list[Order]] = defaultdict(list)
        self._revisions: dict[str, int] = defaultdict(int)
        self._seen = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._ticket = count()
        self._goodbyes: dict[str, list[asyncio.Future[int]]] = defaultdict(list)

    # Reading

    def get(self, namespace: str, name: str) -> T | None:
        return self._objects.get(namespace, name)

    def find(self, namespace: str, reference: int | str) -> T | None:
        """Return the object of the namespace that has this id or name."""
        if isinstance(reference, int) or reference.isdecimal():
            key = self._by_id.get(int(reference))
            if key and key[0] == namespace:
                return self._objects.get(*key)
        return self._objects.get(namespace, str(reference))

    def in_order(self, namespace: str, after: Order | None = None) -> list[T]:
        """Return the objects of a namespace, oldest first; with `after`, those that follow it."""
        ordered = self._ordered.get(namespace, [])
        first = bisect_left(ordered, (*after[:2], after[2] + "\0")) if after else 0
        found = (self._objects.get(namespace, name) for _, _, name in ordered[first:])
        return [item for item in found if item is not None]

    def referring_to(self, kind: str, namespace: str, name: str) -> list[T]:
        return self._objects.referring_to(kind, namespace, name)

    def grouped(self, index: str, namespace: str, value: str) -> list[T]:
        return self._objects.grouped(index, namespace, value)

    def revision(self, namespace: str) -> int:
        """Return a number that changes whenever an object of the namespace does."""
        return self._revisions.get(namespace, 0)

    @property
    def waiting(self) -> int:
        """How many wait for a version that the watch has not come to."""
        return len(self._waiting)

    def __len__(self) -> int:
        return len(self._objects)

    # Feeding

    def put(self, body: Body) -> None:
        """Take in an object as the watch shows it."""
        self._put(body)
        self.advance(int(body["metadata"]["resourceVersion"]))

    def put_own(self, body: Body) -> None:
        """Take in an object as the API server answered a write, unless the watch has seen it go meanwhile."""
        metadata = body["metadata"]
        known = self._objects.get(metadata["namespace"], metadata["name"])
        if known is not None or int(metadata["resourceVersion"]) > self._seen:
            self._put(body)

    def remove(self, body: Body) -> None:
        """Take an object away as the watch shows it: its version is that of the deletion."""
        metadata = body["metadata"]
        self._remove((metadata["namespace"], metadata["name"]), metadata["uid"])
        version = int(metadata["resourceVersion"])
        self.advance(version)
        self._say_goodbye(metadata["uid"], version)

    def put_listed(self, body: Body) -> None:
        """Take in an object of a listing, of which `retain` tells the end."""
        self._put(body)

    def retain(self, alive: set[str], version: int) -> None:
        """Forget what a whole listing of `version` does not have: all but the uids `alive`, and what is newer."""
        for key, (uid, known) in self._objects.versions().items():
            if uid not in alive and known <= version:
                self._remove(key, uid)
                self._say_goodbye(uid, version)
        self.advance(version)

    def advance(self, version: int) -> None:
        """Note that all up to `version` has been seen."""
        self._seen = max(self._seen, version)
        while self._waiting and self._waiting[0][0] <= self._seen:
            _, _, waiting = heapq.heappop(self._waiting)
            if not waiting.done():
                waiting.set_result(None)

    # Waiting

    async def seen(self, version: int) -> None:
        """Return when the watch has come to `version`."""
        if version <= self._seen:
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
    def goodbye(self, uid: str) -> "Iterator[asyncio.Future[int]]":
        """Give what will be the version at which the watch sees the object of this uid go."""
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._goodbyes[uid].append(waiting)
        try:
            yield waiting
        finally:
            waiting.cancel()
            if all(other.done() for other in self._goodbyes.get(uid, ())):
                self._goodbyes.pop(uid, None)

    def _put(self, body: Body) -> None:
        metadata: dict[str, Any] = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        before = self._objects.uid(*key)
        try:
            if not self._objects.put(body):
                return
        except ValidationError:
            # One object that another version wrote must not end the watch of all.
            logger.exception("%s %s/%s cannot be read", self.kind, *key)
            return
        if self._created.get(key) != metadata["creationTimestamp"]:
            self._forget_order(key)
            self._created[key] = metadata["creationTimestamp"]
            insort(self._ordered[key[0]], (self._created[key], *key))
            self._by_id[derive_id(self.kind, *key)] = key
        self._revisions[key[0]] += 1
        if before and before != metadata["uid"]:
            self._say_goodbye(before, int(metadata["resourceVersion"]))

    def _remove(self, key: Key, uid: str) -> None:
        if self._objects.remove(*key, uid):
            self._forget_order(key)
            self._by_id.pop(derive_id(self.kind, *key), None)
            self._revisions[key[0]] += 1

    def _say_goodbye(self, uid: str, version: int) -> None:
        for waiting in self._goodbyes.pop(uid, ()):
            if not waiting.done():
                waiting.set_result(version)

    def _forget_order(self, key: Key) -> None:
        if key in self._created:
            ordered = self._ordered[key[0]]
            del ordered[bisect_left(ordered, (self._created.pop(key), *key))]

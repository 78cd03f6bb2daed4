"""What is known of the objects of one kind: the newest of each, found by name, by uid and by what it refers to.

Fed by whatever watches the kind (`put`, `remove`, `retain`) and by the answers to one's own writes (`put_answer`); the
versions of the API server, which count for all objects of a kind, decide what is newer.

An object that cannot be read is logged, once per version, and left out: keeping its previous state would mean to act on
a spec that its owner has replaced, and to show it as current. `unreadable` says why it is missing.
"""

import asyncio
import logging
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from borg_cluster.arrivals import Arrivals
from borg_cluster.departed import Departed
from borg_core.registry import Body, Kind, Reference

logger = logging.getLogger(__name__)

T = TypeVar("T")

Key = tuple[str, str]
"""(namespace, name)."""
Group = tuple[str, str, str]
"""(index, namespace, value): objects of a namespace that have something in common, their title say."""
Order = tuple[str, str, str]
"""(creation time, namespace, name): sorts by age, and never ties."""


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A change of one object. `old` None: it was added; `new` None: it was deleted, or can no longer be read."""

    old: T | None
    new: T | None


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    uid: str
    version: int
    created: str
    marks: frozenset[Reference | Group]
    value: T


@dataclass(frozen=True, slots=True)
class _Unreadable:
    uid: str
    version: int
    reason: str


class Index(Generic[T]):
    """The objects of one kind. Of one event loop.

    `succeed(old, new)` returns the new one with what it is to keep of the one before. `identify(kind, namespace, name)`
    gives an object's number, for `find`. `ordered`: for `in_order`. `keep`: of how many deleted objects the last state
    stays, until it is released.
    """

    def __init__(
        self,
        kind: Kind[T],
        *,
        succeed: Callable[[T, T], T] | None = None,
        identify: Callable[[str, str, str], int] | None = None,
        ordered: bool = False,
        keep: int = 0,
    ) -> None:
        self.kind = kind
        self._succeed = succeed
        self._identify = identify
        self._is_ordered = ordered
        self._entries: dict[Key, _Entry[T]] = {}
        self._keys: dict[str, Key] = {}
        self._marked: defaultdict[Reference | Group, set[Key]] = defaultdict(set)
        self._by_id: dict[int, Key] = {}
        self._ordered: defaultdict[str, list[Order]] = defaultdict(list)
        self._revisions: defaultdict[str, int] = defaultdict(int)
        self._unreadable: dict[Key, _Unreadable] = {}
        self._departed: Departed[T] = Departed(keep)
        self._arrivals = Arrivals()

    def get(self, namespace: str, name: str) -> T | None:
        entry = self._entries.get((namespace, name))
        return entry.value if entry else None

    def identity(self, namespace: str, name: str) -> tuple[str, int] | None:
        """Return uid and version of the object as it is known."""
        entry = self._entries.get((namespace, name))
        return (entry.uid, entry.version) if entry else None

    def get_by_uid(self, uid: str) -> T | None:
        key = self._keys.get(uid)
        return self._entries[key].value if key else None

    def find(self, namespace: str, reference: int | str) -> T | None:
        """Return the object of the namespace that has this number or name."""
        if isinstance(reference, int) or reference.isdecimal():
            key = self._by_id.get(int(reference))
            if key and key[0] == namespace:
                return self.get(*key)
        return self.get(namespace, str(reference))

    def unreadable(self, namespace: str, name: str) -> str | None:
        """Return why the object of that name cannot be read, None where it can or is not there."""
        found = self._unreadable.get((namespace, name))
        return found.reason if found else None

    def is_unreadable(self, uid: str) -> bool:
        """Tell whether there is an object of this uid that cannot be read."""
        return any(found.uid == uid for found in self._unreadable.values())

    def values(self) -> list[T]:
        """Return all objects, as they are at this moment."""
        return [entry.value for entry in self._entries.values()]

    def in_order(self, namespace: str, after: Order | None = None) -> list[T]:
        """Return the objects of a namespace, oldest first; with `after`, those that follow it."""
        ordered = self._ordered.get(namespace, [])
        first = bisect_left(ordered, (*after[:2], after[2] + "\0")) if after else 0
        return [self._entries[namespace, name].value for _, _, name in ordered[first:]]

    def referring_to(self, kind: str, namespace: str, name: str, *, deleted: bool = False) -> list[T]:
        """Return the objects that refer to it, in order of their names; with `deleted` also those that are kept."""
        return self._found(Reference(kind, namespace, name), deleted=deleted)

    def grouped(self, index: str, namespace: str, value: str, *, deleted: bool = False) -> list[T]:
        """Return the objects of the namespace that have `value` in that index, as `referring_to` does."""
        return self._found((index, namespace, value), deleted=deleted)

    def revision(self, namespace: str) -> int:
        """Return a number that changes whenever an object of the namespace does."""
        return self._revisions.get(namespace, 0)

    def __iter__(self) -> Iterator[Key]:
        """Iterate over the (namespace, name) of all objects, as they are at this moment."""
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, body: Body) -> Change[T] | None:
        """Take in an object as a listing or a watch shows it. None: it is no news, for what is known is newer.

        A watch may lag behind the answers to one's own writes.
        """
        metadata: dict[str, Any] = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        uid, version = metadata["uid"], int(metadata["resourceVersion"])
        known, unreadable = self._entries.get(key), self._unreadable.get(key)
        if any(found and found.version >= version for found in (known, unreadable)):
            return None
        if self._departed.is_newer(uid, version):
            return None
        self._departed.back(uid)
        read = self._read(body, key)
        if isinstance(read, str):
            self._take_out(key)
            self._unreadable[key] = _Unreadable(uid, version, read)
            value = None
        else:
            value, marks = read
            if known and known.uid == uid and self._succeed:
                value = self._succeed(known.value, value)
            self._unreadable.pop(key, None)
            self._take_in(key, _Entry(uid, version, metadata.get("creationTimestamp", ""), marks, value))
        if known and known.uid != uid:
            self._departed.add(known.uid, version, known.value, known.marks)
            self._arrivals.deleted(known.uid, version)
        self._revisions[key[0]] += 1
        return Change(known.value if known else None, value)

    def put_answer(self, body: Body) -> Change[T] | None:
        """Take in an object as the API server answered a write, unless the watch has seen it go meanwhile."""
        metadata = body["metadata"]
        known = (metadata["namespace"], metadata["name"]) in self._entries
        return self.put(body) if known or int(metadata["resourceVersion"]) > self._arrivals.version else None

    def remove(self, body: Body) -> Change[T] | None:
        """Take an object away as a watch shows its end: its version is that of the deletion.

        None: it was not known, or another one has its name by now.
        """
        metadata = body["metadata"]
        key, uid, version = (metadata["namespace"], metadata["name"]), metadata["uid"], int(metadata["resourceVersion"])
        self._arrivals.deleted(uid, version)
        return self._remove(key, uid, version, body)

    def discard(self, namespace: str, name: str, uid: str) -> Change[T] | None:
        """Take away what one has deleted oneself, before a watch says so."""
        known = self._entries.get((namespace, name))
        return self._remove((namespace, name), uid, known.version if known else 0)

    def retain(self, alive: set[str], version: int, namespace: str | None = None) -> list[Change[T]]:
        """Take away what a whole listing (of a namespace) lacks: all but the uids `alive`, and what is newer."""
        known = [(key, entry.uid, entry.version) for key, entry in self._entries.items()]
        known += [(key, fault.uid, fault.version) for key, fault in self._unreadable.items()]
        changes: list[Change[T]] = []
        for key, uid, at in known:
            if uid not in alive and at <= version and namespace in (None, key[0]):
                self._arrivals.deleted(uid, version)
                changes += filter(None, [self._remove(key, uid, version)])
        return changes

    def release(self, uid: str) -> None:
        """Keep no last state of the object of this uid: what it had to tell is recorded elsewhere."""
        self._departed.release(uid, present=uid in self._keys)

    @property
    def waiting(self) -> int:
        """How many wait for a version that the watch has not come to."""
        return len(self._arrivals)

    def advance(self, version: int) -> None:
        """Note that the watch has brought all up to `version`."""
        self._arrivals.advance(version)

    async def seen(self, version: int) -> None:
        """Return when the watch has come to `version`."""
        await self._arrivals.seen(version)

    def deletion(self, uid: str) -> "AbstractContextManager[asyncio.Future[int]]":
        """Give what will be the version at which the object of this uid is seen to go."""
        return self._arrivals.deletion(uid)

    def _read(self, body: Body, key: Key) -> tuple[T, frozenset[Reference | Group]] | str:
        """Return what the object is and by what it is found, or why it cannot be read."""
        try:
            value = self.kind.parse(body)
            groups = ((index, key[0], found) for index, found in self.kind.groups(value))
            return value, frozenset((*self.kind.references(value), *groups))
        except Exception as error:
            # A parser owes ValueError alone, but another fault of it would end the watch of all, again and again.
            logger.exception("%s %s/%s cannot be read", self.kind.kind, *key)
            return str(error) or type(error).__name__

    def _remove(self, key: Key, uid: str, version: int, body: Body | None = None) -> Change[T] | None:
        unreadable, entry = self._unreadable.get(key), self._entries.get(key)
        if unreadable and unreadable.uid == uid:
            del self._unreadable[key]
        if entry is None or entry.uid != uid:
            return None
        self._take_out(key)
        self._revisions[key[0]] += 1
        read = self._read(body, key) if body and self._departed.keep else None
        last = read[0] if isinstance(read, tuple) else entry.value
        self._departed.add(uid, version, last, entry.marks)
        return Change(last, None)

    def _take_in(self, key: Key, entry: _Entry[T]) -> None:
        before = self._entries.get(key)
        if before and before.created != entry.created:
            self._take_out(key)
            before = None
        elif before and before.uid != entry.uid:
            del self._keys[before.uid]
        if before is None:
            self._place(key, entry)
        if before is None or before.marks != entry.marks:
            self._unmark(key, before.marks if before else ())
            for mark in entry.marks:
                self._marked[mark].add(key)
        self._entries[key] = entry
        self._keys[entry.uid] = key

    def _take_out(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        del self._keys[entry.uid]
        self._unmark(key, entry.marks)
        if self._is_ordered:
            ordered = self._ordered[key[0]]
            del ordered[bisect_left(ordered, (entry.created, *key))]
        if self._identify:
            self._by_id.pop(self._identify(self.kind.kind, *key), None)

    def _place(self, key: Key, entry: _Entry[T]) -> None:
        if self._is_ordered:
            insort(self._ordered[key[0]], (entry.created, *key))
        if self._identify:
            self._by_id[self._identify(self.kind.kind, *key)] = key

    def _unmark(self, key: Key, marks: Iterable[Reference | Group]) -> None:
        for mark in marks:
            self._marked[mark].discard(key)
            if not self._marked[mark]:
                del self._marked[mark]

    def _found(self, mark: Reference | Group, *, deleted: bool) -> list[T]:
        found = [self._entries[key].value for key in sorted(self._marked.get(mark, ()))]
        return [*found, *self._departed.marked(mark)] if deleted else found

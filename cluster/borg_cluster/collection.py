"""What is known of the objects of one kind: the newest of each, found by name and by what it refers to."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from borg_core.registry import Body, Reference

T = TypeVar("T")

Key = tuple[str, str]
"""(namespace, name)."""
Group = tuple[str, str, str]
"""(index, namespace, value): objects of a namespace that have something in common, their title say."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    uid: str
    version: int
    references: frozenset[Reference]
    groups: frozenset[Group]
    value: T


class Collection(Generic[T]):
    """The objects of one kind by (namespace, name), and by what they refer to.

    `succeed(old, new)` returns the new one with what it is to keep of the one before.
    """

    def __init__(
        self,
        parse: Callable[[Body], T],
        references: Callable[[T], Iterable[Reference]] = lambda _: (),
        groups: Callable[[T], Iterable[tuple[str, str]]] = lambda _: (),
        succeed: Callable[[T, T], T] = lambda _, new: new,
    ) -> None:
        self._parse = parse
        self._references = references
        self._groups = groups
        self._succeed = succeed
        self._entries: dict[Key, _Entry[T]] = {}
        self._referring: defaultdict[Reference | Group, set[Key]] = defaultdict(set)

    def put(self, body: Body) -> bool:
        """Take the object in, unless what is known of it is newer: a watch may lag behind one's own write.

        Return whether it was news.
        """
        metadata = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        version = int(metadata["resourceVersion"])
        known = self._entries.get(key)
        if known and known.version >= version:  # versions are counted for the whole cluster, whatever the object
            return False
        value = self._parse(body)
        if known and known.uid == metadata["uid"]:
            value = self._succeed(known.value, value)
        self._forget(key)
        groups = frozenset((index, key[0], found) for index, found in self._groups(value))
        entry = _Entry(metadata["uid"], version, frozenset(self._references(value)), groups, value)
        self._entries[key] = entry
        for reference in entry.references | entry.groups:
            self._referring[reference].add(key)
        return True

    def remove(self, namespace: str, name: str, uid: str) -> bool:
        """Forget the object, unless another one of its name came meanwhile. Return whether it was known."""
        known = self._entries.get((namespace, name))
        if known is None or known.uid != uid:
            return False
        self._forget((namespace, name))
        return True

    def get(self, namespace: str, name: str) -> T | None:
        entry = self._entries.get((namespace, name))
        return entry.value if entry else None

    def values(self) -> list[T]:
        """Return all objects, as they are at this moment."""
        return [entry.value for entry in self._entries.values()]

    def uid(self, namespace: str, name: str) -> str | None:
        entry = self._entries.get((namespace, name))
        return entry.uid if entry else None

    def referring_to(self, kind: str, namespace: str, name: str) -> list[T]:
        """Return the objects that refer to it, in order of their names."""
        return self._found((kind, namespace, name))

    def grouped(self, index: str, namespace: str, value: str) -> list[T]:
        """Return the objects of the namespace that have `value` in that index, in order of their names."""
        return self._found((index, namespace, value))

    def __iter__(self) -> Iterator[Key]:
        """Iterate over the (namespace, name) of all objects, as they are at this moment."""
        return iter(list(self._entries))

    def uids(self) -> dict[Key, str]:
        """Return the uid of every object known."""
        return {key: entry.uid for key, entry in self._entries.items()}

    def versions(self) -> dict[Key, tuple[str, int]]:
        """Return the uid and the version of every object known."""
        return {key: (entry.uid, entry.version) for key, entry in self._entries.items()}

    def __len__(self) -> int:
        return len(self._entries)

    def _found(self, value: Reference | Group) -> list[T]:
        return [self._entries[key].value for key in sorted(self._referring.get(value, ()))]

    def _forget(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        for reference in (entry.references | entry.groups) if entry else ():
            self._referring[reference].discard(key)
            if not self._referring[reference]:
                del self._referring[reference]

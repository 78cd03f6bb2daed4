"""What the operator knows of the cluster: an index for each watched kind, fed by the watches and by its own writes."""

from collections.abc import Callable
from typing import Any, TypeVar

from borg_cluster.index import Change, Index
from borg_core.native.pod import PODS
from borg_core.registry import Body, Kind, Reference, watched_kinds

T = TypeVar("T")

Listener = Callable[[Kind[Any], Change[Any]], None]

_PODS_KEPT = 2000
"""Of how many deleted pods the last state is kept: their result may be recorded nowhere else yet."""


class Store:
    """The view that planning asks (`borg_core.view`). `on_change` is called with each change, once the index has it."""

    def __init__(self) -> None:
        self._indexes: dict[str, Index[Any]] = {
            kind.kind: Index(kind, keep=_PODS_KEPT if kind == PODS else 0) for kind in watched_kinds()
        }
        self.on_change: Listener = lambda _kind, _change: None

    def index(self, kind: Kind[T]) -> Index[T]:
        return self._indexes[kind.kind]

    def values(self, kind: Kind[T]) -> list[T]:
        """Return all objects of the kind, as they are at this moment."""
        return self.index(kind).values()

    # As a view

    def get(self, kind: Kind[T], namespace: str, name: str) -> T | None:
        return self.index(kind).get(namespace, name)

    def referring_to(self, kind: Kind[T], reference: Reference) -> list[T]:
        return self.index(kind).referring_to(*reference)

    def grouped(self, kind: Kind[T], index: str, namespace: str, value: str) -> list[T]:
        return self.index(kind).grouped(index, namespace, value)

    # Feeding

    def put(self, kind: Kind[Any], body: Body) -> None:
        """Take in an object as a watch shows it."""
        self._tell(kind, self.index(kind).put(body))

    def put_answer(self, kind: Kind[Any], body: Body) -> None:
        """Take in an object as the API server answered a write, so that the next plan sees it at once."""
        self._tell(kind, self.index(kind).put_answer(body))

    def remove(self, kind: Kind[Any], body: Body) -> None:
        """Take an object away as a watch shows its end."""
        self._tell(kind, self.index(kind).remove(body))

    def discard(self, kind: Kind[Any], namespace: str, name: str, uid: str) -> None:
        """Take an object away that this process has deleted itself."""
        self._tell(kind, self.index(kind).discard(namespace, name, uid))

    def retain(self, kind: Kind[Any], alive: set[str], version: int, namespace: str | None = None) -> int:
        """Remove what a complete listing at `version` does not have, of one namespace or all; return how many."""
        gone = self.index(kind).retain(alive, version, namespace)
        for change in gone:
            self._tell(kind, change)
        return len(gone)

    def _tell(self, kind: Kind[Any], change: Change[Any] | None) -> None:
        if change and change.old != change.new:
            self.on_change(kind, change)

"""The memory of objects that are gone: that they are, and where it is asked for, the last that was known of them."""

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

_REMEMBERED = 1000
"""How many uids of deleted objects are remembered, the newest: a late answer about one brings nothing back."""


class Departed(Generic[T]):
    """Deleted objects by uid. `keep`: for how many of them, the newest, the last state is kept until it is released."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self._versions: dict[str, int] = {}
        self._states: dict[str, tuple[T, frozenset[Hashable]]] = {}
        self._released: set[str] = set()

    def add(self, uid: str, version: int, state: T, marks: frozenset[Hashable]) -> None:
        """Note that it went at `version`. `marks`: by which it is found."""
        self._versions.pop(uid, None)
        self._versions[uid] = version
        if len(self._versions) > _REMEMBERED:
            del self._versions[next(iter(self._versions))]
        if uid in self._released:
            self._released.discard(uid)
        elif self.keep:
            self._states[uid] = (state, marks)
            if len(self._states) > self.keep:
                del self._states[next(iter(self._states))]

    def back(self, uid: str) -> None:
        """Note that it is there again: one that got back the label by which it is watched."""
        self._versions.pop(uid, None)
        self._states.pop(uid, None)

    def is_newer(self, uid: str, version: int) -> bool:
        """Tell whether it went at `version` or later."""
        return self._versions.get(uid, -1) >= version

    def marked(self, mark: Hashable) -> list[T]:
        """Return the last states of those that bore the mark, in the order in which they went."""
        return [state for state, marks in self._states.values() if mark in marks]

    def release(self, uid: str, *, present: bool) -> None:
        """Forget its last state; of one that is still present, none is kept when it goes."""
        self._states.pop(uid, None)
        if present and self.keep:
            self._released.add(uid)

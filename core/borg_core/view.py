"""What is known of the cluster, as planning may ask for it: lookups in memory, no request."""

from typing import Protocol, TypeVar

from borg_core.registry import Kind, Reference

T = TypeVar("T")


class View(Protocol):
    def get(self, kind: Kind[T], namespace: str, name: str) -> T | None:
        """Return the object, None when there is none that can be read."""

    def referring_to(self, kind: Kind[T], reference: Reference) -> list[T]:
        """Return the objects of the kind that refer to something."""

    def grouped(self, kind: Kind[T], index: str, namespace: str, value: str) -> list[T]:
        """Return the objects of the kind in the namespace that have `value` in that index."""

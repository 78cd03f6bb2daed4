"""What the parsers of native objects have in common."""

from collections.abc import Hashable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar, cast

from borg_core import labels
from borg_core.formats import parse_time
from borg_core.kinds.parts.base import OwnerReference
from borg_core.registry import Reference

T = TypeVar("T", bound=Hashable)

_CONTROLLERS = frozenset({labels.MANAGER, "kube-controller-manager"})


def kept_once(value: T) -> T:
    """Return the same object for equal values: few there are, and very many objects have them."""
    return cast(T, _known(value))


@lru_cache(maxsize=4096)
def _known(value: Hashable) -> Hashable:
    return value


def controller_of(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the owner reference of the object's controller, empty when it has none."""
    return next((owner for owner in metadata.get("ownerReferences", []) if owner.get("controller")), {})


def owners_beside(metadata: dict[str, Any]) -> tuple[OwnerReference, ...]:
    """Return the owners of the object that do not control it, of a workflow say: whoever ties it anew keeps them."""
    found = (owner for owner in metadata.get("ownerReferences", []) if not owner.get("controller"))
    return tuple(OwnerReference.model_validate(owner) for owner in found)


def subject_of(metadata: dict[str, Any]) -> Reference | None:
    """Return the resource of ours that the object's labels name."""
    marks = metadata.get("labels", {})
    named = ((kind, marks.get(label)) for kind, label in labels.SUBJECTS.items())
    return next((Reference(kind, metadata["namespace"], name) for kind, name in named if name), None)


def is_foreign(entry: dict[str, Any]) -> bool:
    """Tell whether an entry of `managedFields` says that somebody else than the controllers holds fields of `spec`."""
    theirs = entry.get("manager") not in _CONTROLLERS and not entry.get("subresource")
    return theirs and "f:spec" in entry.get("fieldsV1", {})


def holds(condition: dict[str, Any]) -> bool:
    return condition.get("status") == "True"


def time_of(text: str | None) -> datetime | None:
    return parse_time(text) if text else None

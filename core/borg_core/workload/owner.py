"""Whom an object belongs to: owner references, and the labels by which it is found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from borg_contract.run import Operation
from borg_core import labels
from borg_core.kinds.parts.base import OwnerReference
from borg_core.registry import Reference, ResourceType


@dataclass(frozen=True)
class Owner:
    """An object that exists, and that owns others: deleting it deletes them."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, kind: ResourceType, namespace: str, name: str, uid: str) -> Self:
        return cls(kind.api_version, kind.kind, namespace, name, uid)

    @property
    def reference(self) -> Reference:
        return Reference(self.kind, self.namespace, self.name)


def render_owner(owner: Owner) -> dict[str, Any]:
    """Return the reference to the controlling owner."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def render_owners(owner: Owner, beside: Sequence[OwnerReference]) -> list[dict[str, Any]]:
    """Return all owners of an object that is given to `owner` too: it controls the object unless another one does."""
    others = [other.model_dump(by_alias=True) for other in beside]
    return [*others, {**render_owner(owner), "controller": not any(other.controller for other in beside)}]


RUN = "borg-run"
"""What the pods of runs are called in their label `app.kubernetes.io/name`."""


def render_labels(subject: Reference, operation: Operation) -> dict[str, str]:
    """Return the labels of a Job and its pods. `subject`: the resource of ours that it is for."""
    return {
        labels.NAME: RUN,
        labels.MANAGED_BY: labels.MANAGER,
        labels.SUBJECTS[subject.kind]: subject.name,
        labels.OPERATION: operation.value,
    }

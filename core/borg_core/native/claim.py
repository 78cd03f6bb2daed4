"""A PersistentVolumeClaim: whether it exists, and what a copy of it has to be like."""

from typing import Any

from borg_core.kinds.parts.base import Metadata
from borg_core.quantity import parse_quantity
from borg_core.registry import Body, Kind

_PROVISIONERS = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
_IN_TREE = "kubernetes.io/"


class Claim(Metadata):
    """`size`: of its volume, as a quantity; empty while nobody knows."""

    size: str = ""
    storage_class: str = ""
    access_modes: tuple[str, ...] = ()
    volume: str = ""
    """The PersistentVolume that it has, empty while it has none."""
    driver: str = ""
    """The CSI driver that made its volume, or is to; empty where none did. Of such a claim there is no clone: one that
    asks for a clone gets any volume of the class that is free."""


def parse_claim(body: Body) -> Claim:
    """Return nothing of it that changes often: a namespace may have many, and each change is news to their users.

    By its annotations a claim says which restore made it.
    """
    metadata, spec = body["metadata"], body.get("spec", {})
    known = {key: metadata[key] for key in ("name", "namespace", "uid")}
    notes = metadata.get("annotations") or {}
    driver = next((notes[key] for key in _PROVISIONERS if notes.get(key)), "")
    return Claim(
        **known,
        annotations=notes,
        size=_size(spec, body.get("status", {})),
        storage_class=spec.get("storageClassName") or "",
        access_modes=tuple(spec.get("accessModes") or ()),
        volume=spec.get("volumeName") or "",
        driver="" if driver.startswith(_IN_TREE) else driver,
    )


def _size(spec: dict[str, Any], status: dict[str, Any]) -> str:
    """Return the larger of what it has and what it asks for: while it grows, its volume may have either."""
    found = (spec.get("resources", {}).get("requests", {}).get("storage"), status.get("capacity", {}).get("storage"))
    sizes = [(quantity, str(text)) for text in found if (quantity := parse_quantity(text)) is not None]
    return max(sizes, default=(0, ""))[1]


CLAIMS = Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims", parse_claim)

"""A PersistentVolumeClaim, as far as backups, copies and restores need it: there may be tens of thousands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any

from borg_core import labels
from borg_core.kinds.selectors.claim import ANY_CLAIM
from borg_core.native.copy import SNAPSHOTS
from borg_core.native.metadata import kept_once
from borg_core.quantity import parse_quantity
from borg_core.registry import Body, Kind, Reference

_NONE: dict[str, str] = {}
_PROVISIONERS = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
_IN_TREE = "kubernetes.io/"


@dataclass(frozen=True, slots=True)
class ObservedClaim:
    """Of what changes only what somebody goes by: each change is news to those who use it, or choose it by labels."""

    namespace: str
    name: str
    uid: str
    created: str
    """RFC 3339 in UTC."""
    labels: Mapping[str, str]
    phase: str = ""
    """Pending, Bound, Lost; empty where nobody has looked at it yet."""
    is_block: bool = False
    """Whether it is a device, which has no files."""
    deleting: bool = False
    ignored: bool = False
    """Whether it is not meant to be backed up: somebody says so, or it goes with a pod, as copies do."""
    restore_uid: str = ""
    """Which BorgRestore made it."""
    size: str = ""
    """Of its volume, as a quantity; empty while nobody knows."""
    storage_class: str = ""
    access_modes: tuple[str, ...] = ()
    snapshot: str = ""
    """The VolumeSnapshot of which it is made; empty of others."""
    volume: str = ""
    """The PersistentVolume that it has, empty while it has none."""
    driver: str = ""
    """The CSI driver that made its volume, or is to; empty where none did. Of such a claim there is no clone: one that
    asks for a clone gets any volume of the class that is free."""

    @property
    def defect(self) -> str:
        """Why no pod can read files in it, and that stays so; empty of others."""
        if self.phase == "Lost":
            return "has lost its volume"
        return "is a block device, which has no files" if self.is_block else ""


def parse_claim(body: Body) -> ObservedClaim:
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    marks, notes = metadata.get("labels") or _NONE, metadata.get("annotations") or _NONE
    driver = next((notes[key] for key in _PROVISIONERS if notes.get(key)), "")
    return ObservedClaim(
        namespace=intern(metadata["namespace"]),
        name=metadata["name"],
        uid=metadata["uid"],
        created=metadata.get("creationTimestamp") or "",
        labels={intern(key): intern(value) for key, value in marks.items()} if marks else _NONE,
        phase=intern(status.get("phase") or ""),
        is_block=spec.get("volumeMode") == "Block",
        deleting="deletionTimestamp" in metadata,
        ignored="true" in (marks.get(labels.IGNORE), notes.get(labels.IGNORE)) or _is_of_a_pod(metadata),
        restore_uid=notes.get(labels.RESTORE_UID, ""),
        size=intern(_size(spec, status)),
        storage_class=intern(spec.get("storageClassName") or ""),
        access_modes=kept_once(tuple(spec.get("accessModes") or ())),
        snapshot=origin["name"] if (origin := spec.get("dataSource") or {}).get("kind") == SNAPSHOTS.kind else "",
        volume=spec.get("volumeName") or "",
        driver="" if driver.startswith(_IN_TREE) else intern(driver),
    )


def _is_of_a_pod(metadata: Body) -> bool:
    """Tell whether it is a pod's ephemeral volume."""
    return any(owner.get("kind") == "Pod" for owner in metadata.get("ownerReferences") or ())


def _size(spec: dict[str, Any], status: dict[str, Any]) -> str:
    """Return the larger of what it has and what it asks for: while it grows, its volume may have either."""
    found = (spec.get("resources", {}).get("requests", {}).get("storage"), status.get("capacity", {}).get("storage"))
    sizes = [(quantity, str(text)) for text in found if (quantity := parse_quantity(text)) is not None]
    return max(sizes, default=(0, ""))[1]


IN_NAMESPACE = "in namespace"
"""Index of claims: all of a namespace."""


@lru_cache(maxsize=4096)
def _any_of(namespace: str) -> tuple[Reference, ...]:
    """Return what stands for any claim of the namespace: whoever chooses by labels is concerned by each."""
    return (Reference("PersistentVolumeClaim", namespace, ANY_CLAIM),)


def _groups(_: ObservedClaim) -> Iterator[tuple[str, str]]:
    yield IN_NAMESPACE, ""


CLAIMS = Kind(
    "PersistentVolumeClaim",
    "",
    "v1",
    "persistentvolumeclaims",
    parse_claim,
    groups=_groups,
    affects=lambda claim: _any_of(claim.namespace),
)

"""What Kubernetes has of a copy: the volume in a pod that is made for it alone, and the VolumeSnapshot behind some.

Snapshots are asked for, not watched: few schedules need them, and few clusters have them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from borg_core import labels
from borg_core.formats import parse_time
from borg_core.native.metadata import time_of
from borg_core.registry import Body, Reference, ResourceType

SNAPSHOTS = ResourceType("VolumeSnapshot", "snapshot.storage.k8s.io", "v1", "volumesnapshots")

SOURCE_PROTECTION = "provisioner.storage.kubernetes.io/volumesnapshot-as-source-protection"
"""The finalizer that external-provisioner sets when it begins to make a volume from a snapshot, and takes away when it
has made it. Where it cannot, the finalizer stays: until the provisioner looks for such, every five minutes at best."""


@dataclass(frozen=True)
class CopyVolume:
    """`volume`: its name in the pod; `claim`: of which it is a copy; `snapshot`: from which, empty of a clone.

    `size`: how large it is to be, as a quantity.
    """

    volume: str
    claim: str
    snapshot: str = ""
    size: str = ""

    def name_claim(self, pod: str) -> str:
        """Return the name that Kubernetes gives to the claim which holds the pod's copy."""
        return f"{pod}-{self.volume}"


def find_copies(pod_spec: dict[str, Any]) -> tuple[CopyVolume, ...]:
    """Return the copies among the volumes of a pod."""
    found = []
    for volume in pod_spec.get("volumes") or ():
        template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}
        claim = ((template.get("metadata") or {}).get("annotations") or {}).get(labels.COPY_OF)
        if claim:
            spec = template.get("spec", {})
            origin = spec.get("dataSource") or {}
            name = origin.get("name", "") if origin.get("kind") == SNAPSHOTS.kind else ""
            size = str(spec.get("resources", {}).get("requests", {}).get("storage", ""))
            found.append(CopyVolume(volume["name"], claim, name, size))
    return tuple(found)


@dataclass(frozen=True)
class ObservedSnapshot:
    """`job_uid`: of the Job that it was taken for; `error`: the driver's words, empty while there are none.

    `is_taken_up`: a snapshot controller has seen it; `finalizers`: for whom it stays once somebody deletes it.
    """

    namespace: str
    name: str
    uid: str
    job_uid: str
    created: datetime
    is_ready: bool = False
    error: str = ""
    is_taken_up: bool = True
    deleting_since: datetime | None = None
    finalizers: tuple[str, ...] = ()
    version: str = ""

    @property
    def deleting(self) -> bool:
        return self.deleting_since is not None

    @property
    def reference(self) -> Reference:
        return Reference(SNAPSHOTS.kind, self.namespace, self.name)


def parse_snapshot(body: Body) -> ObservedSnapshot:
    metadata, status = body["metadata"], body.get("status") or {}
    owners: list[dict[str, Any]] = metadata.get("ownerReferences") or []
    return ObservedSnapshot(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        job_uid=next((owner["uid"] for owner in owners if owner.get("kind") == "Job"), ""),
        created=parse_time(metadata["creationTimestamp"]),
        is_ready=bool(status.get("readyToUse")),
        error=" ".join(((status.get("error") or {}).get("message") or "").split()),
        is_taken_up=bool(status or metadata.get("finalizers")),
        deleting_since=time_of(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers") or ()),
        version=metadata.get("resourceVersion", ""),
    )

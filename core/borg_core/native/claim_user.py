"""A pod that mounts a claim, and the workload behind it that could be scaled down."""

from dataclasses import dataclass
from typing import Any

from borg_core import labels
from borg_core.native.metadata import controller_of, subject_of
from borg_core.registry import Body, Reference, ResourceType

DEPLOYMENTS = ResourceType("Deployment", "apps", "v1", "deployments")
REPLICA_SETS = ResourceType("ReplicaSet", "apps", "v1", "replicasets")
STATEFUL_SETS = ResourceType("StatefulSet", "apps", "v1", "statefulsets")

SCALABLE = {kind.kind: kind for kind in (DEPLOYMENTS, STATEFUL_SETS)}
"""What is scaled down for a restore, by its kind."""


@dataclass(frozen=True)
class ScalableWorkload:
    """A Deployment or StatefulSet, and how many replicas it is to have."""

    kind: str
    name: str
    uid: str
    replicas: int


@dataclass(frozen=True)
class ClaimUser:
    """`writes`: whether it could write to the claim; `subject`: for whom it works, of a pod of this operator."""

    pod: str
    node: str
    writes: bool
    subject: Reference | None
    controller: tuple[str, str, str] | None
    """Kind, name and uid of what made the pod."""
    workload: ScalableWorkload | None = None


def parse_claim_user(body: Body, claim_name: str) -> ClaimUser | None:
    """Return how the pod uses the claim, None where it does not, or has ended."""
    metadata, spec = body["metadata"], body.get("spec", {})
    if body.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return None
    volumes = {
        volume["name"]: bool(volume["persistentVolumeClaim"].get("readOnly"))
        for volume in spec.get("volumes") or ()
        if volume.get("persistentVolumeClaim", {}).get("claimName") == claim_name
    }
    if not volumes:
        return None
    owner = controller_of(metadata)
    ours = metadata.get("labels", {}).get(labels.MANAGED_BY) == labels.MANAGER
    return ClaimUser(
        pod=metadata["name"],
        node=spec.get("nodeName", ""),
        writes=any(_writes(container, volumes) for container in _containers(spec)),
        subject=subject_of(metadata) if ours else None,
        controller=(owner["kind"], owner["name"], owner["uid"]) if owner else None,
    )


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [container for kind in kinds for container in spec.get(kind) or ()]


def _writes(container: dict[str, Any], volumes: dict[str, bool]) -> bool:
    """Tell whether the container has one of the volumes, by name with whether it is read-only, where it may write."""
    mounts = [*(container.get("volumeMounts") or ()), *(container.get("volumeDevices") or ())]
    return any(volumes.get(mount["name"]) is False and not mount.get("readOnly") for mount in mounts)

"""Who uses a claim that is restored into: pods of whomever, and the workloads that make them. Asked, not watched.

Only restores need to know it, for as long as they are about to begin; to watch all pods of a cluster would cost memory
for each of them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from borg_cluster.client import ApiServer
from borg_core.kinds.restore_status import ScaledWorkload
from borg_core.native.claim_user import REPLICA_SETS, SCALABLE, ClaimUser, ScalableWorkload, parse_claim_user
from borg_core.native.metadata import controller_of
from borg_core.native.pod import PODS

_SCALE = "scale"


async def fetch_users(api: ApiServer, namespace: str, claim: str) -> tuple[ClaimUser, ...]:
    """Return the pods that use the claim, each with what could be scaled down. Raises ApiError."""
    bodies = await api.list_labelled(PODS, namespace, "")
    users = [user for body in bodies if (user := parse_claim_user(body, claim))]
    made_by = list(dict.fromkeys(user.controller for user in users if user.controller and user.subject is None))
    workloads = await asyncio.gather(*(_find_workload(api, namespace, *controller) for controller in made_by))
    found = dict(zip(made_by, workloads, strict=True))
    return tuple(replace(user, workload=found.get(user.controller) if user.controller else None) for user in users)


async def fetch_scaled(
    api: ApiServer, namespace: str, recorded: Sequence[ScaledWorkload]
) -> tuple[ScalableWorkload, ...]:
    """Return the workloads as they are now; those that are gone, or made anew, are left out. Raises ApiError."""
    found = await asyncio.gather(*(_fetch_workload(api, namespace, item.kind, item.name) for item in recorded))
    known = {item.uid for item in recorded}
    return tuple(workload for workload in found if workload and workload.uid in known)


async def _find_workload(api: ApiServer, namespace: str, kind: str, name: str, uid: str) -> ScalableWorkload | None:
    """Return what is to be scaled to make the pods of a controller go, None where nothing is."""
    if kind == REPLICA_SETS.kind:
        body = await api.get(REPLICA_SETS, namespace, name)
        owner = controller_of(body["metadata"]) if body and body["metadata"]["uid"] == uid else {}
        kind, name, uid = owner.get("kind", ""), owner.get("name", ""), owner.get("uid", "")
    workload = await _fetch_workload(api, namespace, kind, name)
    return workload if workload and workload.uid == uid else None


async def _fetch_workload(api: ApiServer, namespace: str, kind: str, name: str) -> ScalableWorkload | None:
    """Return the workload by its scale, which is all of it that this operator may read."""
    if kind not in SCALABLE:
        return None
    body: dict[str, Any] | None = await api.get(SCALABLE[kind], namespace, name, _SCALE)
    if body is None:
        return None
    return ScalableWorkload(kind, name, body["metadata"]["uid"], body.get("spec", {}).get("replicas") or 0)

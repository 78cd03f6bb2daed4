"""Whether the holder of a lock is dead: only the kubelet of its node knows.

A pod that is gone is no dead process: it may have been deleted by force, or with its Node object, while the node, cut
off, works on. So what counts is that the kubelet has said that the container has ended. Where the pod is gone and
nobody remembers what was said, its node is looked at, which the lock names by a digest: a kubelet that is in touch with
the API server ends what that does not list. Or somebody has said to Kubernetes that the machine is off.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from borg_cluster.client import ApiServer
from borg_cluster.errors import Forbidden
from borg_contract.pod import LockHolder, SessionHolder, derive_place, parse_lock_holder, parse_session_holder
from borg_core import labels
from borg_core.formats import parse_time
from borg_core.kinds.session import SESSIONS
from borg_core.native.metadata import holds
from borg_core.native.pod import JOB, PODS, SESSION, ObservedPod, parse_pod
from borg_core.registry import ResourceType
from borg_core.runs.world import Doubt
from borg_operator.store import Store

logger = logging.getLogger(__name__)

NODES = ResourceType("Node", "", "v1", "nodes")

PATIENCE = timedelta(seconds=180)
"""How long the pod must be gone, and its node be in touch: longer than the kubelet takes to end a pod in order, and
than the cluster takes to notice that a node is cut off."""


OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
"""Kubernetes' own taint by which a person, or what fences machines, says that a node is off, and stays off until the
taint is taken away: it then deletes the node's pods and detaches their volumes."""

_SOON = Doubt(
    "Its pod is gone: if its node is in touch with the cluster, the lock is removed within some minutes", passes=True
)
_NO_NODE = Doubt(
    "Its pod is gone, and so is the Node of its machine (a spot machine that was taken away, say): nothing in the "
    "cluster can tell whether that machine still runs. Make sure that it is off or deleted",
    needs_a_person=True,
)


_Holder = LockHolder | SessionHolder


class Prover:
    """Reads only. `cluster`: which cluster this is, as locks have it."""

    def __init__(
        self,
        store: Store,
        api: ApiServer,
        cluster: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._api = api
        self._cluster = cluster
        self._clock = clock
        self._gone: dict[str, tuple[frozenset[str], datetime]] = {}
        """By holder: which of its pods are gone, and since when that is known."""
        self.doubts: dict[str, Doubt] = {}
        """What kept holders that were asked for from being proven dead, by holder."""

    async def is_dead(self, holder: str) -> bool:
        """Tell whether it is proven that the holder of a lock can write no more. Raises ApiError."""
        doubt = await self._find_doubt(holder)
        if doubt is None:
            self.doubts.pop(holder, None)
        else:
            self.doubts[holder] = doubt
        return doubt is None

    async def _find_doubt(self, holder: str) -> Doubt | None:
        """Return why the holder may still write, None when it is proven that it cannot."""
        parsed = parse_lock_holder(holder) or parse_session_holder(holder)
        if parsed is None or not parsed.place:
            return Doubt("It is not known where its pod was", needs_a_person=True)
        label, _, uid = _found_by(parsed)
        try:
            bodies = await self._api.list_labelled(PODS, parsed.namespace, f"{label}={uid}")
        except Forbidden:
            return Doubt("This operator may not look at pods of that namespace", needs_a_person=True)
        if pods := self._in_place(parsed, [parse_pod(body) for body in bodies]):
            self._gone.pop(holder, None)
            alive = next((pod for pod in pods if not pod.stopped), None)
            return await self._doubt_of(alive) if alive else None
        return await self._doubt_of_gone(holder, parsed)

    async def _doubt_of_gone(self, holder: str, parsed: _Holder) -> Doubt | None:
        index = self._store.index(PODS)
        _, grouping, uid = _found_by(parsed)
        last = self._in_place(parsed, index.grouped(grouping, parsed.namespace, uid, deleted=True))
        if last and all(pod.stopped for pod in last):
            return None
        if not self._cluster:
            # Nodes of another cluster may have the names of ours.
            return Doubt("Its pod is gone, and its node is not looked at without a clusterName", needs_a_person=True)
        now = self._clock()
        if now - self._gone_since(holder, last, now) < PATIENCE:
            return _SOON
        return await self._doubt_of_place(parsed.place, now)

    def _gone_since(self, holder: str, last: list[ObservedPod], now: datetime) -> datetime:
        """Return since when no pod was there: also one that was made and went again between two looks."""
        seen = frozenset(pod.uid for pod in last)
        known, since = self._gone.get(holder, (seen, now))
        since = since if seen <= known else now
        self._gone[holder] = (known | seen, since)
        return since

    def _in_place(self, holder: _Holder, pods: list[ObservedPod]) -> list[ObservedPod]:
        return [pod for pod in pods if derive_place(self._cluster, pod.node) == holder.place]

    async def _doubt_of(self, pod: ObservedPod) -> Doubt:
        """Return what there is to say of a pod whose container has not ended, as far as the kubelet has said."""
        if not pod.deleting and pod.subject and pod.session_uid:
            return Doubt(
                f'Somebody looks into archives ({SESSIONS.kind} "{pod.subject.name}"), who is asked to make way'
            )
        if not pod.deleting:
            return Doubt(f"Its pod {pod.name} has not ended")
        try:
            node = await self._fetch_node(pod.node)
        except Forbidden:
            return Doubt(f"Its pod {pod.name} is to end, and node {pod.node} has not said that it has")
        if node is not None and _ready_since(node) is not None:
            return Doubt(f"Its pod {pod.name} is being ended on node {pod.node}")
        return _of_silent_node(pod.node)

    async def _doubt_of_place(self, place: str, now: datetime) -> Doubt | None:
        """Return why the node there does not prove that a pod is dead that has been gone for long enough."""
        try:
            name = await self._find_node(place)
            node = await self._fetch_node(name) if name else None
        except Forbidden:
            logger.info("who holds a lock cannot be proven dead: no right to look at nodes")
            return Doubt("Its pod is gone, and this operator may not look at nodes", needs_a_person=True)
        if name is None or node is None:
            return _NO_NODE
        since = _ready_since(node)
        if since is None:
            return None if _is_out_of_service(node) else _of_silent_node(name)
        return None if now - since >= PATIENCE else _SOON

    async def _fetch_node(self, name: str) -> dict[str, Any] | None:
        return await self._api.get(NODES, "", name)

    async def _find_node(self, place: str) -> str | None:
        token = ""
        while True:
            page = await self._api.list_page(NODES, None, token, metadata_only=True)
            for item in page["items"]:
                name: str = item["metadata"]["name"]
                if derive_place(self._cluster, name) == place:
                    return name
            token = page["metadata"].get("continue", "")
            if not token:
                return None


def _found_by(holder: _Holder) -> tuple[str, str, str]:
    """Return by which label, and in which index, the holder's pods are found, and by which uid."""
    if isinstance(holder, SessionHolder):
        return labels.SESSION_UID, SESSION, holder.uid
    return labels.CONTROLLER_UID, JOB, holder.job_uid


def _ready_since(node: dict[str, Any]) -> datetime | None:
    """Return since when the node's kubelet has been in touch with the API server, None where it is not."""
    conditions: list[dict[str, Any]] = node["status"].get("conditions", [])
    ready = next((condition for condition in conditions if condition["type"] == "Ready"), None)
    return parse_time(ready["lastTransitionTime"]) if ready and holds(ready) else None


def _is_out_of_service(node: dict[str, Any]) -> bool:
    return any(taint["key"] == OUT_OF_SERVICE for taint in node.get("spec", {}).get("taints", []))


def _of_silent_node(name: str) -> Doubt:
    text = (
        f"Its node {name} is not in touch with the cluster. If the machine is off for certain, "
        f"`kubectl taint nodes {name} {OUT_OF_SERVICE}=nodeshutdown:NoExecute` says so to Kubernetes, and the lock is "
        "removed a few minutes later. Otherwise"
    )
    return Doubt(text, needs_a_person=True)

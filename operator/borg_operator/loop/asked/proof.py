"""Whether the holder of a lock is dead: only the kubelet of its node knows.

A pod that is gone is no dead process: it may have been deleted by force, or with its Node object, while the node, cut
off, works on. So what counts is that the kubelet has said that the container has ended. Where the pod is gone and
nobody remembers what was said, its node is looked at, which the lock names by a digest: a kubelet that is in touch with
the API server ends what that does not list. Or somebody has said to Kubernetes that the machine is off.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from borg_cluster.client import ApiServer
from borg_cluster.errors import Forbidden
from borg_contract.pod import LockHolder, SessionHolder, digest_node, parse_lock_holder, parse_session_holder
from borg_core import labels
from borg_core.kinds.session import SESSIONS
from borg_core.native.metadata import holds
from borg_core.native.pod import JOB, PODS, SESSION, ObservedPod, parse_pod
from borg_core.registry import ResourceType
from borg_core.runs.world import Doubt
from borg_operator.store import Store

logger = logging.getLogger(__name__)

NODES = ResourceType("Node", "", "v1", "nodes")

PATIENCE_SECONDS = 180.0
"""For so long this process must have seen the pod gone, and its node in touch without a break: longer than the kubelet
takes to end a pod in order, and than the cluster takes to notice that a node is cut off."""

MEMORY_SECONDS = 3600.0
"""For so long a holder is remembered that nobody asks for: all who want to know ask every few minutes."""

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


@dataclass(frozen=True)
class _Sight:
    """What is seen of a holder whose pod is gone. `since`: in seconds of no clock that could be set."""

    gone: frozenset[str]
    """The uids of its pods that are gone."""
    ready: str
    """Since when its node is in touch, as Kubernetes has it; empty where it is not, or there is none."""
    since: float


class Prover:
    """Reads only. `cluster`: which cluster this is, as locks have it."""

    def __init__(
        self,
        store: Store,
        api: ApiServer,
        cluster: str,
        count: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._api = api
        self._cluster = cluster
        self._count = count
        self._seen: dict[str, _Sight] = {}
        """By holder."""
        self.doubts: dict[str, Doubt] = {}
        """What kept holders that were asked for from being proven dead, by holder."""
        self._asked: dict[str, float] = {}
        """When each was asked for last, the one of the longest ago first."""

    async def is_dead(self, holder: str) -> bool:
        """Tell whether it is proven that the holder of a lock can write no more. Raises ApiError."""
        self._remember(holder)
        doubt = await self._find_doubt(holder)
        if doubt is None:
            self.doubts.pop(holder, None)
        else:
            self.doubts[holder] = doubt
        return doubt is None

    def _remember(self, holder: str) -> None:
        """Take down that it is asked for, and forget those that are asked for no more."""
        self._asked.pop(holder, None)
        self._asked[holder] = self._count()
        old = takewhile(lambda item: item[1] <= self._asked[holder] - MEMORY_SECONDS, self._asked.items())
        for forgotten, _ in list(old):
            for memory in (self._asked, self._seen, self.doubts):
                memory.pop(forgotten, None)

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
            self._seen.pop(holder, None)
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
        try:
            name = await self._find_node(parsed.place)
            node = await self._fetch_node(name) if name else None
        except Forbidden:
            logger.info("who holds a lock cannot be proven dead: no right to look at nodes")
            return Doubt("Its pod is gone, and this operator may not look at nodes", needs_a_person=True)
        ready = _ready_since(node) if node else ""
        if self._count() - self._seen_since(holder, last, ready) < PATIENCE_SECONDS:
            return _SOON
        if name is None or node is None:
            return _NO_NODE
        return None if ready or _is_out_of_service(node) else _of_silent_node(name)

    def _seen_since(self, holder: str, last: list[ObservedPod], ready: str) -> float:
        """Return since when it is seen as now. A pod that was made and went again between two looks counts too."""
        gone, now = frozenset(pod.uid for pod in last), self._count()
        known = self._seen.get(holder, _Sight(gone, ready, now))
        since = known.since if gone <= known.gone and ready == known.ready else now
        self._seen[holder] = _Sight(known.gone | gone, ready, since)
        return since

    def _in_place(self, holder: _Holder, pods: list[ObservedPod]) -> list[ObservedPod]:
        return [pod for pod in pods if digest_node(self._cluster, pod.node) == holder.place]

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
        if node is not None and _ready_since(node):
            return Doubt(f"Its pod {pod.name} is being ended on node {pod.node}")
        return _of_silent_node(pod.node)

    async def _fetch_node(self, name: str) -> dict[str, Any] | None:
        return await self._api.get(NODES, "", name)

    async def _find_node(self, place: str) -> str | None:
        token = ""
        while True:
            page = await self._api.list_page(NODES, None, token, metadata_only=True)
            for item in page["items"]:
                name: str = item["metadata"]["name"]
                if digest_node(self._cluster, name) == place:
                    return name
            token = page["metadata"].get("continue", "")
            if not token:
                return None


def _found_by(holder: _Holder) -> tuple[str, str, str]:
    """Return by which label, and in which index, the holder's pods are found, and by which uid."""
    if isinstance(holder, SessionHolder):
        return labels.SESSION_UID, SESSION, holder.uid
    return labels.CONTROLLER_UID, JOB, holder.job_uid


def _ready_since(node: dict[str, Any]) -> str:
    """Return since when the node's kubelet is in touch with the API server, empty where it is not."""
    conditions: list[dict[str, Any]] = node["status"].get("conditions", [])
    ready = next((condition for condition in conditions if condition["type"] == "Ready" and holds(condition)), {})
    return str(ready.get("lastTransitionTime", ""))


def _is_out_of_service(node: dict[str, Any]) -> bool:
    return any(taint["key"] == OUT_OF_SERVICE for taint in node.get("spec", {}).get("taints", []))


def _of_silent_node(name: str) -> Doubt:
    text = (
        f"Its node {name} is not in touch with the cluster. If the machine is off for certain, "
        f"`kubectl taint nodes {name} {OUT_OF_SERVICE}=nodeshutdown:NoExecute` says so to Kubernetes, and the lock is "
        "removed a few minutes later. Otherwise"
    )
    return Doubt(text, needs_a_person=True)

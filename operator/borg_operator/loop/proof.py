"""Whether the holder of a lock is dead: only the kubelet of its node knows.

A pod that is gone is no dead process: it may have been deleted by force, or with its Node object, while the node, cut
off, works on. So what counts is that the kubelet has said that the container has ended. Where the pod is gone and
nobody remembers what was said, its node is looked at, which the lock names by a digest: a kubelet that is in touch with
the API server ends what that does not list.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from borg_cluster.client import ApiServer
from borg_cluster.errors import Forbidden
from borg_contract.pod import LockHolder, derive_place, parse_lock_holder
from borg_core import labels
from borg_core.formats import parse_time
from borg_core.native.metadata import holds
from borg_core.native.pod import JOB, PODS, ObservedPod, parse_pod
from borg_core.registry import ResourceType
from borg_operator.store import Store

logger = logging.getLogger(__name__)

NODES = ResourceType("Node", "", "v1", "nodes")

PATIENCE = timedelta(seconds=180)
"""How long the pod must be gone, and its node be in touch: longer than the kubelet takes to end a pod in order, and
than the cluster takes to notice that a node is cut off."""


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

    async def is_dead(self, holder: str) -> bool:
        """Tell whether it is proven that the holder of a lock can write no more. Raises ApiError."""
        parsed = parse_lock_holder(holder)
        if parsed is None or not parsed.place:
            return False
        selector = f"{labels.CONTROLLER_UID}={parsed.job_uid}"
        try:
            bodies = await self._api.list_labelled(PODS, parsed.namespace, selector)
        except Forbidden:
            return False  # a namespace that is not ours to look at
        if pods := self._in_place(parsed, [parse_pod(body) for body in bodies]):
            self._gone.pop(holder, None)
            return all(pod.stopped for pod in pods)
        index = self._store.index(PODS)
        last = self._in_place(parsed, index.grouped(JOB, parsed.namespace, parsed.job_uid, deleted=True))
        if last and all(pod.stopped for pod in last):
            return True
        if not self._cluster:
            return False  # nodes of another cluster may have the names of ours
        now = self._clock()
        return now - self._gone_since(holder, last, now) >= PATIENCE and await self._is_in_touch(parsed.place, now)

    def _gone_since(self, holder: str, last: list[ObservedPod], now: datetime) -> datetime:
        """Return since when no pod was there: also one that was made and went again between two looks."""
        seen = frozenset(pod.uid for pod in last)
        known, since = self._gone.get(holder, (seen, now))
        since = since if seen <= known else now
        self._gone[holder] = (known | seen, since)
        return since

    def _in_place(self, holder: LockHolder, pods: list[ObservedPod]) -> list[ObservedPod]:
        return [pod for pod in pods if derive_place(self._cluster, pod.node) == holder.place]

    async def _is_in_touch(self, place: str, now: datetime) -> bool:
        """Tell whether there is that node, and its kubelet has been in touch for long enough."""
        try:
            name = await self._find_node(place)
            body = await self._api.get(NODES, "", name) if name else None
        except Forbidden:
            logger.info("who holds a lock cannot be proven dead: no right to look at nodes")
            return False
        conditions: list[dict[str, Any]] = body["status"].get("conditions", []) if body else []
        ready = next((condition for condition in conditions if condition["type"] == "Ready"), None)
        return ready is not None and holds(ready) and now - parse_time(ready["lastTransitionTime"]) >= PATIENCE

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

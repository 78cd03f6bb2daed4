"""Where the operator meets a bad API server: a namespace whose pods a node plays, and all that is seen there."""

import asyncio
import gc
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import Any

import pytest

from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError, Expired
from borg_cluster.transport import Request
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES
from borg_core.native.claim import CLAIMS
from borg_core.native.cron_job import CRON_JOBS
from borg_core.native.job import JOBS
from borg_core.native.pod import PODS
from borg_core.native.unwatched import EVENTS
from borg_core.registry import ResourceType, watched_kinds
from integration import resources
from support import process
from support.control_plane import ControlPlane
from support.node import ApiNode
from support.proxy import Proxy

Object = dict[str, Any]

NAMESPACES = ResourceType("Namespace", "", "v1", "namespaces")
WATCHED: tuple[ResourceType, ...] = (PODS, JOBS, RUNS, SCHEDULES, CRON_JOBS, EVENTS)
_QUIET_SECONDS = 4.0
_CLOSING_SECONDS = 0.3
"""So long TLS takes to end connections, of which aiohttp does not tell."""


@dataclass
class Stage:
    """`seen`: by kind, every event since the beginning, as the API server itself tells of it, and when (`at`)."""

    plane: ControlPlane
    api: ApiServer
    namespace: str
    node: ApiNode
    proxy: Proxy
    operator: process.Process
    seen: dict[str, list[Object]] = field(default_factory=lambda: {kind.kind: [] for kind in WATCHED})

    async def create(self, kind: ResourceType, manifest: Object) -> Object:
        metadata = {**manifest["metadata"], "namespace": self.namespace}
        return await self.api.create(kind, {**manifest, "metadata": metadata})

    async def get(self, kind: ResourceType, name: str) -> Object:
        return await self.api.get(kind, self.namespace, name) or {}

    async def edit(self, kind: ResourceType, name: str, patch: Object, subresource: str | None = None) -> None:
        await self.api.merge(kind, self.namespace, name, patch, subresource)

    async def delete(self, kind: ResourceType, name: str) -> None:
        if found := await self.get(kind, name):
            await self.api.delete(kind, self.namespace, name, found["metadata"]["uid"])

    async def all_of(self, kind: ResourceType) -> list[Object]:
        return await self.api.list_labelled(kind, self.namespace, "")

    async def prepare(self, *schedules: str, **spec: Any) -> None:
        """Make the repository `main` and schedules on it."""
        for claim in resources.claims():
            await self.create(CLAIMS, claim)
        await self.create(REPOSITORIES, resources.repository())
        for name in schedules:
            await self.create(SCHEDULES, resources.schedule(name, **spec))

    async def until(self, look: Callable[[], Awaitable[Any]], what: str, within: float = 60) -> Any:
        """Return what `look` finds as soon as that is true. Fails the test when late."""
        deadline = time.monotonic() + within
        while not (found := await look()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {within} s: {what}\n{self.operator.said()[-6000:]}")
            await asyncio.sleep(0.2)
        return found

    async def settle(self, within: float = 60) -> None:
        """Return when every run is finished, no pod is at work and the operator has written nothing for a while."""

        async def is_quiet() -> bool:
            runs, jobs = await self.all_of(RUNS), await self.all_of(JOBS)
            ended = all(run.get("status", {}).get("completionTime") for run in runs)
            recorded = {note for run in runs if (note := run.get("status", {}).get("jobUid"))}
            jobs_recorded = all(job["metadata"]["uid"] in recorded for job in jobs)
            last = max((call.at for call in self.proxy.writes), default=0.0)
            looks_since = self.seen_all_since()
            if looks_since is None:
                return False
            return ended and jobs_recorded and time.time() - max(last, looks_since) > _QUIET_SECONDS

        await self.until(is_quiet, "all has come to its end", within)

    def seen_all_since(self) -> float | None:
        """Return when the operator's present life had begun to watch all kinds, 0 where there is none to wait for.

        None: it has not yet. Only then does that it writes nothing mean that there is nothing to write.
        """
        if self.operator.began is None:
            return 0.0
        since = max(self.operator.began, self.proxy.cut_at)
        watches = [call for call in self.proxy.calls if call.watches and call.done == HTTPStatus.OK and call.at > since]
        firsts = [
            min((call.at for call in watches if call.path.endswith(f"/{kind.plural}")), default=None)
            for kind in watched_kinds()
        ]
        return None if None in firsts else max(first for first in firsts if first is not None)

    async def follow(self, kind: ResourceType) -> None:
        """Record every event of the kind, for ever. After a version that is too old: what came of those in between."""
        version, alive = "", dict[str, Object]()
        while True:
            try:
                if not version:
                    page = await self.api.list_page(kind, self.namespace)
                    listed = {item["metadata"]["uid"]: item for item in page["items"]}
                    gone = [{"type": "DELETED", "object": alive[uid]} for uid in alive if uid not in listed]
                    came = [
                        {"type": "MODIFIED" if uid in alive else "ADDED", "object": item}
                        for uid, item in listed.items()
                    ]
                    self.seen[kind.kind] += [{**event, "at": time.time()} for event in (*gone, *came)]
                    version, alive = page["metadata"]["resourceVersion"], listed
                async with self.api.watch(kind, self.namespace, version) as events:
                    async for event in events:
                        found = event["object"]
                        version = found["metadata"]["resourceVersion"]
                        if event["type"] == "BOOKMARK":
                            continue
                        self.seen[kind.kind].append({**event, "at": time.time()})
                        alive[found["metadata"]["uid"]] = found
                        if event["type"] == "DELETED":
                            del alive[found["metadata"]["uid"]]
            except Expired:
                version = ""
            except ApiError:  # the API server is away
                pass
            await asyncio.sleep(0.05)


@asynccontextmanager
async def staged(plane: ControlPlane, seed: int, *, failing: float = 0.0, operate: bool = True) -> AsyncIterator[Stage]:
    """Give a namespace, where asked with the operator at work behind a proxy that is well, and end all of it."""
    random = Random(seed)
    api = await plane.connect()
    namespace = f"stage-{secrets.token_hex(3)}"
    proxy = Proxy(plane.server, plane.trust, random=random)
    async with proxy.serving():
        kubeconfig = plane.kubeconfig_for(proxy.url, namespace)
        operator = process.operator(kubeconfig, plane.folder, NAMESPACES=namespace, CLUSTER_NAME="test")
        operator.log = plane.folder / f"{namespace}.log"
        await api.create(NAMESPACES, {"metadata": {"name": namespace}})
        node = ApiNode(api, namespace, random, failing=failing)
        stage = Stage(plane, api, namespace, node, proxy, operator)
        await stage.until(
            lambda: api.get(ResourceType("", "", "v1", "serviceaccounts"), namespace, "default"), "account"
        )
        if operate:
            operator.begin()
        work = [node.run(), operator.keep(), *(stage.follow(kind) for kind in WATCHED)]
        tasks = [asyncio.create_task(each) for each in work]
        try:
            yield stage
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            operator.stop()
            # Or the controllers would go on with its ticks.
            await api._transport.exchange(_deletion(namespace))
            await api.close()
    await asyncio.sleep(_CLOSING_SECONDS)
    gc.collect()


def _deletion(namespace: str) -> Request:
    return Request("DELETE", NAMESPACES.path(None, namespace))

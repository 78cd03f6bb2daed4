"""How fast the operator turns schedules into CronJobs, beside what the API server itself can do on this machine.

Usage: python tests/bench/operator_throughput.py [number of schedules]      (a cluster of `make up`, with kubectl)

Prints seconds, always with 8 connections: creating that many small CronJobs by plain POST; sending the requests for
that many schedules with a look before each write, server-side apply and an Event, as it was done once; and then in
turn, three times, since an API server is not as fast at one time as at another: sending the very requests that the
operator and its user send, with the operator away, which is the ceiling; and, with the operator deployed in the
cluster, from the first POST of a schedule until the last one is Ready with its CronJob.
"""

import asyncio
import secrets
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from borg_cluster.client import ApiServer
from borg_cluster.connection import connect
from borg_cluster.transport import Request
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.schedule import SCHEDULES
from borg_core.native.claim import CLAIMS
from borg_core.native.cron_job import CRON_JOBS
from borg_core.native.unwatched import EVENTS
from borg_core.registry import ResourceType
from integration import resources
from support import cluster

NAMESPACES = ResourceType("Namespace", "", "v1", "namespaces")
CONNECTIONS = 8
OPERATOR = ("--namespace", "borg-system", "deployment/borg-operator")
PODS = ("--namespace", "borg-system", "--selector=app.kubernetes.io/component=operator")

_PAUSE_SECONDS = 0.1
_ROUNDS = 3

Object = dict[str, Any]


async def main(count: int) -> None:
    """Run all measurements, each in a namespace of its own."""
    api = ApiServer(await connect(CONNECTIONS))
    try:
        async with fresh_namespace(api) as namespace:
            plain = [_cron_job(namespace, f"plain-{number:05}") for number in range(count)]
            seconds = await _at_once(lambda manifest: api.create(CRON_JOBS, manifest), plain)
            print(f"{count} small CronJobs by POST: {seconds:.2f} s")
        looking = await by_hand(api, _LookingSender, count)
        print(f"{count} schedules, by look, apply and Event: {looking:.2f} s")
        times = [(await by_hand(api, _Sender, count), *await by_operator_anew(api, count)) for _ in range(_ROUNDS)]
        for requests, created, ready in times:
            print(f"{count} schedules, their requests sent by hand: {requests:.2f} s")
            print(f"{count} schedules created in {created:.2f} s, all Ready with their CronJobs after {ready:.2f} s")
        requests, _, ready = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"medians: {ready:.2f} s, {ready / requests:.2f} times the {requests:.2f} s of the requests alone")
    finally:
        await api.close()


@dataclass
class _Sender:
    """Sends what the operator and its user send for a schedule: it is created, then its CronJob and its status."""

    api: ApiServer
    namespace: str
    cron_job: Object
    status: Object

    @classmethod
    async def like_the_operator(cls, api: ApiServer, namespace: str) -> Self:
        """Return a sender of what the operator has just made of one schedule."""
        await api.create(SCHEDULES, _in(namespace, resources.schedule("model")))
        [model] = await _ready(api, namespace, 1)
        cron_job = await api.get(CRON_JOBS, namespace, "model")
        assert cron_job is not None
        return cls(api, namespace, cron_job, {"status": model["status"]})

    async def send(self, name: str) -> None:
        """Send the requests for a schedule of that name."""
        await self.api.create(SCHEDULES, _in(self.namespace, resources.schedule(name)))
        await self.api.create(CRON_JOBS, self._named(name))
        await self.api.merge(SCHEDULES, self.namespace, name, self.status, "status")

    def _named(self, name: str) -> Object:
        return _again(self.cron_job, {"name": name, "labels": self.cron_job["metadata"]["labels"]})


class _LookingSender(_Sender):
    """Sends five requests for a schedule, as the operator did before it created CronJobs by POST."""

    async def send(self, name: str) -> None:
        """Send the requests for a schedule of that name."""
        await self.api.create(SCHEDULES, _in(self.namespace, resources.schedule(name)))
        assert await self.api.get(CRON_JOBS, self.namespace, name) is None
        apply = (("fieldManager", "bench"), ("force", "true"))
        path = CRON_JOBS.path(self.namespace, name)
        request = Request("PATCH", path, apply, self._named(name), "application/apply-patch+yaml")
        await self.api._transport.exchange(request)
        await self.api.merge(SCHEDULES, self.namespace, name, self.status, "status")
        await self.api.create(EVENTS, _event(self.namespace, name))


async def by_hand(api: ApiServer, kind: type[_Sender], count: int) -> float:
    """Return the seconds of the requests alone, with the operator away."""
    async with fresh_namespace(api) as namespace:
        return await _send_all(await kind.like_the_operator(api, namespace), count)


async def by_operator_anew(api: ApiServer, count: int) -> tuple[float, float]:
    """Return what `by_operator` does, in a namespace of its own."""
    async with fresh_namespace(api) as namespace:
        return await by_operator(api, namespace, count)


async def _send_all(sender: _Sender, count: int) -> float:
    _scale(0)
    try:
        return await _at_once(sender.send, [f"bench-{number:05}" for number in range(count)])
    finally:
        # Else the operator looks at all of them.
        await sender.api._transport.exchange(Request("DELETE", SCHEDULES.path(sender.namespace)))
        _scale(1)


def _event(namespace: str, name: str) -> Object:
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": f"{name}-", "namespace": namespace},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "type": "Normal",
        "reason": "Scheduled",
        "action": "Reconcile",
        "note": f'CronJob "{name}" fires at "0 0 1 1 *" in Etc/UTC',
        "regarding": {
            "apiVersion": "borgoperator.io/v1alpha1",
            "kind": "BorgSchedule",
            "namespace": namespace,
            "name": name,
        },
        "reportingController": "borgoperator.io/borg-operator",
        "reportingInstance": "bench",
    }


async def by_operator(api: ApiServer, namespace: str, count: int) -> tuple[float, float]:
    schedules = [_in(namespace, resources.schedule(f"bench-{number:05}")) for number in range(count)]
    began = time.monotonic()
    created = await _at_once(lambda manifest: api.create(SCHEDULES, manifest), schedules)
    await _ready(api, namespace, count)
    return created, time.monotonic() - began


@asynccontextmanager
async def fresh_namespace(api: ApiServer) -> AsyncIterator[str]:
    """Give a namespace with what schedules refer to, and wait until nothing is left of it."""
    name = f"bench-{secrets.token_hex(3)}"
    await api.create(NAMESPACES, {"metadata": {"name": name}})
    for resource, items in ((CLAIMS, resources.claims()), (REPOSITORIES, [resources.repository()])):
        for item in items:
            await api.create(resource, _in(name, item))
    try:
        yield name
    finally:
        await api._transport.exchange(Request("DELETE", NAMESPACES.path(None, name)))
        of_name = f"kubernetes.io/metadata.name={name}"
        while await api.list_labelled(NAMESPACES, "", of_name):  # noqa: ASYNC110 - it happens in the cluster
            await asyncio.sleep(1)


async def _at_once(work: Callable[[Any], Awaitable[Any]], items: Iterable[Any]) -> float:
    waiting = asyncio.Semaphore(CONNECTIONS)

    async def limited(item: Any) -> None:
        async with waiting:
            await work(item)

    began = time.monotonic()
    await asyncio.gather(*(limited(item) for item in items))
    return time.monotonic() - began


async def _ready(api: ApiServer, namespace: str, count: int) -> list[Object]:
    """Return the schedules of the namespace as soon as so many are Ready.

    Listing them costs the API server as much as making some: until the last one is Ready, only that is asked for.
    """
    items = await api.list_labelled(SCHEDULES, namespace, "")
    last = max(item["metadata"]["name"] for item in items)
    while not _is_ready(await api.get(SCHEDULES, namespace, last)):  # noqa: ASYNC110 - it happens in the cluster
        await asyncio.sleep(_PAUSE_SECONDS)
    while True:
        items = await api.list_labelled(SCHEDULES, namespace, "")
        ready = [item for item in items if _is_ready(item)]
        if len(ready) >= count:
            return ready
        await asyncio.sleep(_PAUSE_SECONDS)


def _is_ready(schedule: Object | None) -> bool:
    conditions = schedule.get("status", {}).get("conditions", []) if schedule else []
    return any((condition["type"], condition["status"]) == ("Ready", "True") for condition in conditions)


def _scale(replicas: int) -> None:
    """Send the operator away, or call it back."""
    kubectl = cluster.connect()
    kubectl("scale", *OPERATOR, f"--replicas={replicas}")
    kubectl("rollout", "status", *OPERATOR, "--timeout=120s")
    while len(kubectl("get", "pods", *PODS, "--output=name").stdout.split()) != replicas:
        time.sleep(1)


def _in(namespace: str, manifest: Object) -> Object:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def _again(body: Object, metadata: Object) -> Object:
    """Return what was sent for `body`, under another name."""
    namespace = body["metadata"]["namespace"]
    unsent = ("metadata", "status", *(key for key in body if key.startswith("deprecated")))
    content = {key: value for key, value in body.items() if key not in unsent}
    return {**content, "metadata": {"namespace": namespace, **metadata}}


def _cron_job(namespace: str, name: str) -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "borg", "image": "none"}]}
    template = {"spec": {"template": {"spec": pod}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": template},
    }


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))

"""How fast the operator turns schedules into CronJobs, beside what the API server itself can do on this machine.

Usage: python tests/bench/operator_throughput.py [number of schedules]      (a cluster of `make up`)

Prints seconds: creating that many CronJobs by plain POST with 8 connections (the ceiling), and from the first POST of a
schedule until the last one is Ready, with the operator deployed in the cluster.
"""

import asyncio
import secrets
import sys
import time
from typing import Any

from borg_cluster.api_server import ApiServer
from borg_cluster.connection import connect
from borg_cluster.resources import CLAIMS, CRON_JOBS, REPOSITORIES, SCHEDULES, ResourceType
from integration import resources

NAMESPACES = ResourceType("Namespace", "", "v1", "namespaces")
CONNECTIONS = 8


async def main(count: int) -> None:
    """Run both measurements in a namespace of their own."""
    api = ApiServer(await connect(CONNECTIONS))
    namespace = f"bench-{secrets.token_hex(3)}"
    await api._request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
    try:
        plain = [_cron_job(namespace, f"plain-{number:05}") for number in range(count)]
        seconds = await _create(api, CRON_JOBS, plain)
        print(f"{count} CronJobs by POST, {CONNECTIONS} connections: {seconds:.2f} s")
        for resource, item in ((CLAIMS, resources.claims()), (REPOSITORIES, [resources.repository()])):
            await _create(api, resource, [_in(namespace, one) for one in item])
        schedules = [_in(namespace, resources.schedule(f"bench-{number:05}")) for number in range(count)]
        began = time.monotonic()
        created = await _create(api, SCHEDULES, schedules)
        while await _ready(api, namespace) < count:  # noqa: ASYNC110 - it happens in the cluster
            await asyncio.sleep(1)
        total = time.monotonic() - began
        print(f"{count} BorgSchedules created in {created:.2f} s, all Ready with their CronJobs after {total:.2f} s")
    finally:
        await api._request("DELETE", f"/api/v1/namespaces/{namespace}")
        await api.close()


async def _create(api: ApiServer, resource: ResourceType, manifests: list[dict[str, Any]]) -> float:
    waiting = asyncio.Semaphore(CONNECTIONS)

    async def create(manifest: dict[str, Any]) -> None:
        async with waiting:
            await api.create(resource, manifest)

    began = time.monotonic()
    await asyncio.gather(*(create(manifest) for manifest in manifests))
    return time.monotonic() - began


async def _ready(api: ApiServer, namespace: str) -> int:
    items = await api.list_labelled(SCHEDULES, namespace, "")
    return sum(
        condition["status"] == "True"
        for item in items
        for condition in item.get("status", {}).get("conditions", [])
        if condition["type"] == "Ready"
    )


def _in(namespace: str, manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def _cron_job(namespace: str, name: str) -> dict[str, Any]:
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

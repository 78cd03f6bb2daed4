"""How fast the facade answers, one process of it on this machine, with 500 and with 5,000 schedules in the cluster.

Usage: python tests/bench/facade_latency.py [number of schedules …]      (a cluster of `make up`)

Prints per operation: requests per second, and milliseconds at the median and at the 99th percentile; the facade's
memory; and how long other requests take while whole lists are being asked for. The client runs on the same processors.
"""

import asyncio
import itertools
import json
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from borg_cluster.client import ApiServer
from borg_cluster.connection import connect
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.schedule import SCHEDULES
from borg_core.native.claim import CLAIMS
from borg_core.registry import ResourceType
from integration import resources
from support.facade import LocalFacade, run_facade

CONNECTIONS = 8
_NOT_MODIFIED = 304
Send = Callable[[int], Awaitable[int]]


async def main(counts: list[int]) -> None:
    """Fill a namespace of its own up to each number, and measure there."""
    api = ApiServer(await connect(CONNECTIONS))
    namespace = f"bench-{secrets.token_hex(3)}"
    await api.create(ResourceType("Namespace", "", "v1", "namespaces"), {"metadata": {"name": namespace}})
    token = _token(namespace)
    try:
        for kind, items in ((CLAIMS, resources.claims()), (REPOSITORIES, [resources.repository()])):
            await _fill(api, namespace, kind, items)
        present = 0
        for count in counts:
            names = [f"bench-{number:05}" for number in range(present, count)]
            # Spread over the day, as a cluster's schedules are.
            made = [resources.schedule(n, schedule=f"{i % 60} {i // 60 % 24} * * *") for i, n in enumerate(names)]
            await _fill(api, namespace, SCHEDULES, made)
            present = count
            with run_facade(namespace) as facade:
                await _settled(api, namespace, count)
                await _measure(facade, token, count)
    finally:
        _kubectl("delete", "namespace", namespace, "--wait=false")
        await api.close()


async def _measure(facade: LocalFacade, token: str, count: int) -> None:
    base = f"{facade.url}/api/schedule/"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    print(f"\n{count} schedules" + " " * 30 + "requests/s   p50 ms   p99 ms")
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=64)) as session:

        def send(method: str, url: str, body: Callable[[int], Any] = lambda _: None, **more: Any) -> Send:
            async def once(number: int) -> int:
                data = body(number)
                async with session.request(
                    method, url, data=json.dumps(data) if data is not None else None, **more
                ) as response:
                    await response.read()
                    return response.status

            return once

        async with session.get(base) as response:
            known = response.headers["ETag"]
            ids = [job["id"] for job in (await response.json())["jobs"]]
        one = f"{base}{ids[count // 2]}"

        async def unchanged(_: int) -> int:
            """Ask for what is new since the last answer; with each minute, the next runs of a few schedules are."""
            nonlocal known
            status = 0
            for _attempt in range(2):
                async with session.get(base, headers={"If-None-Match": known}) as response:
                    await response.read()
                    known, status = response.headers["ETag"], response.status
                if status == _NOT_MODIFIED:
                    break
            return status

        unique = itertools.count()
        new = lambda _: {  # noqa: E731
            "name": f"made-{count}-{next(unique)}",
            "cron_expression": "0 2 * * *",
            "repository": "main",
            "enabled": False,
        }
        await _row("list", send("GET", base), 200, 1, 200)
        await _row("list, unchanged (304)", unchanged, 500, 1, _NOT_MODIFIED)
        await _row("detail, 1 connection", send("GET", one), 1000, 1, 200)
        await _row("detail, 8 connections", send("GET", one), 6000, CONNECTIONS, 200)
        await _row("upcoming-jobs", send("GET", f"{base}upcoming-jobs?hours=24"), 200, 1, 200)
        await _row(
            "validate-cron", send("POST", f"{base}validate-cron", lambda n: {"minute": f"{n % 60}"}), 500, 1, 200
        )
        await _row("create, 1 connection", send("POST", base, new), 200, 1, 200)
        await _row("create, 8 connections", send("POST", base, new), 400, CONNECTIONS, 200)
        await _row("PUT", send("PUT", one, lambda n: {"description": f"edit {n}"}), 200, 1, 200)
        await _row("toggle", send("POST", f"{one}/toggle"), 200, 1, 200)
        lists = [asyncio.create_task(_forever(send("GET", base))) for _ in range(2)]
        await _row("detail beside two clients that list", send("GET", one), 500, 1, 200)
        for task in lists:
            task.cancel()
        await asyncio.gather(*lists, return_exceptions=True)
    print(f"{'memory':<40}{facade.memory() / 2**20:>10.0f} MiB")


async def _settled(api: ApiServer, namespace: str, count: int) -> None:
    """Return when the operator has looked at all of them, and has the processors no longer."""
    while True:
        items = await api.list_labelled(SCHEDULES, namespace, "")
        if sum(item["status"]["observedGeneration"] == item["metadata"]["generation"] for item in items) >= count:
            return
        await asyncio.sleep(1)


async def _row(name: str, once: Send, requests: int, connections: int, expected: int) -> None:
    """Send so many requests over so many connections, and print how long they took."""
    numbers = iter(range(requests))
    seconds: list[float] = []

    async def client() -> None:
        for number in numbers:
            began = time.perf_counter()
            status = await once(number)
            seconds.append(time.perf_counter() - began)
            if status != expected:
                raise SystemExit(f"{name}: {status} and not {expected}")

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    rate = requests / (time.perf_counter() - began)
    p99 = statistics.quantiles(seconds, n=100)[98]
    print(f"{name:<40}{rate:>10.0f} {statistics.median(seconds) * 1000:>8.2f} {p99 * 1000:>8.2f}")


async def _forever(once: Send) -> None:
    while True:
        await once(0)


async def _fill(api: ApiServer, namespace: str, resource: ResourceType, manifests: list[dict[str, Any]]) -> None:
    waiting = asyncio.Semaphore(CONNECTIONS)

    async def create(manifest: dict[str, Any]) -> None:
        metadata = {**manifest["metadata"], "namespace": namespace}
        async with waiting:
            await api.create(resource, {**manifest, "metadata": metadata})

    await asyncio.gather(*(create(manifest) for manifest in manifests))


def _token(namespace: str) -> str:
    """Make an account that may do all with backups in the namespace; return its token."""
    _kubectl("create", "serviceaccount", "bench", "-n", namespace)
    account = f"--serviceaccount={namespace}:bench"
    _kubectl("create", "rolebinding", "bench", "-n", namespace, "--clusterrole=borg-admin", account)
    return _kubectl("create", "token", "bench", "-n", namespace).strip()


def _kubectl(*arguments: str) -> str:
    return subprocess.run(["kubectl", *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    os.environ.setdefault("KUBECONFIG", "dev/.state/kubeconfig")
    asyncio.run(main([int(argument) for argument in sys.argv[1:]] or [500, 5000]))

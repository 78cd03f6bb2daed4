"""The facade's process behind an API server that is real, for one test."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from borg_core.registry import ResourceType
from support import process
from support.control_plane import ControlPlane
from support.proxy import Proxy
from support.rest import Rest
from support.stage import Stage, staged

_SECRETS = ResourceType("Secret", "", "v1", "secrets")


@dataclass
class Facade:
    """A facade of one process, and `proxy` before the API server that it sees."""

    rest: Rest
    proxy: Proxy
    process: process.Process

    async def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return await asyncio.to_thread(self.rest, method, path, body, **more)

    async def ready(self) -> None:
        """Return when it answers and shows the repository."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                answer = await self("GET", "/api/repositories/")
                if answer.status_code == 200 and answer.json()["repositories"] and "Age" not in answer.headers:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
        pytest.fail(f"the facade is not ready: {self.process.said()[-3000:]}")


@asynccontextmanager
async def facing(stage: Stage) -> AsyncIterator[Facade]:
    proxy = Proxy(stage.plane.server, stage.plane.trust)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with proxy.serving():
        kubeconfig = stage.plane.kubeconfig_for(proxy.url, f"{stage.namespace}-facade")
        served = process.facade(kubeconfig, stage.plane.folder, port, stage.namespace)
        served.log = stage.plane.folder / f"{stage.namespace}-facade.log"
        facade = Facade(Rest(f"http://127.0.0.1:{port}", stage.namespace, stage.plane.token), proxy, served)
        served.begin()
        try:
            await facade.ready()
            yield facade
        finally:
            served.stop()


def play(plane: ControlPlane, test: Callable[[Stage, Facade], Awaitable[None]]) -> None:
    """Run the test with a facade, on a repository that no operator looks after."""

    async def work() -> None:
        async with staged(plane, 1, operate=False) as stage:
            await stage.prepare()
            key = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}}
            await stage.create(_SECRETS, key)
            async with facing(stage) as facade:
                await test(stage, facade)
                assert "Traceback" not in facade.process.said()

    asyncio.run(work())

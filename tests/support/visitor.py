"""Somebody who looks at the page: in this process, or with a browser on this machine."""

import asyncio
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from typing import Any

import httpx
import uvicorn

from support.rest_world import World


class Browser:
    """Somebody at the page of a world: keeps cookies as a browser does, and sends forms of the page that it was on.

    `headers`: sent with each request.
    """

    def __init__(self, world: World, token: str = "", **headers: str) -> None:
        self.world = world
        self.cookies = httpx.Cookies()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.csrf = ""
        if token:
            self.get("/login")
            assert self.post("/login", {"token": token}).status_code == 303

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, form: Mapping[str, str | list[str]] | None = None, **headers: str) -> httpx.Response:
        return self.send("POST", path, {"csrf": self.csrf, **(form or {})}, headers)

    def send(
        self, method: str, path: str, form: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return asyncio.run(self.ask(method, path, form, headers))

    async def ask(
        self, method: str, path: str, form: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Do the same where there is an event loop already."""
        transport = httpx.ASGITransport(self.world.app, raise_app_exceptions=False)
        more = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        async with httpx.AsyncClient(
            transport=transport, base_url="https://facade", cookies=self.cookies, headers=self.headers
        ) as client:
            answer = await client.request(method, path, data=form, headers=more)
            self.cookies = client.cookies
        if found := re.search('name="csrf" value="([^"]+)"', answer.text):
            self.csrf = found[1]
        return answer


@contextmanager
def serve(world: World, beside: AbstractAsyncContextManager[Any] | None = None) -> Iterator[str]:
    """Give the address of the world's facade on this machine. `beside`: what goes on in its event loop."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = uvicorn.Config(world.app, host="127.0.0.1", port=port, lifespan="off", log_level="error", ws="none")
    server = uvicorn.Server(settings)
    began = threading.Event()

    async def run() -> None:
        asyncio.get_running_loop().call_soon(began.set)
        async with beside or nullcontext():
            await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        began.wait(10)
        while not server.started:
            thread.join(0.02)
        yield f"http://localhost:{port}"
    finally:
        server.should_exit = True
        thread.join(10)

"""A session's pod as far as the facade sees it: it checks signatures as one does, and answers what a test says."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from borg_api.picture.timetable import whole_now
from borg_contract.codec import encode
from borg_contract.session.answers import Refusal
from borg_contract.session.request import (
    ALGORITHM,
    ISSUER,
    LIFETIME_SECONDS,
    READ_CLAIM,
    ReadRequest,
    parse_read,
    read_target,
)
from borg_core.formats import format_time
from support.rest_world import World


@dataclass(frozen=True)
class Cut:
    """A file that breaks off before its length is reached."""

    begun: bytes
    length: int


Answer = Callable[[ReadRequest], Any]
"""Returns an answer of `borg_contract.session.answers`, (status, answer), or a file: bytes, an iterator, a Cut."""


class Pod:
    """`requests`: those that were signed as they have to be. `refused`: why others were not."""

    def __init__(self, uid: str, key: Ed25519PublicKey, answer: Answer) -> None:
        self.uid, self.key, self.answer = uid, key, answer
        self.requests: list[ReadRequest] = []
        self.refused: list[str] = []
        self.sent = 0
        self.left = asyncio.Event()
        """Somebody went before all was sent."""
        self._seen: set[str] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            wanted = self._check(request)
        except (jwt.InvalidTokenError, ValueError, KeyError) as error:
            self.refused.append(str(error))
            return _json(401, Refusal("NotSigned", str(error)))
        self.requests.append(wanted)
        found = self.answer(wanted)
        if isinstance(found, AsyncIterator):
            return await self._stream(request, found)
        if isinstance(found, Cut):
            return await self._cut(request, found)
        if isinstance(found, bytes):
            return web.Response(body=found, content_type="application/octet-stream")
        status, body = found if isinstance(found, tuple) else (200, found)
        return _json(status, body)

    def _check(self, request: web.Request) -> ReadRequest:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(
            token, self.key, [ALGORITHM], audience=self.uid, issuer=ISSUER, options={"require": ["exp", "iat"]}
        )
        if claims["exp"] - claims["iat"] > LIFETIME_SECONDS or claims["iat"] > time.time() + 1:
            raise ValueError("it is good for too long")
        if claims["jti"] in self._seen:
            raise ValueError("it was seen before")
        self._seen.add(claims["jti"])
        path, _, query = request.raw_path.partition("?")
        if read_target(path, query.encode()) != claims[READ_CLAIM]:
            raise ValueError("other parameters")
        return parse_read(claims[READ_CLAIM])

    async def _cut(self, request: web.Request, found: Cut) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(found.length)})
        await response.prepare(request)
        await response.write(found.begun)
        assert request.transport
        request.transport.abort()
        return response

    async def _stream(self, request: web.Request, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await response.prepare(request)
        try:
            async for piece in pieces:
                await response.write(piece)
                self.sent += len(piece)
        except (ConnectionError, OSError):
            self.left.set()
        return response


def add_session(world: World, name: str = "main-1", **status: Any) -> str:
    """Put a session of repository `main` there that is ready; return its uid."""
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "SessionReady",
        "lastTransitionTime": format_time(whole_now()),
    }
    told = {"phase": "Ready", "address": "10.0.0.1", "podName": "p", "conditions": [ready], **status}
    world.cluster.add("BorgSession", name, {"repositoryRef": {"name": "main"}})
    uid: str = world.cluster.report("BorgSession", name, **told)["metadata"]["uid"]
    return uid


@asynccontextmanager
async def opened(world: World, answer: Answer, uid: str = "") -> AsyncIterator[Pod]:
    """Give the pod of a session that is ready."""
    assert world.keys.private
    pod = Pod(uid or add_session(world), world.keys.private.public_key(), answer)
    await world.sessions.start()
    try:
        async with serving(pod) as url:
            world.pods["10.0.0.1"] = url
            yield pod
    finally:
        await world.sessions.stop()


def _json(status: int, body: Any) -> web.Response:
    return web.Response(text=encode(body), status=status, content_type="application/json")


@asynccontextmanager
async def serving(pod: Pod) -> AsyncIterator[str]:
    """Give the URL at which the pod answers."""
    application = web.Application()
    application.router.add_route("GET", "/{path:.*}", pod.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.0, handler_cancellation=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()

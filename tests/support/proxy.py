"""A proxy before the API server that is as bad as a test wants, and records what goes through it."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

READS = ("GET", "HEAD")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding"})
_REASONS = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}


@dataclass(frozen=True)
class Answer:
    """Answer with that status; `after`: only after the request was carried out, so that nobody can know."""

    status: int
    after: bool = False
    retry_after: int | None = None


@dataclass(frozen=True)
class HangUp:
    """Close the connection without an answer; `after`: only after the request was carried out."""

    after: bool = False


@dataclass(frozen=True)
class Delay:
    """Keep the request, or its answer, for so many seconds."""

    seconds: float
    after: bool = False


@dataclass(frozen=True)
class Stream:
    """What becomes of a watch.

    `events`: after how many it ends, and `how`: "ended" as the API server does, "cut", "halved" in the middle of an
    event, or the code of an ERROR event. `lag`: each event is kept for up to so many seconds, in order. `twice`: how
    many of them come again; `swapped`: how many change places with the next one, which no API server does.
    """

    events: int | None = None
    how: str | int = "ended"
    lag: float = 0.0
    twice: float = 0.0
    swapped: float = 0.0


@dataclass(frozen=True)
class Say:
    """Answer with what no API server says: something else is in between."""

    content: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


Fault = Answer | HangUp | Delay | Stream | Say


@dataclass
class Call:
    """A request and what came of it. `status` None: no answer was given; `done`: what the API server itself said."""

    number: int
    at: float
    method: str
    path: str
    query: Mapping[str, str]
    body: Any = None
    fault: Fault | None = None
    done: int | None = None
    status: int | None = None
    answer: Any = None

    @property
    def writes(self) -> bool:
        return self.method not in READS

    @property
    def watches(self) -> bool:
        return self.query.get("watch") == "true"

    def __str__(self) -> str:
        fault = f" [{self.fault}]" if self.fault else ""
        return f"{self.number} {self.method} {self.path}: {self.done} told as {self.status}{fault}"


def nothing(_: Call) -> Fault | None:
    return None


@dataclass
class Proxy:
    """`meddle` says what is done to a call; `on_write` is told of each write before it goes on, and after."""

    target: str
    trust: ssl.SSLContext
    meddle: Callable[[Call], Fault | None] = nothing
    on_write: Callable[[Call, str], None] = lambda _call, _moment: None
    random: Random = field(default_factory=lambda: Random(0))
    calls: list[Call] = field(default_factory=list)
    away: bool = False
    """Nobody listens, and what was open is cut."""
    cut_at: float = 0.0
    """When everything that was open was cut last, in seconds since 1970."""
    url: str = ""

    @property
    def writes(self) -> list[Call]:
        return [call for call in self.calls if call.writes]

    def cut(self) -> None:
        """Be away from now on, until `away` is false again."""
        self.away, self.cut_at = True, time.time()
        for transport in list(self._open):
            transport.abort()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Proxy"]:
        self._open: set[asyncio.Transport] = set()
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.0, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        connector = aiohttp.TCPConnector(ssl=self.trust, limit=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as self._session:
            try:
                yield self
            finally:
                await runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = Call(len(self.calls), time.time(), request.method, request.path, dict(request.query), _parse(body))
        self.calls.append(call)
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        if self.away:
            return _hang_up(transport)
        self._open.add(transport)
        try:
            call.fault = fault = self.meddle(call)
            if call.writes:
                self.on_write(call, "before")
            if isinstance(fault, Delay) and not fault.after:
                await asyncio.sleep(fault.seconds)
            if isinstance(fault, Answer) and not fault.after:
                return _refuse(call, fault)
            if isinstance(fault, HangUp) and not fault.after:
                return _hang_up(transport)
            if isinstance(fault, Say):
                call.status = fault.status
                return web.Response(body=fault.content, status=fault.status, headers=dict(fault.headers))
            return await self._pass_on(call, request, body, transport)
        except (aiohttp.ClientError, OSError):
            return _hang_up(transport)
        finally:
            self._open.discard(transport)

    async def _pass_on(
        self, call: Call, request: web.Request, body: bytes, transport: asyncio.Transport
    ) -> web.StreamResponse:
        kept = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers = {**kept, "Accept-Encoding": "identity"}
        url = self.target + request.path_qs
        async with self._session.request(request.method, url, data=body or None, headers=headers) as found:
            call.done = found.status
            if "watch" in request.query and found.status == web.HTTPOk.status_code:
                return await self._stream(call, request, found, transport)
            data = await found.read()
        call.answer = _parse(data) if call.writes else None
        if call.writes:
            self.on_write(call, "after")
        match call.fault:
            case Delay(seconds, after=True):
                await asyncio.sleep(seconds)
            case HangUp():
                return _hang_up(transport)
            case Answer() as answer:
                return _refuse(call, answer)
        call.status = found.status
        passed = {name: value for name, value in found.headers.items() if name.lower() not in _HOP_BY_HOP}
        return web.Response(body=data, status=found.status, headers=passed)

    async def _stream(
        self, call: Call, request: web.Request, found: aiohttp.ClientResponse, transport: asyncio.Transport
    ) -> web.StreamResponse:
        call.status = found.status
        plan = call.fault if isinstance(call.fault, Stream) else Stream()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        count = 0
        async for line in self._meddled(plan, _lines(found.content)):
            if plan.events is not None and count >= plan.events:
                if plan.how == "halved":
                    await response.write(line[: len(line) // 2])
                if plan.how in ("cut", "halved"):
                    transport.abort()
                elif isinstance(plan.how, int):
                    await response.write(_event_of(plan.how))
                break
            await response.write(line)
            count += 1
        with suppress(ConnectionError):
            await response.write_eof()
        return response

    async def _meddled(self, plan: Stream, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        kept: bytes | None = None
        async for line in lines:
            if plan.lag:
                await asyncio.sleep(self.random.uniform(0, plan.lag))
            if kept is None and self.random.random() < plan.swapped:
                kept = line
                continue
            yield line
            if self.random.random() < plan.twice:
                yield line
            if kept is not None:
                yield kept
                kept = None


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield whole lines, however long."""
    begun = b""
    async for data in content.iter_any():
        *whole, begun = (begun + data).split(b"\n")
        for line in whole:
            yield line + b"\n"


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None


def _status_of(code: int) -> dict[str, Any]:
    reason = _REASONS.get(code, "")
    message = f"the proxy of the test says {code}"
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": code,
        "message": message,
    }


def _event_of(code: int) -> bytes:
    return json.dumps({"type": "ERROR", "object": _status_of(code)}).encode() + b"\n"


def _refuse(call: Call, answer: Answer) -> web.Response:
    call.status = answer.status
    headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    return web.json_response(_status_of(answer.status), status=answer.status, headers=headers)


def _hang_up(transport: asyncio.Transport) -> web.Response:
    transport.abort()
    return web.Response()

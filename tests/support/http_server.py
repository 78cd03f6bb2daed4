"""An HTTP server of the test's own that answers as an API server does, or as one that is not well."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

from aiohttp import web
from kubernetes.aio import client

from borg_cluster.client import ApiServer
from borg_cluster.transport import Timeouts

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

PATIENT = Timeouts(connect=10.0, request=10.0, ping=10.0, silence=10.0)
QUICK = Timeouts(connect=0.5, request=0.5, ping=0.5, silence=0.5)
"""Where the server is to be silent: all else must not depend on how busy the machine is."""


@asynccontextmanager
async def connected(answer: Answer, timeouts: Timeouts = PATIENT) -> AsyncIterator[ApiServer]:
    """Give the client of a server that answers every request so."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.0, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    # Reading in the machine's certificates takes longer than most tests.
    with mock.patch("ssl.create_default_context", return_value=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)):
        connection = client.ApiClient(configuration)
    connection.user_agent = "tester"
    api = ApiServer(connection, timeouts=timeouts)
    try:
        yield api
    finally:
        await api.close()
        await runner.cleanup()


def text(content: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=content, status=status, headers=headers)

    return answer


def raw(content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with bytes as they are, whatever the headers say of them."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, status=status, headers=headers)

    return answer


def body(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return text(json.dumps(content), status, headers)


def refusal(
    status: int,
    reason: str,
    message: str,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Answer with a Status object."""
    content = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": reason}
    return body({**content, "message": message, **({"details": details} if details else {})}, status, headers)


async def silence(_: web.Request) -> web.StreamResponse:
    """Take the request and say nothing."""
    await asyncio.Event().wait()
    raise AssertionError


async def cut_off(request: web.Request) -> web.StreamResponse:
    """Begin an answer, and close the connection in the middle of it."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"kind": "Thi')
    assert request.transport
    request.transport.close()
    return response


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    assert request.transport
    request.transport.close()
    return web.Response()


async def no_http(request: web.Request) -> web.StreamResponse:
    """Answer with what is no HTTP."""
    transport = request.transport
    assert isinstance(transport, asyncio.Transport)
    transport.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    transport.close()
    return web.Response()


def streamed(*lines: Mapping[str, Any] | bytes, then: str = "end") -> Answer:
    """Answer line by line as a watch does; `then`: "end", "cut" the connection, or "wait" for ever."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for line in lines:
            await response.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        if then == "wait":
            await asyncio.Event().wait()
        if then == "cut":
            assert request.transport
            request.transport.close()
        return response

    return answer

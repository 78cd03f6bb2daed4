"""The server itself: what comes before a request is one has a limit, too."""

import asyncio
import socket
from typing import Any

import pytest
import uvicorn

from borg_api.__main__ import make_settings
from borg_api.configuration import Configuration
from borg_api.edge.boundary import Boundary
from borg_api.metrics import Metrics
from borg_api.server import HEAD_LIMIT, LimitedProtocol


async def _app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def exchange(sent: bytes) -> bytes:
    """Return what a server answers to the bytes, until it or the client has had enough."""

    async def scenario() -> bytes:
        bounded = Boundary(_app, frozenset(), lambda: 0, Metrics())
        config = uvicorn.Config(bounded, port=0, http=LimitedProtocol, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - the server says nothing of its own
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = b""
        try:
            async with asyncio.timeout(2):
                for begin in range(0, len(sent), 65536):
                    writer.write(sent[begin : begin + 65536])
                    await writer.drain()
                answer = await reader.read(65536)
        except ConnectionError:
            answer = answer or await reader.read(65536)
        writer.close()
        server.should_exit = True
        await serving
        return answer

    return asyncio.run(scenario())


def test_a_request_of_ordinary_size_is_answered() -> None:
    assert exchange(b"GET / HTTP/1.1\r\nhost: a\r\nx-a: " + b"a" * 8000 + b"\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_facade_listens_in_both_families(host: str) -> None:
    async def scenario() -> bytes:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = int(found.getsockname()[1])
        settings = make_settings(_app, Configuration("team", (), port))
        settings.lifespan = "off"
        server = uvicorn.Server(settings)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - the server says nothing of its own
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        answer = await reader.readline()
        writer.close()
        server.should_exit = True
        await serving
        return answer

    assert asyncio.run(scenario()).startswith(b"HTTP/1.1 200")


def test_headers_without_end_are_cut_off() -> None:
    endless = b"GET / HTTP/1.1\r\nhost: a\r\nx-a: " + b"a" * (HEAD_LIMIT + 1)
    answer = exchange(endless)
    assert answer.startswith(b"HTTP/1.1 431")
    assert answer.endswith(b"\r\n\r\nThe address and the headers of the request are larger than 32 KiB.\n")


def test_many_headers_without_end_are_cut_off() -> None:
    endless = b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x-a: b\r\n" * HEAD_LIMIT
    assert exchange(endless).startswith(b"HTTP/1.1 431")


def test_a_large_body_does_not_count_as_headers() -> None:
    body = b"a" * (2 * HEAD_LIMIT)
    head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body)
    assert exchange(head + body).startswith(b"HTTP/1.1 200")


def test_head_is_answered_with_the_length_of_a_body_and_without_it() -> None:
    answer = exchange(b"HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"content-length: 2\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")

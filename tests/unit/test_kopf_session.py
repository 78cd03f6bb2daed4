import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any
from unittest import mock

import aiohttp
import kopf
import pytest
from aiohttp import web

from borg_operator.kopf import session
from borg_operator.kopf.session import Backoffs, SignIn, open_session
from support.http_server import Answer, refusal, streamed, text

WHOLE = {"type": "ADDED", "object": {"metadata": {"name": "a"}}}
PLAIN = json.dumps(WHOLE, separators=(",", ":")).encode() + b"\n"
"""As the API server spells it."""


def without_certificates() -> Any:
    """Read in none of the machine's: that takes longer than the tests."""
    return mock.patch("ssl.create_default_context", return_value=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@asynccontextmanager
async def asking(answer: Answer) -> AsyncIterator[Callable[[str], Awaitable[aiohttp.ClientResponse]]]:
    """Give what asks, as kopf does, a server that answers so."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    with without_certificates():
        opened = open_session(kopf.ConnectionInfo(server=url)).aiohttp_session
    async with opened:
        yield lambda query: opened.get(f"{url}/jobs?{query}")
    await runner.cleanup()


def watch(answer: Answer) -> tuple[int, list[dict[str, object]]]:
    """Return the status of a watch and its events, as kopf takes them in."""

    async def work() -> tuple[int, list[dict[str, object]]]:
        async with asking(answer) as ask, await ask("watch=true") as response:
            found = b""
            try:
                async for piece in response.content.iter_chunked(1024):
                    found += piece
            except aiohttp.ClientPayloadError:
                pass  # kopf goes on after it
            return response.status, [json.loads(line) for line in found.splitlines()]

    with mock.patch.object(session, "_PAUSE_SECONDS", 0.0):
        return asyncio.run(work())


def error(code: int) -> dict[str, object]:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code}}


@pytest.mark.parametrize("code", [410, 429, 500, 504])
def test_every_error_in_a_watch_asks_for_a_new_listing(code: int) -> None:
    assert watch(streamed(PLAIN, error(code), WHOLE)) == (200, [WHOLE, error(410)])


@pytest.mark.parametrize("status", [400, 404, 409, 410])
def test_a_watch_that_is_refused_asks_for_a_new_listing(status: int) -> None:
    assert watch(refusal(status, "Expired", "too old")) == (200, [error(410)])


def test_what_is_no_event_asks_for_a_new_listing() -> None:
    assert watch(streamed(PLAIN, b"<html>\n")) == (200, [WHOLE, error(410)])


@pytest.mark.parametrize("then", ["end", "cut"])
def test_an_event_that_is_cut_off_is_none(then: str) -> None:
    assert watch(streamed(PLAIN, PLAIN[:20], then=then)) == (200, [WHOLE])


def test_a_watch_that_brings_nothing_is_not_asked_for_without_end() -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asking(streamed()) as ask, await ask("watch=true") as response:
            assert [piece async for piece in response.content.iter_chunked(1024)] == []
        return loop.time() - began

    with mock.patch.object(session, "_PAUSE_SECONDS", 0.05):
        assert asyncio.run(work()) >= 0.05


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_what_kopf_itself_goes_on_after_is_left_to_it(status: int) -> None:
    assert watch(text("", status)) == (status, [])


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_listing_that_is_refused_begins_anew(status: int) -> None:
    async def work() -> None:
        async with asking(text("", status)) as ask:
            with pytest.raises(aiohttp.ClientPayloadError):
                await ask("limit=500&continue=old")

    with mock.patch.object(session, "_PAUSE_SECONDS", 0.0):
        asyncio.run(work())


def test_other_requests_get_what_was_answered() -> None:
    async def work() -> int:
        async with asking(text("", 404)) as ask, await ask("") as response:
            return response.status

    assert asyncio.run(work()) == 404


def test_kopf_never_gives_up() -> None:
    assert len(list(islice(Backoffs(), 1000))) == 1000


def test_the_same_credentials_are_tried_again_after_a_while() -> None:
    way = kopf.ConnectionInfo(server="http://127.0.0.1:1")

    async def work() -> float:
        sign_in, loop = SignIn(pause_seconds=0.05), asyncio.get_running_loop()
        began = loop.time()
        for _ in range(2):
            found = await sign_in.log_in()
            assert found is not None
            await found.aiohttp_session.close()
        return loop.time() - began

    with mock.patch("kopf.login_with_service_account", return_value=way), without_certificates():
        assert asyncio.run(work()) >= 0.05

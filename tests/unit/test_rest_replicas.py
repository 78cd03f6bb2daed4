"""Replicas find and know each other: real servers on addresses of this machine, and a DNS that says what it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from borg_api.configuration import Configuration
from borg_api.picture import replicas
from borg_api.picture.replicas import Replicas

OWN, OTHER = "127.0.0.1", "127.0.0.2"


class Names:
    """What the headless service's name stands for at the moment."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def getaddrinfo(self, host: str, port: str, **__: object) -> list[tuple[Any, ...]]:
        assert host == "replicas.test"
        if not self.addresses:
            raise OSError("no such name")
        return [(0, 0, 0, "", (address, int(port))) for address in self.addresses]


class Replica:
    """Another replica, which listens on OTHER."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.asked: list[str] = []
        self.port = 0
        self.odd: tuple[int, bytes] | None = None
        self.slow = False

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        if self.odd:
            return web.Response(status=self.odd[0], body=self.odd[1], content_type="application/json")
        if self.slow:
            await asyncio.sleep(0.3)
        if request.path == replicas.KNOWN:
            return web.json_response({"known": request.query["address"] in self.known})
        return web.json_response({"seen": int(request.query["version"])})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        application = web.Application()
        application.router.add_get("/peers/{question}", self.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, OTHER, self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        try:
            yield
        finally:
            await runner.cleanup()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names(OWN, OTHER)
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", names.getaddrinfo)
    monkeypatch.setattr(replicas, "_LOOK_UP_SECONDS", 0.01)
    return names


def play(scene: Callable[[Replica, Replicas], Awaitable[None]]) -> Replica:
    """Let the scene happen between another replica, not yet listening, and this one, begun."""
    replica = Replica()

    async def run() -> None:
        async with replica.listening():
            pass  # to be given a port
        this = Replicas(Configuration("team", peers=f"replicas.test:{replica.port}", own_address=OWN))
        await this.start()
        try:
            await scene(replica, this)
        finally:
            await this.stop()

    asyncio.run(run())
    return replica


async def a_while() -> None:
    """Let several looks go by."""
    await asyncio.sleep(0.1)


async def introduced(this: Replicas) -> None:
    async with asyncio.timeout(5):
        while not this.introduced:  # noqa: ASYNC110 - it is for the readiness probe, which polls too
            await asyncio.sleep(0.01)


def test_a_single_replica_needs_no_introduction() -> None:
    assert Replicas(Configuration("team")).introduced


@pytest.mark.usefixtures("names")
def test_a_replica_is_introduced_once_the_others_listen_and_know_it() -> None:
    async def scene(replica: Replica, this: Replicas) -> None:
        await a_while()
        assert not this.introduced
        async with replica.listening():
            await a_while()
            assert not this.introduced
            replica.known.add(OWN)
            await introduced(this)

    assert f"{replicas.KNOWN}?address={OWN}" in play(scene).asked


def test_a_name_that_does_not_stand_for_this_replica_yet_tells_nothing(names: Names) -> None:
    names.addresses = ()

    async def scene(_: Replica, this: Replicas) -> None:
        await a_while()
        names.addresses = (OTHER,)
        await a_while()
        assert not this.introduced
        names.addresses = (OWN,)
        await a_while()
        assert not this.introduced  # DNS may name the other one again in a moment

    play(scene)


@pytest.mark.usefixtures("names")
def test_a_replica_serves_after_a_while_although_another_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "_INTRODUCTION_SECONDS", 0.1)

    async def scene(_: Replica, this: Replicas) -> None:
        await introduced(this)

    play(scene)


@pytest.mark.usefixtures("names")
def test_a_replica_of_a_version_that_does_not_know_the_question_does_not_hold_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replicas, "KNOWN", "/of/a/later/version")

    async def scene(replica: Replica, this: Replicas) -> None:
        async with replica.listening():
            await introduced(this)

    play(scene)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("status", "body"), [(200, b"{}"), (200, b"[]"), (200, b"hello"), (502, b""), (503, b'{"known": true}')]
)
def test_an_answer_of_somebody_else_is_no_introduction_and_no_end_of_it(status: int, body: bytes) -> None:
    async def scene(replica: Replica, this: Replicas) -> None:
        replica.odd = (status, body)
        async with replica.listening():
            await a_while()
            assert not this.introduced
            replica.odd = None
            replica.known.add(OWN)
            await introduced(this)

    play(scene)


@pytest.mark.usefixtures("names")
def test_one_that_is_only_slow_stays_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "WAIT_SECONDS", 0.1)

    async def scene(replica: Replica, this: Replicas) -> None:
        async with replica.listening():
            monkeypatch.setattr(replicas, "_LOOK_UP_SECONDS", 1000.0)
            assert await this.knows(OTHER)
            replica.slow = True
            await this.wait_until_seen("BorgSchedule", "team", 7)
            assert await this.knows(OTHER)

    play(scene)


def test_writes_wait_for_those_that_are_known_even_if_a_dns_server_is_behind(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(replica: Replica, this: Replicas) -> None:
        async with replica.listening():
            assert await this.knows(OTHER)
            names.addresses = (OWN,)
            await a_while()
            assert await this.knows(OTHER)
            await this.wait_until_seen("BorgSchedule", "team", 7)
            monkeypatch.setattr(replicas, "_FORGET_SECONDS", 0.05)
            await a_while()
            await this.knows(OWN)  # looks up
            assert not await this.knows(OTHER)
            await this.wait_until_seen("BorgSchedule", "team", 8)
        assert not await this.knows("127.0.0.3")

    asked = [question for question in play(scene).asked if question.startswith(replicas.SEEN)]
    assert asked == [f"{replicas.SEEN}?kind=BorgSchedule&namespace=team&version=7"]


def test_one_that_cannot_be_reached_is_not_asked_again_until_it_is_named_again(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(replica: Replica, this: Replicas) -> None:
        assert await this.knows(OTHER)
        names.addresses = (OWN,)
        monkeypatch.setattr(replicas, "_LOOK_UP_SECONDS", 1000.0)
        await this.wait_until_seen("BorgSchedule", "team", 7)
        assert not await this.knows(OTHER)
        async with replica.listening():
            await this.wait_until_seen("BorgSchedule", "team", 8)
            assert not any(question.startswith(replicas.SEEN) for question in replica.asked)
            names.addresses = (OWN, OTHER)
            monkeypatch.setattr(replicas, "_LOOK_UP_SECONDS", 0.0)
            await this.wait_until_seen("BorgSchedule", "team", 9)
            assert f"{replicas.SEEN}?kind=BorgSchedule&namespace=team&version=9" in replica.asked

    play(scene)

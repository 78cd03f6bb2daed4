"""What the API server said about a caller is remembered for seconds, and in an outage what it allowed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from borg_api.edge import guard
from borg_api.edge.errors import HttpError
from borg_api.edge.guard import Access, Permission
from borg_api.edge.problem import explain_api_error
from borg_api.picture.picture import Picture
from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError, Busy, Forbidden, Unauthorized, Unreachable
from borg_core.kinds.schedule import SCHEDULES
from support.builders import NAMESPACE
from support.rest_world import World

LIST = Permission("list", SCHEDULES)


class Reviewer:
    """Stands for the API server under every token: allows those that begin with `good`."""

    def __init__(self) -> None:
        self.asked = 0
        self.trouble: Exception | None = None
        self.silent = False
        self._token = ""

    def acting_as(self, token: str) -> "Reviewer":
        self._token = token
        return self

    async def create(self, _resource: Any, _manifest: Any) -> dict[str, Any]:
        self.asked += 1
        token = self._token
        if self.silent:
            await asyncio.sleep(3600)
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble
        if token.startswith("unknown"):
            raise Unauthorized("Unauthorized")
        return {"status": {"allowed": token.startswith("good")}}


class Scene:
    def __init__(self) -> None:
        self.reviewer = Reviewer()
        nobody: Any = None  # the picture is never kept up to date
        self.picture = Picture(ApiServer(nobody), ())
        reviewer: Any = self.reviewer
        self.access = Access(reviewer, self.picture)

    async def status(self, token: str, namespace: str = "team") -> int:
        """Return 200, or the status of the problem."""
        try:
            await self.access.authorize(token, LIST, namespace)
        except HttpError as refused:
            return refused.status
        except ApiError as trouble:
            return explain_api_error(trouble).status
        return 200


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(guard, "_PATIENCE_SECONDS", 0.05)
    return Scene()


def stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every answer be too old to be taken without asking."""
    monkeypatch.setattr(guard, "_ALLOWED_SECONDS", -1.0)
    monkeypatch.setattr(guard, "_DENIED_SECONDS", -1.0)


@pytest.mark.parametrize(("token", "status"), [("good", 200), ("bad", 403), ("unknown", 401)])
def test_one_question_is_asked_once_however_many_wait_for_it(scene: Scene, token: str, status: int) -> None:
    async def ask() -> list[int]:
        return [*await asyncio.gather(*(scene.status(token) for _ in range(20))), await scene.status(token)]

    assert set(asyncio.run(ask())) == {status}
    assert scene.reviewer.asked == 1


@pytest.mark.parametrize("trouble", [Unreachable("away"), Busy("busy")])
def test_in_an_outage_what_was_allowed_stays_allowed_and_nothing_else(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    async def ask() -> list[int]:
        before = [await scene.status("good"), await scene.status("bad")]
        stale(monkeypatch)
        scene.reviewer.trouble = trouble
        during = [await scene.status("good"), await scene.status("bad"), await scene.status("good-but-new")]
        scene.picture.alive = False  # then nobody is even asked
        asked = scene.reviewer.asked
        during += [await scene.status("good"), await scene.status("bad")]
        assert scene.reviewer.asked == asked
        return before + during

    unavailable = 429 if isinstance(trouble, Busy) else 503
    assert asyncio.run(ask()) == [200, 403, 200, unavailable, unavailable, 200, 503]


def test_a_known_reader_does_not_wait_long_for_a_silent_api_server(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> list[int]:
        first = await scene.status("good")
        stale(monkeypatch)
        scene.reviewer.silent = True
        async with asyncio.timeout(2):
            return [first, await scene.status("good")]

    assert asyncio.run(ask()) == [200, 200]


def test_whoever_asks_for_much_does_not_make_others_forgotten(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_REMEMBERED", 10)

    async def ask() -> int:
        await scene.status("good")
        for number in range(100):
            await scene.status("bad", f"team-{number}")
        scene.picture.alive = False
        stale(monkeypatch)
        return await scene.status("good")

    assert asyncio.run(ask()) == 200


class Cluster:
    """Two namespaces without anything in them. `refused`: those in which the facade has no Role."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)

    async def list_page(self, _kind: Any, namespace: str, *_: Any, **__: Any) -> dict[str, Any]:
        if namespace in self.refused:
            raise Forbidden("no Role")
        return {"items": [], "metadata": {"resourceVersion": "5"}}

    @asynccontextmanager
    async def watch(self, *_: Any, **__: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        async def events() -> AsyncIterator[dict[str, Any]]:
            await asyncio.Event().wait()
            yield {}

        yield events()

    async def ping(self) -> None:
        pass


def test_a_namespace_that_refuses_the_facade_keeps_it_from_serving_no_other() -> None:
    async def look() -> None:
        cluster: Any = Cluster("team-b")
        picture = Picture(cluster, ("team-a", "team-b"))
        picture.start()
        async with asyncio.timeout(5):
            while not picture.filled:  # noqa: ASYNC110 - states of several
                await asyncio.sleep(0.01)
            assert (picture.refuses("team-a"), picture.refuses("team-b")) == (False, True)
            assert picture.age() == 0
            cluster.refused.clear()
            while picture.refuses("team-b"):  # noqa: ASYNC110 - states of several
                await asyncio.sleep(0.01)
            assert picture.filled
        await picture.stop()

    asyncio.run(look())


def test_a_facade_that_may_look_nowhere_is_not_ready() -> None:
    async def look() -> None:
        cluster: Any = Cluster("team-a")
        picture = Picture(cluster, ("team-a",))
        picture.start()
        async with asyncio.timeout(5):
            while not picture.refuses("team-a"):  # noqa: ASYNC110 - states of several
                await asyncio.sleep(0.01)
        assert not picture.filled
        await picture.stop()

    asyncio.run(look())


def test_of_a_namespace_that_refuses_the_facade_nothing_is_shown_as_if_it_were_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(page=True)
    monkeypatch.setattr(Picture, "refuses", lambda _picture, namespace: namespace == NAMESPACE)
    answer = asyncio.run(world("GET", "/api/schedule/"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert f'may not look into namespace \\"{NAMESPACE}\\"' in answer.text
    assert asyncio.run(world("GET", "/livez")).status_code == 200

"""The picture of the cluster recovers from whatever the way to the API server does to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from borg_api import reflector
from borg_api.catalogue import Catalogue
from borg_api.reflector import Reflector
from borg_cluster.api_server import ApiError
from borg_core.kinds.schedule import SCHEDULES

Body = dict[str, Any]


def body(name: str, version: int) -> Body:
    metadata = {
        "namespace": "team",
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-03-01T00:00:00Z",
    }
    return {"metadata": metadata, "value": name}


class Api:
    """An API server that answers listings and watches in the order in which they were written down."""

    def __init__(self, lists: Iterable[Any], watches: Iterable[Any]) -> None:
        self._lists = list(lists)
        self._watches = list(watches)
        self.watched_from: list[str] = []
        self.listed: Callable[[], None] = lambda: None

    async def list_page(self, _resource: Any, _namespace: Any, _token: str = "") -> Body:
        answer = self._lists.pop(0)
        if isinstance(answer, Exception):
            raise answer
        names, version = answer
        items = [body(name, 1) for name in names]
        self.listed()
        return {"items": items, "metadata": {"resourceVersion": str(version)}}

    @asynccontextmanager
    async def watch(self, _resource: Any, _namespace: Any, version: str) -> AsyncIterator[AsyncIterator[Body]]:
        self.watched_from.append(version)
        if not self._watches:
            await asyncio.Event().wait()
        answer = self._watches.pop(0)
        if isinstance(answer, Exception):
            raise answer

        async def events() -> AsyncIterator[Body]:
            for event in answer:
                if isinstance(event, Exception):
                    raise event
                yield event

        yield events()


def added(name: str, version: int) -> Body:
    return {"type": "ADDED", "object": body(name, version)}


GONE = {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}


def run(api: Any, until: Callable[[Catalogue[str], Reflector], bool]) -> Catalogue[str]:
    """Run the reflector until its picture is as expected."""

    async def scenario() -> Catalogue[str]:
        catalogue: Catalogue[str] = Catalogue("BorgSchedule", lambda item: str(item["value"]))
        made = Reflector(api, SCHEDULES, None, catalogue)
        task = asyncio.create_task(made.run())
        async with asyncio.timeout(5):
            while not until(catalogue, made):
                assert not task.done(), "the reflector has ended"
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return catalogue

    return asyncio.run(scenario())


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "_FIRST_RETRY_SECONDS", 0.0)


@pytest.mark.parametrize(
    "trouble",
    [
        ConnectionError("the answer is no JSON object"),
        ApiError(500, "etcd is away"),
        TimeoutError(),
        KeyError("items"),
        TypeError("unexpected"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_it_goes_on_after_every_fault_of_a_listing_and_of_a_watch(trouble: Exception) -> None:
    api = Api([trouble, *[(["a"], 5)] * 3], [[added("b", 6), trouble], trouble, [added("c", 7)]])
    found = run(api, lambda catalogue, _: len(catalogue) == 3)
    assert sorted(found.in_order("team")) == ["a", "b", "c"]


def test_a_watch_goes_on_where_the_last_one_ended() -> None:
    api = Api([(["a"], 5)], [[added("b", 6)], [added("c", 9)]])
    run(api, lambda catalogue, _: len(catalogue) == 3)
    assert api.watched_from[:2] == ["5", "6"]


@pytest.mark.parametrize("fault", [GONE, ConnectionError("cut off")], ids=["gone", "cut off"])
def test_a_watch_that_failed_lists_again_forgets_what_is_gone_and_only_then_is_connected(fault: Any) -> None:
    api = Api([(["a", "b"], 5), (["b", "c"], 20)], [[fault], []])
    connected: list[bool] = []
    api.listed = lambda: connected.append(made[0].connected)
    made: list[Reflector] = []

    def until(catalogue: Catalogue[str], reflector: Reflector) -> bool:
        made[:] = [reflector]
        return catalogue.get("team", "c") is not None and len(catalogue) == 2 and reflector.connected

    found = run(api, until)
    assert sorted(found.in_order("team")) == ["b", "c"]
    assert connected == [False, False]
    assert api.watched_from[:2] == ["5", "20"]


def test_what_was_written_while_a_listing_was_on_its_way_is_not_forgotten() -> None:
    api = Api([(["a"], 5)], [])
    kept: list[Catalogue[str]] = []

    def until(catalogue: Catalogue[str], made: Reflector) -> bool:
        if not kept:
            kept.append(catalogue)
            api.listed = lambda: catalogue.put_own(body("written", 9))
        return made.filled.is_set()

    found = run(api, until)
    assert sorted(found.in_order("team")) == ["a", "written"]


def test_after_a_good_while_it_is_not_slow_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(reflector, "_FIRST_RETRY_SECONDS", 0.001)
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    cut = ConnectionError("cut off")
    api = Api([(["a"], 5)] * 6, [cut, cut, cut, [added("b", 6), cut], [added("c", 7), cut], [added("d", 8)]])
    monkeypatch.setattr(asyncio, "sleep", note)
    run(api, lambda catalogue, _: len(catalogue) == 4)
    assert [pause for pause in pauses if pause] == [0.001, 0.002, 0.004, 0.001, 0.001]

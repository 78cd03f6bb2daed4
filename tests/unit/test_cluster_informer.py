"""An index recovers from whatever the way to the API server does to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from borg_cluster.errors import ApiError, Expired, Refused, Unreachable
from borg_cluster.index import Change, Index
from borg_cluster.informer import Backoff, Informer
from borg_core.registry import Kind
from support.http_server import PATIENT, QUICK, Answer, connected, cut_off, refusal, silence, streamed, text
from support.http_server import body as answer_of

Body = dict[str, Any]
THINGS = Kind("Thing", "example.org", "v1", "things", lambda item: str(item["value"]))


def body(name: str, version: int) -> Body:
    metadata = {
        "namespace": "team",
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-03-01T00:00:00Z",
    }
    return {"metadata": metadata, "value": name}


class Telling(Index[str]):
    """An index that notes each change."""

    def __init__(self, kind: Kind[str]) -> None:
        super().__init__(kind)
        self.told: list[str] = []

    def put(self, body: Mapping[str, Any]) -> Change[str] | None:
        return self._note(super().put(body))

    def remove(self, body: Mapping[str, Any]) -> Change[str] | None:
        return self._note(super().remove(body))

    def retain(self, alive: set[str], version: int, namespace: str | None = None) -> list[Change[str]]:
        return [change for change in super().retain(alive, version, namespace) if self._note(change)]

    def _note(self, change: Change[str] | None) -> Change[str] | None:
        match change:
            case Change(None, None):
                self.told.append("?")
            case Change(None, new):
                self.told.append(f"+{new}")
            case Change(old, None):
                self.told.append(f"-{old}")
            case Change(_, new):
                self.told.append(f"~{new}")
        return change


class Api:
    """An API server that answers listings and watches in the order in which they were written down."""

    def __init__(self, lists: Iterable[Any], watches: Iterable[Any]) -> None:
        self._lists = list(lists)
        self._watches = list(watches)
        self.watched_from: list[str] = []
        self.listed: Callable[[], Any] = lambda: None

    async def list_page(self, _resource: Any, _namespace: Any, _token: str = "", **_: Any) -> Body:
        answer = self._lists.pop(0)
        if isinstance(answer, Exception):
            raise answer
        names, version = answer
        items = [body(name, 1) for name in names]
        self.listed()
        return {"items": items, "metadata": {"resourceVersion": str(version)}}

    @asynccontextmanager
    async def watch(
        self, _resource: Any, _namespace: Any, version: str, **_: Any
    ) -> AsyncIterator[AsyncIterator[Body]]:
        self.watched_from.append(version)
        answer = self._watches.pop(0) if self._watches else None
        if isinstance(answer, Exception):
            raise answer

        async def events() -> AsyncIterator[Body]:
            if answer is None:
                await asyncio.Event().wait()
            for event in answer or ():
                if isinstance(event, Exception):
                    raise event
                yield event

        yield events()


def added(name: str, version: int) -> Body:
    return {"type": "ADDED", "object": body(name, version)}


def run(api: Any, until: Callable[[Index[str], Informer], bool], first: float = 0.0) -> Index[str]:
    """Run the informer until its index is as expected."""

    async def scenario() -> Index[str]:
        index = Index(THINGS, ordered=True)
        made = Informer(api, index, None, backoff=Backoff(first=first))
        task = asyncio.create_task(made.run())
        async with asyncio.timeout(5):
            while not until(index, made):
                assert not task.done(), "the informer has ended"
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return index

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    "trouble",
    [
        Unreachable("the answer is no JSON object"),
        Refused("no"),
        Expired("too old"),
        OSError("no file descriptor is left"),
        KeyError("items"),
        TypeError("unexpected"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_it_goes_on_after_every_fault_of_a_listing_and_of_a_watch(trouble: Exception) -> None:
    api = Api([trouble, *[(["a"], 5)] * 3], [[added("b", 6), trouble], trouble, [added("c", 7)]])
    found = run(api, lambda index, _: len(index) == 3)
    assert sorted(found.in_order("team")) == ["a", "b", "c"]


def test_a_watch_goes_on_where_the_last_one_ended() -> None:
    api = Api([(["a"], 5)], [[added("b", 6)], [added("c", 9)]])
    run(api, lambda index, _: len(index) == 3)
    assert api.watched_from[:2] == ["5", "6"]


@pytest.mark.parametrize(
    "fault", [Expired("too old resource version"), Unreachable("cut off")], ids=["gone", "cut off"]
)
def test_a_watch_that_failed_lists_again_forgets_what_is_gone_and_only_then_is_connected(fault: ApiError) -> None:
    api = Api([(["a", "b"], 5), (["b", "c"], 20)], [[fault]])
    connected: list[bool] = []
    api.listed = lambda: connected.append(made[0].connected)
    made: list[Informer] = []

    def until(index: Index[str], informer: Informer) -> bool:
        made[:] = [informer]
        return index.get("team", "c") is not None and len(index) == 2 and informer.connected

    found = run(api, until)
    assert sorted(found.in_order("team")) == ["b", "c"]
    assert connected == [False, False]
    assert api.watched_from[:2] == ["5", "20"]


def test_what_was_written_while_a_listing_was_on_its_way_is_not_forgotten() -> None:
    api = Api([(["a"], 5)], [])
    kept: list[Index[str]] = []

    def until(index: Index[str], made: Informer) -> bool:
        if not kept:
            kept.append(index)
            api.listed = lambda: index.put_answer(body("written", 9))
        return made.filled.is_set()

    found = run(api, until)
    assert sorted(found.in_order("team")) == ["a", "written"]


def test_after_a_good_while_it_is_not_slow_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    cut = Unreachable("cut off")
    api = Api([(["a"], 5)] * 6, [cut, cut, cut, [added("b", 6), cut], [added("c", 7), cut], [added("d", 8)]])
    monkeypatch.setattr(asyncio, "sleep", note)
    run(api, lambda index, _: len(index) == 4, first=0.001)
    assert [pause for pause in pauses if pause] == [0.001, 0.002, 0.004, 0.001, 0.001]


class Script:
    """A server that answers listings and watches as written down, and watches beyond that with silence."""

    def __init__(self, *, lists: Iterable[Answer], watches: Iterable[Answer]) -> None:
        self._lists, self._watches = list(lists), list(watches)
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if "watch" in query:
            self.asked.append(f"watch {query['resourceVersion']}")
            return await (self._watches.pop(0) if self._watches else streamed(then="wait"))(request)
        self.asked.append(f"list {query.get('continue', '')}".strip())
        return await self._lists.pop(0)(request)


def listing(version: int, *items: Body, following: str = "") -> Answer:
    metadata = {"resourceVersion": str(version), **({"continue": following} if following else {})}
    return answer_of({"kind": "ThingList", "metadata": metadata, "items": list(items) or None})


def event(kind: str, item: Body) -> Body:
    return {"type": kind, "object": item}


BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "30"}}}
UNREADABLE = {"metadata": body("bad", 7)["metadata"]}
EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}
A, B, C = body("a", 1), body("b", 2), body("c", 3)
FIRST = listing(5, A, B)
CUT, SILENT = streamed(then="cut"), streamed(then="wait")
NOT_NOW = refusal(503, "ServiceUnavailable", "not now")


@pytest.mark.parametrize(
    ("lists", "watches", "asked", "changes"),
    [
        ([listing(5, A, following="more"), listing(5, B)], [], ["list", "list more", "watch 5"], ["+a", "+b"]),
        ([listing(5)], [streamed(event("ADDED", body("d", 6)))], ["list", "watch 5", "watch 6"], ["+d"]),
        ([FIRST], [streamed(BOOKMARK)], ["list", "watch 5", "watch 30"], ["+a", "+b"]),
        ([FIRST], [streamed(event("MODIFIED", body("a", 6)))], ["list", "watch 5", "watch 6"], ["+a", "+b", "~a"]),
        ([FIRST], [streamed(event("DELETED", body("a", 6)))], ["list", "watch 5", "watch 6"], ["+a", "+b", "-a"]),
        (
            [FIRST, listing(9, B, C)],
            [streamed(EXPIRED)],
            ["list", "watch 5", "list", "watch 9"],
            ["+a", "+b", "+c", "-a"],
        ),
        ([FIRST, listing(9)], [CUT], ["list", "watch 5", "list", "watch 9"], ["+a", "+b", "-a", "-b"]),
        ([FIRST, FIRST], [streamed()], ["list", "watch 5", "list", "watch 5"], ["+a", "+b"]),
        ([FIRST, FIRST], [SILENT], ["list", "watch 5", "list", "watch 5"], ["+a", "+b"]),
        ([FIRST, FIRST], [NOT_NOW], ["list", "watch 5", "list", "watch 5"], ["+a", "+b"]),
        ([refusal(403, "Forbidden", "no"), FIRST], [], ["list", "list", "watch 5"], ["+a", "+b"]),
        ([text("<h1>Bad Gateway</h1>", 502), FIRST], [], ["list", "list", "watch 5"], ["+a", "+b"]),
        ([silence, cut_off, FIRST], [], ["list", "list", "list", "watch 5"], ["+a", "+b"]),
        (
            [listing(5, A, following="more"), refusal(410, "Expired", "the token is too old"), FIRST],
            [],
            ["list", "list more", "list", "watch 5"],
            ["+a", "+b"],
        ),
        (
            [FIRST],
            [streamed(event("ADDED", UNREADABLE), event("ADDED", body("d", 8)))],
            ["list", "watch 5", "watch 8"],
            ["+a", "+b", "?", "+d"],
        ),
    ],
    ids=[
        "pages",
        "an empty listing",
        "a bookmark",
        "a change",
        "a deletion",
        "an expired watch, and what went meanwhile",
        "a cut, and all gone meanwhile",
        "a watch that ends at once",
        "a silent watch",
        "a watch that is refused for now",
        "no right to list",
        "a proxy",
        "a silent listing, then half of one",
        "a listing that took too long",
        "an object that cannot be read",
    ],
)
def test_it_asks_and_tells_as_it_should_against_a_server(
    lists: list[Answer], watches: list[Answer], asked: list[str], changes: list[str]
) -> None:
    index = Telling(THINGS)

    async def scenario() -> list[str]:
        script = Script(lists=lists, watches=watches)
        timeouts = QUICK if SILENT in watches or silence in lists else PATIENT
        async with connected(script.answer, timeouts) as api, asyncio.timeout(20):
            informer = Informer(api, index, None, backoff=Backoff(first=0.001))
            task = asyncio.create_task(informer.run())
            while len(script.asked) < len(asked) or not informer.connected:  # noqa: ASYNC110 - states of two
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return script.asked

    assert asyncio.run(scenario()) == asked
    assert index.told == changes

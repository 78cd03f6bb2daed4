"""kopf itself, against a server that answers as the API server does: what it brings, and what is made up for."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port
from kubernetes.aio import client

from borg_cluster.client import ApiServer
from borg_core.native.claim import CLAIMS
from borg_core.registry import ResourceType, watched_kinds
from borg_operator import __main__ as main
from borg_operator.configuration import Configuration, read_configuration
from borg_operator.kopf import session
from borg_operator.kopf.ending import Ending
from borg_operator.kopf.listings import Listings
from borg_operator.kopf.resync import Resync
from borg_operator.kopf.settings import configure
from borg_operator.kopf.watches import Watches
from borg_operator.store import Store
from support.http_server import Answer, body, connected, no_http, raw, refusal, streamed, text

NAMESPACES = ResourceType("Namespace", "", "v1", "namespaces")
CRDS = ResourceType("CustomResourceDefinition", "apiextensions.k8s.io", "v1", "customresourcedefinitions")
SERVED = (*watched_kinds(), NAMESPACES, CRDS)


def claim(name: str, version: int) -> dict[str, Any]:
    metadata = {"namespace": "team", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": {**metadata, "creationTimestamp": "2026-03-01T00:00:00Z"}}


class Cluster:
    """The namespace `team`, with claims alone. `served`: which kinds it knows."""

    def __init__(self, *claims: dict[str, Any], version: int = 10) -> None:
        self.claims = {item["metadata"]["name"]: item for item in claims}
        self.version = version
        self.served: tuple[ResourceType, ...] = SERVED
        self.may_list: defaultdict[str, asyncio.Event] = defaultdict(_set)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.odd: defaultdict[str, list[tuple[str, Answer]]] = defaultdict(list)
        """What is answered first: to requests of discovery, to listings of claims, to watches of them."""
        self.last_odd = ""
        self.events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        found = next((kind for kind in self.served if request.path == kind.path("team")), None)
        if found in (None, CLAIMS):
            asks = "watch" if "watch" in request.query else "listing" if found else "discovery"
            if self.odd[asks]:
                self.last_odd, answer = self.odd[asks].pop(0)
                return await answer(request)
        if found is None:
            content, status = self._discover(request.path)
            return web.json_response(content, status=status)
        self.asked.append((found.plural, dict(request.query)))
        if "watch" in request.query:
            return await self._watch(request, found)
        await self.may_list[found.plural].wait()
        items = list(self.claims.values()) if found is CLAIMS else []
        metadata = {"resourceVersion": str(self.version)}
        return web.json_response({"kind": f"{found.kind}List", "metadata": metadata, "items": items})

    def _discover(self, path: str) -> tuple[dict[str, Any], int]:
        groups = {kind.group: kind.version for kind in self.served if kind.group}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}, 200
        if path == "/apis":
            listed = [
                {"name": name, "preferredVersion": {"version": version}, "versions": [{"version": version}]}
                for name, version in groups.items()
            ]
            return {"kind": "APIGroupList", "groups": listed}, 200
        resources = [
            {"name": kind.plural, "kind": kind.kind, "singularName": "", "namespaced": True, "verbs": ["list", "watch"]}
            for kind in self.served
            if path == kind.path().removesuffix(f"/{kind.plural}")
        ]
        if resources:
            return {"kind": "APIResourceList", "resources": resources}, 200
        return {"kind": "Status", "code": 404, "reason": "NotFound", "message": path}, 404

    async def _watch(self, request: web.Request, kind: ResourceType) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while event := await self.events.get() if kind is CLAIMS else await asyncio.Event().wait():
            await response.write(json.dumps(event).encode() + b"\n")
        return response


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


class Scene:
    """The operator's half, without the loop: `resynced` is told what a whole comparison said."""

    def __init__(self, api: ApiServer) -> None:
        self.store = Store()
        self.seen: list[str] = []
        self.resynced: asyncio.Queue[bool] = asyncio.Queue()
        self.listings = Listings(api, ("team",), look_seconds=0.01)
        self.resync = Resync(api, self.store, ("team",), self.resynced.put_nowait, more_seconds=0.0, retry_seconds=0.01)
        self.registry = kopf.OperatorRegistry()
        Watches(self.store, self.listings, self.resync, self.seen.append).register(self.registry)

    @property
    def names(self) -> list[str]:
        return sorted(name for _, name in self.store.index(CLAIMS))


@pytest.fixture(autouse=True)
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


def play(cluster: Cluster, path: Path, story: Callable[[Scene], Awaitable[None]]) -> None:
    """Run kopf and the operator's half of it, and meanwhile the story."""

    async def run() -> None:
        async with connected(cluster.answer) as api, asyncio.timeout(20):
            path.write_text(_kubeconfig(api._api.configuration.host))  # noqa: ASYNC240 - a few bytes
            scene = Scene(api)
            settings = kopf.OperatorSettings()
            configure(settings, clusterwide=False)
            settings.watching.reconnect_backoff = 0.01
            settings.queueing.exit_timeout = 0.0
            operator = asyncio.create_task(
                kopf.operator(registry=scene.registry, settings=settings, standalone=True, namespaces=["team"])
            )
            resync = asyncio.create_task(scene.resync.run(3600))
            told = asyncio.ensure_future(story(scene))
            try:
                await asyncio.wait({told, operator}, return_when=asyncio.FIRST_COMPLETED)
                assert told.done(), f"kopf has ended after: {cluster.last_odd}"
                await told
            finally:
                for task in (told, operator, resync):
                    task.cancel()
                await asyncio.gather(told, operator, resync, return_exceptions=True)

    asyncio.run(run())


def _kubeconfig(server: str) -> str:
    contexts = [{"name": "x", "context": {"cluster": "x", "user": "x"}}]
    clusters = [{"name": "x", "cluster": {"server": server}}]
    users = [{"name": "x", "user": {"token": "x"}}]
    return json.dumps({"current-context": "x", "contexts": contexts, "clusters": clusters, "users": users})


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - states of several
        await asyncio.sleep(0.005)


def test_the_first_listings_are_complete_when_the_last_kind_is_listed(kubeconfig: Path) -> None:
    cluster = Cluster(claim("a", 1), claim("b", 2))

    async def story(scene: Scene) -> None:
        cluster.may_list["borgruns"].clear()
        await until(lambda: scene.names == ["a", "b"])
        await asyncio.sleep(0.1)
        assert not scene.listings.complete.is_set()
        assert scene.seen == []
        cluster.may_list["borgruns"].set()
        await scene.listings.complete.wait()
        assert scene.names == ["a", "b"]

    play(cluster, kubeconfig, story)
    lists = {plural: query.get("labelSelector", "") for plural, query in cluster.asked if "watch" not in query}
    assert lists == {kind.plural: kind.selector for kind in watched_kinds()}
    watches = {plural: query.get("labelSelector", "") for plural, query in cluster.asked if "watch" in query}
    assert watches.items() <= lists.items()


def test_where_nothing_is_the_api_server_says_so(kubeconfig: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.listings.await_complete()
        assert scene.listings.complete.is_set()
        assert scene.seen == []

    play(Cluster(), kubeconfig, story)


def test_where_something_is_an_event_is_waited_for(kubeconfig: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.listings.await_complete()
        assert scene.seen == ["PersistentVolumeClaim"]
        assert scene.names == ["a"]

    play(Cluster(claim("a", 1)), kubeconfig, story)


def test_what_comes_changes_and_goes_is_followed(kubeconfig: Path) -> None:
    cluster = Cluster(claim("a", 1))

    async def story(scene: Scene) -> None:
        await scene.listings.complete.wait()
        cluster.events.put_nowait({"type": "ADDED", "object": claim("b", 11)})
        await until(lambda: scene.names == ["a", "b"])
        cluster.events.put_nowait({"type": "DELETED", "object": claim("a", 12)})
        await until(lambda: scene.names == ["b"])
        assert scene.resync._wanted == set()

    play(cluster, kubeconfig, story)


def test_what_went_while_the_watch_was_broken_is_noticed_at_the_next_listing(kubeconfig: Path) -> None:
    cluster = Cluster(claim("a", 1), claim("b", 2))

    async def story(scene: Scene) -> None:
        await scene.listings.complete.wait()
        del cluster.claims["a"]
        cluster.version = 20
        cluster.claims["b"] = claim("b", 15)
        gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
        cluster.events.put_nowait({"type": "ERROR", "object": gone})
        await until(lambda: scene.names == ["b"])

    play(cluster, kubeconfig, story)


JSON = {"Content-Type": "application/json"}
NO_OBJECTS = {
    "a page of somebody else": text("<h1>Log in</h1>"),
    "sent away": text("", 302, {"Location": "/login"}),
    "JSON cut off": text('{"kind": "PersistentVolumeClaimList", "items": [{', headers=JSON),
    "JSON nested without end": text("[" * 100_000, headers=JSON),
    "nothing": text(""),
    "a list": text("[1, 2]", headers=JSON),
    "a Status": refusal(200, "", "all is well"),
    "bytes that are no text": raw(b"\xff\xfe{"),
    "a body that is not packed as it says": raw(b"{}", headers={**JSON, "Content-Encoding": "gzip"}),
    "no HTTP": no_http,
}
NO_ERRORS = {
    "429 until a date": text("", 429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
    "429 until a power": text("", 429, {"Retry-After": "\u00b2"}),
    "429 for a day": text("", 429, {"Retry-After": "86400"}),
    "429 for ever": text("", 429, {"Retry-After": "9" * 400}),
    "429 with an odd Status": body({"kind": "Status", "details": {"retryAfterSeconds": "soon"}}, 429),
    "429 with details that are none": body({"kind": "Status", "details": ["soon"]}, 429),
    "503 that is no text": raw(b"\xff\xfe", 503),
    "503 that is no text, and says JSON": raw(b"\xff\xfe", 503, JSON),
    "503 in an alphabet that does not exist": raw(b"\xff", 503, {"Content-Type": "text/plain; charset=klingon"}),
    "403 that is no text": raw(b"\xff\xfe", 403, JSON),
}
LISTED = {"kind": "PersistentVolumeClaimList", "metadata": {"resourceVersion": "5"}}
NO_LISTS = {
    "no items": body(LISTED),
    "items that are none": body({**LISTED, "items": None}),
    "items that are texts": body({**LISTED, "items": ["a"]}),
    "items without metadata": body({**LISTED, "items": [{}]}),
    "no version": body({**LISTED, "metadata": {}, "items": []}),
    "no metadata": body({**LISTED, "metadata": None, "items": []}),
    "another kind": body({**LISTED, "kind": "Thing", "items": []}),
}
NO_EVENTS = {
    "garbled": b'{"type":"ADDED","object":{"metadata":{"na\x00me"}}\n',
    "not text": b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}\n',
    "nested without end": b'{"type":"ADDED","object":' + b"[" * 100_000 + b"}\n",
    "no type": b'{"object":{"metadata":{}}}\n',
    "an object that is none": b'{"type":"ADDED","object":[]}\n',
    "an object without metadata": b'{"type":"ADDED","object":{}}\n',
    "metadata that is none": b'{"type":"ADDED","object":{"metadata":"a"}}\n',
}
ODD = {
    "discovery": {**NO_ERRORS, **NO_OBJECTS},
    "listing": {**NO_ERRORS, **NO_OBJECTS, **NO_LISTS},
    "watch": {**NO_ERRORS, **NO_OBJECTS, **{what: streamed(line) for what, line in NO_EVENTS.items()}},
}


@pytest.mark.parametrize("asks", ODD)
def test_no_answer_whatever_ends_kopf_or_is_taken_for_an_empty_list(
    asks: str, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_PAUSE_SECONDS", 0.0), ("_BACKOFFS", ()), ("_LAST_BACKOFF", 0.0)):
        monkeypatch.setattr(session, name, value)
    cluster = Cluster(claim("a", 1))
    cluster.odd[asks] = list(ODD[asks].items())

    async def story(scene: Scene) -> None:
        await scene.listings.complete.wait()
        assert scene.names == ["a"], f"an empty list: {cluster.last_odd}"
        await until(lambda: not cluster.odd[asks])
        cluster.events.put_nowait({"type": "ADDED", "object": claim("b", 11)})
        await until(lambda: scene.names == ["a", "b"])

    play(cluster, kubeconfig, story)


def test_an_operator_of_some_namespaces_waits_for_its_kinds() -> None:
    cluster = Cluster()
    cluster.served = (NAMESPACES,)

    async def run() -> None:
        async with connected(cluster.answer) as api:
            listings = Listings(api, ("team",), look_seconds=0.01)
            waiting = asyncio.create_task(listings.await_kinds())
            await asyncio.sleep(0.05)
            assert not waiting.done()
            cluster.served = SERVED
            assert await asyncio.wait_for(waiting, 5) == ("team",)

    asyncio.run(run())


def test_a_namespace_that_refuses_is_in_no_others_way_and_belongs_to_it_again_when_it_does_not() -> None:
    cluster = Cluster(claim("a", 1))
    refused = ["/namespaces/other/"]

    async def answer(request: web.Request) -> web.StreamResponse:
        if any(part in request.path for part in refused):
            return web.json_response({"kind": "Status", "reason": "Forbidden", "message": "no Role"}, status=403)
        if "/namespaces/other/" in request.path:
            return await body({**LISTED, "kind": "SomeList", "items": []})(request)
        return await cluster.answer(request)

    async def run() -> None:
        told: list[tuple[str, bool]] = []
        async with connected(answer) as api, asyncio.timeout(10):
            listings = Listings(
                api, ("team", "other"), lambda *news: told.append(news), look_seconds=0.01, retry_seconds=0.01
            )
            assert await listings.await_kinds() == ("team",)
            assert told == [("team", False), ("other", True)]
            waiting = asyncio.create_task(listings.await_refused())
            await asyncio.sleep(0.05)
            assert not listings.changed.is_set()
            refused[:] = ["/namespaces/other/pods"]  # a part of it would be worse than nothing
            await asyncio.sleep(0.05)
            assert not listings.changed.is_set()
            refused.clear()
            await waiting
            assert listings.changed.is_set()

    asyncio.run(run())


def test_a_namespace_that_refuses_before_it_was_listed_lets_all_begin_anew() -> None:
    cluster = Cluster(claim("a", 1))
    refused: list[bool] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (refusal(403, "Forbidden", "no Role")(request) if refused else cluster.answer(request))

    async def run() -> None:
        async with connected(answer) as api, asyncio.timeout(10):
            listings = Listings(api, ("team",), look_seconds=0.01)
            await listings.await_kinds()
            refused.append(True)
            waiting = asyncio.create_task(listings.await_complete())
            await listings.changed.wait()
            assert not listings.complete.is_set()
            waiting.cancel()

    asyncio.run(run())


def test_of_a_namespace_that_refuses_nothing_is_taken_for_deleted_while_others_are_compared() -> None:
    cluster = Cluster(claim("a", 1))
    there = claim("there", 2)
    there["metadata"]["namespace"] = "other"
    refused = [True]

    async def answer(request: web.Request) -> web.StreamResponse:
        if "/namespaces/other/" in request.path:
            found = refusal(403, "Forbidden", "no Role") if refused else body({**LISTED, "kind": "L", "items": []})
            return await found(request)
        return await cluster.answer(request)

    async def run() -> None:
        told: list[tuple[str, bool]] = []
        async with connected(answer) as api, asyncio.timeout(10):
            scene = Scene(api)
            resync = Resync(
                api, scene.store, ("other", "team"), scene.resynced.put_nowait, lambda *news: told.append(news)
            )
            for item in (claim("a", 1), claim("ghost", 2), there):
                scene.store.put(CLAIMS, item)
            task = asyncio.create_task(resync.run(0.05))
            assert await scene.resynced.get()
            assert (scene.names, told) == (["a", "there"], [("other", True)])
            refused.clear()
            await until(lambda: scene.names == ["a"])
            await until(lambda: told == [("other", True), ("other", False)])
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


async def connect_to(configuration: client.Configuration) -> client.ApiClient:
    return client.ApiClient(configuration)


def configuration_of(namespaces: str, metrics_port: int = 0) -> Configuration:
    settings = {"RUNNER_IMAGE": "x", "NAMESPACES": namespaces, "CLUSTER_NAME": "x"}
    ports = {"HEALTH_PORT": "0", "METRICS_PORT": str(metrics_port)}
    return read_configuration({f"BORG_OPERATOR_{name}": value for name, value in {**settings, **ports}.items()})


@pytest.mark.usefixtures("own_signals")
def test_where_every_namespace_refuses_its_metrics_say_so(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    refused = [True]

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (refusal(403, "Forbidden", "no Role")(request) if refused else cluster.answer(request))

    async def run() -> None:
        port = unused_port()
        async with connected(answer) as api, aiohttp.ClientSession() as asking, asyncio.timeout(60):
            kubeconfig.write_text(_kubeconfig(api._api.configuration.host))  # noqa: ASYNC240 - a few bytes
            monkeypatch.setattr(main, "connect", lambda _size: connect_to(api._api.configuration))

            async def said() -> str:
                with contextlib.suppress(aiohttp.ClientError):
                    async with asking.get(f"http://127.0.0.1:{port}/metrics") as found:
                        return await found.text() if found.status == 200 else ""
                return ""

            operator = asyncio.create_task(main._run(configuration_of("team", port), Ending()))
            for value in ("1.0", "0.0"):
                while f'borg_operator_namespace_refused{{namespace="team"}} {value}' not in await said():
                    assert not operator.done()
                    await asyncio.sleep(0.05)
                refused.clear()
            operator.cancel()
            await asyncio.gather(operator, return_exceptions=True)

    asyncio.run(run())


@pytest.mark.usefixtures("own_signals")
def test_the_operator_begins_anew_with_a_namespace_that_refuses_no_more(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Listings.__init__.__kwdefaults__ or {}, "retry_seconds", 0.1)
    cluster = Cluster()
    refused = [True]
    watched: set[str] = set()

    async def answer(request: web.Request) -> web.StreamResponse:
        if "/namespaces/other/" not in request.path:
            return await cluster.answer(request)
        if refused:
            return await refusal(403, "Forbidden", "no Role")(request)
        if "watch" in request.query:
            watched.add(request.path)
            await asyncio.Event().wait()
        return await body({**LISTED, "kind": "SomeList", "items": []})(request)

    configuration = configuration_of("team,other")

    async def run() -> None:
        async with connected(answer) as api, asyncio.timeout(60):
            kubeconfig.write_text(_kubeconfig(api._api.configuration.host))  # noqa: ASYNC240 - a few bytes
            monkeypatch.setattr(main, "connect", lambda _size: connect_to(api._api.configuration))
            ending = Ending()
            first = asyncio.create_task(main._run(configuration, ending))
            await until(lambda: any(plural == "borgruns" and "watch" in query for plural, query in cluster.asked))
            assert not first.done()
            refused.clear()
            assert await first
            second = asyncio.create_task(main._run(configuration, ending))
            await until(lambda: len(watched) == len(watched_kinds()))
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)

    asyncio.run(run())


@pytest.mark.parametrize("status", [403, 500])
def test_a_comparison_that_fails_forgets_nothing_and_is_made_again(status: int) -> None:
    cluster = Cluster(claim("a", 1))
    failing = [True]

    async def answer(request: web.Request) -> web.StreamResponse:
        if failing[0]:
            return web.json_response({"kind": "Status", "message": "no"}, status=status)
        return await cluster.answer(request)

    async def run() -> None:
        async with connected(answer) as api:
            scene = Scene(api)
            for item in (claim("a", 1), claim("ghost", 2), claim("newer", 99)):
                scene.store.put(CLAIMS, item)
            task = asyncio.create_task(scene.resync.run(0.05))
            assert not await asyncio.wait_for(scene.resynced.get(), 5)
            assert scene.names == ["a", "ghost", "newer"]
            failing[0] = False
            await asyncio.wait_for(until(lambda: scene.names == ["a", "newer"]), 5)
            while not await asyncio.wait_for(scene.resynced.get(), 5):
                pass
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())

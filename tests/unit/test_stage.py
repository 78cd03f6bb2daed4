"""The observer of the tests with a bad API server: what it does not see, they cannot find wrong."""

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import web

from borg_core.native.job import JOBS
from borg_core.registry import watched_kinds
from support.http_server import connected, streamed
from support.process import Process
from support.proxy import Call, Proxy
from support.stage import Stage


def job(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "team", "name": name, "uid": name, "resourceVersion": version}}


def test_after_a_version_that_is_too_old_it_is_seen_again_what_comes_and_what_went() -> None:
    nobody: Any = None
    listings = [[job("a", "3"), job("b", "4")], [job("b", "7"), job("c", "8")]]
    versions = ["5", "9"]
    expired = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}
    watches = {"5": streamed(expired), "9": streamed({"type": "ADDED", "object": job("d", "10")}, then="wait")}

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            return await watches[request.query["resourceVersion"]](request)
        metadata = {"resourceVersion": versions.pop(0)}
        return web.json_response({"kind": "JobList", "metadata": metadata, "items": listings.pop(0)})

    async def run() -> list[tuple[str, str]]:
        async with connected(answer) as api, asyncio.timeout(10):
            stage = Stage(nobody, api, "team", nobody, nobody, nobody)
            following = asyncio.create_task(stage.follow(JOBS))
            seen = stage.seen["Job"]
            while not seen or seen[-1]["object"]["metadata"]["name"] != "d":  # noqa: ASYNC110 - one of the recorder
                await asyncio.sleep(0.01)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            return [(event["type"], event["object"]["metadata"]["name"]) for event in seen]

    first, second = [("ADDED", "a"), ("ADDED", "b")], [("DELETED", "a"), ("MODIFIED", "b"), ("ADDED", "c")]
    assert asyncio.run(run()) == [*first, *second, ("ADDED", "d")]


def test_an_operator_that_has_only_begun_is_not_taken_for_one_that_has_nothing_to_do() -> None:
    """Under load a life takes longer to begin than all is quiet for."""
    nobody: Any = None
    proxy, operator = Proxy("", nobody), Process("none", {}, Path("none"))
    stage = Stage(nobody, nobody, "team", nobody, proxy, operator)

    def begin_to_watch(at: float, *plurals: str) -> None:
        for plural in plurals:
            proxy.calls.append(Call(0, at, "GET", f"/api/{plural}", {"watch": "true"}, done=200))

    every = [kind.plural for kind in watched_kinds()]
    assert stage.seen_all_since() == 0.0, "no operator was begun"
    operator.began = 100.0
    begin_to_watch(50.0, *every)
    assert stage.seen_all_since() is None, "that was its former life"
    begin_to_watch(110.0, *every[1:])
    assert stage.seen_all_since() is None, "it does not watch all yet"
    begin_to_watch(120.0, every[0])
    assert stage.seen_all_since() == 120.0
    proxy.cut_at = 130.0
    assert stage.seen_all_since() is None, "its watches were cut off"
    begin_to_watch(140.0, *every)
    begin_to_watch(150.0, *every)
    assert stage.seen_all_since() == 140.0, "those that are begun again because they ended tell nothing new"

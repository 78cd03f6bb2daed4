"""The observer of the tests with a bad API server: what it does not see, they cannot find wrong."""

import asyncio
from typing import Any

from aiohttp import web

from borg_core.native.job import JOBS
from support.http_server import connected, streamed
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

"""Hostile labels: what people, borg and pods write comes to Prometheus as it is, and makes no series of its own.

Texts are as the API server keeps them: it knows no halves of surrogate pairs, without which all is valid UTF-8.
"""

import asyncio
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES
from borg_operator.store import Store
from borg_operator.telemetry.metrics import Metrics
from borg_operator.telemetry.server import MetricsServer
from faults.hostile import as_kept, texts
from faults.seed import SEED
from support import builders
from support.prometheus import Target, reading
from support.rest_world import World
from support.waiting import wait_for

NUMBERS = [500, pytest.param(5_000, marks=pytest.mark.long)]
TITLE_LIMIT, TIMES_LIMIT, ZONE_LIMIT, NAME_LIMIT = 253, 512, 64, 253


def fill(store: Store, count: int) -> dict[str, dict[str, str]]:
    """Put schedules and what their pods told into the store; return by name the labels that each is to have."""
    words, chance = [as_kept(text) for text in texts(21, 2_000)], Random(SEED)
    store.put(REPOSITORIES, body_of(builders.local_repository()))
    expected = {}
    for number in range(count):
        name, title, times, zone = f"s{number}", *(chance.choice(words) for _ in range(3))
        spec = {"title": title[:TITLE_LIMIT], "schedule": times[:TIMES_LIMIT], "timeZone": zone[:ZONE_LIMIT]}
        store.put(SCHEDULES, body_of(builders.schedule(name, **spec)))
        expected[name] = {
            "title": spec["title"] or name,
            "cron": spec["schedule"] or " ",
            "time_zone": spec["timeZone"],
        }
        told = dict.fromkeys(["main", *(chance.choice(words)[:NAME_LIMIT] for _ in range(15))])
        results = [
            {
                "name": other,
                "phase": "Failed" if other == "main" else "Completed",
                "archive": chance.choice(words)[:240] or "a",
                "reason": "LockTimeout",
                "error": chance.choice(words),
                "warnings": [chance.choice(words)],
                "lockedBy": chance.choice(words),
                "files": 3,
            }
            for other in told
        ]
        status = {"phase": "Failed", "message": chance.choice(words), "repositories": results}
        times_of = {"startTime": "2026-03-01T00:00:00Z", "completionTime": "2026-03-01T01:00:00Z"}
        run = builders.run(f"{name}-1", {**status, **times_of}, scheduleRef={"name": name})
        store.put(RUNS, body_of(run))
    return expected


def body_of(resource: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = resource.model_dump(by_alias=True, exclude_none=True, mode="json")
    return dumped


@asynccontextmanager
async def shown(store: Store) -> AsyncIterator[str]:
    """Give the address at which the operator shows the store."""
    server = MetricsServer(store, Metrics(), lambda: True, host="127.0.0.1", port=0)
    try:
        yield f"127.0.0.1:{await server.start()}"
    finally:
        await server.stop()


@pytest.fixture
def operator(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Give the address of an operator's metrics, served in a thread, and the labels that are to be there."""
    store = Store()
    expected = fill(store, request.param)
    ready, over, address = threading.Event(), asyncio.Event(), []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with shown(store) as found:
            address.append(found)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield address[0], expected
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def families_of(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def check_with_promtool(text: str) -> None:
    """Fail where promtool, which is Prometheus' own parser, cannot read it or finds something to blame."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr[:2000]


@pytest.mark.parametrize("operator", NUMBERS, indirect=True)
def test_what_people_and_pods_write_comes_to_prometheus_as_it_is(
    operator: tuple[str, dict[str, dict[str, str]]], tmp_path: Path
) -> None:
    address, expected = operator
    text = httpx.get(f"http://{address}/metrics", timeout=60).text
    families = families_of(text)
    check_with_promtool(text)

    found = {sample.labels["schedule"]: sample.labels for sample in families["borg_schedule_info"].samples}
    wanted = {name: {"namespace": "team", "schedule": name, **labels} for name, labels in expected.items()}
    assert found == wanted
    per_schedule = [
        sample
        for name, family in families.items()
        if name.startswith("borg_schedule_")
        for sample in family.samples
        if sample.labels["schedule"] == "s0"
    ]
    assert len(per_schedule) < 50
    series = sum(len(family.samples) for family in families.values())
    assert series < len(expected) * len(per_schedule) * 1.2 + 300
    named = {sample.labels.get("repository", "main") for family in families.values() for sample in family.samples}
    assert named == {"main"}  # whatever else pods told of

    with reading(tmp_path, address, [Target("/metrics", "operator", "one")], {"groups": []}) as prometheus:
        query = "borg_schedule_info"
        wait_for(lambda: len(prometheus.query(query)), lambda number: number == len(expected), 60, "all are read")
        taken = [item["metric"] for item in prometheus.query(query)]
    of_its_own = {"__name__", "job", "instance"}
    # Prometheus has no label without a value.
    wanted = {name: {label: text for label, text in labels.items() if text} for name, labels in wanted.items()}
    read = {found["schedule"]: {key: found[key] for key in found.keys() - of_its_own} for found in taken}
    assert read == wanted


@pytest.mark.parametrize("count", NUMBERS)
def test_who_asks_the_facade_makes_no_series_of_their_own(count: int) -> None:
    world, chance = World(), Random(SEED)
    words = [as_kept(text)[:2000] for text in texts(22, 2_000)]
    routes = {getattr(route, "path", "") for route in world.app.routes}
    shapes = (
        "/{}",
        "/api/{}",
        "/api/schedule/{}",
        "/api/schedule/{}/run-now",
        "/api/schedule/?namespace={}",
        "/metrics/{}",
    )
    methods = ("GET", "PUT", "BREW", "get", 'X"\n} 1', *(f"M{number}" for number in range(50)))

    async def ask() -> str:
        transport = httpx.ASGITransport(world.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://facade") as client:
            for _ in range(count):
                path = chance.choice(shapes).format(quote(chance.choice(words), safe=chance.choice(("", "/?&=%"))))
                scope_method = chance.choice(methods)
                await client.send(client.build_request(scope_method, path, headers={"Authorization": "Bearer x"}))
            return (await client.get("/metrics")).text

    text = asyncio.run(ask())
    check_with_promtool(text)
    families = families_of(text)
    labels = [sample.labels for sample in families["borg_api_requests"].samples]
    assert {label["method"] for label in labels} <= {"GET", "PUT", "other"}
    assert {label["route"] for label in labels} <= routes | {"other"}
    assert "500" not in {label["status"] for label in labels}

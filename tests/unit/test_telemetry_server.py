"""The operator's answer to Prometheus: whole, shared by those who come at once, and out of the way of the work."""

import asyncio
import gzip
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from borg_cluster.errors import Refused, Unreachable
from borg_core.kinds.schedule import SCHEDULES
from borg_core.registry import Reference
from borg_operator.loop.controller import Controller, Limits
from borg_operator.store import Store
from borg_operator.telemetry import server as metrics_server
from borg_operator.telemetry.health import HealthServer
from borg_operator.telemetry.metrics import Metrics
from borg_operator.telemetry.server import MetricsServer
from support import builders

Get = Callable[..., Awaitable[tuple[int, bytes]]]


def body(resource: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = resource.model_dump(by_alias=True, exclude_none=True, mode="json")
    return dumped


def ask(
    store: Store, questions: Callable[[Get], Awaitable[None]], is_complete: Callable[[], bool] = lambda: True
) -> None:
    async def run() -> None:
        server = MetricsServer(store, Metrics(), is_complete, host="127.0.0.1", port=0)
        url = f"http://127.0.0.1:{await server.start()}/metrics"

        async def get(encoding: str = "identity") -> tuple[int, bytes]:
            headers = {"Accept-Encoding": encoding}
            async with (
                aiohttp.ClientSession(auto_decompress=False) as session,
                session.get(url, headers=headers) as answer,
            ):
                return answer.status, await answer.read()

        try:
            await questions(get)
        finally:
            await server.stop()

    asyncio.run(run())


def test_half_a_picture_is_not_shown() -> None:
    store = Store()
    store.put(SCHEDULES, body(builders.schedule()))
    complete = asyncio.Event()

    async def questions(get: Get) -> None:
        assert (await get())[0] == 503
        complete.set()
        status, text = await get()
        assert status == 200
        assert b'borg_schedule_info{cron="0 2 * * *",namespace="team",schedule="db"' in text

    ask(store, questions, complete.is_set)


def test_it_is_zipped_for_who_can_unzip() -> None:
    async def questions(get: Get) -> None:
        _, zipped = await get("gzip")
        _, plain = await get()
        assert b"# TYPE borg_schedule_ready gauge" in plain
        assert b"# TYPE borg_schedule_ready gauge" in gzip.decompress(zipped)

    ask(Store(), questions)


def test_those_who_come_at_once_share_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    all_here = threading.Event()
    arrived, written = [], []

    def arrive() -> bool:
        arrived.append(1)
        if len(arrived) == 5:
            all_here.set()
        return True

    def write(_: Any) -> bytes:
        written.append(all_here.wait(timeout=10))
        return b"the picture"

    monkeypatch.setattr(metrics_server, "_write", write)

    async def questions(get: Get) -> None:
        answers = await asyncio.gather(*(get() for _ in range(5)))
        assert answers == [(200, b"the picture")] * 5
        assert written == [True]
        await get()
        assert len(written) == 2

    ask(Store(), questions, arrive)


class Gathering:
    """A gatherer whose API server is as it is told, and then away for good."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = asyncio.Event()

    async def gather(self, *_: Any) -> None:
        self.asked.set()
        raise self.errors.pop(0) if self.errors else Unreachable("away")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Refused("no"), "cluster"),
        (Unreachable("busy"), "cluster"),
        (OSError("no space left on the device"), "unexpected"),
        (KeyError(), "unexpected"),
    ],
)
def test_a_failed_reconciliation_is_counted_with_its_cause(error: Exception, cause: str) -> None:
    metrics = Metrics()

    async def run() -> None:
        gathering: Any = Gathering(error)
        nobody: Any = None
        controller = Controller(Store(), gathering, nobody, Limits(workers=1), metrics=metrics)
        controller.start()
        controller._enqueue(Reference("BorgSchedule", "team", "db"))
        assert metrics.registry.get_sample_value("borg_operator_queue_depth") == 1
        await gathering.asked.wait()
        await asyncio.sleep(0)
        await controller.stop()

    asyncio.run(run())

    def count(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"borg_operator_{name}", labels)

    other = {"cluster": "unexpected", "unexpected": "cluster"}[cause]
    assert count("reconcile_errors_total", kind="schedule", cause=cause) == 1
    assert count("reconcile_errors_total", kind="schedule", cause=other) == 0
    assert count("reconcile_duration_seconds_count", kind="schedule") == 1
    assert count("queue_failing") == 1
    assert count("queue_depth") == 0


def test_requests_to_the_api_server_are_counted_answered_or_not() -> None:
    metrics = Metrics()
    metrics.requested("GET", 200)
    metrics.requested("GET", 200)
    metrics.requested("PATCH", None)
    name = "borg_operator_kubernetes_requests_total"
    assert metrics.registry.get_sample_value(name, {"method": "GET", "status": "200"}) == 2
    assert metrics.registry.get_sample_value(name, {"method": "PATCH", "status": "lost"}) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize(
    ("make", "path"),
    [
        (HealthServer, "healthz"),
        (lambda *, port: MetricsServer(Store(), Metrics(), lambda: True, port=port), "metrics"),
    ],
    ids=["the kubelet", "Prometheus"],
)
def test_who_asks_is_answered_in_both_families(make: Any, path: str, host: str) -> None:
    async def run() -> int:
        server = make(port=free_port())
        try:
            url = f"http://{host}:{await server.start()}/{path}"
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status
        finally:
            await server.stop()

    assert asyncio.run(run()) == 200


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])

"""How long a scrape of the operator takes, and how long it holds up the event loop that reconciling runs in.

Usage: python tests/bench/metrics_scrape.py [number of schedules]      (no cluster needed)

Fills a store with that many schedules, ten finished runs each, and asks its metrics server over HTTP, while a task in
the same event loop looks how late it is woken. First when all is well, then when every schedule has missed its runs.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from borg_core.formats import format_time
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES
from borg_core.native.cron_job import CRON_JOBS
from borg_operator.store import Store
from borg_operator.telemetry.metrics import Metrics
from borg_operator.telemetry.server import MetricsServer
from support import builders

RUNS_EACH = 10
SCRAPES = 10
NAP_SECONDS = 0.002


async def main(count: int) -> None:
    """Print seconds, bytes, and the longest delays of the event loop."""
    print(f"{count} schedules, {count * RUNS_EACH} runs")
    for title, last in (("all is well", datetime.now(UTC)), ("all missed", builders.NOW)):
        store = Store()
        fill(store, count, last)
        gc.collect()  # what filling the store has left to do is not the scrape's
        server = MetricsServer(store, Metrics(), lambda: True, host="127.0.0.1", port=0)
        port = await server.start()
        _, late = await watched(asyncio.sleep(2))
        print(f"{title}: without a scrape the loop is at most {late * 1000:.1f} ms late")
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            for attempt in range(SCRAPES):
                began = time.perf_counter()
                body, late = await watched(scrape(session, port))
                seconds = time.perf_counter() - began
                print(
                    f"  scrape {attempt}: {seconds:.2f} s, {len(body):,} bytes; loop at most {late * 1000:.1f} ms late"
                )
        await server.stop()


async def scrape(session: aiohttp.ClientSession, port: int) -> bytes:
    """Return the body, gzipped as Prometheus asks for it."""
    url = f"http://127.0.0.1:{port}/metrics"
    async with session.get(url, headers={"Accept-Encoding": "gzip"}) as response:
        response.raise_for_status()
        return await response.read()


async def watched(work: Awaitable[Any]) -> tuple[Any, float]:
    """Return what `work` gives, and the longest that the loop was late meanwhile, in seconds."""
    late = 0.0

    async def nap() -> None:
        nonlocal late
        while True:
            due = time.perf_counter() + NAP_SECONDS
            await asyncio.sleep(NAP_SECONDS)
            late = max(late, time.perf_counter() - due)

    napping = asyncio.create_task(nap())
    try:
        return await work, late
    finally:
        napping.cancel()


def fill(store: Store, count: int, last: datetime) -> None:
    """Put in schedules of different times, with their CronJobs, finished runs and ten repositories a hundred."""
    for number in range(max(1, count // 10)):
        store.put(REPOSITORIES, body(builders.local_repository(f"repository-{number:05}")))
    for number in range(count):
        name = f"schedule-{number:05}"
        cron = f"{number % 60} {number // 60 % 24} * * *"
        schedule = builders.schedule(name, (f"repository-{number // 10:05}",), schedule=cron)
        status = {"lastRunPhase": "Completed", "lastRunTime": format_time(builders.NOW), "nextRunTime": ""}
        store.put(SCHEDULES, {**body(schedule), "status": {**status, "lastSuccessTime": format_time(builders.NOW)}})
        store.put(CRON_JOBS, cron_job(name, cron, last))
        for run in range(RUNS_EACH):
            store.put(RUNS, finished(name, run, f"repository-{number // 10:05}"))


def cron_job(name: str, cron: str, last: datetime) -> dict[str, Any]:
    owner = {"kind": "BorgSchedule", "uid": f"uid-{name}", "controller": True}
    metadata = builders.metadata(name, ownerReferences=[owner])
    spec = {"schedule": cron, "timeZone": "Europe/Berlin", "suspend": False}
    return {"metadata": metadata, "spec": spec, "status": {"lastScheduleTime": format_time(last)}}


def finished(schedule: str, number: int, repository: str) -> dict[str, Any]:
    ended = builders.NOW - timedelta(days=number)
    result = {
        "name": repository,
        "phase": "Completed",
        "archive": "a",
        "originalSize": 10**9,
        "deduplicatedSize": 10**6,
    }
    status = {
        "phase": "Completed",
        "startTime": format_time(ended - timedelta(minutes=2)),
        "completionTime": format_time(ended),
        "repositories": [{**result, "compressedSize": 10**8, "files": 1000}],
    }
    run = builders.run(f"{schedule}-{number}", status, scheduleRef={"name": schedule})
    return body(run)


def body(resource: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = resource.model_dump(by_alias=True, exclude_none=True, mode="json")
    return dumped


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))

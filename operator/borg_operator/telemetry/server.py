"""Answers Prometheus on a port of its own, without holding up the work.

The snapshot is taken in the event loop and read off in a thread, so what reconciling notices of a scrape is
that a second thread wants the interpreter for as long as that takes. Several that come at once share one answer.
"""

import asyncio
import gc
import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from borg_operator.store import Store
from borg_operator.telemetry.metrics import Metrics
from borg_operator.telemetry.snapshot import Snapshot

PORT = 8081
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsServer:
    """`/metrics`. 503 until the picture is complete: half of one would end alerts that go on."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        is_complete: Callable[[], bool],
        *,
        host: str | None = None,
        port: int = PORT,
        with_claims: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`with_claims`: whether there is a series for each claim."""
        self._with_claims = with_claims
        self._store = store
        self._metrics = metrics
        self._is_complete = is_complete
        self._clock = clock
        self._host, self._port = host, port
        self._rendering: asyncio.Task[bytes] | None = None
        application = web.Application()
        application.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> int:
        """Listen, without a host on every address there is; return the port."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        address: tuple[str, int] = self._runner.addresses[0]
        return address[1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        if not self._is_complete():
            raise web.HTTPServiceUnavailable(text="the first listings are not complete yet\n")
        if self._rendering is None or self._rendering.done():
            self._rendering = asyncio.create_task(self._render())
        # Shielded: when one of those who wait goes away, the others still get their answer.
        text = await asyncio.shield(self._rendering)
        headers = {"Content-Type": _CONTENT_TYPE}
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            text = await asyncio.to_thread(gzip.compress, text, 1)
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=text, headers=headers)

    async def _render(self) -> bytes:
        snapshot = Snapshot.of(self._store, self._clock(), with_claims=self._with_claims)
        return await asyncio.to_thread(_write, Chain(snapshot, self._metrics.registry))


def _write(collector: Collector) -> bytes:
    """Return the text, without waking the garbage collector.

    Nothing here is cyclic, but it is a lot: it would soon make Python look through all objects of the store, which
    halts every thread, for most of a second where there are thousands of schedules.
    """
    gc.disable()
    try:
        return generate_latest(collector)
    finally:
        gc.enable()


class Chain(Collector):
    """Several collectors as one."""

    def __init__(self, *parts: Collector) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """Yield what each part does, in turn."""
        for part in self._parts:
            yield from part.collect()

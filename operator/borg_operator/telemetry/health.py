"""Answers the kubelet's probes: who answers has an event loop that turns.

On every address there is, IPv4 and IPv6: kopf's own listens on one, and in a cluster of the other family no probe
arrives.
"""

from aiohttp import web

PORT = 8080


class HealthServer:
    """`/healthz`."""

    def __init__(self, *, host: str | None = None, port: int = PORT) -> None:
        self._host, self._port = host, port
        application = web.Application()
        application.router.add_get("/healthz", _answer)
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> int:
        """Listen, without a host on every address there is; return the port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        address: tuple[str, int] = self._runner.addresses[0]
        return address[1]

    async def stop(self) -> None:
        await self._runner.cleanup()


async def _answer(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")

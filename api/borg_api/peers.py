"""Replicas that agree: a write is answered only when every replica's own watch has come to it.

So whoever is told 2xx sees his change in every answer that follows, whichever replica gives it. The cost, a few
milliseconds, falls on writes; reads never ask anybody.
"""

import asyncio
import logging
import socket
import time

import aiohttp

from borg_api.configuration import Configuration

logger = logging.getLogger(__name__)

PATH = "/peers/seen"
WAIT_SECONDS = 2.0
_LOOK_UP_SECONDS = 1.0
_OK = 200


class Peers:
    """The other replicas, found by the name of a headless service."""

    def __init__(self, configuration: Configuration) -> None:
        self._host, _, self._port = configuration.peers.rpartition(":")
        self._own = configuration.own_address
        self._scheme = "https" if configuration.certificate else "http"
        self._session: aiohttp.ClientSession | None = None
        self._known: list[str] = []
        self._looked_up = -_LOOK_UP_SECONDS

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_SECONDS))

    async def stop(self) -> None:
        if self._session:
            await self._session.close()

    async def have_seen(self, kind: str, namespace: str, version: int) -> None:
        """Return when all have, or when those that have not do not answer: they are dead, or about to be."""
        if self._host:
            query = {"kind": kind, "namespace": namespace, "version": str(version)}
            await asyncio.gather(*(self._ask(address, query) for address in await self._addresses()))

    async def _ask(self, address: str, query: dict[str, str]) -> None:
        assert self._session  # noqa: S101 - as started
        host = f"[{address}]" if ":" in address else address
        try:
            url = f"{self._scheme}://{host}:{self._port}{PATH}"
            # Certificates name the service and not its pods' addresses, so none is verified: nothing secret is asked,
            # and a false answer could at most let somebody read what was a moment ago.
            async with self._session.get(url, params=query, ssl=False) as response:
                await response.read()
                if response.status != _OK:
                    logger.warning(
                        "replica %s has not come to version %s: %s", address, query["version"], response.status
                    )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            logger.warning("replica %s did not say what it has seen: %s", address, error or type(error).__name__)

    async def _addresses(self) -> list[str]:
        now = time.monotonic()
        if now - self._looked_up > _LOOK_UP_SECONDS:
            self._looked_up = now
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    loop = asyncio.get_running_loop()
                    found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                self._known = sorted({str(entry[4][0]) for entry in found} - {self._own})
            except OSError as error:  # TimeoutError is one
                logger.warning("the replicas behind %s cannot be looked up: %s", self._host, error)
        return self._known

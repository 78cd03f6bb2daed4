"""Read your own writes on every replica: a write is answered once the watch of every replica has brought it.

The cost, a few milliseconds, falls on writes; reads ask nobody. A replica that starts is not ready, and so nobody reads
from it, until all others know it and wait for it. They find each other by DNS, whose answers may be some seconds old.
"""

import asyncio
import errno
import logging
import socket
import time
from contextlib import AbstractAsyncContextManager

import aiohttp

from borg_api.configuration import Configuration

logger = logging.getLogger(__name__)

SEEN = "/peers/seen"
KNOWN = "/peers/known"
WAIT_SECONDS = 2.0
_LOOK_UP_SECONDS = 1.0
_FORGET_SECONDS = 10.0
"""An address is kept for this long after DNS last named it: several DNS servers may differ."""
_INTRODUCTION_SECONDS = 15.0
"""After that a replica is ready although another does not answer: that one may be lost and still be in DNS."""
_NOBODY_THERE = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)
_OK = 200
_NOT_FOUND = 404


class Replicas:
    """The other replicas, found by the name of a headless service.

    `introduced`: whether all others know this one, or it has waited for them long enough.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._host, _, self._port = configuration.peers.rpartition(":")
        self._own = configuration.own_address
        self._scheme = "https" if configuration.certificate else "http"
        self._session: aiohttp.ClientSession | None = None
        self._found: dict[str, float] = {}
        self._looked_up = -_LOOK_UP_SECONDS
        self._introduction: asyncio.Task[None] | None = None
        self.introduced = not self._host

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_SECONDS))
        if self._host:
            self._introduction = asyncio.create_task(self._introduce())

    async def stop(self) -> None:
        if self._introduction:
            self._introduction.cancel()
            await asyncio.gather(self._introduction, return_exceptions=True)
        if self._session:
            await self._session.close()

    async def wait_until_seen(self, kind: str, namespace: str, version: int) -> None:
        """Return when all others have seen that version. One that does not answer in time is taken to be gone."""
        if self._host:
            query = {"kind": kind, "namespace": namespace, "version": str(version)}
            others = await self._addresses() - {self._own}
            await asyncio.gather(*(self._await_seen(address, query) for address in others))

    async def knows(self, address: str) -> bool:
        """Return whether writes of this replica wait for the one at that address."""
        if not self._host or address not in await self._addresses():
            return False
        self._found[address] = time.monotonic()
        return True

    async def _introduce(self) -> None:
        deadline = time.monotonic() + _INTRODUCTION_SECONDS
        while not await self._is_known():
            if time.monotonic() > deadline:
                logger.warning("not all replicas behind %s know this one: serving without", self._host)
                break
            await asyncio.sleep(_LOOK_UP_SECONDS)
        self.introduced = True

    async def _is_known(self) -> bool:
        addresses = await self._addresses()
        if self._own not in addresses:
            return False  # this answer of DNS is older than this replica, and may lack others as well
        return all(await asyncio.gather(*(self._is_known_to(address) for address in addresses - {self._own})))

    async def _is_known_to(self, address: str) -> bool:
        """Ask it. One that does not answer may be starting; an older version does not have the question."""
        try:
            async with self._ask(address, KNOWN, {"address": self._own}) as response:
                if response.status == _OK:
                    return bool((await response.json())["known"])
                return response.status == _NOT_FOUND
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
        except (ValueError, KeyError, TypeError):
            return False  # something else, at an address that a replica had before

    async def _await_seen(self, address: str, query: dict[str, str]) -> None:
        found = self._found.get(address)
        try:
            async with self._ask(address, SEEN, query) as response:
                await response.read()
                if response.status != _OK:
                    logger.warning(
                        "replica %s has not come to version %s: %s", address, query["version"], response.status
                    )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            logger.warning("replica %s did not say what it has seen: %s", address, error or type(error).__name__)
            # A slow one is waited for next time, too.
            if getattr(error, "errno", None) in _NOBODY_THERE and self._found.get(address) == found:
                self._found.pop(address, None)  # until DNS names it again; if it begins anew, it introduces itself

    def _ask(
        self, address: str, path: str, query: dict[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        assert self._session  # noqa: S101 - as started
        host = f"[{address}]" if ":" in address else address
        # Certificates name the service and not its pods' addresses, so none is verified: nothing secret is asked,
        # and a false answer could at most let somebody read what was a moment ago.
        return self._session.get(f"{self._scheme}://{host}:{self._port}{path}", params=query, ssl=False)

    async def _addresses(self) -> set[str]:
        """Return all addresses known, this replica's own among them."""
        now = time.monotonic()
        if now - self._looked_up > _LOOK_UP_SECONDS:
            self._looked_up = now
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    loop = asyncio.get_running_loop()
                    found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                recent = {address: at for address, at in self._found.items() if now - at <= _FORGET_SECONDS}
                self._found = {**recent, **{str(entry[4][0]): now for entry in found}}
            except OSError as error:  # TimeoutError is one
                logger.warning("the replicas behind %s cannot be looked up: %s", self._host, error)
        return set(self._found)

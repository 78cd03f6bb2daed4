"""Replicas that agree: a write is answered only when every replica's own watch has come to it.

So whoever is told 2xx sees his change in every answer that follows, whichever replica gives it. The cost, a few
milliseconds, falls on writes; reads never ask anybody. A replica that comes introduces itself: it is not ready, and so
nobody reads from it, until all others wait for it. They find each other by DNS, whose answers may be some seconds old.
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
"""So long an address stays known after DNS named it last: of several DNS servers, one may know less than another."""
_INTRODUCTION_SECONDS = 15.0
"""After that a replica serves all the same: one of the others may be lost, and still have its address."""
_NOBODY_THERE = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)
_OK = 200
_NOT_FOUND = 404


class Peers:
    """The other replicas, found by the name of a headless service.

    `introduced`: whether all others know this one, or do not answer for long.
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

    async def have_seen(self, kind: str, namespace: str, version: int) -> None:
        """Return when all have, or when those that have not do not answer: they are dead, or about to be."""
        if self._host:
            query = {"kind": kind, "namespace": namespace, "version": str(version)}
            others = await self._addresses() - {self._own}
            await asyncio.gather(*(self._await_seen(address, query) for address in others))

    async def know(self, address: str) -> bool:
        """Tell whether this replica's writes wait for the one of that address."""
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
            return False  # DNS tells of a time before this replica, when others may have been missing too
        return all(await asyncio.gather(*(self._is_known_to(address) for address in addresses - {self._own})))

    async def _is_known_to(self, address: str) -> bool:
        """Ask it. One that does not answer may be about to begin; one of another version may not know the question."""
        try:
            async with self._ask(address, KNOWN, {"address": self._own}) as response:
                if response.status == _OK:
                    return bool((await response.json())["known"])
                return response.status == _NOT_FOUND
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
        except (ValueError, KeyError, TypeError):
            return False  # a stranger, at an address that was a replica's

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
            # Who is only slow is waited for next time, too.
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

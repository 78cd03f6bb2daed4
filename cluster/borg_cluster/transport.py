"""One request and its answer, on the official client's connections and credentials, and what goes wrong there."""

import errno
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio import client

from borg_cluster.clock import ServerClock
from borg_cluster.errors import ApiError, Unanswered, Unreachable, error_of

JSON = "application/json"
_OWN_FAULTS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
"""With these a connection fails because this process or its machine has run out of something."""


@dataclass(frozen=True)
class Timeouts:
    """In seconds. A watch is silent for at most about a minute, as bookmarks come."""

    connect: float = 10.0
    request: float = 30.0
    ping: float = 3.0
    silence: float = 90.0
    """Of an answer that comes piece by piece: a watch, a log."""


DEFAULTS = Timeouts()


@dataclass(frozen=True)
class Request:
    """`query` pairs without a value are left out."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content_type: str = JSON
    accept: str = JSON

    def __str__(self) -> str:
        """Return what it is called in messages."""
        return f"{self.method} {self.path}"


class Transport:
    """Sends requests as whose credentials these are, or with `token` as its bearer.

    `observe` is told the method and the HTTP status of each request, None where no answer came.
    """

    def __init__(
        self,
        api: client.ApiClient,
        token: str | None,
        observe: Callable[[str, int | None], None] | None,
        timeouts: Timeouts,
        clock: ServerClock,
    ) -> None:
        self._api = api
        self._token = token
        self._observe = observe
        self._timeouts = timeouts
        self._clock = clock

    async def exchange(self, request: Request) -> dict[str, Any]:
        """Return the API server's answer, a JSON object. Raises ApiError."""
        response, data = await self._fetch(request, self._timeouts.request)
        parsed = parse_object(data)
        if parsed is None or "kind" not in parsed:
            raise Unanswered(f"{request}: the answer is no object of an API server; is something else in between?")
        self._clock.hear(response.headers.get("Date"))
        return parsed

    async def read(self, request: Request, seconds: float) -> bytes:
        """Return the whole of an answer that takes no longer than this. Raises ApiError."""
        _, data = await self._fetch(request, seconds)
        return data

    async def _fetch(self, request: Request, seconds: float) -> tuple[aiohttp.ClientResponse, bytes]:
        response = await self._send(request, aiohttp.ClientTimeout(total=seconds))
        with network(request):
            return response, await response.read()

    async def stream(self, request: Request) -> aiohttp.ClientResponse:
        """Return an answer that is still to be read, with `network` around it, and to be closed. Raises ApiError."""
        connect, silence = self._timeouts.connect, self._timeouts.silence
        limits = aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=silence)
        return await self._send(request, limits)

    async def _send(self, request: Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = {"Accept": request.accept, "Content-Type": request.content_type}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        # Without the body: what would be made of it is a copy, as all in it is JSON already.
        method, url, given, _, posted = await self._api.param_serialize(
            request.method,
            request.path,
            query_params=[pair for pair in request.query if pair[1]],
            header_params=headers,
            auth_settings=None if self._token else ["BearerToken"],
        )
        status: int | None = None
        try:
            with network(request):
                answer = await self._api.call_api(method, url, given, request.body, posted, _request_timeout=limits)
            response: aiohttp.ClientResponse = answer.response
            status = response.status
        finally:
            if self._observe:
                self._observe(request.method, status)
        if not response.ok:
            raise await _error(request, response)
        return response


@contextmanager
def network(request: Request) -> Iterator[None]:
    """Make `Unreachable` of what the HTTP library raises for the sake of the network or of the other side.

    It derives some of its errors from OSError and some not. An OSError of another origin passes as it is.
    """
    try:
        yield
    except TimeoutError as error:
        raise _unreachable(error)(f"{request}: no answer in time") from error
    except (aiohttp.ClientError, ConnectionError, ssl.SSLError) as error:
        if isinstance(error, OSError) and error.errno in _OWN_FAULTS:
            raise
        raise _unreachable(error)(f"{request}: {error or type(error).__name__}") from error


def _unreachable(error: Exception) -> type[Unreachable]:
    is_sent = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return Unanswered if is_sent else Unreachable


async def lines_of(request: Request, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the lines of an answer as they come. Raises Unreachable."""
    with network(request):
        async for line in response.content:
            yield line


async def pieces_of(request: Request, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield an answer in pieces of any size, as they come. Raises Unreachable."""
    with network(request):
        async for piece in response.content.iter_any():
            yield piece


def parse_object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object, None when it is none."""
    try:
        parsed = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


async def _error(request: Request, response: aiohttp.ClientResponse) -> ApiError:
    with network(request):
        data = await response.read()
    retry_after = response.headers.get("Retry-After", "")
    return error_of(
        response.status,
        parse_object(data),
        f"{request}: {response.status}",
        int(retry_after) if retry_after.isascii() and retry_after.isdigit() else None,
    )

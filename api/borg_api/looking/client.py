"""Asks the pod of a session: each request is signed for that one session and that one read, for seconds."""

import ipaddress
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import jwt
from yarl import URL

from borg_api.edge.errors import (
    HttpError,
    InUseError,
    InvalidValueError,
    NoSuchObjectError,
    UnavailableError,
    sentence,
)
from borg_api.keys import Keys
from borg_contract.codec import decode_answer
from borg_contract.reasons import Reason
from borg_contract.session.answers import Pending, Refusal
from borg_contract.session.plan import SESSION_PORT
from borg_contract.session.request import ALGORITHM, ReadRequest, make_claims, render_target

T = TypeVar("T")

_CONNECTIONS, _CONNECTIONS_A_POD = 200, 64
_CONNECT_SECONDS = 3.0
_SILENT_SECONDS = 60.0
"""For so long a pod may say nothing: borg reads far more of a repository than it hands out, now and then."""
_PAGE_BYTES = 32 * 1024 * 1024
_REFUSAL_BYTES = 64 * 1024
_PIECE_BYTES = 256 * 1024
_OK, _PENDING = 200, 202
_ERRORS: Mapping[int, type[HttpError]] = {404: NoSuchObjectError, 409: InUseError, 422: InvalidValueError}
_NOT_OBEYED = (401, 403)


class AwayError(Exception):
    """The pod gave no answer that is one: it may be starting, or have just ended."""


class NotObeyedError(Exception):
    """The pod does not know the facade's key, as it began with another one; or `is_late`: its clock differs."""

    def __init__(self, message: str, *, is_late: bool = False) -> None:
        super().__init__(message)
        self.is_late = is_late


@dataclass(frozen=True)
class Target:
    """A session's pod. `address`: its IP address."""

    uid: str
    address: str


@dataclass(frozen=True)
class Stream:
    """`length` in bytes, None where it is not known before its end."""

    length: int | None
    pieces: AsyncIterator[bytes]


def derive_url(address: str) -> str:
    """Return where the pod of that IP address is asked. Raises AwayError for one that no pod has: a status says it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise AwayError(f"{address!r} is no address") from None
    if found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified:
        raise AwayError(f"{address} is no address of a pod")
    return f"http://[{found}]:{SESSION_PORT}" if found.version == 6 else f"http://{found}:{SESSION_PORT}"  # noqa: PLR2004


class SessionClient:
    """Every read raises AwayError, NotObeyedError, or the HttpError that the pod's refusal is."""

    def __init__(self, keys: Keys, locate: Callable[[str], str] = derive_url) -> None:
        """`locate` returns the URL of the pod that has an address."""
        self._keys = keys
        self._locate = locate
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, limit_per_host=_CONNECTIONS_A_POD),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENT_SECONDS),
            auto_decompress=False,
            trust_env=False,
        )

    async def stop(self) -> None:
        if self._http:
            await self._http.close()

    async def read(self, target: Target, request: ReadRequest, kind: type[T]) -> T | Pending:
        """Return a page, or that it is not there yet."""
        async with self._ask(target, request) as response:
            text = await _read_text(response, _PAGE_BYTES)
            if response.status == _PENDING:
                return _decode(Pending, text)
            return _decode(kind, text)

    @asynccontextmanager
    async def stream(self, target: Target, request: ReadRequest) -> AsyncIterator[Stream | Pending]:
        """Give a file or a tar in pieces, or say that it is not there yet. Left early, the pod's borg ends.

        What breaks off raises aiohttp.ClientError.
        """
        async with self._ask(target, request) as response:
            if response.status == _PENDING:
                yield _decode(Pending, await _read_text(response, _REFUSAL_BYTES))
            else:
                yield Stream(response.content_length, response.content.iter_chunked(_PIECE_BYTES))

    @asynccontextmanager
    async def _ask(self, target: Target, request: ReadRequest) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Authorization": f"Bearer {self._sign(target, request)}", "Accept-Encoding": "identity"}
        url = URL(self._locate(target.address) + render_target(request), encoded=True)
        assert self._http  # noqa: S101 - as started
        try:
            response = await self._http.get(url, headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is one
            raise AwayError(str(error) or type(error).__name__) from error
        try:
            if response.status not in (_OK, _PENDING):
                raise await _refusal(response)
            yield response
        finally:
            response.close()

    def _sign(self, target: Target, request: ReadRequest) -> str:
        key = self._keys.private
        if key is None:
            raise UnavailableError("The facade has no key yet to look into archives with; try again in some seconds.")
        claims = make_claims(request, session_uid=target.uid, now=time.time(), jti=uuid.uuid4().hex)
        return jwt.encode(claims, key, algorithm=ALGORITHM)


async def _read_text(response: aiohttp.ClientResponse, limit: int) -> str:
    found = bytearray()
    try:
        async for piece in response.content.iter_chunked(_PIECE_BYTES):
            found += piece
            if len(found) > limit:
                raise AwayError("it answers more than it may")
    except (aiohttp.ClientError, OSError) as error:
        raise AwayError(str(error) or type(error).__name__) from error
    return found.decode("ascii", errors="replace")


def _decode(kind: type[T], text: str) -> T:
    try:
        return decode_answer(kind, text)
    except ValueError as error:
        raise AwayError(f"no answer of a session: {error}") from error


async def _refusal(response: aiohttp.ClientResponse) -> Exception:
    text = await _read_text(response, _REFUSAL_BYTES)
    try:
        told = decode_answer(Refusal, text)
    except (ValueError, json.JSONDecodeError):
        return AwayError(f"it answers {response.status}")
    if response.status in _NOT_OBEYED:
        return NotObeyedError(told.message, is_late=told.reason == Reason.NOT_IN_TIME)
    return _ERRORS.get(response.status, UnavailableError)(sentence(told.message))

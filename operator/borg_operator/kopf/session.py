"""kopf's connections, so that no answer to a listing or a watch ends the operator.

kopf goes on after a lost connection, and lists again after an ERROR event of code 410. After any other ERROR event, a
410 or 404 as the answer itself, or an answer or event that is not what it should be, its watcher fails and with it all
the others; after that it may wait for ever. Here all these become what it goes on after.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import aiohttp
import kopf

from borg_cluster.transport import parse_object
from borg_operator.kopf.answer import Answer, derive_error, is_discovery, is_event, is_list

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
"""Before another request where the last one brought nothing: a server that is not well would be asked without end."""
_WORDS_LIMIT = 200
_BACKOFFS = (1.0, 1.0, 2.0, 3.0)
_LAST_BACKOFF = 5.0
_FIRST_ELSEWHERE, _FIRST_ERROR, _TOO_MANY, _FIRST_OF_SERVER, _OK = 300, 400, 429, 500, 200
_PAUSE = re.compile("[0-9]{1,2}")
"""Seconds that kopf waits when it is asked to. The API server asks for a few; an hour would be one without a watch."""
_LEFT_TO_KOPF = (401, 403, _TOO_MANY)
"""It signs in anew, or asks again later, as after 5xx."""
_LIST_AGAIN = b'{"type": "ERROR", "object": {"kind": "Status", "code": 410}}\n'


class Backoffs:
    """How long kopf waits before it repeats a request, in seconds, for ever: it would give up, and end."""

    def __iter__(self) -> Iterator[float]:
        yield from _BACKOFFS
        while True:
            yield _LAST_BACKOFF


class Events:
    """The content of a watch as kopf reads it: whole events only, and every ERROR asks for a new listing."""

    def __init__(self, content: aiohttp.StreamReader, what: str, *, refused: bool = False) -> None:
        """`refused`: there are none, the answer as a whole is an ERROR."""
        self._content = content
        self._what = what
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        """Return what else aiohttp asks of a content when it releases the connection."""
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield whole lines, some at a time."""
        has_brought = False
        try:
            async for piece in self._pieces(size):
                has_brought = True
                yield piece
        finally:
            if not has_brought:  # kopf asks again at once
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _pieces(self, size: int) -> AsyncIterator[bytes]:
        begun = b""
        if self._refused:
            yield await _list_again()
            return
        async for data in self._content.iter_chunked(size):
            *lines, begun = (begun + data).split(b"\n")
            for at, line in enumerate(lines):
                if line and not is_event(line):
                    logger.warning(
                        "%s: lists again: the watch said %s", self._what, line[:_WORDS_LIMIT].decode(errors="replace")
                    )
                    yield b"".join(whole + b"\n" for whole in lines[:at])
                    yield await _list_again()
                    return
            if lines:
                yield b"\n".join(lines) + b"\n"
        # What is left over was cut off: it comes again with the next watch, which begins after the last whole event.


async def _list_again() -> bytes:
    await asyncio.sleep(_PAUSE_SECONDS)
    return _LIST_AGAIN


async def steady(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Return the answer to a request of kopf's.

    Raises ClientConnectionError, after which kopf asks the same again, where nothing came that the API server would
    say, and ClientPayloadError where a listing has to begin anew.
    """
    query, what = request.url.query, request.url.path
    try:
        response = await handler(request)
    except aiohttp.ClientResponseError as error:  # no HTTP
        raise aiohttp.ClientConnectionError(f"{what}: {error}") from error
    assert isinstance(response, Answer)  # noqa: S101 - see open_session
    status = response.status
    if status >= _FIRST_OF_SERVER or status in _LEFT_TO_KOPF:
        return await _readable(response)
    if status >= _FIRST_ERROR:
        return await _refused(response, query, what)
    if status >= _FIRST_ELSEWHERE:  # what is asked there would not be known as a listing or a watch any more
        response.release()
        raise aiohttp.ClientConnectionError(f"{what}: sent elsewhere, with {status}: something else is in between")
    if "watch" in query:
        response.content = Events(response.content, what)  # type: ignore[assignment]
        return response
    return await _looked_at(response, what, listing="limit" in query)


async def _refused(response: Answer, query: Mapping[str, str], what: str) -> Answer:
    if "watch" in query:
        logger.warning("%s: lists again: the watch was answered with %d", what, response.status)
        response.status = _OK
        response.content = Events(response.content, what, refused=True)  # type: ignore[assignment]
        return response
    if "limit" in query:
        logger.warning("%s: lists again: the listing was answered with %d", what, response.status)
        response.release()
        await asyncio.sleep(_PAUSE_SECONDS)
        raise aiohttp.ClientPayloadError(f"{what}: {response.status}")
    return await _readable(response)


async def _readable(response: Answer) -> Answer:
    """Return an error in which there is nothing that kopf fails to read."""
    try:
        data = await response.read()
    except aiohttp.ClientError:
        data = b""
    response.content_read = derive_error(data)
    pause = response.headers.get("Retry-After", "")
    if response.status == _TOO_MANY and pause and not _PAUSE.fullmatch(pause):
        response.status = _FIRST_OF_SERVER  # kopf takes any for a number and waits; so it asks again by its own times
    return response


async def _looked_at(response: Answer, what: str, *, listing: bool) -> Answer:
    """Return the answer if it is one of an API server."""
    try:
        data = await response.read()
    except aiohttp.ClientError as error:
        raise aiohttp.ClientConnectionError(f"{what}: {error}") from error
    found = parse_object(data)
    if found is None or not (is_list if listing else is_discovery)(found):
        said = data[:_WORDS_LIMIT].decode(errors="replace")
        raise aiohttp.ClientConnectionError(f"{what}: no answer of an API server; is something else in between? {said}")
    response.content_read = found
    return response


class SignIn:
    """kopf's handler of logins: it is called at first, and whenever the API server does not accept the last one."""

    def __init__(self, *, pause_seconds: float = _LAST_BACKOFF) -> None:
        self._pause_seconds = pause_seconds
        self._last: kopf.ConnectionInfo | None = None

    async def log_in(self, **kwargs: Any) -> kopf.AiohttpSession | None:
        """Return the way with the pod's own account, else that of KUBECONFIG; None where there is neither.

        The same credentials again are tried after a while: whoever checks them for the API server may be away.
        """
        way = kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
        if way is not None and way == self._last:
            logger.warning("the API server does not accept the operator's credentials; tries them again")
            await asyncio.sleep(self._pause_seconds)
        self._last = way
        return open_session(way) if way else None


def open_session(way: kopf.ConnectionInfo) -> kopf.AiohttpSession:
    """Return the way with connections that are steady; kopf closes them."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=way.as_ssl_context()),
        headers=way.as_http_headers(),
        proxy=way.proxy_url,
        trust_env=way.trust_env,
        middlewares=(steady,),
        response_class=Answer,
    )
    return kopf.AiohttpSession(
        server=way.server,
        default_namespace=way.default_namespace,
        priority=way.priority,
        expiration=way.expiration,
        aiohttp_session=session,
    )

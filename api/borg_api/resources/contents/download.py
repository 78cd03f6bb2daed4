"""A file or a folder as a download: streamed, with its own name, and saved by a browser, never shown."""

import contextlib
import logging
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import quote

import aiohttp
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from borg_api.edge.boundary import HEAD_ONLY
from borg_api.edge.parts import part_of
from borg_api.looking.client import Stream
from borg_api.metrics import Metrics
from borg_api.resources.contents.response import UNSEEN, show

logger = logging.getLogger(__name__)

FILE_TYPE, TAR_TYPE = "application/octet-stream", "application/x-tar"
_NOT_PLAIN = re.compile(r"[^ !#-\[\]-~]|[%\\/:*?<>|]")
"""What some system takes for more than a part of a name, or a header for more than a part of a text."""
_NAME_LIMIT = 200
_SEPARATORS = str.maketrans("/\\", "__")


def render_disposition(name: str) -> str:
    """Return Content-Disposition (RFC 6266) for a name of bytes: in ASCII, and exact in UTF-8 (RFC 8187)."""
    exact = UNSEEN.sub("_", show(name)).translate(_SEPARATORS).strip().rstrip(". ")[-_NAME_LIMIT:] or "download"
    plain = _NOT_PLAIN.sub("_", exact)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(exact, safe='')}"


class Download(StreamingResponse):
    """Sends a stream; however that ends, the pod's side of it ends too."""

    def __init__(self, request: Request, stream: Stream, stack: AsyncExitStack, *, name: str, media_type: str) -> None:
        headers = {
            "Content-Disposition": render_disposition(name),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
            "Accept-Ranges": "none",
        }
        if stream.length is not None:
            headers["Content-Length"] = str(stream.length)
        self._stack = stack
        wanted = not request.scope.get(HEAD_ONLY)
        body = _pieces(stream, part_of(request, Metrics)) if wanted else _nothing()
        super().__init__(body, headers=headers, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            with contextlib.suppress(ClientDisconnect):  # who asked has gone: that is no fault
                await super().__call__(scope, receive, send)


async def _pieces(stream: Stream, metrics: Metrics) -> AsyncIterator[bytes]:
    try:
        async for piece in stream.pieces:
            metrics.downloaded.inc(len(piece))
            yield piece
    except (aiohttp.ClientError, OSError) as error:
        # What was sent is sent: the connection breaks off, so that nobody takes a part for the whole.
        logger.warning("a download broke off: %s", error or type(error).__name__)
        raise


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""

"""The HTTP server: plain, or with TLS and a certificate that may be renewed while it runs."""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 10.0

HEAD_LIMIT = 32 * 1024
_WORDS = b"The address and the headers of the request are larger than 32 KiB.\n"
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_WORDS), _WORDS)
)

Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Certificate:
    """PEM files, as a mounted Secret of type kubernetes.io/tls has them."""

    certificate: str
    key: str

    def stamp(self) -> Stamp:
        """Return what differs as soon as other files are in the place of these. Raises OSError."""
        found = (Path(self.certificate).stat(), Path(self.key).stat())
        return tuple((file.st_ino, file.st_mtime_ns) for file in found)

    async def keep_fresh(self, context: ssl.SSLContext, loaded: Stamp, seconds: float = _LOOK_SECONDS) -> None:
        """Look again and again whether the files were replaced, and use the new ones for new connections.

        A pair that cannot be read, or does not fit together, is left for the next look; the old one goes on.
        """
        while True:
            await asyncio.sleep(seconds)
            try:
                stamp = self.stamp()
                if stamp != loaded:
                    # First for trial: a context that fails to load a pair has lost the one that it had.
                    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
                    context.load_cert_chain(self.certificate, self.key)
                    loaded = stamp
                    logger.info("the certificate in %s was renewed", self.certificate)
            except OSError as error:  # ssl.SSLError is one
                logger.warning("the certificate in %s cannot be read again: %s", self.certificate, error)


class LimitedProtocol(HttpToolsProtocol):
    """HTTP whose request line and headers have a limit: the parser itself would collect them without end."""

    _head_bytes: int | None = 0  # of the request being read; None once its headers are complete

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()


async def serve(server: uvicorn.Server, certificate: Certificate | None, look_seconds: float = _LOOK_SECONDS) -> None:
    """Serve until SIGTERM. With a certificate, `server` has its files. Raises OSError when they cannot be read."""
    if certificate is None:
        await server.serve()
        return
    stamp = certificate.stamp()
    server.config.load()
    context = server.config.ssl
    assert context  # noqa: S101 - it has the files
    renewal = asyncio.create_task(certificate.keep_fresh(context, stamp, look_seconds))
    try:
        await server.serve()
    finally:
        renewal.cancel()

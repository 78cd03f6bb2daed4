"""The HTTP server: plain, or with TLS and a certificate that may be renewed while it runs."""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

import uvicorn

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 10.0

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
        """Look for ever whether the files were replaced, and let new connections have the new ones.

        A pair that cannot be read, or does not fit together, is left for the next look; the old one goes on.
        """
        while True:
            await asyncio.sleep(seconds)
            try:
                stamp = self.stamp()
                if stamp != loaded:
                    context.load_cert_chain(self.certificate, self.key)
                    loaded = stamp
                    logger.info("the certificate in %s was renewed", self.certificate)
            except OSError as error:  # ssl.SSLError is one
                logger.warning("the certificate in %s cannot be read again: %s", self.certificate, error)


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

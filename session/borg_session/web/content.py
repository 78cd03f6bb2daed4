"""Files and folders of an archive as streams: with the right length and name, never shown by a browser by itself."""

import asyncio
import posixpath
import re
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from borg_contract.session.request import quote
from borg_runner.borg.invocation import make_connection_arguments, name_archive
from borg_session.borgs import Borgs
from borg_session.index.query import Found
from borg_session.stream import Stream, start_stream

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
STALL_SECONDS = 60.0
"""So long nobody may take what is sent: a run that has to write waits for the lock meanwhile."""

_TYPE = "application/octet-stream"


async def send_file(borgs: Borgs, archive: str, path: str, content: str, found: Found) -> StreamingResponse:
    """Return the file's content. `content`: the path with which borg tells it; `found`: that entry.

    Raises RefusedError.
    """
    plan = borgs.repository.plan
    stream = await start_stream(
        borgs,
        lambda lock_wait: [
            "extract",
            *make_connection_arguments(plan, lock_wait=lock_wait),
            "--stdout",
            name_archive(plan, archive),
            f"pf:{content}",
        ],
        archive,
    )
    headers = {**HEADERS, **name_download(posixpath.basename(path)), "content-length": str(found.size)}
    return _Content(stream, headers, skip=found.before)


async def send_tar(borgs: Borgs, archive: str, path: str) -> StreamingResponse:
    """Return a folder, and all below, as a tar in which it stands under its own name. Raises RefusedError."""
    plan = borgs.repository.plan
    name = posixpath.basename(path) or archive
    stream = await start_stream(
        borgs,
        lambda lock_wait: [
            "export-tar",
            *make_connection_arguments(plan, lock_wait=lock_wait),
            f"--strip-components={path.count('/')}",
            name_archive(plan, archive),
            "-",
            *([f"pp:{path}"] if path else []),
        ],
        archive,
    )
    headers = {**HEADERS, **name_download(f"{name}.tar")}
    return _Content(stream, headers)


class _Content(StreamingResponse):
    """A stream of borg's. However it ends, borg does; where borg fails, the connection breaks off."""

    def __init__(self, stream: Stream, headers: dict[str, str], skip: int = 0) -> None:
        """Take the stream, of which the first `skip` bytes are not meant."""
        super().__init__(_hand_on(stream, skip), headers=headers, media_type=_TYPE)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all."""

        async def send_soon(message: Message) -> None:
            await asyncio.wait_for(send(message), STALL_SECONDS)

        try:
            await super().__call__(scope, receive, send_soon)
        finally:
            self._stream.close()


async def _hand_on(stream: Stream, skip: int) -> AsyncIterator[bytes]:
    while data := await stream.read():
        skipped = data[skip:]
        skip = max(0, skip - len(data))
        if skipped:
            yield skipped


def name_download(name: str) -> dict[str, str]:
    """Return the header that gives the name: percent-encoded, so no name can end it, and none is lost."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name) or "file"
    return {"content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"}

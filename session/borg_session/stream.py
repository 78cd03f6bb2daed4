"""The output of one borg, handed on as it comes: bounded in memory, and when nobody wants it any more, borg ends."""

import asyncio
import contextlib
import fcntl
import os
from typing import IO

from borg_runner.borg.outcome import BorgOutcome
from borg_runner.interruption import Interruption
from borg_runner.verbs.repository import Repository
from borg_session.borgs import Borgs, MakeArguments, run_once

PIPE_BYTES = 1 << 20
_PIECE_BYTES = 1 << 18


class Stream:
    """To be ended with `close` in any case."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        transport: asyncio.ReadTransport,
        interruption: Interruption,
        ended: "asyncio.Future[BorgOutcome]",
    ) -> None:
        self._reader, self._transport = reader, transport
        self._interruption, self._ended = interruption, ended
        self._first = b""

    async def fetch_first(self) -> None:
        """Wait for the first bytes, or for the end of an empty one. Raises RefusedError."""
        self._first = await self._read()

    async def read(self) -> bytes:
        """Return the next bytes, none at the end of all. Raises RefusedError when borg failed."""
        if self._first:
            first, self._first = self._first, b""
            return first
        return await self._read()

    async def _read(self) -> bytes:
        data = await self._reader.read(_PIECE_BYTES)
        if not data:
            await asyncio.shield(self._ended)  # it may have failed at the very end
        return data

    def close(self) -> None:
        """End borg if it is not at its end. It takes a moment; its place is free only then."""
        self._interruption.request()
        self._transport.close()
        self._ended.add_done_callback(_forget)


async def start_stream(borgs: Borgs, arguments: MakeArguments, archive: str) -> Stream:
    """Return what borg writes once its first bytes are there, or all of an empty one. Raises RefusedError."""
    await borgs.take_place()
    try:
        readable, writable = os.pipe()
        with contextlib.suppress(OSError):  # more than an ordinary user may have in pipes altogether
            fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        reader, transport = await _read_from(os.fdopen(readable, "rb", 0))
    except BaseException:
        borgs.give_place()
        raise

    def work(repository: Repository) -> BorgOutcome:
        try:
            return run_once(repository.with_borg(output_fd=writable), arguments, archive)
        finally:
            os.close(writable)

    interruption = Interruption(0)
    ended = borgs.start(work, interruption)
    ended.add_done_callback(lambda _: borgs.give_place())
    stream = Stream(reader, transport, interruption, ended)
    try:
        await stream.fetch_first()
    except BaseException:
        stream.close()
        raise
    return stream


async def _read_from(pipe: IO[bytes]) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=PIPE_BYTES, loop=loop)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), pipe)
    return reader, transport


def _forget(future: "asyncio.Future[BorgOutcome]") -> None:
    """Take the outcome of a borg that was ended, in which nobody is interested any more."""
    if not future.cancelled():
        future.exception()

"""The line between a pod and its SSH server, as bad as is asked for: a TCP proxy in a thread of its own."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum

from runner_kit.ssh_server import HOST, SshServer

_PIECE_BYTES = 1 << 14
_TICK_SECONDS = 0.05
_SLOW_BYTES_PER_SECOND = 60_000
_RESET = struct.pack("ii", 1, 0)


class Trouble(StrEnum):
    """What becomes of a connection."""

    CUT = "cut"
    """Both ends are told so, as a router does that has lost its table."""
    CLOSED = "closed"
    """Both ends are told in good order that the other one is gone."""
    SILENT = "silent"
    """Nothing gets through any more, and nobody is told."""
    SLOW = "slow"


@dataclass(frozen=True)
class Order:
    """Trouble for the connection with this number (from 0) once `after` bytes of both directions got through."""

    connection: int
    after: int
    trouble: Trouble


@dataclass
class BadLine:
    """A line to `server`. `passed`: bytes of each connection, in the order in which they were begun."""

    server: SshServer
    port: int
    order: Order | None = None
    shut: bool = False
    """No connection gets through: each one is reset at once."""
    passed: list[int] = field(default_factory=list)
    hit: bool = False
    _held: list[socket.socket] = field(default_factory=list)

    @property
    def way(self) -> SshServer:
        """The server as it is seen from the pod."""
        known = self.server.known_hosts.replace(f":{self.server.port} ", f":{self.port} ")
        return replace(self.server, port=self.port, known_hosts=known)

    def begin(self, order: Order | None = None) -> None:
        """Let the line be good but for `order`, and count connections anew."""
        self.order, self.hit = order, False
        self.passed.clear()
        for end in self._held:
            end.close()
        self._held.clear()

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            number = len(self.passed)
            self.passed.append(0)
            if self.shut:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.close()
                continue
            threading.Thread(target=self._carry, args=(number, client), daemon=True).start()

    def _carry(self, number: int, client: socket.socket) -> None:
        server = socket.create_connection((HOST, self.server.port))
        trouble = self._carry_until_trouble(number, {client: server, server: client})
        if trouble is Trouble.SILENT:
            self._held += (client, server)
            return
        for end in (client, server):
            if trouble is Trouble.CUT:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.close()

    def _carry_until_trouble(self, number: int, other: dict[socket.socket, socket.socket]) -> Trouble | None:
        """Return what ends the connection, None when its ends do."""
        open_ends = set(other)
        while open_ends:
            trouble = self._trouble_of(number)
            if trouble not in (None, Trouble.SLOW):
                return trouble
            readable, _, _ = select.select(open_ends, [], [], _TICK_SECONDS)
            for end in readable:
                if not self._pass(number, end, other[end], slow=trouble is Trouble.SLOW):
                    open_ends.remove(end)
        return None

    def _trouble_of(self, number: int) -> Trouble | None:
        order = self.order
        if order is None or number != order.connection or self.passed[number] < order.after:
            return None
        self.hit = True
        return order.trouble

    def _pass(self, number: int, end: socket.socket, other: socket.socket, *, slow: bool) -> bool:
        """Hand on what there is; return whether more may come from this end."""
        limit = _PIECE_BYTES
        if self.order is not None and self.order.connection == number and not slow:
            limit = max(1, min(limit, self.order.after - self.passed[number]))
        if slow:
            limit = int(_SLOW_BYTES_PER_SECOND * _TICK_SECONDS)
            time.sleep(_TICK_SECONDS)
        try:
            data = end.recv(limit)
            if data:
                other.sendall(data)
                self.passed[number] += len(data)
                return True
            other.shutdown(socket.SHUT_WR)
        except OSError:
            with suppress(OSError):
                other.shutdown(socket.SHUT_RDWR)
        return False


@contextmanager
def lead_to(server: SshServer) -> Iterator[BadLine]:
    """Give a line to `server`, good until something else is asked of it."""
    with socket.create_server((HOST, 0)) as listener:
        line = BadLine(server, listener.getsockname()[1])
        thread = threading.Thread(target=line.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield line
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            line.begin()

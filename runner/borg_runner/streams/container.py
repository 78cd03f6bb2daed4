"""A container beside the runner's, in whose image a command is that writes what borg archives, or reads it back.

Its first process is our helper (`runner/helper`). It calls at a socket in a folder that both containers mount, and runs
the command as often as it is asked to, on pipes that it is handed through that socket. So there is no pipe with a name
that could be opened too early, and whichever side is killed, the kernel tells the other.
"""

import contextlib
import datetime as dt
import os
import select
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from borg_contract.plan import StreamPlan
from borg_contract.pod import NOTICE_OF_CONTAINER, STREAM_CONTAINER_PREFIX, STREAM_SOCKET
from borg_contract.reasons import Reason
from borg_runner.fault import Fault, FaultError
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.notice import Notice

START_SECONDS = 600.0
"""The image of the container may have to be pulled first."""

_TOLD_AFTER_SECONDS = 10.0
_TICK_SECONDS = 0.2


@dataclass
class Container:
    """One such container; `folder` is the one that it shares with us."""

    plan: StreamPlan
    folder: Path
    log: Log
    patience: float = START_SECONDS
    _listener: socket.socket | None = field(default=None, repr=False)
    _line: socket.socket | None = field(default=None, repr=False)
    _fault: Fault | None = None

    @property
    def name(self) -> str:
        """The container's name in the pod."""
        return f"{STREAM_CONTAINER_PREFIX}{self.plan.name}"

    def listen(self) -> None:
        """Let its helper call from now on. Raises OSError."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:  # a socket's address is short, and the folder's path may be long
            address = f"/proc/self/fd/{folder}/{STREAM_SOCKET}"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(address)  # noqa: PTH108 - the address of an earlier runner in this pod
            self._listener.bind(address)
            # The container may have another user; the folder is the pod's.
            os.chmod(address, 0o666)  # noqa: PTH101, S103 # nosec B103
        finally:
            os.close(folder)
        self._listener.listen(1)
        self._listener.settimeout(_TICK_SECONDS)

    def wait(self, interruption: Interruption, notice: Notice | None) -> None:
        """Return once its helper has called. Raises FaultError when it does not, or has gone, or the pod shuts down."""
        if self._line is None and self._fault is None:
            self._line = self._accept(interruption, notice)
        elif self._line is not None and self._has_hung_up():
            self._fault = Fault(Reason.CONTAINER_MISSING, f'Container "{self.name}" of the pod has ended: {_LOOK}')
        if self._fault is not None:
            raise FaultError(self._fault)

    def go(self, stdin: int, stdout: int, stderr: int) -> None:
        """Let it run its command on these descriptors. Raises OSError when the container has gone."""
        socket.send_fds(self._called, [b"g"], [stdin, stdout, stderr])

    def stop(self) -> None:
        """Let it stop what is left of its command and of that one's group: TERM, and KILL ten seconds later."""
        with contextlib.suppress(OSError):
            self._called.send(b"s")

    def fileno(self) -> int:
        """Return the descriptor that is readable once there is something to hear."""
        return self._called.fileno()

    def hear(self) -> list[str]:
        """Return what its helper says; nothing when the container has gone.

        `exited 0` or `killed 9`: the command has ended. `gone`, which is said last: nothing of its group is left.
        """
        try:
            return self._called.recv(64).decode("ascii", "replace").splitlines()
        except OSError:
            return []

    def hang_up(self) -> None:
        """Let the container end."""
        for end in (self._line, self._listener):
            if end is not None:
                end.close()

    @property
    def _called(self) -> socket.socket:
        if self._line is None:
            raise OSError(f"{self.name} has not called")
        return self._line

    def _has_hung_up(self) -> bool:
        return bool(select.select([self._called], [], [], 0)[0])

    def _accept(self, interruption: Interruption, notice: Notice | None) -> socket.socket | None:
        listener = self._listener
        began, told = time.monotonic(), False
        since = f"{dt.datetime.now(dt.UTC):%H:%M}"
        try:
            while listener is not None and (waited := time.monotonic() - began) < self.patience:
                if interruption.requested:
                    raise FaultError(Fault(Reason.INTERRUPTED, "The pod is being stopped."))
                with contextlib.suppress(TimeoutError):
                    return listener.accept()[0]
                if not told and waited > _TOLD_AFTER_SECONDS:
                    told = True
                    words = f'{NOTICE_OF_CONTAINER} "{self.name}" of this pod since {since} UTC'
                    self.log.say(words)
                    if notice is not None:
                        notice.post(words)
        finally:
            if told and notice is not None:
                notice.clear()
        text = f'Container "{self.name}" of the pod did not come up within {self.patience:.0f} s: {_LOOK}'
        self._fault = Fault(Reason.CONTAINER_MISSING, text)
        return None


@contextlib.contextmanager
def listening(plans: Mapping[str, StreamPlan], root: Path, log: Log) -> Iterator[dict[str, Container]]:
    """Yield the containers of these plans, whose folders are below `root`, and let them end after. Raises OSError."""
    containers = {name: Container(plan, root / name, log) for name, plan in plans.items()}
    try:
        for container in containers.values():
            container.listen()
        yield containers
    finally:
        for container in containers.values():
            container.hang_up()


_LOOK = "look at its image, its memory limit and its log (`kubectl describe pod`, `kubectl logs -c`)."

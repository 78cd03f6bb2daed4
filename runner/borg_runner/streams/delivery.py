"""One file of an archive, brought back into a command of another container.

The command begins with the first bytes that borg writes, and is told that these were all only when borg has succeeded:
borg looks at each chunk before it writes it, but a command must not take the first half for the whole.
"""

import os
import select
import time

from borg_contract.reasons import Reason
from borg_contract.restore.sizes import describe_size
from borg_runner.fault import Fault
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.notice import Notice
from borg_runner.streams.container import Container
from borg_runner.streams.exchange import Direction, Exchange
from borg_runner.streams.taking import PATIENCE_SECONDS, Taking
from borg_runner.streams.words import explain

_TICK_SECONDS = 0.2
_PROGRESS_SECONDS = 30.0
_END_SECONDS = 5.0


class Delivery:
    """The plumbing of a borg that writes one file to its output."""

    def __init__(
        self, container: Container, log: Log, notice: Notice | None = None, patience: float = PATIENCE_SECONDS
    ) -> None:
        """`patience`: for so many seconds the command may take nothing before that is told."""
        self._container, self._log = container, log
        self._taking = Taking(container.plan.program, log, notice, patience)
        self._exchange: Exchange | None = None
        self._borgs_end: int | None = None
        self._own_end: int | None = None

    @property
    def moved(self) -> int:
        """How many bytes the command was given."""
        return self._exchange.moved if self._exchange else 0

    @property
    def has_begun(self) -> bool:
        """Whether the command was started, and so may have changed what it restores into."""
        return self._exchange is not None

    @property
    def fault(self) -> Fault | None:
        """Why the command, which has ended, did not succeed; None also when it was ended as borg failed."""
        exchange = self._exchange
        if exchange is None or exchange.is_alive() or (exchange.was_stopped and not exchange.broken):
            return None
        if exchange.succeeded and not exchange.broken:
            return None
        return explain(exchange, Reason.STREAM_FAILED, f'Container "{self._container.name}"')

    def open(self) -> tuple[str, int | None]:
        """Make the pipe. Raises OSError."""
        self._close()
        self._own_end, self._borgs_end = os.pipe()
        return os.devnull, self._borgs_end

    def begin(self) -> None:
        """Close what is borg's: the end of the pipe shows then when borg has ended."""
        if self._borgs_end is not None:
            os.close(self._borgs_end)
            self._borgs_end = None

    def reads_input(self) -> None:
        """Borg reads none."""

    def must_stop(self) -> bool:
        """Begin once there is something to read; tell whether nobody reads any more."""
        if self._own_end is not None and select.select([self._own_end], [], [], 0)[0]:
            self._start()
        exchange = self._exchange
        if exchange is not None:
            self._taking.look(exchange.moved, is_full=exchange.is_full)
        return exchange is not None and (exchange.broken or (exchange.has_ended and not exchange.succeeded))

    def is_at_work(self) -> bool:
        return self._exchange is not None

    def end(self) -> None:
        """Let the command end where that is why borg was ended; what borg was worth `finish` or `abort` is told."""
        if self._exchange is not None and self.must_stop():
            self._exchange.join(_END_SECONDS)
            if self._exchange.is_alive():  # it has closed its input, and works on
                self._exchange.close()

    def finish(self, interruption: Interruption) -> Fault | None:
        """Tell the command that it has all, and wait for it; return why it did not succeed."""
        if self._exchange is None:
            self._start()  # there was nothing to read
        exchange = self._exchange
        if exchange is None:
            return None
        exchange.tell_whole()
        told = time.monotonic()
        while exchange.is_alive():
            exchange.join(_TICK_SECONDS)
            self._taking.look(exchange.moved, is_full=exchange.is_full, has_all=True)
            if exchange.broken:
                self.end()
            if interruption.requested:
                exchange.close()
                text = f"The pod was stopped while {self._container.plan.program} was at work."
                return Fault(Reason.INTERRUPTED, text)
            if time.monotonic() - told > _PROGRESS_SECONDS:
                told = time.monotonic()
                self._log.say(f"{self._container.plan.program} has all, {describe_size(exchange.moved)}, and works on")
        return self.fault

    def abort(self) -> None:
        """End the command without telling it that it has all."""
        self._close()

    def _start(self) -> None:
        if self._own_end is None:
            return
        self._log.say(f"{self._container.plan.program} begins in container {self._container.name}")
        self._exchange = Exchange(self._container, Direction.TO_COMMAND, self._own_end, self._log)
        self._own_end = None
        self._exchange.start()

    def _close(self) -> None:
        self._taking.end()
        if self._exchange is not None:
            self._exchange.close()
        for end in (self._borgs_end, self._own_end):
            if end is not None:
                os.close(end)
        self._exchange = self._borgs_end = self._own_end = None

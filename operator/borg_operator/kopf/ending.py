"""The signals by which a process is told to end, heard in kopf's place: that does not say afterwards why it ended."""

import asyncio
import signal
import sys
from collections.abc import Callable

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """Remembers that this process is to end, also where kopf ends for another reason just then.

    `stop` is set by the signal, and ends kopf.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self.is_wanted = False
        self._listen(sys.exit)  # as long as nothing runs that is to be ended well

    def take_over(self) -> None:
        """Listen from now on, as kopf has begun to: an event loop has one listener for each signal."""
        self._listen(self._end)

    def _listen(self, then: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, then)

    def _end(self) -> None:
        self.is_wanted = True
        self._stop.set()

"""The signals by which a process is told to end, heard in kopf's place: that does not say afterwards why it ended."""

import asyncio
import signal
import sys
from collections.abc import Callable

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """Remembers that this process is to end, also where kopf ends for another reason just then.

    It listens itself and not by the event loop, which takes its listeners away when it is closed: until there is the
    next one a signal would be lost, as the kernel spares process 1 of a container those that it does not listen to.
    """

    def __init__(self) -> None:
        self.is_wanted = False
        self._end: Callable[[], object] = sys.exit
        self._listen()

    def take_over(self, stop: asyncio.Event) -> None:
        """Set `stop` from now on, which ends kopf: that has begun to listen in our place."""
        loop = asyncio.get_running_loop()
        self._end = lambda: loop.call_soon_threadsafe(stop.set)
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        self._listen()

    def give_back(self) -> None:
        """End at once from now on, as long as nothing runs that is to be ended well."""
        self._end = sys.exit

    def _listen(self) -> None:
        for number in _SIGNALS:
            signal.signal(number, self._hear)

    def _hear(self, *_: object) -> None:
        self.is_wanted = True
        self._end()

"""The request to shut down: SIGTERM from the kubelet, which kills the pod when its grace period is over.

The first signal starts the clock; whoever runs a process looks here and stops that process in the way that suits it.
"""

import math
import signal
import time
import types


class Interruption:
    """Whether the run is to shut down, and how many seconds are left for it."""

    def __init__(self, grace_seconds: float) -> None:
        self._grace_seconds = grace_seconds
        self._requested_at: float | None = None

    @property
    def requested(self) -> bool:
        return self._requested_at is not None

    def seconds_left(self) -> float:
        """Return seconds until the pod is killed, infinity when no shutdown was requested."""
        if self._requested_at is None:
            return math.inf
        return self._requested_at + self._grace_seconds - time.monotonic()

    def request(self) -> None:
        """Request the shutdown; only the first time counts."""
        if self._requested_at is None:
            self._requested_at = time.monotonic()

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as that request; the default would end the runner without a result."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: types.FrameType | None) -> None:
        self.request()

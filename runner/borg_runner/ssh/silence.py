"""A server that takes the key and never says a word: its keepalives go on, so ssh itself never gives up.

While borg has not said anything at all, the server is asked, by another ssh beside it, for borg's version. A server
that does not answer that either, twice, will not answer borg. One that does works for borg, however long that takes.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from borg_runner.ssh.probe import Answer

_STRIKES = 2


@dataclass(kw_only=True)
class SilenceWatch:
    """Watches over one borg process. `ask` blocks until it knows whether the server answers."""

    ask: Callable[[], Answer]
    on_silence: Callable[[], None]
    """Called, in a thread of its own, when the server did not answer for the first time."""
    on_word: Callable[[], None]
    """Called after that, when it did answer, or borg ended."""
    patience: float
    """Seconds of silence before the server is asked, and between two questions."""
    _asked_at: float = field(default_factory=time.monotonic)
    _strikes: int = 0
    _told: bool = False
    _closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while something is told: an answer may come in the moment in which borg ends."""
    _thread: threading.Thread | None = None

    def has_given_up(self, *, spoke: bool) -> bool:
        """Tell whether the server is silent for good; to be asked again and again. `spoke`: borg has said something."""
        if spoke:
            self.close()
            return False
        if self._thread is None or not self._thread.is_alive():
            if self._strikes >= _STRIKES:
                return True
            if time.monotonic() - self._asked_at >= self.patience:
                self._thread = threading.Thread(target=self._question, name="silence", daemon=True)
                self._thread.start()
        return False

    def close(self) -> None:
        """Take back what was told of the silence, and tell nothing any more."""
        with self._lock:
            self._closed = True
            self._take_back()

    def _take_back(self) -> None:
        if self._told:
            self._told = False
            self.on_word()

    def _question(self) -> None:
        silent = self.ask().silent
        with self._lock:
            self._strikes = self._strikes + 1 if silent else 0
            if not silent:
                self._take_back()
            elif not self._told and not self._closed:
                self._told = True
                self.on_silence()
        self._asked_at = time.monotonic()

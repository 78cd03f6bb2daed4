"""A server that does not answer borg, while its sshd goes on giving signs of life, so that ssh itself never gives up.

Silence alone proves nothing: a compact, or an index that is made anew, may take hours without a word. So it is told
long before it is ended, and how long it may last depends on what borg has asked for. Nobody is asked a second time: a
server that lets in one client after the other would be silent to that, and be given up while it works. See ADR 0027.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from borg_runner.ssh.activity import Activity, has_only_waited, read_activity, read_ssh_age

_GREETING_BYTES = 64
"""Borg's first message has 35; its second, which it sends when that is answered, is longer than the rest."""
_BEFORE_GREETING_SECONDS = 0.4
"""No server has answered by then: sshd must let the key in, and borg come up there. What borg wrote before is no part
of its talk with the server: it tests itself on files."""

_MINUTE = 60.0
_HOUR = 60 * _MINUTE


@dataclass(frozen=True)
class Bound:
    """Seconds of silence after which it is `told`, and after which it `ends`."""

    told: float
    ends: float


@dataclass(frozen=True)
class Patience:
    """How long a server may be silent."""

    greeting: Bound = Bound(2 * _MINUTE, 30 * _MINUTE)
    """It has not said a word yet: it hangs, or lets in one client after the other. That is a lock, and as long."""
    reading: Bound = Bound(10 * _MINUTE, _HOUR)
    """Borg reads the sources: the server has but to store what it gets, and at the end to write its index."""
    working: Bound = Bound(10 * _MINUTE, 24 * _HOUR)
    """Anything else: the server may have to read the whole repository."""
    look: float = 5.0
    """Seconds between two looks."""


PATIENCE = Patience()


@dataclass(kw_only=True)
class SilenceWatch:
    """Watches over one borg process."""

    on_silence: Callable[[float, float], None]
    """Called with the seconds of silence until now, and those until it ends."""
    on_word: Callable[[], None]
    """Called after that, when the server did answer, or borg ended."""
    patience: Patience
    read: Callable[[int], Activity | None] = read_activity
    """Returns what the process of that pid has done, None where that cannot be known: then nothing is ever told."""
    clock: Callable[[], float] = time.monotonic
    read_age: Callable[[int], float | None] = read_ssh_age
    """Returns for how long that process has had its ssh."""
    greeted: bool = True
    """Whether the server has answered borg; also where that is not known."""
    gave_up: bool = False
    _pid: int = field(default=0, init=False)
    _looked_at: float = field(default=0.0, init=False)
    _seen: Activity | None = field(default=None, init=False)
    _before_talk: int | None = field(default=None, init=False)
    """Bytes that borg had written before it asked the server anything; None where that is not known."""
    _ssh_seen: bool = field(default=False, init=False)
    _silent: float = field(default=0.0, init=False)
    _told: bool = field(default=False, init=False)

    def begin(self, pid: int) -> None:
        """Watch over this process from now on."""
        self._pid, self._looked_at, self._seen = pid, self.clock(), self.read(pid)

    def has_given_up(self, *, heard: int, reading: bool) -> bool:
        """Tell whether the server is silent for good; to be asked again and again.

        `heard`: how many bytes borg has said to us; `reading`: whether it reads the sources.
        """
        if not self._ssh_seen:
            self._look_for_ssh(heard)
        now = self.clock()
        if (elapsed := now - self._looked_at) < self.patience.look:
            return self.gave_up
        before, seen = self._seen, self.read(self._pid)
        self._looked_at, self._seen = now, seen
        if before is None or seen is None or not has_only_waited(before, seen, elapsed):
            self.close()
            return False
        self.greeted = self._before_talk is None or seen.written - heard - self._before_talk > _GREETING_BYTES
        self._silent += min(elapsed, 2 * self.patience.look)  # in more than that, we were not there to look
        bound = self._choose_bound(reading=reading)
        if self._silent >= bound.told and not self._told:
            self._told = True
            self.on_silence(self._silent, bound.ends - self._silent)
        self.gave_up = self._silent >= bound.ends
        return self.gave_up

    def close(self) -> None:
        """Take back what was told of the silence."""
        self._silent = 0.0
        if self._told:
            self._told = False
            self.on_word()

    def _look_for_ssh(self, heard: int) -> None:
        age = self.read_age(self._pid)
        self._ssh_seen = age is not None
        if age is not None and age < _BEFORE_GREETING_SECONDS and (seen := self.read(self._pid)) is not None:
            self._before_talk = seen.written - heard

    def _choose_bound(self, *, reading: bool) -> Bound:
        if not self.greeted:
            return self.patience.greeting
        return self.patience.reading if reading else self.patience.working

"""What a borg process does, as the kernel counts it: whether it works, waits for its server, or hangs.

Borg 1.4 waits by looking once a second whether something has come, and by nothing else. A borg that reads a source, or
waits for a source that does not answer, or that a wrapper keeps as its child, does something else: it is left alone.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_IDLE_SHARE = 0.02
_TICKS_OF_LOOKING = 2
_SECONDS_PER_LOOK = 2.0
"""Borg looks once a second; a machine under load may let it look less often."""

HANG_SECONDS = 600.0


@dataclass(frozen=True)
class Activity:
    """What a process has done since it began."""

    written: int
    """Bytes, to its server and to whoever listens."""
    moved: int
    """Bytes written and read."""
    ticks: int
    """Of processor time, 10 ms each as a rule."""
    looks: int
    """How often it went to sleep by itself."""


def read_activity(pid: int) -> Activity | None:
    """Return what the process has done; None when it has ended, or this kernel or sandbox does not tell."""
    folder = Path("/proc") / str(pid)
    try:
        # Of its first thread, which is all of borg: the whole counts what children did that have ended.
        bytes_of = _read_fields(folder / "task" / str(pid) / "io")
        looks = int(_read_fields(folder / "status")["voluntary_ctxt_switches"])
        times = (folder / "stat").read_text().rpartition(")")[2].split()
        written = int(bytes_of["wchar"])
        return Activity(
            written=written,
            moved=written + int(bytes_of["rchar"]),
            ticks=int(times[11]) + int(times[12]),
            looks=looks,
        )
    except (OSError, KeyError, ValueError, IndexError):
        return None


def read_ssh_age(pid: int) -> float | None:
    """Return for how many seconds the process has had its ssh; None when there is none that can be seen."""
    try:
        now = float(Path("/proc/uptime").read_text().split()[0])
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            name, _, rest = Path(f"/proc/{child}/stat").read_text().partition("(")[2].rpartition(")")
            if name == "ssh":
                return now - int(rest.split()[19]) / _TICKS_PER_SECOND
    except (OSError, ValueError, IndexError):
        pass
    return None


def has_only_waited(before: Activity, after: Activity, seconds: float) -> bool:
    """Tell whether in these `seconds` between the two it did nothing but look whether its server has answered."""
    ticks = after.ticks - before.ticks
    works = after.moved != before.moved or ticks > _TICKS_OF_LOOKING + seconds * _TICKS_PER_SECOND * _IDLE_SHARE
    return not works and after.looks - before.looks >= seconds / _SECONDS_PER_LOOK


@dataclass(kw_only=True)
class HangWatch:
    """Watches over a borg process that hangs in one call to the system: a volume does not answer. That is only told.

    Nothing tells a dead volume from one whose server comes back tomorrow, so nobody is ended.
    """

    on_hang: Callable[[float], None]
    """Called with the seconds for which it has done nothing."""
    on_life: Callable[[], None]
    """Called after that, when it went on or ended."""
    patience: float = HANG_SECONDS
    look: float = 5.0
    read: Callable[[int], Activity | None] = read_activity
    clock: Callable[[], float] = time.monotonic
    _pid: int = field(default=0, init=False)
    _seen: Activity | None = field(default=None, init=False)
    _looked_at: float = field(default=0.0, init=False)
    _silent: float = field(default=0.0, init=False)
    _told: bool = field(default=False, init=False)

    def begin(self, pid: int) -> None:
        """Watch over this process from now on."""
        self._pid, self._looked_at, self._seen = pid, self.clock(), self.read(pid)

    def look_again(self) -> None:
        """Look what it has done; to be called again and again."""
        now = self.clock()
        if (elapsed := now - self._looked_at) < self.look:
            return
        before, self._seen, self._looked_at = self._seen, self.read(self._pid), now
        if before is None or before != self._seen:
            self.close()
            return
        self._silent += min(elapsed, 2 * self.look)  # in more than that, we were not there to look
        if self._silent >= self.patience and not self._told:
            self._told = True
            self.on_hang(self._silent)

    def close(self) -> None:
        """Take back what was told."""
        self._silent = 0.0
        if self._told:
            self._told = False
            self.on_life()


def _read_fields(path: Path) -> dict[str, str]:
    return dict(line.split(":", 1) for line in path.read_text().splitlines())

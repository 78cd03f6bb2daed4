"""What a borg process does, as the kernel counts it: whether it works, or waits for its server to answer.

Borg 1.4 waits by looking once a second whether something has come, and by nothing else. A borg that reads a source, or
waits for a source that does not answer, or that a wrapper keeps as its child, does something else: it is left alone.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_IDLE_SHARE = 0.02
_TICKS_OF_LOOKING = 2
_SECONDS_PER_LOOK = 2.0
"""Borg looks once a second; a machine under load may let it look less often."""


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


def _read_fields(path: Path) -> dict[str, str]:
    return dict(line.split(":", 1) for line in path.read_text().splitlines())

"""How far a restore has come: a line of its run's log, which the runner writes for people now and then."""

import re
from dataclasses import dataclass

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP = 1024
_MINUTE, _HOUR = 60, 3600

_SPEED = rf"(?P<speed>[0-9]{{1,6}}(?:\.[0-9])?) (?P<unit>{'|'.join(_UNITS)})/s"
_LEFT = r"about (?:(?P<hours>[0-9]{1,6}) h )?(?:(?P<minutes>[0-9]{1,6}) min )?(?:(?P<seconds>[0-9]{1,6}) s )?left"
_LINE = re.compile(
    r"restoring: (?P<percent>[0-9]{1,3}) % \((?:(?P<files>[0-9,]{1,20}) of )?[0-9,]{1,20} files"
    rf"(?:, [0-9.]{{1,10}} [A-Za-z]{{1,3}})?(?:, {_SPEED})?(?:, {_LEFT})?\)"
)


@dataclass(frozen=True)
class Progress:
    """`files`: how many are done, 0 where nobody knows. `seconds_left`: None where nobody can tell."""

    percent: int
    files: int = 0
    bytes_per_second: float = 0.0
    seconds_left: int | None = None


def parse_progress(line: str) -> Progress | None:
    """Return what the line tells of it: `restoring: 41 % (1,204 of 2,931 files, 1.2 GiB, 85.0 MiB/s, about 40 s left)`.

    None: it tells something else.
    """
    found = _LINE.search(line)
    if found is None:
        return None
    left = [found["hours"], found["minutes"], found["seconds"]]
    hours, minutes, seconds = (int(text or 0) for text in left)
    return Progress(
        percent=min(100, int(found["percent"])),
        files=int((found["files"] or "").replace(",", "") or 0),
        bytes_per_second=float(found["speed"]) * _STEP ** _UNITS.index(found["unit"]) if found["speed"] else 0.0,
        seconds_left=hours * _HOUR + minutes * _MINUTE + seconds if any(left) else None,
    )

"""How far a restore has come, as a line of its log: the runner writes it for people, and the facade reads it.

No pod of a run can write to the API server, so its log is the only place where this can stand while it runs.
"""

import re
from dataclasses import dataclass

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024
_MINUTE, _HOUR = 60, 3600

_SIZE = rf"(?P<%s>[0-9]+(?:\.[0-9]+)?) (?P<%s_unit>{'|'.join(_UNITS)})"
_LINE = re.compile(
    r"restoring: (?P<percent>[0-9]{1,3}) % \((?P<done>[0-9,]{1,20}) of (?P<total>[0-9,]{1,20}) files"
    rf"(?:, {_SIZE % ('bytes', 'bytes')})?(?:, {_SIZE % ('speed', 'speed')}/s)?"
    r"(?:, about (?:(?P<hours>[0-9]{1,6}) h )?(?:(?P<minutes>[0-9]{1,6}) min )?(?:(?P<seconds>[0-9]{1,6}) s )?left)?\)"
)


@dataclass(frozen=True)
class RestoreProgress:
    """`seconds_left`: None while nobody can tell."""

    percent: int
    files: int
    files_expected: int
    bytes: int = 0
    bytes_per_second: float = 0.0
    seconds_left: int | None = None

    def render(self) -> str:
        """Return the line: `restoring: 41 % (1,204 of 2,931 files, 1.2 GiB, 85 MiB/s, about 40 s left)`."""
        parts = [f"{self.files:,} of {self.files_expected:,} files", _size(self.bytes)]
        if self.bytes_per_second:
            parts.append(f"{_size(self.bytes_per_second)}/s")
        if self.seconds_left is not None:
            parts.append(f"about {_duration(self.seconds_left)} left")
        return f"restoring: {self.percent} % ({', '.join(parts)})"


def parse_progress(line: str) -> RestoreProgress | None:
    """Return what a line of the log tells of it, None where it tells something else."""
    found = _LINE.search(line)
    if found is None:
        return None
    left = [found["hours"], found["minutes"], found["seconds"]]
    hours, minutes, seconds = (int(text or 0) for text in left)
    return RestoreProgress(
        percent=min(100, int(found["percent"])),
        files=_number(found["done"]),
        files_expected=_number(found["total"]),
        bytes=round(_bytes(found["bytes"], found["bytes_unit"])),
        bytes_per_second=_bytes(found["speed"], found["speed_unit"]),
        seconds_left=hours * _HOUR + minutes * _MINUTE + seconds if any(left) else None,
    )


def _number(text: str) -> int:
    return int(text.replace(",", "") or 0)


def _bytes(number: str | None, unit: str | None) -> float:
    return float(number) * _STEP ** _UNITS.index(unit) if number and unit else 0.0


def _size(size: float) -> str:
    unit = 0
    while size >= _STEP - 0.5 and unit < len(_UNITS) - 1:
        size /= _STEP
        unit += 1
    digits = 1 if unit and size < 9.95 else 0  # noqa: PLR2004 - what would be rounded to 10.0
    return f"{size:.{digits}f} {_UNITS[unit]}"


def _duration(seconds: int) -> str:
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{round(seconds / _MINUTE)} min"
    return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"

"""Time zones as Go's time library sees them: stretches of one offset, and its own choice where a wall clock jumps.

The rules come from the tzdata package alone, never from the machine's files, so every replica gives the same answers.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from borg_core.clock.error import CronError, quote

_BLOCK_BITS = 25  # offsets are read in blocks of 2**25 seconds, about a year
_PROBE_SECONDS = 1 << 18  # three days; no zone of the database ever changed twice within four
_FIRST, _LAST = -62135510400, 253402214400  # one day inside of what datetime can hold, for every offset
_LONGEST_NAME = 64
_GUESSED_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?00)?", re.IGNORECASE)


class Period(NamedTuple):
    """A stretch of one offset. Instants are seconds since 1970 in UTC, `end` excluded; `offset` is seconds east."""

    start: int
    end: int
    offset: int


class Change(NamedTuple):
    """The instant from which another offset holds."""

    instant: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Zone:
    name: str

    @classmethod
    def parse(cls, name: str) -> "Zone":
        """Return the zone. Raises CronError when a CronJob would refuse its name."""
        if name not in _names():
            raise CronError(_explain_name(name))
        return cls(name)

    def period(self, instant: int) -> Period:
        """Return a stretch of one offset around `instant`; it may be a part of a longer one."""
        starts, periods = _read_block(self.name, instant >> _BLOCK_BITS)
        return periods[bisect_right(starts, instant) - 1]

    def changes(self, start: int, end: int) -> Iterator[Change]:
        """Yield the changes of the offset in start <= instant < end."""
        for block in range((start - 1) >> _BLOCK_BITS, (end >> _BLOCK_BITS) + 1):
            _, periods = _read_block(self.name, block)
            for before, after in pairwise(periods):
                if start <= after.start < end:
                    yield Change(after.start, before.offset, after.offset)

    def instant_of(self, wall: int) -> int:
        """Return the instant that Go's time.Date takes for a wall clock given in seconds as if it were UTC.

        A wall clock that is skipped or repeated is taken with the offset that Go happens to find: before the change in
        some zones, after it in others. What robfig/cron answers there depends on it.
        """
        guess = wall - self.period(wall).offset
        return wall - self.period(guess).offset


@cache
def posix_rule(name: str) -> str:
    """Return the zone's rule of today as POSIX writes it in TZ, such as "CET-1CEST,M3.5.0,M10.5.0/3".

    Empty for UTC, and for a zone that does not exist. It is the last line of the zone's file.
    """
    if name not in _names():
        return ""
    rule = resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes().splitlines()[-1].decode()
    return "" if rule == "UTC0" else rule


@cache
def _names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="ascii").split())


@cache
def _load(name: str) -> ZoneInfo:
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@lru_cache(maxsize=8192)
def _read_block(name: str, block: int) -> tuple[tuple[int, ...], tuple[Period, ...]]:
    """Return the starts of the block's periods, and the periods, in order.

    A change at the block's very end shows as a last period without length, so that each change is in one block only.
    """
    zone = _load(name)
    start, end = block << _BLOCK_BITS, (block + 1) << _BLOCK_BITS
    starts, offsets = [start], [_offset(zone, start)]
    for probe in range(start + _PROBE_SECONDS, end + 1, _PROBE_SECONDS):
        offset = _offset(zone, probe)
        if offset != offsets[-1]:
            starts.append(_find_change(zone, probe - _PROBE_SECONDS, probe))
            offsets.append(offset)
    return tuple(starts), tuple(map(Period, starts, [*starts[1:], end], offsets))


def _find_change(zone: ZoneInfo, before: int, after: int) -> int:
    offset = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(min(max(instant, _FIRST), _LAST), zone).utcoffset() or timedelta()
    return offset.days * 86400 + offset.seconds


def _explain_name(name: str) -> str:
    example = "write an IANA time zone, for example Europe/Berlin or Etc/UTC"
    if not name:
        return f"the time zone is empty: {example}"
    if name.lower() == "local":
        return f"the time zone {quote(name)} depends on the machine: {example}"
    fixed = _GUESSED_OFFSET.fullmatch(name)
    if fixed and int(fixed[2]):
        sign = "-" if fixed[1] == "+" else "+"
        example = f"write a place, for example Europe/Berlin, or Etc/GMT{sign}{int(fixed[2])} (its sign is reversed)"
    elif len(name) <= _LONGEST_NAME:
        lowered = {known.lower(): known for known in sorted(_names())}
        close = get_close_matches(name.strip().lower().replace(" ", "_"), lowered, n=1, cutoff=0.75)
        example = f"write {lowered[close[0]]}" if close else example
    return f"the time zone {quote(name)} is unknown: {example}"

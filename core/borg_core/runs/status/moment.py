"""When runs began and ended, where a clock may have been wrong: no time that is to come decides anything."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from borg_core.formats import format_time

_DIFFERENCE = timedelta(minutes=5)
"""So far apart are, at most, the clocks of a cluster that are right: what has just ended is not to come."""


class Moment(NamedTuple):
    """A time, RFC 3339. One that is to come stands before all others, as nobody knows when it really was."""

    believed: bool
    time: str


def not_to_come(time: datetime, now: datetime) -> datetime:
    """Return the time, or the latest one that is not to come: what is recorded must not become right later."""
    return min(time, now + _DIFFERENCE)


def agree(one: datetime, other: datetime) -> bool:
    """Tell whether two clocks may both be right that give these times for the same thing."""
    return abs(one - other) <= _DIFFERENCE


def derive_latest(now: datetime) -> str:
    """Return the latest time that is not to come: RFC 3339."""
    return format_time(now + _DIFFERENCE)


def find_to_come(status: object, times: Iterable[str], latest: str) -> list[str]:
    """Return those of a status's `times`, by name, that are to come: no later run would change them."""
    return [name for name in times if (getattr(status, name) or "") > latest]


def derive_moment(latest: str, time: str, *earlier: str | None) -> Moment:
    """Return when it was: by the first of `earlier`, times before it, that is not to come, where `time` is."""
    if time <= latest:
        return Moment(believed=True, time=time)
    believed = next((found for found in earlier if found and found <= latest), None)
    return Moment(believed is not None, believed or time)

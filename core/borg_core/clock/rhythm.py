"""How far apart the runs of a schedule are meant to be: what "too old" means differs from schedule to schedule."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise

from borg_core.clock.error import tell_never
from borg_core.clock.expression import Fields
from borg_core.clock.schedule import CronSchedule

_DAY_MINUTES = 1440
_FIRST_YEAR, _YEARS = 2024, 9
"""Every weekday meets every day of the month, and 29 February comes three times; always the same years, so that the
answer depends on the schedule alone."""


def find_never(times: CronSchedule) -> str | None:
    """Return what to say of times that never come, 30 February for example, and that a CronJob takes all the same."""
    return f"{tell_never(times.expression)}; name times that come" if derive_interval(times.rule) is None else None


@lru_cache(maxsize=4096)
def derive_interval(rule: Fields | timedelta) -> float | None:
    """Return the longest time, in seconds, from one run to the next; None where no time ever matches.

    Reckoned on the wall clock: where clocks change, it may be an hour longer or shorter.
    """
    if isinstance(rule, timedelta):
        return rule.total_seconds()
    if rule.names_nothing():
        return None
    minutes = [hour * 60 + minute for hour in _bits(rule.hours) for minute in _bits(rule.minutes)]
    days = _longest_between_days(replace(rule, minutes=1, hours=1))
    if days is None:
        return None
    overnight = days * _DAY_MINUTES + minutes[0] - minutes[-1]
    return 60.0 * max([overnight, *(after - before for before, after in pairwise(minutes))])


@lru_cache(maxsize=1024)
def _longest_between_days(rule: Fields) -> int | None:
    """Return the days from one that matches to the next; most schedules share those, and differ in their hours."""
    days = [day for day in _days() if rule.months >> day.month & 1 and rule.names_day(day.day, day.isoweekday() % 7)]
    return max(((after - before).days for before, after in pairwise(days)), default=None)


def _bits(values: int) -> list[int]:
    return [bit for bit in range(values.bit_length()) if values >> bit & 1]


def _days() -> Iterator[date]:
    first, end = date(_FIRST_YEAR, 1, 1), date(_FIRST_YEAR + _YEARS, 1, 1)
    return (first + timedelta(days=number) for number in range((end - first).days))

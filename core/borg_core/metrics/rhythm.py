"""How far apart the runs of a schedule are meant to be: what "too old" means differs from schedule to schedule."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise

from borg_core.cron.expression import Fields

_DAY_MINUTES = 1440
_FIRST_YEAR, _YEARS = 2024, 9
"""Every weekday meets every day of the month, and 29 February comes three times; always the same years, so that the
answer depends on the schedule alone."""


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
    days = [day for day in _days() if rule.months >> day.month & 1 and rule.names_day(day.day, day.isoweekday() % 7)]
    within_days = (after - before for before, after in pairwise(minutes))
    overnight = minutes[0] - minutes[-1]
    between_days = ((after - before).days * _DAY_MINUTES + overnight for before, after in pairwise(days))
    longest = max((*within_days, *between_days), default=0) if days else 0
    return longest * 60.0 if longest else None


def _bits(values: int) -> list[int]:
    return [bit for bit in range(values.bit_length()) if values >> bit & 1]


def _days() -> Iterator[date]:
    first, end = date(_FIRST_YEAR, 1, 1), date(_FIRST_YEAR + _YEARS, 1, 1)
    return (first + timedelta(days=number) for number in range((end - first).days))

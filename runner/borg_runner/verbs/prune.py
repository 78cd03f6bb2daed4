"""What `borg prune` keeps by its rules, reckoned here. What goes is deleted by name, see `delete`.

Borg would choose by the name alone, and count archives that are not to take a good one's place. Pure but for the C
library's clock, by which borg goes as well. `tests/integration/programs/test_prune_oracle.py` holds it against borg.
"""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from borg_contract.retention import Retention

_HOURS = {"H": 1, "d": 24, "w": 24 * 7, "m": 24 * 31, "y": 24 * 365}


_PERIODS: dict[str, Callable[[dt.datetime], tuple[int, ...]]] = {
    "hourly": lambda moment: (moment.year, moment.month, moment.day, moment.hour),
    "daily": lambda moment: (moment.year, moment.month, moment.day),
    "weekly": lambda moment: moment.isocalendar()[:2],
    "monthly": lambda moment: (moment.year, moment.month),
    "3monthly": lambda moment: (moment.year, (moment.month - 1) // 3),
    "yearly": lambda moment: (moment.year,),
}
"""In borg's order: what a rule keeps counts for none after it."""


def find_kept(
    times: Mapping[str, dt.datetime], retention: Retention, *, now: dt.datetime, local_time: str = ""
) -> dict[str, str]:
    """Return the names of the archives that the rules keep, each with the rule, such as "daily #1".

    `times`: when each was begun, in UTC as `now`. `local_time`: by whose days, weeks and months, see RunPlan.
    """
    kept: dict[str, str] = {}
    newest_first = sorted(times, key=lambda name: (times[name], name), reverse=True)
    with _local_time(local_time) as localize:
        local = {name: localize(moment) for name, moment in times.items()}
    rules = retention.rules
    if within := str(rules.get("within", "")):
        try:
            after = now - dt.timedelta(hours=int(within[:-1]) * _HOURS[within[-1]])
        except OverflowError:  # longer than years are counted
            after = dt.datetime.min.replace(tzinfo=now.tzinfo)
        for name in newest_first:
            if times[name] > after:
                kept[name] = f"within #{len(kept) + 1}"
    for rule, period_of in _PERIODS.items():
        if places := int(rules.get(rule, 0)):
            _keep(kept, [(name, period_of(local[name])) for name in newest_first], rule, places)
    return kept


def _keep(kept: dict[str, str], periods: Sequence[tuple[str, tuple[int, ...]]], rule: str, places: int) -> None:
    """Add the newest archive of each of so many periods, and while there are fewer, the oldest archive of all.

    `periods`: each archive's, newest first.
    """
    taken = 0
    last: tuple[int, ...] = ()
    for name, period in periods:
        if period == last:
            continue
        last = period
        if name not in kept:
            taken += 1
            kept[name] = f"{rule} #{taken}"
            if taken == places:
                return
    if periods:
        kept.setdefault(periods[-1][0], f"{rule}[oldest] #{taken + 1}")


@contextmanager
def _local_time(rule: str) -> Iterator[Callable[[dt.datetime], dt.datetime]]:
    """Let the C library's clock go by `rule`; yields what turns a time of UTC into a local one, both without zone."""
    if not rule:
        yield lambda moment: moment
        return
    before = os.environ.get("TZ")
    os.environ["TZ"] = rule
    time.tzset()
    try:
        yield lambda moment: dt.datetime(*time.localtime(moment.replace(tzinfo=dt.UTC).timestamp())[:6])  # noqa: DTZ001
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()

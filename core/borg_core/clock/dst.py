"""What the changes of a zone's clock do to a schedule: runs that are lost, doubled or moved to another day."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import groupby

from borg_core.clock.cursor import find_next
from borg_core.clock.error import tell_never
from borg_core.clock.expression import Fields
from borg_core.clock.schedule import CronSchedule
from borg_core.clock.zone import Change, Zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR, _DAY = 3600, 86400
_EVERY_HOUR = (1 << 24) - 1
_EVERY_WEEKDAY = (1 << 7) - 1
_EVERY_DAY, _EVERY_MONTH = ((1 << 31) - 1) << 1, ((1 << 12) - 1) << 1
# How far from a change its effects are looked for: a lost midnight can cost the day behind it.
_REACH = 36 * _HOUR
_NAMED_SINGLY = 3
_MINUTE = timedelta(minutes=1)
_TOO_OFTEN = "a CronJob makes at most one Job in a minute, so some of these runs do not happen"


def dst_warnings(schedule: CronSchedule, after: datetime, horizon: timedelta = timedelta(days=366)) -> list[str]:
    """Return one sentence for each local date within `horizon` on which runs are lost, doubled or unasked for.

    A schedule that names every hour means a distance, not a time of day: it is not warned of hours that its zone skips
    or repeats. A schedule that never runs, or more often than a CronJob can, gets one sentence that says so.
    """
    fields = schedule.rule
    if isinstance(fields, timedelta):
        return [_TOO_OFTEN] if fields < _MINUTE else []
    if schedule.next_after(after) is None:
        return [tell_never(schedule.expression)]
    if _names_every_hour_of_every_day(fields):
        return []
    first = (after - _EPOCH) // timedelta(seconds=1)
    last = first + horizon // timedelta(seconds=1)
    changes = schedule.zone.changes(first, last)
    return [sentence for change in changes for sentence in _sentences(fields, schedule.zone, change)]


@lru_cache(maxsize=4096)
def _sentences(fields: Fields, zone: Zone, change: Change) -> tuple[str, ...]:
    """Return what is said of one change: a search, for what stays the same and is asked for at each reconciliation."""
    return tuple(_describe(change, zone, _compare(fields, zone, change)))


@dataclass(frozen=True, slots=True)
class _Effect:
    """Wall clocks, in seconds as if they were UTC, in order."""

    lost: tuple[int, ...]
    doubled: tuple[int, ...]
    unasked: tuple[int, ...]


def _names_every_hour_of_every_day(fields: Fields) -> bool:
    return (
        fields.hours == _EVERY_HOUR
        and fields.months == _EVERY_MONTH
        and fields.days == _EVERY_DAY
        and fields.weekdays == _EVERY_WEEKDAY
    )


def _compare(fields: Fields, zone: Zone, change: Change) -> _Effect:
    """Hold the runs around `change` against the times that the fields name there.

    The runs are asked for, not derived from a rule: near a change robfig/cron has surprises of its own.
    """
    start, runs, end = _runs_around(fields, zone, change)
    happened = Counter(run + zone.period(run).offset for run in runs)
    named = set(_named_walls(fields, start + zone.period(start).offset, end + zone.period(end).offset))
    jump = range(change.instant + change.before, change.instant + change.after)  # empty when the clock goes back
    lost = named - happened.keys()
    doubled = {wall for wall, count in happened.items() if count > 1}
    if fields.hours == _EVERY_HOUR:
        lost, doubled = {wall for wall in lost if wall not in jump}, set()
    return _Effect(tuple(sorted(lost)), tuple(sorted(doubled)), tuple(sorted(happened.keys() - named)))


def _runs_around(fields: Fields, zone: Zone, change: Change) -> tuple[int, list[int], int]:
    """Return the runs in start < run < end: from before `change`, if there is one, to behind the time it repeats."""
    repeated = max(0, change.before - change.after)
    unsettled, settled = change.instant - repeated, change.instant + repeated
    start = unsettled
    for reach in (_HOUR, _REACH):  # an hour will do for dense schedules, and spares their many runs
        start = unsettled - reach
        first = find_next(fields, zone, start)
        if first is not None and first < unsettled:
            break
    runs: list[int] = []
    run = find_next(fields, zone, start)
    while run is not None and run < settled + _REACH:
        if runs and runs[-1] >= settled:
            return start, runs, run
        runs.append(run)
        run = find_next(fields, zone, run)
    return start, runs, settled + _REACH


def _named_walls(fields: Fields, start: int, end: int) -> Iterator[int]:
    """Yield the wall clocks that the fields name in start < wall < end, whether they exist in the zone or not."""
    for day in range(start // _DAY, end // _DAY + 1):
        local = _wall_date(day * _DAY)
        if not fields.months >> local.month & 1 or not fields.names_day(local.day, local.isoweekday() % 7):
            continue
        for hour in (hour for hour in range(24) if fields.hours >> hour & 1):
            for minute in (minute for minute in range(60) if fields.minutes >> minute & 1):
                wall = day * _DAY + hour * _HOUR + minute * 60
                if start < wall < end:
                    yield wall


def _describe(change: Change, zone: Zone, effect: _Effect) -> Iterator[str]:
    way = "forward" if change.after > change.before else "back"
    before, after = change.instant + change.before, change.instant + change.after
    cause = f"because the clock in {zone.name} goes {way} from {_clock(before)} to {_clock(after)}"
    for walls, one, many in (
        (effect.lost, "is skipped", "are skipped"),
        (effect.doubled, "happens twice", "happen twice"),
        (effect.unasked, "is not asked for but happens", "are not asked for but happen"),
    ):
        for local, times in groupby(walls, _wall_date):
            yield f"on {local} {_list(times, one, many)}, {cause}"


def _list(walls: Iterable[int], one: str, many: str) -> str:
    clocks = [_clock(wall) for wall in walls]
    if len(clocks) == 1:
        return f"the run at {clocks[0]} {one}"
    if len(clocks) <= _NAMED_SINGLY:
        return f"the runs at {', '.join(clocks[:-1])} and {clocks[-1]} {many}"
    return f"the {len(clocks)} runs from {clocks[0]} to {clocks[-1]} {many}"


def _clock(wall: int) -> str:
    return f"{_EPOCH + timedelta(seconds=wall):%H:%M}"


def _wall_date(wall: int) -> date:
    return (_EPOCH + timedelta(seconds=wall)).date()

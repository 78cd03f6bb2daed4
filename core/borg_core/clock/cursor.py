"""The search for the next run, step for step as in robfig/cron's SpecSchedule.Next.

The library moves a point in time forward field by field and starts over when a field wraps around. Where the clock
jumps, its answers depend on the very steps: after a skipped midnight it may lose the day, or run on a day that was not
asked for. So the steps are the same here, and many of them are taken at once where no change of the clock lies between.
"""

from datetime import date
from functools import lru_cache

from borg_core.clock.expression import Fields
from borg_core.clock.zone import Zone

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_YEARS_SEARCHED = 5
_LAST_YEAR = 9998  # a year below the last that datetime knows
_NOON = 12


@lru_cache(maxsize=4096)  # a plan asks the same several times, and so do all schedules with these times
def find_next(fields: Fields, zone: Zone, after: int) -> int | None:
    """Return the first run later than `after`, both in seconds since 1970, or None when robfig/cron finds none.

    It finds none when no date within five years matches. It would search for ever where the calendar of a zone skips a
    day that the search has to step over (Pacific/Apia, December 2011): None as well.
    """
    if fields.names_nothing():
        return None  # robfig goes through every minute of five years to find that out
    return _Cursor(fields, zone, after + 1).search()


class _Cursor:
    """A point in time on its way. Each `_seek_` returns False when its field wrapped around: start over."""

    __slots__ = ("_end", "_endless", "_fields", "_instant", "_offset", "_start", "_truncated", "_zone")

    def __init__(self, fields: Fields, zone: Zone, instant: int) -> None:
        self._fields = fields
        self._zone = zone
        self._truncated = False  # the fields below the first that moved were set to their least values
        self._endless = False
        self._instant = instant
        self._start, self._end, self._offset = zone.period(instant)

    def search(self) -> int | None:
        limit = min(self._date().year + _YEARS_SEARCHED, _LAST_YEAR)
        while not self._endless and self._date().year <= limit:
            if (
                self._seek_month()
                and self._seek_day()
                and self._seek_hour()
                and self._seek_minute()
                and self._seek_second()
            ):
                return self._instant
        return None

    def _seek_month(self) -> bool:
        day = self._date()
        while not self._fields.months >> day.month & 1:
            if self._must_truncate():
                self._place(self._wall_of(day.replace(day=1)))
                day = self._date()
            following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
            time_of_day = (self._instant + self._offset) % _DAY
            self._place(self._wall_of(following) + (day.day - 1) * _DAY + time_of_day)
            day = self._date()
            if day.month == 1:
                return False
        return True

    def _seek_day(self) -> bool:
        day = self._date()
        while not self._fields.names_day(day.day, day.isoweekday() % 7):
            if self._must_truncate():
                self._place(self._wall_of(day))
            before = self._instant
            self._place(before + self._offset + _DAY)
            hour = self._hour()
            if hour:  # midnight was skipped; robfig's way back to it can end on the day before
                self._move(self._instant + (24 - hour if hour > _NOON else -hour) * _HOUR)
            day = self._date()
            if self._instant == before:
                self._endless = True
                return False
            if day.day == 1:
                return False
        return True

    def _seek_hour(self) -> bool:
        hour = self._hour()
        if self._fields.hours >> hour & 1:
            return True
        if self._must_truncate():
            wall = self._instant + self._offset
            self._place(wall - wall % _HOUR)
        return self._step_to(self._fields.hours, _HOUR, 24)

    def _seek_minute(self) -> bool:
        if self._fields.minutes >> (self._instant + self._offset) // _MINUTE % 60 & 1:
            return True
        if self._must_truncate():
            self._instant -= self._instant % _MINUTE
            if self._instant < self._start:
                self._move(self._instant)
        return self._step_to(self._fields.minutes, _MINUTE, 60)

    def _seek_second(self) -> bool:
        if (self._instant + self._offset) % _MINUTE == 0:
            return True
        self._truncated = True
        return self._step_to(1, 1, 60)

    def _step_to(self, values: int, unit: int, count: int) -> bool:
        """Step by `unit` seconds to a value in `values`, or to 0, where the field of `count` values wraps around."""
        while True:
            value = (self._instant + self._offset) // unit % count
            later = values >> (value + 1)
            steps = (later & -later).bit_length() if later else count - value
            target = self._instant + steps * unit
            if target < self._end:
                self._instant = target
                return later != 0
            self._move(self._instant + unit)
            value = (self._instant + self._offset) // unit % count
            if value == 0:
                return False
            if values >> value & 1:
                return True

    def _must_truncate(self) -> bool:
        first, self._truncated = not self._truncated, True
        return first

    def _date(self) -> date:
        return date.fromordinal((self._instant + self._offset) // _DAY + _EPOCH_ORDINAL)

    def _hour(self) -> int:
        return (self._instant + self._offset) // _HOUR % 24

    @staticmethod
    def _wall_of(day: date) -> int:
        return (day.toordinal() - _EPOCH_ORDINAL) * _DAY

    def _place(self, wall: int) -> None:
        """Go to the instant at which the clocks of the zone show `wall`, as Go's time.Date chooses it."""
        instant = wall - self._offset
        # Go looks the offset up at `wall` as if that were UTC: within one stretch there is no choice.
        if self._start <= wall < self._end and self._start <= instant < self._end:
            self._instant = instant
        else:
            self._move(self._zone.instant_of(wall))

    def _move(self, instant: int) -> None:
        self._instant = instant
        if not self._start <= instant < self._end:
            self._start, self._end, self._offset = self._zone.period(instant)

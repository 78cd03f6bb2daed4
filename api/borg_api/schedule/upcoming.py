"""What will run within the next hours: each schedule once, or every occurrence page by page."""

import heapq
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from borg_api.problem import refused
from borg_api.schedule.listing import Page, Rendered
from borg_api.schedule.timetable import parse

Place = tuple[datetime, int]
"""An occurrence's instant and id."""

_SECOND = timedelta(seconds=1)
_LARGEST_ID = 2**53
_PLACE = re.compile(r"([0-9]{1,11})\.([0-9]{1,16})")


class Occurrence(NamedTuple):
    """Sorts by time, then by id."""

    run: datetime
    id: int
    rendered: Rendered

    @property
    def json(self) -> bytes:
        return self.rendered.upcoming(self.run)


def find_next(page: Page, after: Place, end: datetime) -> Iterator[Occurrence]:
    """Yield the next run of each enabled schedule that has one after a place and by `end`, soonest first."""
    first = bisect_right(page.soonest, after, key=lambda item: (item.until, item.id))
    last = bisect_right(page.soonest, end, key=lambda item: item.until)
    return (Occurrence(item.until, item.id, item) for item in page.soonest[first:last])


def find_all(page: Page, after: Place, end: datetime) -> Iterator[Occurrence]:
    """Yield every run of the enabled schedules after a place and up to `end`, soonest first."""
    start = after[0] - _SECOND  # others of the same second may come after it
    merged = heapq.merge(*_streams(page.soonest, start, end), key=lambda occurrence: occurrence[:2])
    return (occurrence for occurrence in merged if occurrence[:2] > after)


def _streams(found: Iterable[Rendered], start: datetime, end: datetime) -> Iterator[Iterator[Occurrence]]:
    for item in found:
        if item.until > end:
            return
        yield _stream(item, start, end)


def _stream(item: Rendered, start: datetime, end: datetime) -> Iterator[Occurrence]:
    schedule = parse(item.record.resource)
    if schedule is None:
        return
    first = item.until
    if isinstance(schedule.rule, timedelta):  # counted from the run that lists show as the next
        behind = max(0, (start - first) // schedule.rule + 1)
        runs = schedule.runs_between(first + (behind - 1) * schedule.rule, end)
    else:
        runs = schedule.runs_between(start, end)
    for run in runs:
        yield Occurrence(run, item.id, item)


def encode_place(occurrence: Occurrence) -> str:
    """Return the token of what comes after the occurrence."""
    return f"{int(occurrence.run.timestamp())}.{occurrence.id}"


def decode_place(token: str | None, now: datetime) -> Place:
    """Return after what to go on; without a token, after now. Raises Problem 400 for a token that is none of ours."""
    if token is None:
        return now, _LARGEST_ID
    match = _PLACE.fullmatch(token)
    if match is None:
        raise refused("This token did not come from a list here: leave it out to begin anew.", "continue")
    return datetime.fromtimestamp(int(match[1]), UTC), int(match[2])

"""What will run within the next hours: each schedule once, or every occurrence page by page."""

import asyncio
import heapq
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, NamedTuple

from fastapi import Query

from borg_api.edge.paging import Continue, Limit, foreign_token
from borg_api.picture.timetable import Timetable
from borg_api.resources.schedules.listing import Page, Rendered
from borg_api.resources.schedules.response import UpcomingJob, UpcomingJobs
from borg_core.formats import format_time

Place = tuple[datetime, int]
"""An occurrence's instant and id."""

_ALL_LIMIT = 500
_SECOND = timedelta(seconds=1)
_LARGEST_ID = 2**53
_PLACE = re.compile(r"([0-9]{1,11})\.([0-9]{1,16})")


@dataclass(frozen=True)
class Window:
    """What is asked for: the next run of each enabled schedule, or every run of them."""

    hours: Annotated[int, Query(ge=1, le=8784, description="How many hours to look ahead.")] = 24
    every: Annotated[bool, Query(alias="all", description="Every occurrence, not only the next of each.")] = False
    limit: Limit = None
    token: Continue = None


async def find_upcoming(page: Page, timetable: Timetable, window: Window, now: datetime) -> UpcomingJobs:
    """Return what of a page runs within the window, soonest first."""
    end = now + timedelta(hours=window.hours)
    after = decode_place(window.token, now)
    limit = window.limit
    if window.every:
        limit = limit or _ALL_LIMIT
        # Of many schedules that takes a while: in a thread, so that other requests get their turn.
        stream = find_all(page, timetable, after, end)
        found = await asyncio.to_thread(list, islice(stream, limit + 1))
    else:
        found = list(islice(find_next(page, after, end), limit and limit + 1))
    shown = found[:limit]
    answer: UpcomingJobs = {
        "success": True,
        "upcoming_jobs": [occurrence.job for occurrence in shown],
        "hours_ahead": window.hours,
    }
    if limit:
        answer["continue"] = encode_place(shown[-1]) if len(shown) < len(found) else None
    return answer


class Occurrence(NamedTuple):
    """Sorts by time, then by id."""

    run: datetime
    id: int
    rendered: Rendered

    @property
    def job(self) -> UpcomingJob:
        upcoming = self.rendered.upcoming
        assert upcoming  # noqa: S101 - a page has no others
        return upcoming if self.run == self.rendered.until else {**upcoming, "next_run": format_time(self.run)}


def find_next(page: Page, after: Place, end: datetime) -> Iterator[Occurrence]:
    """Yield the next run of each enabled schedule that has one after a place and by `end`, soonest first."""
    first = bisect_right(page.soonest, after, key=lambda item: (item.until, item.id))
    last = bisect_right(page.soonest, end, key=lambda item: item.until)
    return (Occurrence(item.until, item.id, item) for item in page.soonest[first:last])


def find_all(page: Page, timetable: Timetable, after: Place, end: datetime) -> Iterator[Occurrence]:
    """Yield every run of the enabled schedules after a place and up to `end`, soonest first."""
    start = after[0] - _SECOND  # others of the same second may come after it
    merged = heapq.merge(*_streams(page.soonest, timetable, start, end), key=lambda occurrence: occurrence[:2])
    return (occurrence for occurrence in merged if occurrence[:2] > after)


def _streams(
    found: Iterable[Rendered], timetable: Timetable, start: datetime, end: datetime
) -> Iterator[Iterator[Occurrence]]:
    for item in found:
        if item.until > end:
            return
        yield _stream(item, timetable, start, end)


def _stream(item: Rendered, timetable: Timetable, start: datetime, end: datetime) -> Iterator[Occurrence]:
    for run in timetable.runs_between(item.record.resource, item.runs, start, end):
        yield Occurrence(run, item.id, item)


def encode_place(occurrence: Occurrence) -> str:
    """Return the token of what comes after the occurrence."""
    return f"{int(occurrence.run.timestamp())}.{occurrence.id}"


def decode_place(token: str | None, now: datetime) -> Place:
    """Return after what to go on; without a token, after now, and never before that.

    Raises InvalidValueError for one that is none of ours.
    """
    after_now = (now, _LARGEST_ID)
    if token is None:
        return after_now
    match = _PLACE.fullmatch(token)
    if match is None:
        raise foreign_token()
    return max(after_now, (datetime.fromtimestamp(int(match[1]), UTC), int(match[2])))

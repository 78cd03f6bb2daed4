"""What will run within the next hours: each schedule once, or every occurrence page by page."""

import heapq
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from borg_api.mirror import Shelf
from borg_api.problem import refused
from borg_api.schedule.answers import render_targets, schedule_id
from borg_api.schedule.listing import Rendered
from borg_api.schedule.timetable import parse
from borg_core.timestamps import format_time

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


def find_next(found: Iterable[Rendered], end: datetime) -> list[Occurrence]:
    """Return the next run of each enabled schedule that has one by `end`, soonest first."""
    upcoming = [
        Occurrence(item.runs[0], schedule_id(item.record.namespace, item.record.name), item)
        for item in found
        if item.runs and item.runs[0] <= end and not item.record.resource.spec.suspend
    ]
    return sorted(upcoming, key=lambda occurrence: occurrence[:2])


def find_all(found: Iterable[Rendered], after: Place, end: datetime) -> Iterator[Occurrence]:
    """Yield every run of the enabled schedules after a place and up to `end`, soonest first."""
    start = after[0] - _SECOND  # others of the same second may come after it
    streams = (_stream(item, start, end) for item in found if not item.record.resource.spec.suspend)
    merged = heapq.merge(*streams, key=lambda occurrence: occurrence[:2])
    return (occurrence for occurrence in merged if occurrence[:2] > after)


def _stream(item: Rendered, start: datetime, end: datetime) -> Iterator[Occurrence]:
    schedule = parse(item.record.resource)
    if schedule is None or not item.runs:
        return
    identifier = schedule_id(item.record.namespace, item.record.name)
    first = item.runs[0]
    if isinstance(schedule.rule, timedelta):  # counted from the run that lists show as the next
        behind = max(0, (start - first) // schedule.rule + 1)
        runs = schedule.runs_between(first + (behind - 1) * schedule.rule, end)
    else:
        runs = schedule.runs_between(start, end)
    for run in runs:
        yield Occurrence(run, identifier, item)


def render(occurrence: Occurrence, shelf: Shelf) -> dict[str, Any]:
    resource = occurrence.rendered.record.resource
    return {
        "id": occurrence.id,
        "type": "schedule",
        "name": resource.title,
        **render_targets(occurrence.rendered.record, shelf),
        "next_run": format_time(occurrence.run),
        "cron_expression": resource.spec.schedule,
        "timezone": resource.spec.time_zone,
    }


def render_body(occurrences: Iterable[Occurrence], shelf: Shelf, hours: int, more: dict[str, Any]) -> bytes:
    jobs = [render(occurrence, shelf) for occurrence in occurrences]
    return orjson.dumps({"success": True, "upcoming_jobs": jobs, "hours_ahead": hours, **more})


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


def window_end(now: datetime, hours: int) -> datetime:
    return now + timedelta(hours=hours)

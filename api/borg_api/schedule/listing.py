"""Schedules as bytes, rendered once: a list of many costs no more than what changed since the last one."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import orjson

from borg_api.catalogue import Order
from borg_api.mirror import Mirror, Shelf
from borg_api.records import ScheduleRecord
from borg_api.schedule.answers import render_job, render_times
from borg_api.schedule.timetable import NEVER, Timetable
from borg_core.models.repository import BorgRepository

_AT_ONCE = 40
"""So many are rendered before other requests get their turn."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A schedule's JSON as a list shows it, and what it was made from. `runs` are its next five."""

    record: ScheduleRecord
    repository: BorgRepository | None
    runs: tuple[datetime, ...]
    json: bytes

    @property
    def until(self) -> datetime:
        return self.runs[0] if self.runs else NEVER


@dataclass(frozen=True, slots=True)
class Page:
    """An answer's body with its ETag, good until `until` unless the revision changes."""

    body: bytes
    etag: str
    revision: tuple[int, int]
    until: datetime


class Listing:
    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._timetable = Timetable()
        self._rendered: dict[tuple[str, str], Rendered] = {}
        self._pages: dict[str, Page] = {}

    def render(self, shelf: Shelf, record: ScheduleRecord, now: datetime) -> Rendered:
        """Return the schedule's JSON, from before if all that it says still holds."""
        key = (record.namespace, record.name)
        refs = record.resource.spec.repository_refs
        repository = shelf.repositories.get(record.namespace, refs[0].name) if len(refs) == 1 else None
        known = self._rendered.get(key)
        if known and known.record is record and known.repository is repository and now < known.until:
            return known
        runs = tuple(self._timetable.next_runs(record.resource, now))
        json = orjson.dumps(render_job(record, shelf, runs[0] if runs else None))
        rendered = self._rendered[key] = Rendered(record, repository, runs, json)
        return rendered

    def detail(self, shelf: Shelf, record: ScheduleRecord, now: datetime) -> tuple[bytes, str]:
        """Return the JSON of one schedule with its next five runs, and its ETag."""
        rendered = self.render(shelf, record, now)
        json = rendered.json[:-1] + b',"next_runs":' + orjson.dumps(render_times(rendered.runs)) + b"}"
        return json, f'"{record.edition}-{digest(json)}"'

    async def rendered(
        self, shelf: Shelf, namespace: str, now: datetime, after: Order | None = None, limit: int | None = None
    ) -> list[Rendered]:
        """Return the schedules of a namespace, oldest first."""
        found: list[Rendered] = []
        for number, record in enumerate(shelf.schedules.in_order(namespace, after)[:limit]):
            found.append(self.render(shelf, record, now))
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        return found

    async def page(self, namespace: str, now: datetime) -> Page:
        """Return the whole list of a namespace."""
        shelf = self._mirror.shelf(namespace)
        revision = (shelf.schedules.revision(namespace), shelf.repositories.revision(namespace))
        known = self._pages.get(namespace)
        if known and known.revision == revision and now < known.until:
            return known
        found = await self.rendered(shelf, namespace, now)
        body = b'{"success":true,"jobs":[' + b",".join(item.json for item in found) + b"]}"
        until = min((item.until for item in found), default=NEVER)
        page = self._pages[namespace] = Page(body, f'"{digest(body)}"', revision, until)
        self._forget_gone(shelf, namespace)
        return page

    def _forget_gone(self, shelf: Shelf, namespace: str) -> None:
        if len(self._rendered) > 2 * len(shelf.schedules):
            gone = [key for key in self._rendered if key[0] == namespace and shelf.schedules.get(*key) is None]
            for key in gone:
                del self._rendered[key]


def digest(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()

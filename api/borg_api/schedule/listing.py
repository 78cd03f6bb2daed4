"""Schedules as bytes, rendered once: a list of many costs no more than what changed since the last one."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from operator import is_

import orjson

from borg_api.mirror import Mirror, Shelf
from borg_api.records import Order, ScheduleRecord
from borg_api.schedule.answers import render_job, render_times, render_upcoming
from borg_api.schedule.timetable import NEVER, Timetable
from borg_api.turns import in_turns
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.script import BorgScript
from borg_core.timestamps import format_time

_SLACK = 40
"""So few that are gone are not worth looking for."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A schedule's JSON as a list shows it, and what it was made from.

    `runs` are its next five, `until` the first of them; `head` begins its JSON as an upcoming job.
    """

    record: ScheduleRecord
    repository: BorgRepository | None
    scripts: tuple[BorgScript | None, ...]
    id: int
    runs: tuple[datetime, ...]
    until: datetime
    json: bytes
    head: bytes

    def upcoming(self, run: datetime) -> bytes:
        """Return its JSON as an upcoming job, for one of its runs."""
        return b'%b,"next_run":"%b"}' % (self.head, format_time(run).encode())


@dataclass(frozen=True, slots=True)
class Page:
    """The whole list's body with its ETag, good until `until` unless the revision changes.

    `soonest`: the enabled schedules that run again, by their next run and id.
    """

    body: bytes
    etag: str
    revision: tuple[int, ...]
    until: datetime
    soonest: list[Rendered]


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
        hooks = record.resource.spec.hooks.given
        scripts = tuple(shelf.scripts.get(record.namespace, hook.script_ref.name) for hook in hooks)
        known = self._rendered.get(key)
        if (
            known
            and known.record is record
            and known.repository is repository
            and all(map(is_, known.scripts, scripts))
            and now < known.until
        ):
            return known
        runs = tuple(self._timetable.next_runs(record.resource, now))
        job = render_job(record, shelf, runs[0] if runs else None)
        rendered = Rendered(
            record=record,
            repository=repository,
            scripts=scripts,
            id=job["id"],
            runs=runs,
            until=runs[0] if runs else NEVER,
            json=orjson.dumps(job),
            head=orjson.dumps(render_upcoming(job))[:-1],
        )
        self._rendered[key] = rendered
        self._forget_gone(shelf)
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
        records = shelf.schedules.in_order(namespace, after)[:limit]
        return [self.render(shelf, record, now) async for record in in_turns(records)]

    async def page(self, namespace: str, now: datetime) -> Page:
        """Return the whole list of a namespace."""
        shelf = self._mirror.shelf(namespace)
        revision = tuple(each.revision(namespace) for each in (shelf.schedules, shelf.repositories, shelf.scripts))
        known = self._pages.get(namespace)
        if known and known.revision == revision and now < known.until:
            return known
        found = await self.rendered(shelf, namespace, now)
        body = b'{"success":true,"jobs":[' + b",".join(item.json for item in found) + b"]}"
        until = min((item.until for item in found), default=NEVER)
        soonest = [item for item in found if item.runs and not item.record.resource.spec.suspend]
        soonest.sort(key=lambda item: (item.until, item.id))
        page = Page(body, f'"{digest(body)}"', revision, until, soonest)
        if found:
            self._pages[namespace] = page
        else:
            self._pages.pop(namespace, None)  # a namespace that is asked for need not exist
        return page

    def _forget_gone(self, shelf: Shelf) -> None:
        """Forget what was rendered of schedules that are gone, as soon as that is half of all."""
        if len(self._rendered) > 2 * len(shelf.schedules) + _SLACK:
            kept = {key: item for key, item in self._rendered.items() if shelf.schedules.get(*key) is item.record}
            others = {key: item for key, item in self._rendered.items() if self._mirror.shelf(key[0]) is not shelf}
            self._rendered = kept | others


def digest(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()

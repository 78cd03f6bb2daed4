"""Schedules as JSON, rendered once: a list of many costs no more than what changed since the last one."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from operator import is_

import orjson

from borg_api.edge.bodies import derive_etag, freeze
from borg_api.picture.picture import View
from borg_api.picture.records import ScheduleRecord
from borg_api.picture.timetable import NEVER, Timetable
from borg_api.resources.schedules.response import Job, JobDetail, JobList, UpcomingJob, render_job, render_upcoming
from borg_cluster.index import Index, Key, Order
from borg_cluster.turns import in_turns
from borg_core.formats import format_time
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.script import BorgScript

_SLACK = 40
"""So few that are gone are not worth looking for."""


@dataclass(frozen=True, slots=True)
class Detail:
    """`job` is frozen: see `bodies.freeze`."""

    job: JobDetail
    etag: str


@dataclass(slots=True)
class Rendered:
    """A schedule as lists show it, and what it was made from.

    `runs` are its next five, `until` the first of them. `job` is frozen. `upcoming`: its next run, None where it has
    none or is disabled. `detail`: made when it is asked for.
    """

    record: ScheduleRecord
    repository: BorgRepository | None
    scripts: tuple[BorgScript | None, ...]
    id: int
    runs: tuple[datetime, ...]
    until: datetime
    job: Job
    upcoming: UpcomingJob | None
    detail: Detail | None = None


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
    """What is rendered already, by where the schedules are kept and by name; whole lists by namespace."""

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable
        self._rendered: defaultdict[Index[ScheduleRecord], dict[Key, Rendered]] = defaultdict(dict)
        self._pages: dict[str, Page] = {}

    def render(self, view: View, record: ScheduleRecord, now: datetime) -> Rendered:
        """Return the schedule as it is shown, from before if all that it says still holds."""
        key = (record.namespace, record.name)
        refs = record.resource.spec.repository_refs
        repository = view.repositories.get(refs[0].name) if len(refs) == 1 else None
        scripts = tuple(view.scripts.get(hook.script_ref.name) for hook in record.resource.spec.hooks.given)
        kept = self._rendered[view.schedules.index]
        known = kept.get(key)
        if (
            known
            and known.record is record
            and known.repository is repository
            and all(map(is_, known.scripts, scripts))
            and now < known.until
        ):
            return known
        runs = tuple(self._timetable.next_runs(record.resource, now))
        job = render_job(record, view, runs[0] if runs else None)
        kept[key] = rendered = Rendered(
            record=record,
            repository=repository,
            scripts=scripts,
            id=job["id"],
            runs=runs,
            until=runs[0] if runs else NEVER,
            job=freeze(job),
            upcoming=render_upcoming(job, runs[0]) if runs and job["enabled"] else None,
        )
        self._forget_gone(view.schedules.index)
        return rendered

    def detail(self, view: View, record: ScheduleRecord, now: datetime) -> Detail:
        """Return one schedule with its next five runs."""
        rendered = self.render(view, record, now)
        if rendered.detail is None:
            job = render_job(record, view, rendered.runs[0] if rendered.runs else None)
            detail: JobDetail = {**job, "next_runs": [format_time(run) for run in rendered.runs]}
            frozen = freeze(detail)
            rendered.detail = Detail(frozen, derive_etag(frozen, record.edition))
        return rendered.detail

    async def rendered(
        self, view: View, now: datetime, after: Order | None = None, limit: int | None = None
    ) -> list[Rendered]:
        """Return the schedules of a namespace, oldest first."""
        records = view.schedules.in_order(after)[:limit]
        return [self.render(view, record, now) async for record in in_turns(records)]

    async def page(self, view: View, now: datetime) -> Page:
        """Return the whole list of a namespace."""
        revision = view.revision
        known = self._pages.get(view.namespace)
        if known and known.revision == revision and now < known.until:
            return known
        found = await self.rendered(view, now)
        answer: JobList = {"success": True, "jobs": [item.job for item in found]}
        body = orjson.dumps(answer)
        until = min((item.until for item in found), default=NEVER)
        soonest = sorted((item for item in found if item.upcoming), key=lambda item: (item.until, item.id))
        page = Page(body, derive_etag(body), revision, until, soonest)
        if found:
            self._pages[view.namespace] = page
        else:
            self._pages.pop(view.namespace, None)  # a namespace that is asked for need not exist
        return page

    def _forget_gone(self, index: Index[ScheduleRecord]) -> None:
        """Forget what was rendered of schedules that are gone, as soon as that is half of all."""
        kept = self._rendered[index]
        if len(kept) > 2 * len(index) + _SLACK:
            self._rendered[index] = {key: item for key, item in kept.items() if index.get(*key) is item.record}

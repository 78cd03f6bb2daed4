"""One file in all archives, the newest first: each archive is read for it, one after the other, while somebody asks."""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from borg_contract.reasons import Reason
from borg_contract.session.answers import Item, Version, VersionsAnswer
from borg_contract.session.request import ReadRequest
from borg_runner.verbs.list import StoredArchive
from borg_session.index.query import find_content, find_path, make_item
from borg_session.index.shelf import Shelf
from borg_session.refusal import RefusedError, invalid

INTEREST_SECONDS = 30.0
"""So long after the last question it goes on."""

_MOST_PATHS = 100


@dataclass(frozen=True)
class _Seen:
    """The file in one archive; None: it is not there."""

    item: Item | None
    content: int = 0


@dataclass
class _Job:
    """What is known of one path, by the archives' ids."""

    known: dict[str, _Seen] = field(default_factory=dict)
    asked_at: float = 0.0
    failure: RefusedError | None = None
    task: "asyncio.Task[None] | None" = None


class Versions:
    """To be used by one event loop."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._jobs: OrderedDict[str, _Job] = OrderedDict()

    def look(self, archives: Mapping[str, StoredArchive], request: ReadRequest) -> VersionsAnswer:
        """Return what is known so far, and let the rest be read. Raises RefusedError for what kept it from that."""
        ordered = sorted(archives.items(), key=lambda pair: (pair[1].time, pair[1].id), reverse=True)
        begin = _find_begin(ordered, request.after)
        page = ordered[begin : begin + request.limit]
        job = self._jobs.setdefault(request.path, _Job())
        self._jobs.move_to_end(request.path)
        if len(self._jobs) > _MOST_PATHS:
            self._jobs.popitem(last=False)
        job.asked_at = time.monotonic()
        if job.failure is not None:
            failure, job.failure = job.failure, None
            raise failure
        older = ordered[begin : begin + request.limit + 1]
        left = [(name, archive) for name, archive in older if archive.id not in job.known]
        if left and (job.task is None or job.task.done()):
            job.task = asyncio.create_task(self._read(job, request.path, left))
        items = _describe(page, older, job.known)
        more = begin + len(page) < len(ordered)
        return VersionsAnswer(
            items=tuple(items),
            next=page[-1][1].id if page and more and len(items) == len(page) else "",
            total=len(ordered),
            looked=begin + len(items),
            pending=len(items) < len(page) or bool(left),
        )

    async def _read(self, job: _Job, path: str, archives: Sequence[tuple[str, StoredArchive]]) -> None:
        for name, archive in archives:
            if time.monotonic() - job.asked_at > INTEREST_SECONDS:
                return
            try:
                index = await self._shelf.take_whole(name, archive)
                with index.opened() as database:
                    raw = os.fsencode(path)
                    found = find_path(database, raw)
                    job.known[archive.id] = (
                        _Seen(None)
                        if found is None
                        else _Seen(make_item(database, found, raw), find_content(database, found).content)
                    )
            except RefusedError as error:
                if error.reason is Reason.ARCHIVE_GONE:
                    continue  # the list of archives will not have it for long
                job.failure = error
                return


def _describe(
    page: Sequence[tuple[str, StoredArchive]], older: Sequence[tuple[str, StoredArchive]], known: Mapping[str, _Seen]
) -> list[Version]:
    """Return the versions from the first on, as far as all of them are known."""
    items = []
    for place, (name, archive) in enumerate(page):
        seen = known.get(archive.id)
        if seen is None:
            break
        next_one = known.get(older[place + 1][1].id) if place + 1 < len(older) else None
        items.append(Version(name, archive.id, archive.time, seen.item, same=_is_same(seen, next_one)))
    return items


def _is_same(seen: _Seen, older: _Seen | None) -> bool:
    return (
        older is not None
        and seen.item is not None
        and older.item is not None
        and (seen.content, seen.item.size, seen.item.type) == (older.content, older.item.size, older.item.type)
    )


def _find_begin(archives: Sequence[tuple[str, StoredArchive]], after: str) -> int:
    if not after:
        return 0
    for place, (_, archive) in enumerate(archives):
        if archive.id == after:
            return place + 1
    raise invalid("`after` is the id of no archive: it may be gone. Begin anew.")

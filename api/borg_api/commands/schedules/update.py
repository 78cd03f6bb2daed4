"""Changes what was sent of a schedule, and nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from borg_api.commands.schedules.titles import check_title_is_free, keep_title_if_first
from borg_api.commands.writer import Writer
from borg_api.edge.errors import ChangedError, InUseError, NoSuchObjectError
from borg_api.picture.picture import View
from borg_api.picture.records import ScheduleRecord
from borg_cluster.errors import Conflict

T = TypeVar("T")

Editions = frozenset[str] | None
"""Of which the schedule must have one, None for any."""

_ATTEMPTS = 20


async def write_at_edition(
    writer: Writer[ScheduleRecord],
    record: ScheduleRecord,
    editions: Editions,
    write: Callable[[str | None], Awaitable[T]],
) -> T:
    """Write at the record's version if it has one of the editions; a status that changes meanwhile does not matter.

    Raises ChangedError when it has none of them, NoSuchObjectError when it is gone.
    """
    if editions is None:
        return await write(None)
    for attempt in range(_ATTEMPTS):
        if record.edition in editions:
            try:
                return await write(record.resource.metadata.resource_version)
            except Conflict:
                pass
        elif attempt:  # at first it is what this replica knows, which may be less than what the caller has read
            raise ChangedError("The schedule was changed since you read it: read it again, then decide.")
        found = await writer.read(record.name)
        if found is None:
            raise NoSuchObjectError("The schedule does not exist any more.")
        record = found
    raise InUseError("The schedule is being changed by others all the time; try again.")


async def update_schedule(
    view: View, writer: Writer[ScheduleRecord], record: ScheduleRecord, patch: dict[str, Any], editions: Editions
) -> ScheduleRecord:
    """Merge the patch into the schedule's spec. Raises TitleTakenError, and what `write_at_edition` does."""
    before = record.resource
    title = patch.get("title", before.title)
    is_renamed = title != before.title
    if is_renamed:
        check_title_is_free(view, title)

    async def write(version: str | None) -> ScheduleRecord:
        return await writer.merge(record.name, {"spec": patch}, version) if patch else record

    written = await write_at_edition(writer, record, editions, write)
    if is_renamed and written.resource.title == title:  # else somebody renamed it again meanwhile
        await keep_title_if_first(view, writer, written, before.spec.title)
    return written

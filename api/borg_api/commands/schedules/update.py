"""Changes what was sent of a schedule, and nothing else."""

from typing import Any

from borg_api.commands.schedules.titles import check_title_is_free, keep_title_if_first
from borg_api.commands.writer import Editions, Writer, write_at_edition
from borg_api.picture.picture import View
from borg_api.picture.records import ScheduleRecord


async def update_schedule(
    view: View, writer: Writer[ScheduleRecord], record: ScheduleRecord, patch: dict[str, Any], editions: Editions
) -> ScheduleRecord:
    """Merge the patch into the schedule's spec. Raises TitleTakenError, and what `write_at_edition` does."""
    before = record.resource
    title = patch.get("title", before.title)
    is_renamed = title != before.title
    if is_renamed:
        check_title_is_free(view, title)

    async def write(found: ScheduleRecord, version: str | None) -> ScheduleRecord:
        return await writer.merge(found.name, found.metadata.uid, {"spec": patch}, version) if patch else found

    written = await write_at_edition(writer, record, editions, write)
    if is_renamed and written.resource.title == title:  # else somebody renamed it again meanwhile
        await keep_title_if_first(view, writer, written, before.spec.title)
    return written

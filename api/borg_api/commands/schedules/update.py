"""Changes what was sent of a schedule, and nothing else."""

from typing import Any

from borg_api.commands.schedules.titles import TitleTakenError, check_title_is_free, is_title_of_earlier, take_back
from borg_api.commands.writer import Editions, Writer, write_at_edition
from borg_api.picture.picture import View
from borg_api.picture.records import ScheduleRecord


async def update_schedule(
    view: View, writer: Writer[ScheduleRecord], record: ScheduleRecord, patch: dict[str, Any], editions: Editions
) -> ScheduleRecord:
    """Merge the patch into the schedule's spec. Raises TitleTakenError, and what `write_at_edition` does."""
    title = patch.get("title", record.resource.title)
    is_renamed = title != record.resource.title
    if is_renamed:
        check_title_is_free(view, title)

    async def write(found: ScheduleRecord, version: str | None) -> ScheduleRecord:
        return await writer.merge(found.name, found.metadata.uid, {"spec": patch}, version) if patch else found

    written = await write_at_edition(writer, record, editions, write)
    is_ours = is_renamed and written.resource.title == title  # else somebody renamed it again meanwhile
    if is_ours and await is_title_of_earlier(view, writer, written):
        await take_back(writer, record, written, patch)
        raise TitleTakenError(title)
    return written

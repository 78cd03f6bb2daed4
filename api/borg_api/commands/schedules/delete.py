"""Deletes a schedule. Its archives stay."""

from borg_api.commands.writer import Editions, Writer, write_at_edition
from borg_api.picture.records import ScheduleRecord


async def delete_schedule(writer: Writer[ScheduleRecord], record: ScheduleRecord, editions: Editions) -> None:
    """Return when every replica has seen it go. Raises what `write_at_edition` does."""

    async def write(found: ScheduleRecord, version: str | None) -> None:
        await writer.delete(found.name, found.metadata.uid, version)

    await write_at_edition(writer, record, editions, write)

"""Turns the clock of a schedule on or off. What it missed while it was off is not made up for."""

from borg_api.commands.writer import Editions, Writer, write_at_edition
from borg_api.edge.errors import InUseError
from borg_api.picture.records import ScheduleRecord

_ATTEMPTS = 100
_PATH = "/spec/suspend"


async def toggle_schedule(writer: Writer[ScheduleRecord], record: ScheduleRecord, editions: Editions) -> bool:
    """Return whether it is on now. Each of many toggles at once turns it once.

    With editions, only one of the schedule as it was read: who sees "Pause" must not let it go on. Raises what
    `write_at_edition` does.
    """
    if editions is not None:

        async def write(found: ScheduleRecord, version: str | None) -> bool:
            suspended = found.resource.spec.suspend
            await writer.merge(found.name, found.metadata.uid, {"spec": {"suspend": not suspended}}, version)
            return suspended

        return await write_at_edition(writer, record, editions, write)
    is_same = {"op": "test", "path": "/metadata/uid", "value": record.metadata.uid}
    for _ in range(_ATTEMPTS):
        suspended = record.resource.spec.suspend
        is_seen = {"op": "test", "path": _PATH, "value": suspended}
        turn = {"op": "replace", "path": _PATH, "value": not suspended}
        if await writer.patch(record.name, [is_same, is_seen, turn]):
            return suspended
        found = await writer.read(record.name)  # somebody else's toggle came first
        if found is None or found.metadata.uid != record.metadata.uid:
            raise writer.gone()
        record = found
    raise InUseError("The schedule is being toggled by others all the time; try again.")

"""Stops a restore, or takes a preview back. What is written by then stays."""

from borg_api.commands.writer import Editions, Writer, check_is_same
from borg_api.edge.errors import InvalidValueError
from borg_api.picture.restoring import RestoreRecord


async def cancel_restore(writer: Writer[RestoreRecord], restore: RestoreRecord, editions: Editions) -> None:
    """Ask for its end. Raises ChangedError when the editions are of another, InvalidValueError when it has ended."""
    check_is_same(restore.uid, editions, writer.noun)
    if restore.finished:
        raise InvalidValueError(f"This restore has ended already ({restore.phase}): there is nothing to cancel.")
    await writer.merge(restore.name, restore.uid, {"spec": {"cancel": True}})

"""Stops a restore, or takes a preview back. What is written by then stays."""

from borg_api.commands.writer import Writer
from borg_api.edge.errors import InvalidValueError
from borg_api.picture.restoring import RestoreRecord


async def cancel_restore(writer: Writer[RestoreRecord], restore: RestoreRecord) -> None:
    """Ask for its end. Raises InvalidValueError when it has ended already."""
    if restore.finished:
        raise InvalidValueError(f"This restore has ended already ({restore.phase}): there is nothing to cancel.")
    await writer.merge(restore.name, {"spec": {"cancel": True}})

"""Stops a run. Borg writes a checkpoint, from which the next one goes on."""

from borg_api.commands.writer import Writer
from borg_api.edge.errors import InvalidValueError
from borg_api.picture.records import RunRecord


async def cancel_run(writer: Writer[RunRecord], run: RunRecord) -> None:
    """Ask for its end. Raises InvalidValueError when it has ended already."""
    if run.finished:
        raise InvalidValueError(f"This run has ended already ({run.phase}): there is nothing to cancel.")
    await writer.merge(run.name, {"spec": {"cancel": True}})

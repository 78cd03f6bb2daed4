"""Stops a run. Borg writes a checkpoint, from which the next one goes on."""

from borg_api.commands.writer import Editions, Writer, check_is_same
from borg_api.edge.errors import InvalidValueError
from borg_api.picture.records import RunRecord


async def cancel_run(writer: Writer[RunRecord], run: RunRecord, editions: Editions) -> None:
    """Ask for its end. Raises ChangedError when the editions are of another, InvalidValueError when it has ended."""
    check_is_same(run.uid, editions, writer.noun)
    if run.finished:
        raise InvalidValueError(f"This run has ended already ({run.phase}): there is nothing to cancel.")
    await writer.merge(run.name, run.uid, {"spec": {"cancel": True}})

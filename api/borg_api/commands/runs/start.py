"""Begins a run of a schedule by hand."""

from collections.abc import Iterable
from hashlib import sha256

from borg_api.commands.writer import Writer
from borg_api.edge.errors import InUseError
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord, ScheduleRecord
from borg_cluster.errors import AlreadyExists
from borg_core import labels
from borg_core.names import JOB_NAME_LIMIT

_NAME_DIGEST_LENGTH = 10
_LABEL_DIGEST_LENGTH = 40


async def start_run(
    view: View, writer: Writer[RunRecord], schedule: ScheduleRecord, idempotency_key: str | None
) -> RunRecord:
    """Ask for a run and return it: with a key that was used before, the one of then.

    Raises InUseError when a run of the schedule is in progress.
    """
    runs = view.runs_of(schedule.name)
    key = _digest(idempotency_key)[:_LABEL_DIGEST_LENGTH] if idempotency_key else None
    known = next((run for run in runs if key and run.key == key), None)
    if known:
        await writer.wait_for_replicas(known.version)
        return known
    busy = next((run for run in runs if not run.finished), None)
    if busy:
        raise _in_progress(busy.name)
    name = derive_run_name(schedule.name, derive_run_seed(schedule, runs))
    spec = {"scheduleRef": {"name": schedule.name}, "operation": "Backup"}
    marks = {labels.SCHEDULE: schedule.name, **({labels.IDEMPOTENCY_KEY: key} if key else {})}
    try:
        return await writer.create(name, spec, marks)
    except AlreadyExists:
        winner = await writer.read(name)
    if winner and key and winner.key == key:
        await writer.wait_for_replicas(winner.version)
        return winner
    raise _in_progress(name)


def derive_run_name(schedule: str, seed: str) -> str:
    """Return the name of a run by hand: the same for the same `seed`, so that asking twice makes one."""
    return f"{schedule[: JOB_NAME_LIMIT - _NAME_DIGEST_LENGTH - 1]}-{_digest(seed)[:_NAME_DIGEST_LENGTH]}"


def derive_run_seed(schedule: ScheduleRecord, runs: Iterable[RunRecord]) -> str:
    """Return what the next run's name is made from. Replicas that see the same runs choose one name, so one run begins.

    Runs beyond `runHistoryLimit` do not count: the operator is deleting them, and some replicas see that first.
    """
    kept = sorted(runs, key=lambda run: run.order)[-schedule.resource.spec.run_history_limit :]
    return " ".join([schedule.resource.metadata.uid, *sorted(run.uid for run in kept)])


def _in_progress(name: str) -> InUseError:
    return InUseError(f"A run of this schedule is in progress already: {name}. Wait for it, or cancel it.")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()

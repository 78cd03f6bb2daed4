"""Begins a run by hand."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from borg_api.commands.writer import Writer
from borg_api.edge.errors import InUseError
from borg_api.picture.picture import View
from borg_api.picture.records import RunRecord, ScheduleRecord
from borg_cluster.errors import AlreadyExists
from borg_contract.run import Operation
from borg_core import labels
from borg_core.kinds.repository import BorgRepository
from borg_core.names import JOB_NAME_LIMIT
from borg_core.verification.checks import HISTORY_LIMIT

_NAME_DIGEST_LENGTH = 10
_LABEL_DIGEST_LENGTH = 40


@dataclass(frozen=True)
class _Wish:
    """`before`: the runs of the same subject that are kept. `seed`: what the name is made from."""

    subject: str
    what: str
    label: str
    spec: dict[str, Any]
    before: list[RunRecord]
    seed: str


async def start_run(
    view: View, writer: Writer[RunRecord], schedule: ScheduleRecord, idempotency_key: str | None
) -> RunRecord:
    """Ask for a backup and return its run: with a key that was used before, the one of then.

    Raises InUseError when a run of the schedule is in progress.
    """
    runs = view.runs_of(schedule.name)
    spec = {"scheduleRef": {"name": schedule.name}, "operation": Operation.BACKUP.value}
    seed = derive_run_seed(schedule.resource.metadata.uid, runs, schedule.resource.spec.run_history_limit)
    wish = _Wish(schedule.name, "A run of this schedule", labels.SCHEDULE, spec, runs, seed)
    return await _start(writer, wish, idempotency_key)


async def start_check(
    view: View,
    writer: Writer[RunRecord],
    repository: BorgRepository,
    idempotency_key: str | None,
    operation: Operation = Operation.CHECK,
) -> RunRecord:
    """Ask for a check or a drill of the repository, as `start_run` does; one that is in progress raises InUseError."""
    name = repository.metadata.name
    runs = view.runs_on(name)
    spec = {"repositoryRef": {"name": name}, "operation": operation.value}
    alike = [run for run in runs if run.operation is operation]
    seed = derive_run_seed(repository.metadata.uid, runs, HISTORY_LIMIT)
    wish = _Wish(name, f"A {operation.value.lower()} of this repository", labels.REPOSITORY, spec, alike, seed)
    return await _start(writer, wish, idempotency_key)


async def _start(writer: Writer[RunRecord], wish: _Wish, idempotency_key: str | None) -> RunRecord:
    key = derive_key(idempotency_key)
    known = next((run for run in wish.before if key and run.key == key), None)
    if known:
        await writer.wait_for_replicas(known.version)
        return known
    busy = next((run for run in wish.before if not run.finished), None)
    if busy:
        raise in_progress(wish.what, busy.name)
    name = derive_name(wish.subject, wish.seed, JOB_NAME_LIMIT)
    marks = {wish.label: wish.subject, **({labels.IDEMPOTENCY_KEY: key} if key else {})}
    try:
        return await writer.create(name, wish.spec, marks)
    except AlreadyExists:
        winner = await writer.read(name)
    if winner and key and winner.key == key:
        await writer.wait_for_replicas(winner.version)
        return winner
    if winner is None or winner.finished:
        raise InUseError(f"{wish.what} was asked for at the same time, and has ended: {name}. Look, then ask again.")
    raise in_progress(wish.what, name)


def derive_name(base: str, seed: str, limit: int) -> str:
    """Return a name that begins with `base`: the same for the same `seed`, so that asking twice makes one."""
    return f"{base[: limit - _NAME_DIGEST_LENGTH - 1]}-{_digest(seed)[:_NAME_DIGEST_LENGTH]}"


def derive_key(idempotency_key: str | None) -> str | None:
    """Return the value of the label that tells with which Idempotency-Key something was asked for."""
    return _digest(idempotency_key)[:_LABEL_DIGEST_LENGTH] if idempotency_key else None


def derive_run_seed(uid: str, runs: Iterable[RunRecord], limit: int) -> str:
    """Return what the next run's name is made from. Replicas that see the same runs choose one name, so one run begins.

    `uid`: of what it runs on. Runs beyond the `limit` of those that are kept do not count: the operator is deleting
    them, and some replicas see that first.
    """
    kept = sorted(runs, key=lambda run: run.order)[-limit:]
    return " ".join([uid, *sorted(run.uid for run in kept)])


def in_progress(what: str, name: str) -> InUseError:
    return InUseError(f"{what} is in progress already: {name}. Wait for it, or cancel it.")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()

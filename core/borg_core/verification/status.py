"""What a BorgRepository says of its verification, from what checks, drills and other runs told.

All of it is a fold over the runs that are kept, beginning with the status: what it has taken in once, it does not take
in again when later runs are no longer kept.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from borg_contract.reasons import DAMAGE, Reason
from borg_contract.restore.proof import Drilled, DrillResult
from borg_contract.result import RepositoryResult
from borg_contract.run import Operation, Phase
from borg_core.clock import Clock
from borg_core.formats import format_duration, format_time
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.parts.verification import MOST_DRILLED, Damage, VerificationStatus
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.kinds.status import ConditionType, Finding

Told = Sequence[tuple[str, BorgRun, RepositoryResult]]
"""Runs that used the repository, the oldest first: when each ended, and what it says of it."""

_MESSAGE_LENGTH = 2048


@dataclass(frozen=True)
class Timed:
    """The CronJob of checks or drills: its name and clock, None where there is none; and whether it is asked for."""

    name: str | None = None
    clock: Clock | None = None
    asked: bool = False

    def asked_since(self, before: str | None, now: datetime) -> str | None:
        """Return since when; whatever hinders the CronJob meanwhile, nobody is the less without what it is for."""
        return (before or format_time(now)) if self.asked else None

    def next_after(self, now: datetime) -> str | None:
        due = self.clock.next_after(now) if self.clock else None
        return format_time(due) if due else None


NEVER = Timed()


def derive_verification(
    before: VerificationStatus,
    told: Told,
    *,
    witnesses: Told,
    schedules: Collection[str],
    checks: Timed,
    drills: Timed,
    now: datetime,
) -> dict[str, Any]:
    """Return the fields of the status that are of verification.

    `witnesses`: all runs that could have found damage. `schedules`: those that write into the repository.
    """
    checked = _select(told, Operation.CHECK)
    drill_runs = _select(told, Operation.DRILL)
    passed = [item for item in told if item[2].phase.succeeded and _verifies(item[2])]
    data = [time for time, _, result in passed if result.check and result.check.data]
    last_data = max([*data, *([before.last_data_check_time] if before.last_data_check_time else [])], default=None)
    drilled = _fold_drilled(before, drill_runs, schedules)
    results = [result.drill for _, _, result in drill_runs if result.drill and result.drill.archives]
    rate = _rate(results) or before.restore_rate
    size = sum(item.size for item in drilled)
    return {
        "check_cron_job_name": checks.name,
        "checks_since": checks.asked_since(before.checks_since, now),
        "last_check_time": checked[-1][0] if checked else before.last_check_time,
        "last_check_result": checked[-1][2].phase if checked else before.last_check_result,
        "last_data_check_time": last_data,
        "next_check_time": checks.next_after(now),
        "drill_cron_job_name": drills.name,
        "drills_since": drills.asked_since(before.drills_since, now),
        "last_drill_time": drill_runs[-1][0] if drill_runs else before.last_drill_time,
        "last_drill_result": drill_runs[-1][2].phase if drill_runs else before.last_drill_result,
        "last_drill_archive": results[-1].archives[-1].archive if results else before.last_drill_archive,
        "next_drill_time": drills.next_after(now),
        "last_verified_time": max(
            [time for time, _, _ in passed] + ([before.last_verified_time] if before.last_verified_time else []),
            default=None,
        ),
        "coverage": _cover(drilled),
        "restore_rate": rate,
        "estimated_restore_time": format_duration(size / rate) if rate and drilled else None,
        "drilled": drilled,
        "damage": _fold_damage(before, witnesses),
    }


def find_untold(name: str, runs: Iterable[BorgRun]) -> Iterator[tuple[BorgRun, RepositoryResult]]:
    """Yield the checks and drills of the repository of that name that began and were killed before they told of it."""
    for run in runs:
        spec, status = run.spec, run.status
        own = spec.repository_ref is not None and spec.operation in (Operation.CHECK, Operation.DRILL)
        if own and status.phase is Phase.FAILED and status.start_time and not status.repositories:
            yield run, RepositoryResult(name, Phase.FAILED, reason=status.reason, error=status.message or None)


def find_damaged(damage: Damage | None) -> Iterator[Finding]:
    """Yield that the repository is damaged."""
    if damage is not None:
        message = (
            f'BorgRun "{damage.run_name}": {damage.message} Until a check of all data passes, nothing is pruned or '
            "compacted here, and nothing is repaired by itself"
        )
        yield Finding(ConditionType.DAMAGED.value, True, damage.reason, message)


def find_verified(
    repository: BorgRepository, status: VerificationStatus, told: Told, before: Iterable[Condition]
) -> Iterator[Finding]:
    """Yield whether the newest check and the newest drill went well, once either was asked for."""
    type_ = ConditionType.VERIFIED.value
    results = {Operation.CHECK: status.last_check_result, Operation.DRILL: status.last_drill_result}
    if not repository.spec.verification and not any(results.values()):
        return
    if status.damage:
        message = f'BorgRun "{status.damage.run_name}": {status.damage.message}'
        yield Finding(type_, False, status.damage.reason, message)
        return
    for operation in (operation for operation, phase in results.items() if phase and not phase.succeeded):
        known = next(reversed(_select(told, operation)), None)
        said = next((condition for condition in before if condition.type == type_), None)
        if known:
            _, run, result = known
            reason = result.reason or Reason.RUN_FAILED.value
            yield Finding(type_, False, reason, f'BorgRun "{run.metadata.name}": {result.error or result.phase}')
        elif said:  # its run is no longer kept
            yield Finding(type_, False, said.reason, said.message)
        else:
            yield Finding(type_, False, Reason.RUN_FAILED.value, f"the newest {operation} failed")
        return
    if not status.last_verified_time:
        yield Finding(type_, None, Reason.NOT_YET_VERIFIED.value, "no check or drill has come to its end yet")
        return
    covered = "" if status.coverage is None else f"; drills cover {status.coverage} % of the newest archives' files"
    yield Finding(type_, True, Reason.VERIFIED.value, f"verified last at {status.last_verified_time}{covered}")


def _select(told: Told, operation: Operation) -> Told:
    """Return the runs of that operation, but for those that somebody cancelled: these say nothing of the repository."""
    return [
        item for item in told if item[1].spec.operation is operation and item[1].status.phase is not Phase.CANCELLED
    ]


def _verifies(result: RepositoryResult) -> bool:
    return bool((result.check and result.check.complete) or result.drill)


def _fold_damage(before: VerificationStatus, witnesses: Told) -> Damage | None:
    """Return the damage that is known after these runs.

    Only a check that read all data shows that it is gone: by whatever it was found, another one may not see it. What
    is known of a run already stays as it is: its own time may be to come.
    """
    found, settled = before.damage, before.last_data_check_time or ""
    for time, run, result in witnesses:
        if time < (before.damage.time if before.damage else settled):
            continue
        if result.check and result.check.data and result.phase.succeeded:
            found = None
        elif _is_damage(run, result) and (found is None or found.run_uid != run.metadata.uid):
            found = Damage(
                time=time,
                run_name=run.metadata.name,
                run_uid=run.metadata.uid,
                reason=result.reason or "",
                message=(result.error or "")[:_MESSAGE_LENGTH],
            )
    return found


def _is_damage(run: BorgRun, result: RepositoryResult) -> bool:
    mismatch = run.spec.operation is Operation.DRILL and result.reason == Reason.VERIFICATION_FAILED.value
    return result.phase is Phase.FAILED and (mismatch or result.reason in DAMAGE)


def _fold_drilled(before: VerificationStatus, drills: Told, schedules: Collection[str]) -> tuple[Drilled, ...]:
    """Return how far the drills are, those of the longest ago first; of schedules that are gone nothing stays.

    Nor of more than the status holds: what was drilled the longest ago begins anew.
    """
    found = {item.schedule: item for item in before.drilled if item.schedule in schedules}
    for time, _, result in drills:
        if time < (before.last_drill_time or "") or result.drill is None:
            continue
        for item in result.drill.archives:
            if item.schedule in schedules:
                found.pop(item.schedule, None)
                found[item.schedule] = item
    return tuple(found.values())[-MOST_DRILLED:]


def _cover(drilled: Sequence[Drilled]) -> int | None:
    files = sum(item.files for item in drilled)
    return 100 * sum(item.covered for item in drilled) // files if files else None


def _rate(results: Sequence[DrillResult]) -> int | None:
    timed = [result for result in results if result.seconds > 0 and result.bytes > 0]
    return round(timed[-1].bytes / timed[-1].seconds) if timed else None

"""What a BorgSchedule says about itself: its conditions, its last runs and its next one."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from borg_contract.operations import Operation
from borg_contract.phases import Phase
from borg_contract.reasons import Reason
from borg_core.clock import CronSchedule, dst_warnings
from borg_core.kinds.schedule import BorgSchedule, BorgScheduleStatus
from borg_core.policies.problems import Problem, Severity
from borg_core.reconcile.conditions import ConditionType, Finding, derive_conditions
from borg_core.reconcile.entry import Entry
from borg_core.reconcile.run_status import SUCCESSES
from borg_core.timestamps import format_time


def derive_schedule_status(
    schedule: BorgSchedule,
    problems: Sequence[Problem],
    entries: Sequence[Entry],
    timing: CronSchedule | None,
    now: datetime,
) -> BorgScheduleStatus:
    """Return the status that the schedule is to have. `timing` is when its CronJob fires, None if it does not.

    What runs that are no longer kept have left in the status stays there: times only move forward.
    """
    before = schedule.status
    backups = sorted((entry for entry in entries if entry.operation is Operation.BACKUP), key=lambda entry: entry.began)
    latest = next((entry for entry in reversed(backups) if entry.status.start_time or entry.finished), None)
    next_run = timing.next_after(now) if timing else None
    findings = _findings(schedule, problems, now) + _last_run_findings(backups)
    conditions = derive_conditions(findings, before.conditions, schedule.metadata.generation, now)
    if ConditionType.LAST_RUN_SUCCEEDED not in {condition.type for condition in conditions}:
        # No finished run is kept any more; what the last one said still holds.
        conditions += tuple(c for c in before.conditions if c.type == ConditionType.LAST_RUN_SUCCEEDED)
    if latest is None or (before.last_run_time or "") > latest.began:
        last = (before.last_run_time, before.last_run_name, before.last_run_phase)
    else:
        last = (latest.began, latest.name, latest.status.phase.value if latest.status.phase else None)
    return BorgScheduleStatus(
        conditions=conditions,
        observed_generation=schedule.metadata.generation,
        cron_job_name=schedule.metadata.name,
        active=tuple(entry.name for entry in sorted(entries, key=lambda e: e.began) if not entry.finished),
        last_run_time=last[0],
        last_run_name=last[1],
        last_run_phase=last[2],
        last_success_time=_latest(before.last_success_time, (e for e in backups if e.status.phase in SUCCESSES)),
        next_run_time=format_time(next_run) if next_run else None,
        last_prune_time=_latest(before.last_prune_time, (e for e in entries if _did(e, "prune"))),
        last_compact_time=_latest(before.last_compact_time, (e for e in entries if _did(e, "compact"))),
        consecutive_failures=_consecutive_failures(before, backups),
    )


def _findings(schedule: BorgSchedule, problems: Sequence[Problem], now: datetime) -> tuple[Finding, ...]:
    suspended = _suspended(schedule, problems)
    if not problems:
        return _finding(ConditionType.READY, True, Reason.SCHEDULED, _ready_message(schedule, now)), suspended
    reason = problems[0].reason
    message = "; ".join(problem.message for problem in problems)
    ready = _finding(ConditionType.READY, False, reason, message)
    # What waits for something may become good by itself: kstatus is to read it as in progress, not as failed.
    if all(problem.severity is Severity.WAITING for problem in problems):
        return ready, suspended
    return ready, _finding(ConditionType.STALLED, True, reason, message), suspended


def _suspended(schedule: BorgSchedule, problems: Sequence[Problem]) -> Finding:
    if schedule.spec.suspend:
        message = "spec.suspend is true: it runs only by hand"
        return _finding(ConditionType.SUSPENDED, True, Reason.SUSPENDED, message)
    if any(problem.severity is Severity.FORBIDDEN for problem in problems):
        message = "held back: the installer of the operator does not allow what it asks for"
        return _finding(ConditionType.SUSPENDED, True, Reason.SUSPENDED, message)
    return _finding(ConditionType.SUSPENDED, False, Reason.ACTIVE, "it runs by its schedule")


def _ready_message(schedule: BorgSchedule, now: datetime) -> str:
    spec = schedule.spec
    warnings = dst_warnings(CronSchedule.parse(spec.schedule, spec.time_zone), now)
    message = f'CronJob "{schedule.metadata.name}" fires at "{spec.schedule}" in {spec.time_zone}'
    return "; ".join([message, *warnings])


def _last_run_findings(backups: Sequence[Entry]) -> tuple[Finding, ...]:
    last = next((entry for entry in reversed(backups) if entry.finished), None)
    if last is None:
        return ()
    said = f": {last.status.message}" if last.status.message else ""
    status, reason, verb = {
        Phase.COMPLETED: (True, Reason.RUN_COMPLETED, "completed"),
        Phase.COMPLETED_WITH_WARNINGS: (True, Reason.RUN_COMPLETED_WITH_WARNINGS, "completed with warnings"),
        Phase.CANCELLED: (None, Reason.RUN_CANCELLED, "was cancelled"),
    }.get(last.status.phase or Phase.FAILED, (False, Reason.RUN_FAILED, "failed"))
    return (_finding(ConditionType.LAST_RUN_SUCCEEDED, status, reason, f'BorgRun "{last.name}" {verb}{said}'),)


def _finding(type_: ConditionType, status: bool | None, reason: Reason, message: str) -> Finding:
    return Finding(type=type_.value, status=status, reason=reason.value, message=message)


def _latest(before: str | None, entries: Iterable[Entry]) -> str | None:
    times = [entry.status.completion_time for entry in entries if entry.status.completion_time]
    return max([*times, *([before] if before else [])], default=None)


def _did(entry: Entry, step: str) -> bool:
    return any(getattr(repository, step) is not None for repository in entry.status.repositories)


def _consecutive_failures(before: BorgScheduleStatus, backups: Sequence[Entry]) -> int:
    """Count failed backups since the last good one; beyond what the history keeps, count on from `before`."""
    counted = 0
    new = 0
    for entry in reversed(backups):
        if entry.status.phase in SUCCESSES:
            return counted
        if entry.status.phase is Phase.FAILED:
            counted += 1
            new += entry.just_finished
    return max(counted, (before.consecutive_failures or 0) + new)

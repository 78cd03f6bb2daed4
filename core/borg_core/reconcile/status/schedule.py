"""What a BorgSchedule says about itself: its conditions, its last runs and its next one."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from borg_contract.reasons import Reason
from borg_contract.run import Operation, Phase
from borg_core.clock import Clock, CronSchedule, dst_warnings
from borg_core.formats import format_time
from borg_core.kinds.schedule import BorgSchedule
from borg_core.kinds.status import ConditionType, Finding, derive_conditions
from borg_core.kinds.statuses.schedule import ACTIVE_LIMIT, BorgScheduleStatus
from borg_core.policies.problem import Problem, Severity, is_waiting
from borg_core.reconcile.status.foretold import Times, derive_disagreement
from borg_core.runs.entry import Entry
from borg_core.runs.status.ended import describe_end
from borg_core.runs.status.moment import Moment, derive_latest, find_to_come
from borg_core.runs.world import World

_NEVER = Moment(believed=False, time="")
_TIMES = ("last_run_time", "last_success_time", "last_failure_time", "last_prune_time", "last_compact_time")
_JOB_EVENT_LAG = timedelta(seconds=30)
"""How much later than the status of its CronJob the event of a Job may arrive."""


def derive_schedule_status(
    world: World,
    schedule: BorgSchedule,
    problems: Sequence[Problem],
    entries: Sequence[Entry],
    *,
    clock: Clock | None,
    times: Times | None = None,
    suspended: bool | None = None,
    claims: int | None = None,
    others: Iterable[Finding] = (),
    now: datetime,
) -> BorgScheduleStatus:
    """Return the status that the schedule is to have.

    `claims`: how many it backs up; `others`: what there is to say besides.

    `clock` is that of its CronJob, None if it does not fire; `times` are those that it has, None where there is no
    CronJob. `suspended`: whether that is, whoever did it; None where there is none.

    What runs that are no longer kept have left in the status stays there: times only move forward.
    """
    latest = derive_latest(now)
    before = _forget_future(schedule.status, latest)
    backups = sorted((entry for entry in entries if _is_backup(entry)), key=lambda entry: entry.began_at(latest))
    newest = next((entry for entry in reversed(backups) if entry.status.start_time or entry.finished), None)
    began = _time_of(newest.began_at(latest)) if newest else None
    ended = [entry for entry in backups if entry.finished]
    last: tuple[str | None, str | None, str | None]
    if newest is not None and (began or "") >= (before.last_run_time or ""):
        last = (began, newest.name, _phase_of(newest))
    elif named := next((entry for entry in entries if _is_named(entry, before)), None):
        last = (before.last_run_time, named.name, _phase_of(named))  # it had begun, and waits again, or never got far
    else:
        last = (before.last_run_time, before.last_run_name, _keep_phase(before))
        if last[2]:
            ended = []  # how it ended still holds, whatever those before it say
    next_run = clock.next_after(now) if clock else None
    findings = (
        *_findings(schedule, problems, now, suspended=suspended),
        *others,
        *_last_run_findings(_find_unrecorded(world, backups, last[0], clock, now), ended),
    )
    generation = schedule.metadata.generation
    conditions = derive_conditions(findings, before.conditions, generation, now)
    if ConditionType.LAST_RUN_SUCCEEDED not in {condition.type for condition in conditions}:
        conditions += tuple(c for c in before.conditions if c.type == ConditionType.LAST_RUN_SUCCEEDED)
    conditions += derive_disagreement(
        before.conditions, world.cron_job, times, world.jobs, generation=generation, now=now
    )
    active = (entry.name for entry in sorted(entries, key=lambda e: e.began) if not entry.finished)
    failures, last_failure = _count_failures(before, backups, latest)
    names = {reference.name for reference in schedule.spec.repository_refs}
    return BorgScheduleStatus(
        conditions=conditions,
        observed_generation=generation,
        cron_job_name=schedule.metadata.name,
        effective_schedule=times[1] if times else None,
        active=tuple(islice(active, ACTIVE_LIMIT)),
        last_run_time=last[0],
        last_run_name=last[1],
        last_run_phase=last[2],
        last_success_time=_newest(before.last_success_time, (e for e in backups if e.succeeded), latest),
        claims=claims,
        next_run_time=format_time(next_run) if next_run else None,
        last_prune_time=_newest(before.last_prune_time, (e for e in entries if names <= set(_pruned(e))), latest),
        last_compact_time=_newest(
            before.last_compact_time, (e for e in entries if names <= set(_compacted(e))), latest
        ),
        last_failure_time=last_failure,
        consecutive_failures=failures,
        skipped_runs=_count_skipped(world, entries, clock, now),
    )


def _forget_future(before: BorgScheduleStatus, latest: str) -> BorgScheduleStatus:
    """Return the status without times that are to come, of a clock that was wrong."""
    gone = find_to_come(before, _TIMES, latest)
    if "last_run_time" in gone:
        gone += ["last_run_name", "last_run_phase"]
    return before.model_copy(update=dict.fromkeys(gone)) if gone else before


def _time_of(moment: Moment) -> str | None:
    return moment.time if moment.believed and moment.time else None


def _is_named(entry: Entry, before: BorgScheduleStatus) -> bool:
    return entry.name == before.last_run_name and entry.operation is Operation.BACKUP


def _phase_of(entry: Entry) -> str | None:
    return entry.status.phase.value if entry.status.phase else None


def _keep_phase(before: BorgScheduleStatus) -> str | None:
    """Return the phase of the run that the status names and that is kept no more: None if it was deleted unfinished."""
    return before.last_run_phase if before.last_run_phase and Phase(before.last_run_phase).finished else None


def _is_backup(entry: Entry) -> bool:
    """Tell whether it is a backup; one that another run did for it tells nothing."""
    return entry.operation is Operation.BACKUP and entry.status.phase is not Phase.SKIPPED


def _findings(
    schedule: BorgSchedule, problems: Sequence[Problem], now: datetime, *, suspended: bool | None
) -> tuple[Finding, ...]:
    held = _finding_suspended(schedule, problems, suspended=suspended)
    if not problems:
        return _finding(ConditionType.READY, True, Reason.SCHEDULED, _ready_message(schedule, now)), held
    reason = problems[0].reason
    message = "; ".join(problem.message for problem in problems)
    ready = _finding(ConditionType.READY, False, reason, message)
    # What waits for something may become good by itself: kstatus is to read it as in progress, not as failed.
    if is_waiting(problems):
        return ready, held
    return ready, _finding(ConditionType.STALLED, True, reason, message), held


def _finding_suspended(schedule: BorgSchedule, problems: Sequence[Problem], *, suspended: bool | None) -> Finding:
    """Return whether it is suspended, and why: what its CronJob is counts, not what it is meant to be."""
    if why := _why_suspended(schedule, problems, suspended=suspended):
        return _finding(ConditionType.SUSPENDED, True, Reason.SUSPENDED, why)
    message = "it runs by its schedule"
    if problems:  # it may have no CronJob yet
        message = "it is not suspended; the condition Ready tells what is in its way"
    return _finding(ConditionType.SUSPENDED, False, Reason.ACTIVE, message)


def _why_suspended(schedule: BorgSchedule, problems: Sequence[Problem], *, suspended: bool | None) -> str | None:
    severities, reasons = ({problem.severity for problem in problems}, {problem.reason for problem in problems})
    whys = [
        (schedule.spec.suspend, "spec.suspend is true: it runs only by hand"),
        (Severity.FORBIDDEN in severities, "held back: the installer of the operator does not allow what it asks for"),
    ]
    if suspended:
        stuck = {Reason.CRON_JOB_OVERRULED, Reason.REFUSED_BY_API_SERVER} & reasons
        edited = "held back: somebody edited its CronJob, which cannot be renewed now"
        whys += [
            (Reason.CRON_JOB_EDITED in reasons, edited),
            (bool(stuck), "its CronJob is suspended, and the operator cannot change that: see the condition Ready"),
            (Severity.HELD in severities, "held back until what the condition Ready tells of is over"),
            (True, "held back: the installer of the operator does not allow what it ran before"),
        ]
    return None if suspended is False else next((words for holds, words in whys if holds), None)


def _ready_message(schedule: BorgSchedule, now: datetime) -> str:
    spec, effective = schedule.spec, schedule.effective_schedule
    written = "" if effective == spec.schedule else f' (chosen for "{spec.schedule}")'
    times = f'"{effective}"{written} in {spec.time_zone}'
    if spec.suspend:
        return f'CronJob "{schedule.metadata.name}" is suspended: it would fire at {times}'
    warnings = dst_warnings(CronSchedule.parse(effective, spec.time_zone), now)
    message = f'CronJob "{schedule.metadata.name}" fires at {times}'
    return "; ".join([message, *warnings])


def _last_run_findings(unrecorded: datetime | None, ended: Sequence[Entry]) -> tuple[Finding, ...]:
    if unrecorded:
        message = f"a run began at {format_time(unrecorded)}, but its Job is gone and nobody saw how it ended"
        return (_finding(ConditionType.LAST_RUN_SUCCEEDED, None, Reason.RUN_NOT_RECORDED, message),)
    if not ended:
        return ()
    last = ended[-1]
    said = f": {last.status.message}" if last.status.message else ""
    reason, verb = describe_end(last.status.phase)
    status = None if last.status.phase is Phase.CANCELLED else last.succeeded
    return (_finding(ConditionType.LAST_RUN_SUCCEEDED, status, reason, f'BorgRun "{last.name}" {verb}{said}'),)


def _find_unrecorded(
    world: World, backups: Sequence[Entry], last_run: str | None, clock: Clock | None, now: datetime
) -> datetime | None:
    """Return the tick for which the CronJob controller made a Job that was never seen, None where there is none."""
    began = world.cron_job.last_scheduled if world.cron_job else None
    if began is None or clock is None or began > now - _JOB_EVENT_LAG or format_time(began) <= (last_run or ""):
        return None
    if any(entry.job and entry.job.scheduled == began for entry in backups):
        return None
    # The operator itself lets the controller reckon from a time that is no tick: see `forget_missed_before`.
    return began if clock.times.next_after(began - timedelta(seconds=1)) == began else None


def _finding(type_: ConditionType, status: bool | None, reason: Reason, message: str) -> Finding:
    return Finding(type=type_.value, status=status, reason=reason.value, message=message)


def _newest(before: str | None, entries: Iterable[Entry], latest: str) -> str | None:
    times = [_time_of(entry.ended_at(latest)) for entry in entries if entry.status.completion_time]
    return max([time for time in (*times, before) if time], default=None)


def _pruned(entry: Entry) -> Iterator[str]:
    """Yield which repositories it pruned. Of a run that was killed, the result has only those done by then."""
    return (repository.name for repository in entry.status.repositories if repository.prune is not None)


def _compacted(entry: Entry) -> Iterator[str]:
    """Yield which repositories it compacted; one that is append-only, it did not."""
    compacted = ((repository.name, repository.compact) for repository in entry.status.repositories)
    return (name for name, compact in compacted if compact and not compact.append_only)


def _count_failures(before: BorgScheduleStatus, backups: Sequence[Entry], latest: str) -> tuple[int, str | None]:
    """Return how many backups have failed since the last good one, and when the newest of them did.

    Derived from the runs that are kept; where no good one is among them, on from what `before` has counted: each
    failure once, however often it is looked at, and also after somebody deleted its BorgRun.
    """
    failed = [entry for entry in backups if entry.status.phase is Phase.FAILED]
    newest = _newest(before.last_failure_time, failed, latest)
    ends = [entry.ended_at(latest) for entry in failed]
    good = [entry.ended_at(latest) for entry in backups if entry.finished and entry.succeeded]
    last_failure = Moment(believed=bool(before.last_failure_time), time=before.last_failure_time or "")
    last_success = max(good, default=_NEVER)
    if before.last_success_time:
        last_success = max(last_success, Moment(believed=True, time=before.last_success_time))
    if last_success > _NEVER and last_success >= max([*ends, last_failure]):
        return 0, newest
    since = [end for end in ends if end > last_success]
    new = [end for end in since if end > last_failure]
    counted = (before.consecutive_failures or 0) if last_success <= last_failure else 0
    if before.last_failure_time is None:
        # Of a version that kept no time of the newest failure: some of those here may be counted already.
        return max(len(since), before.consecutive_failures or 0), newest
    return max(len(since), counted + len(new)), newest


def _count_skipped(world: World, entries: Sequence[Entry], clock: Clock | None, now: datetime) -> int | None:
    """Return how many ticks have passed since the run began that is at work, at most 20; None while none is."""
    has_begun = world.cron_job is not None and world.cron_job.last_scheduled is not None
    busy = any(entry.working and not entry.finished for entry in entries)
    if not busy or clock is None or not has_begun:
        return None
    return clock.count_passed(now) or None

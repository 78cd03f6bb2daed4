"""A schedule in numbers: how its backups are doing, as far as its resource, its CronJob and its runs tell."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from borg_contract.result import RepositoryResult
from borg_contract.run import Operation, Phase
from borg_core.clock import CronSchedule
from borg_core.clock.rhythm import derive_interval
from borg_core.formats import parse_time
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import BorgSchedule
from borg_core.kinds.status import ConditionType
from borg_core.native.cron_job import ObservedCronJob
from borg_core.native.job import ObservedJob
from borg_core.readings.reading import Key, derive_seconds, derive_truth
from borg_core.readings.ticks import derive_tick_clock


@dataclass(frozen=True, slots=True)
class ScheduleReading:
    """Times in seconds since 1970; None: not known, or never."""

    namespace: str
    name: str
    title: str
    expression: str
    time_zone: str
    created: float | None
    ready: bool | None
    suspended: bool
    interval: float | None
    next_run: float | None
    missed: int
    skipped: int
    clock_disagrees: bool
    active: int
    last_run: float | None
    last_run_phase: str | None
    last_success: float | None
    last_prune: float | None
    last_compact: float | None
    failures: int
    last_backup_seconds: float | None
    last_backup: tuple[RepositoryResult, ...]
    """What the newest finished backup did in each of its repositories."""
    last_archives: tuple[RepositoryResult, ...]
    """Of each of its repositories, what the newest backup did that went well there and has an archive in it."""


def derive_schedule_reading(
    schedule: BorgSchedule,
    cron_job: ObservedCronJob | None,
    jobs: Iterable[ObservedJob],
    backups: Sequence[BorgRun],
    now: datetime,
) -> ScheduleReading:
    """Return the schedule's numbers. `jobs`: its own; `backups`: those of its own that have finished, newest first."""
    last_backup = backups[0] if backups else None
    metadata, spec, status = schedule.metadata, schedule.spec, schedule.status
    clock = derive_tick_clock(schedule, cron_job)
    times = clock.times if clock else CronSchedule.try_parse(schedule.effective_schedule, spec.time_zone)
    due = clock.next_after(now) if clock and cron_job and not cron_job.suspended else None
    busy = any(job.working for job in jobs)
    return ScheduleReading(
        namespace=metadata.namespace,
        name=metadata.name,
        title=schedule.title,
        expression=spec.schedule,
        time_zone=spec.time_zone,
        created=derive_seconds(metadata.creation_timestamp),
        ready=derive_truth(status.conditions, ConditionType.READY),
        suspended=spec.suspend,
        interval=derive_interval(times.rule) if times else None,
        next_run=due.timestamp() if due else None,
        missed=clock.count_missed(now) if clock else 0,
        skipped=clock.count_passed(now) if clock and busy else 0,
        clock_disagrees=derive_truth(status.conditions, ConditionType.CLOCK_DISAGREES) or False,
        active=len(status.active),
        last_run=derive_seconds(status.last_run_time),
        last_run_phase=status.last_run_phase,
        last_success=derive_seconds(status.last_success_time),
        last_prune=derive_seconds(status.last_prune_time),
        last_compact=derive_seconds(status.last_compact_time),
        failures=status.consecutive_failures or 0,
        last_backup_seconds=_seconds(last_backup),
        last_backup=tuple(_of_schedule(schedule, last_backup.status.repositories if last_backup else ())),
        last_archives=_find_last_archives(schedule, backups),
    )


def collect_backups(runs: Iterable[BorgRun]) -> dict[Key, list[BorgRun]]:
    """Return, by the schedule's (namespace, name), the backups that have finished, newest first."""
    found: defaultdict[Key, list[BorgRun]] = defaultdict(list)
    for run in runs:
        if run.finished and run.spec.operation is Operation.BACKUP and run.status.phase is not Phase.SKIPPED:
            found[run.subject.namespace, run.subject.name].append(run)
    for backups in found.values():
        backups.sort(key=lambda run: run.status.completion_time or "", reverse=True)
    return found


def _find_last_archives(schedule: BorgSchedule, backups: Iterable[BorgRun]) -> tuple[RepositoryResult, ...]:
    """Return the newest good result with an archive of each repository: another one says nothing of the one before.

    Of a backup that failed after it had written its archive, the reason is that of the failure, suspect or not.
    """
    found: dict[str, RepositoryResult] = {}
    for run in backups:
        for result in run.status.repositories:
            if result.archive and result.phase.succeeded:
                found.setdefault(result.name, result)
    return tuple(_of_schedule(schedule, found.values()))


def _of_schedule(schedule: BorgSchedule, results: Iterable[RepositoryResult]) -> Iterator[RepositoryResult]:
    """Yield those of its repositories: a pod may tell of any others, and each would be a series of its own."""
    names = {reference.name for reference in schedule.spec.repository_refs}
    return (result for result in results if result.name in names)


def _seconds(run: BorgRun | None) -> float | None:
    if run is None or not run.status.start_time or not run.status.completion_time:
        return None
    return (parse_time(run.status.completion_time) - parse_time(run.status.start_time)).total_seconds()

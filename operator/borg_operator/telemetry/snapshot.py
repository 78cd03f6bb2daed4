"""Schedules and repositories as Prometheus sees them: read off the store at each scrape, so a restart loses nothing.

There are as many series as resources, and no label names a run. Taking the picture is a copy of references, done in the
event loop in a millisecond or two; what takes long with thousands of schedules, reading it off and writing it down, is
pure and done in a thread. The models are frozen, so the picture cannot change under it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric, Sample
from prometheus_client.registry import Collector

from borg_contract.reasons import SUSPECT
from borg_contract.result import RepositoryResult
from borg_contract.run import Phase
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.schedule import SCHEDULES, BorgSchedule
from borg_core.native.claim import CLAIMS, ObservedClaim
from borg_core.native.cron_job import CRON_JOBS, ObservedCronJob
from borg_core.native.job import JOBS, ObservedJob
from borg_core.readings.repository import RepositoryReading, collect_outcomes, derive_repository_reading
from borg_core.readings.schedule import ScheduleReading, collect_backups, derive_schedule_reading
from borg_core.registry import Reference, watched_kinds
from borg_operator.store import Store
from borg_operator.telemetry.claims import read_claims

T = TypeVar("T")
Labels = dict[str, str]
Value = float | None
Gauges = tuple[tuple[str, str, Callable[[T], Value]], ...]
"""(name, help, value: None where there is none to tell)."""

_PHASES = tuple(phase.value for phase in Phase if phase is not Phase.SKIPPED)

_SCHEDULE: Gauges[ScheduleReading] = (
    ("created_timestamp_seconds", "When it was created.", lambda s: s.created),
    ("ready", "Whether its runs will happen as asked: the condition Ready.", lambda s: s.ready),
    ("suspended", "Whether spec.suspend holds it back.", lambda s: s.suspended),
    ("interval_seconds", "The longest time that its cron expression leaves between two runs.", lambda s: s.interval),
    ("next_run_timestamp_seconds", "When its next run is due; absent while none is.", lambda s: s.next_run),
    (
        "missed_runs",
        "Runs that have been due since the last one that began, and can no longer be made up for; at most 20.",
        lambda s: s.missed,
    ),
    ("skipped_runs", "Runs that were due while the present one has been at work; at most 20.", lambda s: s.skipped),
    (
        "clock_disagrees",
        "Whether its newest run by the clock came at a time that was not foretold: the condition ClockDisagrees.",
        lambda s: s.clock_disagrees,
    ),
    ("active_runs", "Runs that have not finished, those by hand included.", lambda s: s.active),
    ("last_run_timestamp_seconds", "When its newest backup began, whatever became of it.", lambda s: s.last_run),
    ("last_success_timestamp_seconds", "When a backup last ended well, warnings included.", lambda s: s.last_success),
    ("last_prune_timestamp_seconds", "When a run that pruned every repository ended last.", lambda s: s.last_prune),
    (
        "last_compact_timestamp_seconds",
        "When a run that compacted every repository ended last.",
        lambda s: s.last_compact,
    ),
    ("consecutive_failures", "How many backups have failed since the last good one.", lambda s: s.failures),
    (
        "last_backup_duration_seconds",
        "How long its newest finished backup took, all repositories together.",
        lambda s: s.last_backup_seconds,
    ),
)
_LAST_BACKUP: Gauges[RepositoryResult] = (
    ("original_bytes", "Bytes of data that its newest finished backup read.", lambda r: r.original_size),
    ("compressed_bytes", "The same, compressed, before deduplication.", lambda r: r.compressed_size),
    (
        "deduplicated_bytes",
        "Bytes that its newest finished backup added to the repository.",
        lambda r: r.deduplicated_size,
    ),
    ("files", "Files in the archive of its newest finished backup.", lambda r: r.files),
    (
        "lock_wait_seconds",
        "How long its newest finished backup waited for the repository's lock; 0 for less than ten seconds.",
        lambda r: r.lock_wait_seconds or 0,
    ),
    ("warnings", "Warnings of its newest finished backup, such as files it could not read.", lambda r: r.warning_count),
)
_LAST_ARCHIVE: Gauges[RepositoryResult] = (
    (
        "suspect",
        "Whether its newest backup that went well found a source empty, or with far fewer files than before.",
        lambda r: r.reason in SUSPECT,
    ),
)
_REPOSITORY: Gauges[RepositoryReading] = (
    ("ready", "Whether the newest run on it went well: the condition Ready.", lambda r: r.ready),
    ("schedules", "Schedules that refer to it.", lambda r: r.schedules),
    ("archives", "Archives in it, all schedules' and others'.", lambda r: r.archives),
    ("original_bytes", "Bytes of all archives as the data was.", lambda r: r.original_size),
    ("deduplicated_bytes", "Bytes it takes, deduplicated and compressed.", lambda r: r.deduplicated_size),
    ("last_backup_timestamp_seconds", "When an archive was last added.", lambda r: r.last_backup),
    ("last_compact_timestamp_seconds", "When a run last gave space back to it.", lambda r: r.last_compact),
    (
        "append_only",
        "Whether compacting gives nothing back; absent while no run has compacted.",
        lambda r: r.append_only,
    ),
    ("missing", "Whether the newest run found nothing where runs before found a repository.", lambda r: r.missing),
    ("replaced", "Whether runs find another borg repository in its place than before.", lambda r: r.replaced),
    ("rolled_back", "Whether an archive was gone when the next one was made.", lambda r: r.rolled_back),
    (
        "verified",
        "Whether the newest check and the newest drill went well: the condition Verified; absent while neither ended.",
        lambda r: r.verified,
    ),
    ("damaged", "Whether damage is known, so that nothing is pruned or compacted.", lambda r: r.damaged),
    (
        "last_check_timestamp_seconds",
        "When its newest check ended; before the first one, when checks were asked for.",
        lambda r: r.last_check,
    ),
    (
        "check_interval_seconds",
        "The longest time that the checks' cron expression leaves between two.",
        lambda r: r.check_interval,
    ),
    (
        "last_drill_timestamp_seconds",
        "When its newest drill ended; before the first one, when drills were asked for.",
        lambda r: r.last_drill,
    ),
    (
        "drill_interval_seconds",
        "The longest time that the drills' cron expression leaves between two.",
        lambda r: r.drill_interval,
    ),
    (
        "drill_coverage_percent",
        "How many percent of the newest archives' files were drilled as they are.",
        lambda r: r.coverage,
    ),
    ("restore_bytes_per_second", "How fast the last drill restored.", lambda r: r.restore_rate),
    (
        "clock_disagrees",
        "Whether its newest check by the clock came at a time that was not foretold: the condition ClockDisagrees.",
        lambda r: r.clock_disagrees,
    ),
    ("locked", "Whether the newest run on it gave up because somebody else held its lock.", lambda r: r.locked),
    (
        "locked_since_timestamp_seconds",
        "When the first of those runs gave up, which have found nothing but a lock since.",
        lambda r: r.locked_since,
    ),
    ("lock_timeouts", "Runs that gave up waiting for its lock, of those that are kept.", lambda r: r.lock_timeouts),
)


@dataclass(frozen=True, eq=False)
class Snapshot(Collector):
    """What the store held at one moment."""

    schedules: Sequence[BorgSchedule]
    repositories: Sequence[BorgRepository]
    runs: Sequence[BorgRun]
    jobs: Sequence[ObservedJob]
    cron_jobs: Sequence[ObservedCronJob]
    counts: Mapping[str, int]
    """How many objects there are, by kind."""
    now: datetime
    claims: Sequence[ObservedClaim] = ()
    """Those of which is told whether they are backed up."""

    @classmethod
    def of(cls, store: Store, now: datetime, *, with_claims: bool = False) -> "Snapshot":
        """Return what the store holds. To be called where the store is written: in the event loop."""
        return cls(
            schedules=store.values(SCHEDULES),
            repositories=store.values(REPOSITORIES),
            runs=store.values(RUNS),
            jobs=store.values(JOBS),
            cron_jobs=store.values(CRON_JOBS),
            counts={kind.kind: len(store.index(kind)) for kind in watched_kinds()},
            now=now,
            claims=store.values(CLAIMS) if with_claims else (),
        )

    def collect(self) -> Iterator[Metric]:
        """Yield all series. Pure, and slow enough for a thread."""
        schedules = [(_of(reading, "schedule"), reading) for reading in self._schedules()]
        yield from _families("borg_schedule_", ("namespace", "schedule"), _SCHEDULE, schedules)
        yield _family(
            "borg_schedule_last_run_phase",
            "1 for the phase of its newest backup, 0 for the others; absent before the first.",
            ("namespace", "schedule", "phase"),
            (
                ({**labels, "phase": phase}, phase == reading.last_run_phase)
                for labels, reading in schedules
                if reading.last_run_phase
                for phase in _PHASES
            ),
        )
        yield _family(
            "borg_schedule_info",
            "Always 1; what people call it, and its times.",
            ("namespace", "schedule", "title", "cron", "time_zone"),
            (
                ({**labels, "title": item.title, "cron": item.expression, "time_zone": item.time_zone}, 1)
                for labels, item in schedules
            ),
        )
        backups = [
            ({**labels, "repository": result.name}, result)
            for labels, reading in schedules
            for result in reading.last_backup
        ]
        yield from _families(
            "borg_schedule_last_backup_", ("namespace", "schedule", "repository"), _LAST_BACKUP, backups
        )
        archives = [
            ({**labels, "repository": result.name}, result)
            for labels, reading in schedules
            for result in reading.last_archives
        ]
        yield from _families(
            "borg_schedule_last_backup_", ("namespace", "schedule", "repository"), _LAST_ARCHIVE, archives
        )
        outcomes = collect_outcomes(self.runs)
        readings = (derive_repository_reading(repository, outcomes) for repository in self.repositories)
        repositories = [(_of(reading, "repository"), reading) for reading in readings]
        yield from _families("borg_repository_", ("namespace", "repository"), _REPOSITORY, repositories)
        yield _family(
            "borg_repository_info",
            "Always 1; whether it is local or ssh, and the claim that a local one is on.",
            ("namespace", "repository", "place", "persistentvolumeclaim"),
            (
                ({**labels, "place": item.place, "persistentvolumeclaim": item.claim}, 1)
                for labels, item in repositories
            ),
        )
        yield _family(
            "borg_claim_protected",
            "Whether a schedule that is Ready and not suspended backs it up; absent where it is to be ignored.",
            ("namespace", "claim"),
            read_claims(self.schedules, self.repositories, self.claims),
        )
        yield _family(
            "borg_operator_objects",
            "Objects of a kind that the operator knows.",
            ("kind",),
            (({"kind": kind}, count) for kind, count in self.counts.items()),
        )

    def _schedules(self) -> Iterator[ScheduleReading]:
        cron_jobs = {(item.namespace, item.name): item for item in self.cron_jobs}
        backups = collect_backups(self.runs)
        jobs: dict[Reference, list[ObservedJob]] = {}
        for job in self.jobs:
            if job.subject:
                jobs.setdefault(job.subject, []).append(job)
        for schedule in self.schedules:
            key = schedule.metadata.key
            yield derive_schedule_reading(
                schedule,
                cron_jobs.get(key),
                jobs.get(Reference(SCHEDULES.kind, *key), ()),
                backups.get(key, ()),
                self.now,
            )


def _of(reading: ScheduleReading | RepositoryReading, kind: str) -> Labels:
    return {"namespace": reading.namespace, kind: reading.name}


def _families(
    prefix: str, label_names: tuple[str, ...], gauges: Gauges[T], items: Sequence[tuple[Labels, T]]
) -> Iterator[Metric]:
    for name, description, value in gauges:
        read = partial(_read, value, items)
        yield _family(prefix + name, description, label_names, read())


def _read(value: Callable[[T], Value], items: Sequence[tuple[Labels, T]]) -> Iterator[tuple[Labels, Value]]:
    return ((labels, value(item)) for labels, item in items)


def _family(
    name: str, description: str, label_names: tuple[str, ...], values: Iterable[tuple[Labels, Value]]
) -> Metric:
    """Return a gauge. The samples of one resource share their labels, for there are many of them."""
    family = GaugeMetricFamily(name, description, labels=label_names)
    family.samples = [Sample(name, labels, float(value)) for labels, value in values if value is not None]
    return family

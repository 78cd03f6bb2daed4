"""Schedules and repositories as Prometheus sees them: read off the store at each scrape, so a restart loses nothing.

There are as many series as resources, and no label names a run. Taking the picture is a copy of references, done in the
event loop in a millisecond or two; what takes long with thousands of schedules, reading it off and writing it down, is
pure and done in a thread. The models are frozen, so the picture cannot change under it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from prometheus_client.core import GaugeMetricFamily, Metric, Sample
from prometheus_client.registry import Collector

from borg_contract.run import Phase
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.restore import RESTORES, BorgRestore
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.schedule import SCHEDULES, BorgSchedule
from borg_core.native.claim import CLAIMS, ObservedClaim
from borg_core.native.cron_job import CRON_JOBS, ObservedCronJob
from borg_core.native.job import JOBS, ObservedJob
from borg_core.readings.repository import (
    RepositoryReading,
    collect_outcomes,
    derive_repository_reading,
)
from borg_core.readings.restore import derive_restore_readings
from borg_core.readings.schedule import ScheduleReading, collect_backups, derive_schedule_reading
from borg_core.registry import Reference, watched_kinds
from borg_operator.store import Store
from borg_operator.telemetry.claims import read_claims
from borg_operator.telemetry.gauges import LAST_ARCHIVE, LAST_BACKUP, REPOSITORY, RESTORE, SCHEDULE, Gauges, T, Value

Labels = dict[str, str]

_PHASES = tuple(phase.value for phase in Phase if phase is not Phase.SKIPPED)


@dataclass(frozen=True, eq=False)
class Snapshot(Collector):
    """What the store held at one moment."""

    schedules: Sequence[BorgSchedule]
    repositories: Sequence[BorgRepository]
    restores: Sequence[BorgRestore]
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
            restores=store.values(RESTORES),
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
        yield from _families("borg_schedule_", ("namespace", "schedule"), SCHEDULE, schedules)
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
            "borg_schedule_last_backup_", ("namespace", "schedule", "repository"), LAST_BACKUP, backups
        )
        archives = [
            ({**labels, "repository": result.name}, result)
            for labels, reading in schedules
            for result in reading.last_archives
        ]
        yield from _families(
            "borg_schedule_last_backup_", ("namespace", "schedule", "repository"), LAST_ARCHIVE, archives
        )
        outcomes = collect_outcomes(self.runs)
        readings = (derive_repository_reading(repository, outcomes) for repository in self.repositories)
        repositories = [(_of(reading, "repository"), reading) for reading in readings]
        yield from _families("borg_repository_", ("namespace", "repository"), REPOSITORY, repositories)
        yield _family(
            "borg_repository_info",
            "Always 1; whether it is local or ssh, and the claim that a local one is on.",
            ("namespace", "repository", "place", "persistentvolumeclaim"),
            (
                ({**labels, "place": item.place, "persistentvolumeclaim": item.claim}, 1)
                for labels, item in repositories
            ),
        )
        restores = [
            ({"namespace": item.namespace, "persistentvolumeclaim": item.claim, "restore": item.restore}, item)
            for item in derive_restore_readings(self.restores)
        ]
        yield from _families("borg_restore_", ("namespace", "persistentvolumeclaim", "restore"), RESTORE, restores)
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

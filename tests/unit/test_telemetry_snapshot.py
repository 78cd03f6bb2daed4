"""What Prometheus sees is what the resources say, with as many series as there are resources."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from borg_core.formats import format_time
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.restore import BorgRestore
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import BorgSchedule
from borg_core.native.job import ObservedJob
from borg_core.readings.repository import collect_outcomes, derive_repository_reading
from borg_operator.telemetry.snapshot import Snapshot
from support import builders

NOW = builders.NOW
TEN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
TICK = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
DB = {"namespace": "team", "schedule": "db"}
MAIN = {"namespace": "team", "repository": "main"}


def see(
    schedule: BorgSchedule | None = None,
    *,
    runs: tuple[BorgRun, ...] = (),
    jobs: tuple[ObservedJob, ...] = (),
    repository: BorgRepository | None = None,
    restores: tuple[BorgRestore, ...] = (),
    now: datetime = NOW,
) -> CollectorRegistry:
    cron_job = builders.cron_job(created=TICK, last_scheduled=TICK)
    registry = CollectorRegistry()
    registry.register(
        Snapshot(
            schedules=[schedule or builders.schedule()],
            repositories=[repository or builders.local_repository()],
            restores=restores,
            runs=runs,
            jobs=jobs,
            cron_jobs=[cron_job],
            counts={},
            now=now,
        )
    )
    return registry


def run(name: str, phase: str = "Completed", ended: datetime = TEN, **spec: Any) -> BorgRun:
    repository = {"name": "main", "phase": phase, "warningCount": 2}
    if phase == "Completed":
        repository |= {"archive": name, "originalSize": 100, "compressedSize": 60, "deduplicatedSize": 10, "files": 3}
    status = {
        "phase": phase,
        "startTime": format_time(ended - timedelta(seconds=90)),
        "completionTime": format_time(ended),
        "repositories": [repository],
    }
    return builders.run(name, status, **spec)


def with_status(schedule: BorgSchedule, **status: Any) -> BorgSchedule:
    return BorgSchedule.model_validate({**schedule.model_dump(by_alias=True), "status": status})


def locked(name: str, ended: datetime, reason: str | None = "Locked") -> BorgRun:
    result = {"name": "main", "phase": "Failed" if reason else "Completed", "reason": reason}
    return builders.run(
        name, {"phase": result["phase"], "completionTime": format_time(ended), "repositories": [result]}
    )


def test_a_schedules_status_becomes_gauges() -> None:
    schedule = with_status(
        builders.schedule(),
        conditions=[{"type": "Ready", "status": "True", "reason": "Scheduled"}],
        active=["db-2"],
        lastRunTime="2026-03-02T10:00:00Z",
        lastRunPhase="Running",
        lastSuccessTime="2026-03-01T10:00:00Z",
        consecutiveFailures=3,
    )
    registry = see(schedule)
    expected = {
        "ready": 1,
        "suspended": 0,
        "active_runs": 1,
        "interval_seconds": 86400,
        "next_run_timestamp_seconds": (TICK + timedelta(days=1)).timestamp(),
        "last_run_timestamp_seconds": TEN.timestamp(),
        "last_success_timestamp_seconds": (TEN - timedelta(days=1)).timestamp(),
        "consecutive_failures": 3,
        "missed_runs": 0,
        "skipped_runs": 0,
    }
    assert {name: registry.get_sample_value(f"borg_schedule_{name}", DB) for name in expected} == expected


def test_the_last_phase_is_a_set_of_states_of_which_one_holds() -> None:
    registry = see(with_status(builders.schedule(), lastRunPhase="Failed"))
    states = {
        sample.labels["phase"]: sample.value
        for family in registry.collect()
        if family.name == "borg_schedule_last_run_phase"
        for sample in family.samples
    }
    phases = ("Pending", "Running", "Completed", "CompletedWithWarnings", "Failed", "Cancelled")
    assert states == {phase: float(phase == "Failed") for phase in phases}


def test_what_never_happened_is_absent_and_not_zero() -> None:
    registry = see()
    for name in (
        "last_success_timestamp_seconds",
        "last_run_timestamp_seconds",
        "ready",
        "last_backup_duration_seconds",
    ):
        assert registry.get_sample_value(f"borg_schedule_{name}", DB) is None, name
    assert registry.get_sample_value("borg_schedule_last_run_phase", {**DB, "phase": "Completed"}) is None


def test_the_newest_finished_backup_gives_sizes_and_the_duration() -> None:
    runs = (
        run("db-1", ended=TEN),
        run("db-0", ended=TEN - timedelta(days=1), phase="Failed"),
        run("db-prune", ended=TEN + timedelta(hours=1), operation="Prune"),
        builders.run("db-2", {"phase": "Running"}),
    )
    registry = see(runs=runs)
    of_main = {**DB, "repository": "main"}
    assert registry.get_sample_value("borg_schedule_last_backup_duration_seconds", DB) == 90
    values = {"original_bytes": 100, "compressed_bytes": 60, "deduplicated_bytes": 10, "files": 3, "warnings": 2}
    assert {name: registry.get_sample_value(f"borg_schedule_last_backup_{name}", of_main) for name in values} == values


@pytest.mark.parametrize(("result", "seconds"), [({}, 0), ({"lockWaitSeconds": 95.5}, 95.5)])
def test_the_newest_finished_backup_tells_how_long_it_waited_for_the_lock(
    result: dict[str, float], seconds: float
) -> None:
    repository = {"name": "main", "phase": "Completed", **result}
    status = {"phase": "Completed", "completionTime": format_time(TEN), "repositories": [repository]}
    registry = see(runs=(builders.run("db-1", status),))
    labels = {**DB, "repository": "main"}
    assert registry.get_sample_value("borg_schedule_last_backup_lock_wait_seconds", labels) == seconds


@pytest.mark.parametrize(
    ("result", "suspect"),
    [
        ({"phase": "Completed"}, 0),
        ({"phase": "CompletedWithWarnings", "warningCount": 3}, 0),
        ({"phase": "CompletedWithWarnings", "reason": "SourceEmpty"}, 1),
        ({"phase": "CompletedWithWarnings", "reason": "SourceShrank"}, 1),
        ({"phase": "Failed", "reason": "TooFewFiles"}, None),
    ],
)
def test_a_backup_that_may_lack_what_it_is_for_is_told_apart(result: dict[str, object], suspect: float | None) -> None:
    status = {
        "phase": result["phase"],
        "completionTime": format_time(TEN),
        "repositories": [{"name": "main", "archive": "db-1", **result}],
    }
    registry = see(runs=(builders.run("db-1", status),))
    labels = {**DB, "repository": "main"}
    assert registry.get_sample_value("borg_schedule_last_backup_suspect", labels) == suspect


@pytest.mark.parametrize(
    ("phase", "results", "suspect"),
    [
        ("Failed", [{"name": "main", "phase": "Failed", "reason": "RepositoryUnreachable"}], 1),
        ("Failed", [], 1),
        ("Cancelled", [], 1),
        ("Failed", [{"name": "other", "phase": "Completed", "archive": "db-2"}], 1),
        ("Failed", [{"name": "main", "phase": "Failed", "reason": "CompactFailed", "archive": "db-2"}], 1),
        ("Completed", [{"name": "main", "phase": "Completed", "archive": "db-2"}], 0),
    ],
    ids=["failed", "without a word", "cancelled", "good in another repository", "failed with an archive", "good"],
)
def test_only_a_backup_that_went_well_tells_whether_the_repositorys_newest_is_good(
    phase: str, results: list[dict[str, Any]], suspect: float
) -> None:
    empty = {"name": "main", "phase": "CompletedWithWarnings", "reason": "SourceEmpty", "archive": "db-1"}
    before = {"phase": "CompletedWithWarnings", "completionTime": format_time(TEN), "repositories": [empty]}
    after = {"phase": phase, "completionTime": format_time(TEN + timedelta(hours=1)), "repositories": results}
    registry = see(runs=(builders.run("db-1", before), builders.run("db-2", after)))
    labels = {**DB, "repository": "main"}
    assert registry.get_sample_value("borg_schedule_last_backup_suspect", labels) == suspect


def test_what_was_found_in_a_repository_that_is_no_longer_of_the_schedule_is_over() -> None:
    empty = {"name": "old", "phase": "CompletedWithWarnings", "reason": "SourceEmpty", "archive": "db-1"}
    before = {"phase": "CompletedWithWarnings", "completionTime": format_time(TEN), "repositories": [empty]}
    runs = (builders.run("db-1", before),)
    labels = {**DB, "repository": "old"}
    for names, suspect in ((("main", "old"), 1), (("main",), None)):
        registry = see(builders.schedule(repositories=names), runs=runs)
        assert registry.get_sample_value("borg_schedule_last_backup_suspect", labels) == suspect


def test_a_failed_backup_shows_no_sizes_of_an_older_one() -> None:
    registry = see(runs=(run("db-1"), run("db-2", phase="Failed", ended=TEN + timedelta(hours=1))))
    assert registry.get_sample_value("borg_schedule_last_backup_original_bytes", {**DB, "repository": "main"}) is None


@pytest.mark.parametrize(
    ("jobs", "skipped"),
    [
        ((), 0),
        ((builders.job(),), 1),
        ((builders.job(succeeded=True),), 0),
        ((builders.job(owner_kind="BorgRun"),), 1),
    ],
    ids=["nothing runs", "the clock's own runs", "it has finished", "one by hand keeps them waiting too"],
)
def test_ticks_are_skipped_while_a_run_is_at_work(jobs: tuple[ObservedJob, ...], skipped: int) -> None:
    registry = see(jobs=jobs, now=TICK + timedelta(days=1, minutes=1))
    assert registry.get_sample_value("borg_schedule_skipped_runs", DB) == skipped


def test_a_repositorys_status_becomes_gauges() -> None:
    status = {"archives": 4, "originalSize": 400, "deduplicatedSize": 70, "schedules": 2}
    repository = BorgRepository.model_validate(
        {**builders.local_repository().model_dump(by_alias=True), "status": status}
    )
    registry = see(repository=repository)
    expected = {"archives": 4, "original_bytes": 400, "deduplicated_bytes": 70, "schedules": 2, "locked": 0}
    assert {name: registry.get_sample_value(f"borg_repository_{name}", MAIN) for name in expected} == expected
    info = {**MAIN, "place": "local", "persistentvolumeclaim": "repo-main"}
    assert registry.get_sample_value("borg_repository_info", info) == 1


def test_a_repository_over_ssh_has_no_claim() -> None:
    registry = see(repository=builders.ssh_repository())
    info = {"namespace": "team", "repository": "offsite", "place": "ssh", "persistentvolumeclaim": ""}
    assert registry.get_sample_value("borg_repository_info", info) == 1


def test_a_lock_counts_from_the_first_run_that_found_nothing_but_it() -> None:
    hours = [TEN + timedelta(hours=number) for number in range(4)]
    runs = (
        locked("db-0", hours[0]),
        locked("db-1", hours[1], reason=None),
        locked("db-2", hours[2]),
        locked("db-3", hours[3]),
    )
    body = builders.local_repository().model_dump(by_alias=True)
    repository = BorgRepository.model_validate({**body, "status": {"lock": {"time": format_time(hours[3])}}})
    reading = derive_repository_reading(repository, collect_outcomes(runs))
    assert reading.locked
    assert reading.locked_since == hours[2].timestamp()
    assert reading.lock_timeouts == 3
    forgotten = derive_repository_reading(repository, {})
    assert forgotten.locked_since == hours[3].timestamp()


def test_no_label_names_a_run() -> None:
    runs = tuple(run(f"db-{number}", ended=TEN + timedelta(minutes=number)) for number in range(10))
    one, ten = see(runs=runs[:1]), see(runs=runs)

    def count(registry: CollectorRegistry) -> int:
        return sum(len(family.samples) for family in registry.collect())

    assert count(one) == count(ten)
    shown = {value for family in ten.collect() for sample in family.samples for value in sample.labels.values()}
    assert not {item.metadata.name for item in runs} & shown


def restore(number: int, phase: str, claim: str = "app", *, preview: bool = False, **status: Any) -> BorgRestore:
    ended = {} if phase in ("Pending", "Running") else {"completionTime": f"2026-03-02T0{number}:00:00Z"}
    target = {"claim": {"claimName": claim}}
    body = {"repositoryRef": {"name": "main"}, "archive": "db-1", "target": target, "preview": preview}
    told = {"phase": phase, **ended, **status}
    return BorgRestore.model_validate({"metadata": builders.metadata(f"r{number}"), "spec": body, "status": told})


def test_restores_are_told_by_the_claim_that_they_restore_into() -> None:
    down = {"kind": "Deployment", "name": "web", "uid": "u", "replicas": 2}
    found = see(
        restores=(
            restore(1, "Completed"),
            restore(3, "Failed", scaled=[down, {**down, "name": "back", "restored": True}]),
            restore(5, "Cancelled"),
            restore(6, "Failed", preview=True),
            restore(7, "Running", heldSince="2026-03-02T10:00:00Z", scaled=[down]),
            restore(2, "Failed", "other"),
            restore(4, "CompletedWithWarnings", "other"),
            restore(8, "Failed", "looked-at", preview=True),
            restore(9, "Pending", "new"),
        )
    )

    def of(claim: str) -> tuple[float | None, ...]:
        labels = {"namespace": "team", "persistentvolumeclaim": claim, "restore": ""}
        names = ("active", "last_timestamp_seconds", "failed", "held_since_timestamp_seconds", "stopped_workloads")
        return tuple(found.get_sample_value(f"borg_restore_{name}", labels) for name in names)

    three, four = (datetime(2026, 3, 2, hour, tzinfo=UTC).timestamp() for hour in (3, 4))
    assert of("app") == (1, three, 1, TEN.timestamp(), 1)
    assert of("other") == (0, four, 0, None, 0)
    assert of("new") == (1, None, None, None, 0)
    assert of("looked-at") == (None,) * 5


def test_of_restores_into_commands_each_is_told_by_itself() -> None:
    def into_command(number: int, phase: str) -> BorgRestore:
        made = restore(number, phase)
        stream = {"stream": {"image": "docker.io/library/postgres:16", "command": ["pg_restore"]}}
        spec = {**made.spec.model_dump(by_alias=True, exclude_none=True), "paths": ["db"], "target": stream}
        return BorgRestore.model_validate({**made.model_dump(by_alias=True, exclude_none=True), "spec": spec})

    found = see(restores=(into_command(1, "Failed"), into_command(2, "Completed")))

    def failed(name: str) -> float | None:
        labels = {"namespace": "team", "persistentvolumeclaim": "", "restore": name}
        return found.get_sample_value("borg_restore_failed", labels)

    assert (failed("r1"), failed("r2"), failed("")) == (1, 0, None)

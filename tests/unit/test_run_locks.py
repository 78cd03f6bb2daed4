"""Which locks are broken after a Job that died: those of nobody who may still work, and once."""

from dataclasses import replace
from typing import Any

import pytest

from borg_contract.pod import lock_holder
from borg_core.actions import CreateRun
from borg_core.kinds.run import BorgRun
from borg_core.runs.locks import unlock_run_name
from support import builders
from support.builders import NOW, Case, planned


def finished(name: str, at: str, phase: str = "Failed", **status: Any) -> BorgRun:
    uid = {"jobUid": f"job-{name}"}
    return builders.run(name, {"phase": phase, "startTime": at, "completionTime": at, **uid, **status})


def dead_run(**status: Any) -> BorgRun:
    return finished("db-1", "2026-03-02T01:00:00Z", **status)


def world(*runs: BorgRun, **more: Any) -> Case:
    return builders.world(builders.bundle(), runs=runs, **more)


def unlocks(case: Case) -> list[str]:
    return [action.manifest["metadata"]["name"] for action in planned(case, CreateRun)]


def test_locks_of_a_dead_job_are_broken_if_a_fresh_look_finds_no_pod_of_it() -> None:
    (created,) = planned(world(dead_run(reason="OutOfMemory")), CreateRun)
    assert created.without_pods_of == "job-db-1"
    assert created.manifest["metadata"]["name"] == "db-1-unlock"
    assert created.manifest["metadata"]["annotations"] == {"borgoperator.io/dead-job-uid": "job-db-1"}
    assert created.manifest["metadata"]["labels"]["borgoperator.io/trigger"] == "Automatic"
    assert created.manifest["spec"] == {"scheduleRef": {"name": "db"}, "operation": "BreakLock"}


@pytest.mark.parametrize(
    ("run", "breaks"),
    [
        (dead_run(reason="PodLost"), True),
        (dead_run(reason="JobDeleted"), True),
        (dead_run(reason="DeadlineExceeded"), True),
        (dead_run(reason="RunCancelled", phase="Cancelled"), True),
        (dead_run(reason="JobDeleted", startTime=None), False),
        (dead_run(reason="RunCancelled", phase="Cancelled", startTime=None), False),
        (dead_run(reason="PodLost", phase="Completed"), False),
        (dead_run(reason="DiskFull"), False),
        (dead_run(reason="RunCancelled", phase="Cancelled", repositories=[{"name": "main", "phase": "Failed"}]), False),
        (dead_run(reason="CoveredByRun", phase="Skipped", startTime=None, jobUid=None), False),
    ],
    ids=[
        "lost",
        "deleted",
        "out of time",
        "cancelled without a result",
        "deleted before it began",
        "cancelled before it began",
        "completed, its pod is gone",
        "with a result",
        "cancelled with a result",
        "covered",
    ],
)
def test_only_what_may_have_left_a_lock_is_cleaned_up_after(run: BorgRun, breaks: bool) -> None:
    assert unlocks(world(run)) == (["db-1-unlock"] if breaks else [])


def test_locks_are_not_broken_twice_nor_after_a_good_run() -> None:
    unlock = builders.run("db-1-unlock", operation="BreakLock")
    assert unlocks(world(dead_run(reason="OutOfMemory"), unlock)) == []
    good = finished("db-2", "2026-03-02T02:00:00Z", "Completed")
    assert unlocks(world(dead_run(reason="OutOfMemory"), good)) == []


def test_a_break_lock_that_dies_calls_for_no_other() -> None:
    died = builders.run(
        "db-1-unlock",
        {"phase": "Failed", "startTime": "2026-03-02T01:30:00Z", "reason": "PodLost", "jobUid": "x"},
        operation="BreakLock",
    )
    assert unlocks(world(dead_run(reason="OutOfMemory"), died)) == []


@pytest.mark.parametrize(
    ("holder", "breaks"),
    [
        (lock_holder("team", "db-0", "job-db-0"), True),
        (lock_holder("team", "db-0", "job-of-another-cluster"), False),
        (lock_holder("team", "elsewhere", "job-of-another"), False),
        ("laptop@1234", False),
    ],
)
def test_a_lock_is_broken_only_when_its_holder_is_a_finished_run_of_ours(holder: str, breaks: bool) -> None:
    holding = finished("db-0", "2026-03-02T00:30:00Z", repositories=[])
    locked = {"name": "main", "phase": "Failed", "reason": "Locked", "lockedBy": holder}
    blocked = finished("db-1", "2026-03-02T01:00:00Z", repositories=[locked])
    assert unlocks(world(holding, blocked)) == (["db-1-unlock"] if breaks else [])


def test_the_lock_of_a_job_that_is_at_work_is_left() -> None:
    at_work = builders.run("db-0", {"phase": "Running", "jobUid": "job-uid-db-0"})
    holder = lock_holder("team", "db-0", "job-uid-db-0")
    locked = {"name": "main", "phase": "Failed", "reason": "Locked", "lockedBy": holder}
    blocked = finished("db-1", "2026-03-02T01:00:00Z", repositories=[locked])
    job = builders.job("db-0", run_uid="uid-db-0")
    assert unlocks(world(at_work, blocked, jobs=(job,), pods=builders.pod(job))) == []


def test_what_is_on_a_server_over_ssh_keeps_no_lock_of_a_pod() -> None:
    bundle = builders.bundle(builders.schedule(repositories=("offsite",)), (builders.ssh_repository(),))
    assert unlocks(builders.world(bundle, runs=(dead_run(reason="OutOfMemory"),))) == []


def test_two_long_names_never_get_one_unlock_run() -> None:
    names = [f"{'n' * 60}-{letter}" for letter in "ab"]
    unlock = {unlock_run_name(name) for name in names}
    assert len(unlock) == 2
    assert all(len(name) <= 63 for name in unlock)
    runs = tuple(finished(name, "2026-03-02T01:00:00Z", reason="OutOfMemory") for name in names)
    assert set(unlocks(world(*runs))) == unlock


def test_a_job_that_dies_now_is_recorded_and_cleaned_up_after() -> None:
    died = builders.job(succeeded=False, completed=NOW)
    case = world(
        builders.run("db-1", {"phase": "Running", "jobUid": died.uid}), jobs=(replace(died, run_uid="uid-db-1"),)
    )
    assert unlocks(case) == ["db-1-unlock"]

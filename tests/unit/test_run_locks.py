"""Which locks are broken after a Job that died: those of nobody who may still work, and once."""

from dataclasses import replace
from typing import Any

import pytest

from borg_contract.codec import decode_plan
from borg_contract.pod import PLAN_ENV, derive_place, lock_holder
from borg_core import labels
from borg_core.actions import CreateJob, CreateRun, PatchStatus
from borg_core.kinds.run import BorgRun
from borg_core.native.pod import Ending, ObservedPod
from borg_core.runs.locks import unlock_run_name
from borg_core.runs.plan import WAIT_LOOK_SECONDS
from support import builders
from support.builders import NOW, Case, plan, planned


def finished(name: str, at: str, phase: str = "Failed", **status: Any) -> BorgRun:
    uid = {"jobUid": f"job-{name}"}
    return builders.run(name, {"phase": phase, "startTime": at, "completionTime": at, **uid, **status})


def dead_run(**status: Any) -> BorgRun:
    return finished("db-1", "2026-03-02T01:00:00Z", **status)


def holder_of(name: str) -> str:
    return lock_holder("team", name, f"job-{name}", derive_place("", "node-1"))


def world(*runs: BorgRun, **more: Any) -> Case:
    """Return a world in which the pods of all finished runs are still known."""
    known: dict[str, ObservedPod] = {}
    for run in runs:
        name, uid = run.metadata.name, f"job-{run.metadata.name}"
        known |= builders.pod(name, job_uid=uid, job_name=name, node="node-1", finished=True)
        known[uid] = known.pop(f"job-uid-{name}")
    return builders.world(builders.bundle(), runs=runs, **{"pods": known, **more})


def unlocks(case: Case) -> list[str]:
    return [action.manifest["metadata"]["name"] for action in planned(case, CreateRun)]


def test_the_lock_of_a_dead_pod_is_broken_if_a_fresh_look_proves_that_it_is_dead() -> None:
    (created,) = planned(world(dead_run(reason="OutOfMemory")), CreateRun)
    assert created.only_if_dead == holder_of("db-1")
    assert created.manifest["metadata"]["name"] == "db-1-unlock"
    assert created.manifest["metadata"]["annotations"] == {"borgoperator.io/dead-holder": holder_of("db-1")}
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


def test_a_run_that_was_killed_in_its_second_repository_may_have_left_a_lock() -> None:
    run = dead_run(reason="OutOfMemory", repositories=[{"name": "main", "phase": "Completed"}])
    case = world(run)
    uid = run.status.job_uid or ""
    ending = Ending(reason="OOMKilled", exit_code=137, partial=builders.result(provisional=True))
    pods = {uid: replace(case.pods[uid], ending=ending)}
    assert unlocks(replace(case, pods=pods)) == ["db-1-unlock"]


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


HOLDERS = [
    (lock_holder("team", "db-0", "of-a-schedule-that-is-gone", "0123456789ab"), True),
    (lock_holder("elsewhere", "db-0", "uid", "0123456789ab"), True),
    (lock_holder("team", "db-0", "of-an-earlier-version"), False),
    ("laptop@1234", False),
]


@pytest.mark.parametrize(("holder", "suspect"), HOLDERS)
def test_whoever_of_ours_a_run_found_in_the_lock_is_suspected_without_any_record_of_him(
    holder: str, suspect: bool
) -> None:
    locked = {"name": "main", "phase": "Failed", "reason": "Locked", "lockedBy": holder}
    case = world(finished("db-1", "2026-03-02T01:00:00Z", repositories=[locked]))
    assert [action.only_if_dead for action in planned(case, CreateRun)] == ([holder] if suspect else [])


@pytest.mark.parametrize(("holder", "suspect"), HOLDERS)
def test_a_run_that_waits_for_a_lock_says_so_and_calls_for_a_look_at_its_holder_at_once(
    holder: str, suspect: bool
) -> None:
    words = f'Locked by run "db-0" in namespace "team" ({holder}): waits until 12:30 UTC'
    job = builders.job("db-1", run_uid="uid-db-1")
    run = builders.run("db-1", {"phase": "Running", "jobUid": job.uid})
    pods = builders.pod(job, waits=True, node="node-1")
    case = builders.world(
        builders.bundle(), runs=(run,), jobs=(job,), pods=pods, words={pod.uid: words for pod in pods.values()}
    )
    assert [action.only_if_dead for action in planned(case, CreateRun)] == ([holder] if suspect else [])
    (patch,) = [action.status for action in planned(case, PatchStatus) if action.target.name == "db-1"]
    assert (patch["reason"], patch["message"]) == ("WaitingForLock", words)
    assert plan(case).requeue_after == WAIT_LOOK_SECONDS


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
        builders.run("db-1", {"phase": "Running", "jobUid": died.uid}),
        jobs=(replace(died, run_uid="uid-db-1"),),
        pods=builders.pod(died, node="node-1", job_name="db-1", ending=Ending(reason="OOMKilled"), finished=True),
    )
    assert unlocks(case) == ["db-1-unlock"]


def test_where_nobody_knows_the_pod_of_a_run_that_died_the_next_run_is_to_find_its_lock() -> None:
    assert unlocks(world(dead_run(reason="PodLost"), pods={})) == []


@pytest.mark.parametrize(
    ("notes", "dead"),
    [
        ({labels.DEAD_HOLDER: "holder"}, ("holder",)),
        ({labels.OF_DEAD_JOB: "uid"}, ("",)),
        ({}, ()),
    ],
    ids=["of the operator", "of an earlier version of it", "of a person"],
)
def test_only_what_a_person_asked_for_breaks_everything(notes: dict[str, str], dead: tuple[str, ...]) -> None:
    run = builders.run("cure", operation="BreakLock")
    noted = run.model_copy(update={"metadata": run.metadata.model_copy(update={"annotations": notes})})
    (created,) = planned(builders.settled(world(noted)), CreateJob)
    (container,) = created.manifest["spec"]["template"]["spec"]["containers"]
    plan_of_run = decode_plan(next(item["value"] for item in container["env"] if item["name"] == PLAN_ENV))
    assert plan_of_run.dead_holders == dead


def test_what_breaks_a_lock_prefers_the_node_of_the_run_that_waits_for_it_where_the_volume_is() -> None:
    (created,) = planned(builders.settled(world(builders.run("cure", operation="BreakLock"))), CreateJob)
    affinity = created.manifest["spec"]["template"]["spec"]["affinity"]
    (term,) = affinity["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["labelSelector"] == {"matchLabels": {"borgoperator.io/schedule": "db"}}

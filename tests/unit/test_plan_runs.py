"""Planning runs: which Jobs begin, what BorgRuns say, what is forgotten, which locks are broken."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from borg_contract.lock_holder import lock_holder
from borg_contract.phases import Phase
from borg_contract.result import RepositoryResult, RunResult
from borg_core.kinds.run import BorgRun
from borg_core.native.pod import PodOutcome
from borg_core.reconcile.actions import (
    CreateJob,
    CreateRun,
    DeleteJob,
    DeleteRun,
    PatchStatus,
    RecordEvent,
)
from borg_core.reconcile.schedule import plan_schedule
from borg_core.reconcile.world import World
from support import builders
from support.builders import NOW


def plan(world: World, kind: type[Any]) -> list[Any]:
    return [action for action in plan_schedule(world, NOW).actions if isinstance(action, kind)]


def run_patches(world: World) -> dict[str, dict[str, Any]]:
    return {action.name: action.status for action in plan(world, PatchStatus) if action.kind == "BorgRun"}


def schedule_patch(world: World) -> dict[str, Any]:
    (patch,) = [action.status for action in plan(world, PatchStatus) if action.kind == "BorgSchedule"]
    status: dict[str, Any] = patch
    return status


def finished(name: str, at: str, phase: str = "Completed", **status: Any) -> Any:
    return builders.run(name, {"phase": phase, "startTime": at, "completionTime": at, **status})


def test_a_job_that_ran_while_the_operator_was_away_gets_its_run_with_the_full_result() -> None:
    done = builders.job(succeeded=True, completed=NOW)
    world = builders.world(
        builders.bundle(), jobs=(done,), outcomes={"db-1": PodOutcome("db-1-x", builders.result(), finished_at=NOW)}
    )
    (created,) = plan(world, CreateRun)
    assert created.manifest["metadata"]["name"] == "db-1"
    assert created.manifest["metadata"]["ownerReferences"][0]["uid"] == "uid-db"
    status = run_patches(world)["db-1"]
    assert (status["phase"], status["trigger"]) == ("Completed", "Scheduled")
    assert status["repositories"][0]["deduplicatedSize"] == 10
    schedule = schedule_patch(world)
    assert schedule["lastSuccessTime"] == "2026-03-02T12:00:00Z"
    assert (schedule["lastRunName"], schedule["lastRunPhase"]) == ("db-1", "Completed")


def test_a_run_by_hand_gets_a_job_of_its_name() -> None:
    world = builders.world(builders.bundle(), runs=(builders.run("now"),))
    (created,) = plan(world, CreateJob)
    assert created.manifest["metadata"]["name"] == "now"
    assert created.manifest["metadata"]["ownerReferences"][0]["kind"] == "BorgRun"
    patch = run_patches(world)["now"]
    assert patch.keys() == {"phase", "trigger", "conditions"}
    assert (patch["phase"], patch["trigger"]) == ("Pending", "Manual")


def test_of_two_runs_by_hand_the_older_begins_and_the_other_says_whom_it_waits_for() -> None:
    world = builders.world(builders.bundle(), runs=(builders.run("b"), builders.run("a")))
    (created,) = plan(world, CreateJob)
    assert created.manifest["metadata"]["name"] == "a"
    assert run_patches(world)["b"]["message"] == 'Waits until BorgRun "a" has finished'


def test_a_run_by_hand_waits_for_a_scheduled_one() -> None:
    world = builders.world(builders.bundle(), runs=(builders.run("now"),), jobs=(builders.job(ready=1),))
    assert not plan(world, CreateJob)
    assert run_patches(world)["now"]["reason"] == "WaitingForRun"


def test_a_run_of_a_schedule_that_does_not_exist_says_so_and_waits() -> None:
    world = builders.world(None, runs=(builders.run("now"),))
    assert not plan(world, CreateJob)
    patch = run_patches(world)["now"]
    assert patch["phase"] == "Pending"
    assert patch["message"] == 'BorgSchedule "db" does not exist in namespace "team": create it'


def test_a_prune_by_hand_that_would_take_archives_of_others_does_not_begin() -> None:
    template = builders.schedule(archiveNameTemplate="backup-{now}")
    world = builders.world(builders.bundle(template), runs=(builders.run("now", operation="Prune"),))
    assert not plan(world, CreateJob)
    assert run_patches(world)["now"]["reason"] == "InvalidArchiveName"


def test_a_cancelled_run_has_its_job_deleted() -> None:
    asked = builders.run("now", {"phase": "Running", "jobUid": "job-uid-now"}, cancel=True)
    running = builders.job("now", owner_kind="BorgRun", ready=1)
    world = builders.world(builders.bundle(), runs=(asked,), jobs=(running,))
    (deleted,) = plan(world, DeleteJob)
    assert (deleted.name, deleted.uid) == ("now", "job-uid-now")
    gone = replace(world, jobs=())
    assert run_patches(gone)["now"]["phase"] == "Cancelled"


@pytest.mark.parametrize(
    ("job", "outcome", "reason", "says"),
    [
        ({}, PodOutcome("p", terminated_reason="OOMKilled"), "OutOfMemory", "spec.job.resources.limits.memory"),
        ({}, PodOutcome("p", terminated_reason="Evicted"), "Evicted", "describe pod p"),
        ({}, PodOutcome(), "PodLost", "pod was deleted"),
        ({}, PodOutcome("p", exit_code=137), "RunnerCrashed", "logs p"),
        ({}, PodOutcome("p", unreadable="{"), "ResultUnreadable", "cannot be read"),
        ({"failure_reason": "DeadlineExceeded"}, PodOutcome(), "DeadlineExceeded", "activeDeadlineSeconds"),
    ],
)
def test_a_run_that_died_without_a_result_says_why_and_what_to_do(
    job: dict[str, Any], outcome: PodOutcome, reason: str, says: str
) -> None:
    dead = builders.job(succeeded=False, completed=NOW, **job)
    status = run_patches(builders.world(builders.bundle(), jobs=(dead,), outcomes={"db-1": outcome}))["db-1"]
    assert (status["phase"], status["reason"]) == ("Failed", reason)
    assert says in status["message"]


def test_only_the_newest_finished_runs_are_kept_and_their_jobs_go_first() -> None:
    runs = tuple(finished(f"db-{n}", f"2026-03-01T0{n}:00:00Z") for n in range(5))
    world = builders.world(
        builders.bundle(builders.schedule(runHistoryLimit=3)),
        runs=runs,
        jobs=(builders.job("db-0", succeeded=True, completed=NOW - timedelta(days=1)),),
    )
    deletions = [a for a in plan_schedule(world, NOW).actions if isinstance(a, DeleteJob | DeleteRun)]
    assert [(type(a), a.name) for a in deletions] == [(DeleteJob, "db-0"), (DeleteRun, "db-0"), (DeleteRun, "db-1")]


def test_an_unfinished_run_is_never_forgotten() -> None:
    world = builders.world(
        builders.bundle(builders.schedule(runHistoryLimit=1)),
        runs=(finished("db-1", "2026-03-01T01:00:00Z"), finished("db-2", "2026-03-01T02:00:00Z"), builders.run("a")),
    )
    assert [a.name for a in plan(world, DeleteRun)] == ["db-1"]


def test_failures_are_counted_until_a_backup_succeeds() -> None:
    failed = tuple(finished(f"db-{n}", f"2026-03-01T0{n}:00:00Z", "Failed") for n in range(3))
    world = builders.world(builders.bundle(), runs=failed)
    assert schedule_patch(world)["consecutiveFailures"] == 3
    good = (*failed, finished("db-3", "2026-03-01T03:00:00Z"))
    assert schedule_patch(builders.world(builders.bundle(), runs=good))["consecutiveFailures"] == 0


def test_the_failure_of_the_last_run_stands_in_a_condition_until_the_next_good_one() -> None:
    bad = finished("db-1", "2026-03-01T01:00:00Z", "Failed", message="main: wrong passphrase")
    conditions = schedule_patch(builders.world(builders.bundle(), runs=(bad,)))["conditions"]
    last = next(condition for condition in conditions if condition["type"] == "LastRunSucceeded")
    assert (last["status"], last["message"]) == ("False", 'BorgRun "db-1" failed: main: wrong passphrase')
    runs = (bad, finished("db-2", "2026-03-01T02:00:00Z"))
    conditions = schedule_patch(builders.world(builders.bundle(), runs=runs))["conditions"]
    assert next(c for c in conditions if c["type"] == "LastRunSucceeded")["status"] == "True"


def test_a_run_that_ends_makes_one_event() -> None:
    done = builders.job(succeeded=False, completed=NOW)
    world = builders.world(builders.bundle(), jobs=(done,), outcomes={"db-1": PodOutcome()})
    reasons = [event.reason for event in plan(world, RecordEvent)]
    assert reasons == ["Scheduled", "RunFailed"]


def dead_run(**status: Any) -> Any:
    return finished("db-1", "2026-03-02T01:00:00Z", "Failed", jobUid="job-1", **status)


def test_locks_of_a_dead_job_are_broken_once_no_pod_of_it_is_left() -> None:
    world = builders.world(builders.bundle(), runs=(dead_run(reason="OutOfMemory"),))
    assert not plan(world, CreateRun)
    proven = replace(world, dead_job_uids=frozenset({"job-1"}))
    (created,) = plan(proven, CreateRun)
    assert created.manifest["metadata"]["name"] == "db-1-unlock"
    assert created.manifest["metadata"]["annotations"] == {"borgoperator.io/dead-job-uid": "job-1"}
    assert created.manifest["spec"]["operation"] == "BreakLock"


def test_locks_are_not_broken_twice_nor_after_a_good_run() -> None:
    proven = frozenset({"job-1"})
    unlock = builders.run("db-1-unlock", operation="BreakLock")
    runs = (dead_run(reason="OutOfMemory"), unlock)
    assert not plan(builders.world(builders.bundle(), runs=runs, dead_job_uids=proven), CreateRun)
    runs = (dead_run(reason="OutOfMemory"), finished("db-2", "2026-03-02T02:00:00Z"))
    assert not plan(builders.world(builders.bundle(), runs=runs, dead_job_uids=proven), CreateRun)


@pytest.mark.parametrize(
    ("holder", "breaks"),
    [
        (lock_holder("team", "db-0", "job-0"), True),
        (lock_holder("team", "db-0", "job-of-another-cluster"), False),
        (lock_holder("team", "elsewhere", "job-0"), False),
        ("laptop@1234", False),
    ],
)
def test_a_lock_is_broken_only_when_its_holder_is_a_finished_run_of_ours(holder: str, breaks: bool) -> None:
    holding = finished("db-0", "2026-03-02T00:30:00Z", "Failed", jobUid="job-0", repositories=[])
    locked = {"name": "main", "phase": "Failed", "reason": "Locked", "lockedBy": holder}
    blocked = finished("db-1", "2026-03-02T01:00:00Z", "Failed", jobUid="job-1", repositories=[locked])
    world = builders.world(builders.bundle(), runs=(holding, blocked), dead_job_uids=frozenset({"job-0"}))
    assert [a.manifest["metadata"]["name"] for a in plan(world, CreateRun)] == (["db-1-unlock"] if breaks else [])


def test_a_failed_repository_of_two_fails_the_run_and_is_named() -> None:
    broken = RepositoryResult(name="offsite", phase=Phase.FAILED, reason="PassphraseWrong", error="wrong passphrase")
    result = RunResult(Phase.FAILED, (*builders.result().repositories, broken), message="offsite: wrong passphrase")
    done = builders.job(succeeded=False, completed=NOW)
    world = builders.world(builders.bundle(), jobs=(done,), outcomes={"db-1": PodOutcome("p", result)})
    status = run_patches(world)["db-1"]
    assert [(r["name"], r["phase"]) for r in status["repositories"]] == [("main", "Completed"), ("offsite", "Failed")]
    assert status["message"] == "offsite: wrong passphrase"


def condition(world: World) -> dict[str, Any]:
    """Return the only condition in the only patch of a run."""
    (patch,) = run_patches(world).values()
    (found,) = patch["conditions"]
    assert isinstance(found, dict)
    return found


def ended(phase: Phase, message: str = "") -> World:
    done = builders.job(succeeded=phase is not Phase.FAILED, completed=NOW)
    outcome = PodOutcome("p", builders.result(phase, message=message), finished_at=NOW)
    return builders.world(builders.bundle(), jobs=(done,), outcomes={"db-1": outcome})


def recorded(world: World, generation: int = 1) -> World:
    """Return the world after its plan made the run `db-1` and wrote its status, and with it whatever came of that."""
    (before,) = world.runs or (builders.run("db-1"),)
    status = before.status.model_dump(mode="json", by_alias=True) | run_patches(world)["db-1"]
    metadata = builders.metadata("db-1", generation=generation)
    body = {**before.model_dump(mode="json", by_alias=True), "metadata": metadata, "status": status}
    return replace(world, runs=(BorgRun.model_validate(body),))


WAITING = {"db-1": PodOutcome("p", waiting="ImagePullBackOff: no such image")}


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (builders.world(builders.bundle(), jobs=(builders.job(),)), ("Unknown", "Pending", "Pending")),
        (
            builders.world(builders.bundle(), jobs=(builders.job(),), outcomes=WAITING),
            ("Unknown", "Pending", "ImagePullBackOff: no such image"),
        ),
        (builders.world(builders.bundle(), jobs=(builders.job(ready=1),)), ("Unknown", "Running", "Running")),
        (ended(Phase.COMPLETED), ("True", "Completed", "Completed")),
        (
            ended(Phase.COMPLETED_WITH_WARNINGS, "Warnings in main."),
            ("True", "CompletedWithWarnings", "Warnings in main."),
        ),
        (ended(Phase.FAILED, "main: disk full"), ("False", "Failed", "main: disk full")),
        (
            builders.world(builders.bundle(), runs=(builders.run("db-1", cancel=True),)),
            ("False", "Cancelled", "Cancelled before it began"),
        ),
        (
            builders.world(
                builders.bundle(), runs=(builders.run("db-1"),), refusals={"Job/db-1": "the namespace is full"}
            ),
            ("False", "Failed", "No Job could be made: the namespace is full"),
        ),
    ],
    ids=["pending", "pending, and why", "running", "completed", "with warnings", "failed", "cancelled", "refused"],
)
def test_a_run_says_in_a_condition_whether_it_succeeded(world: World, said: tuple[str, str, str]) -> None:
    found = condition(world)
    assert (found["status"], found["reason"], found["message"]) == said
    assert (found["type"], found["observedGeneration"]) == ("Succeeded", 1)
    assert found["lastTransitionTime"] == "2026-03-02T12:00:00Z"


@pytest.mark.parametrize(
    "world", [builders.world(builders.bundle(), jobs=(builders.job(ready=1),)), ended(Phase.COMPLETED)]
)
def test_a_condition_that_says_the_same_is_not_written_again(world: World) -> None:
    later = plan_schedule(recorded(world), NOW + timedelta(hours=1)).actions
    assert [a for a in later if isinstance(a, PatchStatus) and a.kind == "BorgRun"] == []


def test_the_transition_time_of_a_condition_moves_with_its_status_only() -> None:
    def at(later: World, minutes: int) -> dict[str, Any]:
        actions = plan_schedule(later, NOW + timedelta(minutes=minutes)).actions
        (patch,) = (a.status for a in actions if isinstance(a, PatchStatus) and a.kind == "BorgRun")
        (found,) = patch["conditions"]
        assert isinstance(found, dict)
        return found

    pending = recorded(builders.world(builders.bundle(), jobs=(builders.job(),)))
    running = replace(pending, jobs=(builders.job(ready=1),))
    assert (at(running, 1)["reason"], at(running, 1)["lastTransitionTime"]) == ("Running", "2026-03-02T12:00:00Z")
    over = replace(ended(Phase.COMPLETED), runs=recorded(running).runs)
    assert (at(over, 2)["status"], at(over, 2)["lastTransitionTime"]) == ("True", "2026-03-02T12:02:00Z")


def test_a_condition_is_about_the_generation_that_was_looked_at_last() -> None:
    # Cancelled when it had ended already: kubectl wait would not believe a condition of the former generation.
    late = recorded(ended(Phase.COMPLETED), generation=2)
    found = condition(late)
    assert (found["status"], found["observedGeneration"]) == ("True", 2)
    assert found["lastTransitionTime"] == "2026-03-02T12:00:00Z"
    assert run_patches(late)["db-1"].keys() == {"conditions"}
    assert run_patches(recorded(late, generation=2)) == {}


def test_a_run_that_ended_before_there_were_conditions_is_left_as_it_is() -> None:
    assert run_patches(builders.world(builders.bundle(), runs=(finished("db-1", "2026-03-01T01:00:00Z"),))) == {}

"""Planning runs: what BorgRuns say, what is recorded and forgotten, which locks are broken."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from borg_contract.result import RepositoryResult, RunResult
from borg_contract.run import Phase
from borg_core import labels
from borg_core.actions import (
    CreateJob,
    CreateRun,
    DeleteJob,
    DeleteRun,
    EndPod,
    MarkJob,
    MergeMetadata,
    PatchStatus,
    RecordEvent,
    object_of,
)
from borg_core.kinds.parts.base import OwnerReference
from borg_core.kinds.run import BorgRun
from borg_core.native.job import ObservedJob
from borg_core.native.pod import Ending
from borg_core.registry import Reference
from borg_core.runs.world import Refusal
from support import builders
from support.builders import NOW, Case, planned, settled

RUN = Reference("BorgRun", builders.NAMESPACE, "db-1")


def run_patches(world: Case) -> dict[str, dict[str, Any]]:
    return {a.target.name: a.status for a in planned(world, PatchStatus) if a.target.kind == "BorgRun"}


def schedule_patch(world: Case) -> dict[str, Any]:
    (patch,) = [action.status for action in planned(world, PatchStatus) if action.target.kind == "BorgSchedule"]
    return patch


def finished(name: str, at: str, phase: str = "Completed", **status: Any) -> Any:
    return builders.run(name, {"phase": phase, "startTime": at, "completionTime": at, **status})


def test_a_job_that_ran_while_the_operator_was_away_gets_its_run_with_the_full_result() -> None:
    done = builders.job(succeeded=True, completed=NOW)
    world = builders.world(builders.bundle(), jobs=(done,), pods=builders.ended_pod(result=builders.result()))
    (created,) = planned(world, CreateRun)
    assert created.manifest["metadata"]["name"] == "db-1"
    assert created.manifest["metadata"]["ownerReferences"][0]["uid"] == "uid-db"
    status = run_patches(world)["db-1"]
    assert (status["phase"], status["trigger"]) == ("Completed", "Scheduled")
    assert status["repositories"][0]["deduplicatedSize"] == 10
    schedule = schedule_patch(world)
    assert schedule["lastSuccessTime"] == "2026-03-02T12:00:00Z"
    assert (schedule["lastRunName"], schedule["lastRunPhase"]) == ("db-1", "Completed")


def test_a_job_is_recorded_under_another_name_when_somebody_elses_run_has_its_name() -> None:
    done = builders.job(succeeded=True, completed=NOW)
    other = builders.run("db-1", {"phase": "Completed", "completionTime": "2026-03-01T00:00:00Z", "jobUid": "older"})
    for world in (
        builders.world(builders.bundle(), jobs=(done,), runs=(other,)),
        builders.world(builders.bundle(), jobs=(done,), refusals={RUN: Refusal("taken", taken=True)}),
    ):
        (created,) = planned(world, CreateRun)
        assert created.manifest["metadata"]["name"] == "db-1-job-uid-"
        assert "db-1-job-uid-" in run_patches(world)


def test_a_run_that_a_quota_refuses_keeps_its_name() -> None:
    world = builders.world(builders.bundle(), jobs=(builders.job(),), refusals={RUN: Refusal("quota exceeded")})
    (created,) = planned(world, CreateRun)
    assert created.manifest["metadata"]["name"] == "db-1"


@pytest.mark.parametrize("status", [{"phase": "Running"}, {"phase": "Completed"}], ids=["at work", "finished"])
def test_a_job_is_marked_with_its_run_so_that_it_is_never_recorded_again(status: dict[str, Any]) -> None:
    run = builders.run("db-1", {**status, "jobUid": "job-uid-db-1"})
    done = True if status["phase"] == "Completed" else None
    world = builders.world(builders.bundle(), runs=(run,), jobs=(builders.job(succeeded=done, completed=NOW),))
    assert [(a.job.name, a.annotations) for a in planned(world, MarkJob)] == [("db-1", {labels.RUN_UID: "uid-db-1"})]
    marked = replace(world, jobs=(builders.job(succeeded=done, completed=NOW, run_uid="uid-db-1"),))
    assert not planned(marked, MarkJob)


def test_a_job_whose_run_somebody_deleted_goes_as_well_and_is_not_recorded_again() -> None:
    for succeeded in (None, True):
        marked = builders.job(run_uid="uid-of-what-is-gone", succeeded=succeeded, completed=NOW)
        world = builders.world(builders.bundle(), jobs=(marked,))
        assert [(a.job.name, a.uid) for a in planned(world, DeleteJob)] == [("db-1", "job-uid-db-1")]
        assert not planned(world, CreateRun)
        assert not planned(replace(world, jobs=(replace(marked, deleting=True),)), DeleteJob)


def test_a_run_made_anew_under_its_name_is_not_taken_for_the_old_one() -> None:
    # The Job of the deleted run is still there: the new one neither takes its result nor is it in its way.
    old = builders.job_by_hand("now", run_uid="uid-of-the-old-one", suspended=False, succeeded=True, completed=NOW)
    world = settled(builders.world(builders.bundle()))
    world = replace(world, runs=(builders.run("now"),), jobs=(old,), pods=builders.ended_pod(old, builders.result()))
    assert run_patches(world)["now"]["phase"] == "Pending"
    assert [a.job.name for a in planned(world, DeleteJob)] == ["now"]
    assert not planned(world, CreateJob)
    assert planned(replace(world, jobs=()), CreateJob)


@pytest.mark.parametrize(
    ("job", "pods", "stopped_by"),
    [
        (builders.job("now"), builders.pod("now"), [EndPod]),
        (builders.job("now"), builders.pod("now", ending_asked=True), []),
        (builders.job("now"), builders.pod("now", began=False), [DeleteJob]),
        (builders.job("now"), {}, [DeleteJob]),
        (builders.job_by_hand("now"), {}, [DeleteJob]),
        (builders.job("now", deleting=True), builders.pod("now", began=False), []),
        (builders.job("now"), builders.ended_pod("now", builders.result()), []),
    ],
    ids=["at work", "asked to end", "no container yet", "no pod yet", "suspended", "going already", "over"],
)
def test_a_cancelled_run_is_stopped_in_a_way_that_keeps_what_there_is(
    job: ObservedJob, pods: Any, stopped_by: list[type]
) -> None:
    asked = builders.run("now", {"phase": "Running", "jobUid": "job-uid-now"}, cancel=True)
    world = builders.world(builders.bundle(), runs=(asked,), jobs=(replace(job, run_uid="uid-now"),), pods=pods)
    found = [*planned(world, EndPod), *planned(world, DeleteJob)]
    assert [type(action) for action in found] == stopped_by


SOMEBODY = OwnerReference(api_version="v1", kind="ConfigMap", name="somebody", uid="uid-somebody")


@pytest.mark.parametrize("cancel", [False, True])
def test_a_pod_that_its_job_left_behind_ends_its_run_and_goes_with_it(cancel: bool) -> None:
    job_uid = "job-uid-now"
    asked = builders.run("now", {"phase": "Running", "jobUid": job_uid}, **({"cancel": True} if cancel else {}))
    world = settled(builders.world(builders.bundle()))
    pods = {uid: replace(pod, owners_beside=(SOMEBODY,)) for uid, pod in builders.pod("now", owner_kind="").items()}
    world = replace(world, runs=(asked,), jobs=(), pods=pods)
    status = run_patches(world)["now"]
    assert "phase" not in status
    assert not planned(world, CreateJob)
    assert status["message"].startswith("Is being stopped" if cancel else "Its Job was deleted and left its pod")
    [kept] = planned(world, MergeMetadata)
    assert kept.target.name == "now-x"
    assert [(each["uid"], each["controller"]) for each in kept.metadata["ownerReferences"]] == [
        ("uid-somebody", False),
        ("uid-now", True),
    ]
    assert len(planned(world, EndPod)) == cancel

    ended = replace(world, pods=builders.ended_pod("now", builders.result()))
    ended = replace(ended, pods={uid: replace(pod, owner_kind="BorgRun") for uid, pod in ended.pods.items()})
    assert run_patches(ended)["now"]["phase"] == "Completed"
    assert run_patches(ended)["now"]["repositories"][0]["archive"]
    assert not planned(ended, MergeMetadata)


def test_a_cancelled_run_keeps_what_was_done_before() -> None:
    first = builders.result().repositories[0]
    second = RepositoryResult(name="offsite", phase=Phase.FAILED, reason="Interrupted", error="interrupted")
    result = RunResult(Phase.FAILED, (first, second), message="offsite: interrupted")
    asked = builders.run("db-1", {"phase": "Running", "jobUid": "job-uid-db-1"}, cancel=True)
    stopped = builders.job(succeeded=False, completed=NOW, run_uid="uid-db-1")
    world = builders.world(builders.bundle(), runs=(asked,), jobs=(stopped,), pods=builders.ended_pod(stopped, result))
    status = run_patches(world)["db-1"]
    assert (status["phase"], status["reason"]) == ("Cancelled", "RunCancelled")
    assert [(r["name"], r["phase"]) for r in status["repositories"]] == [("main", "Completed"), ("offsite", "Failed")]
    # Also when the Job is gone already, and only the pod's last state is known.
    gone = replace(world, jobs=())
    assert len(run_patches(gone)["db-1"]["repositories"]) == 2


def test_a_pod_that_others_keep_alive_is_ended_once_borg_has_ended() -> None:
    ending = Ending(builders.result(), finished=NOW)
    pods = builders.pod(ending=ending, others_left=("istio-proxy",))
    world = builders.world(builders.bundle(), jobs=(builders.job(),), pods=pods)
    assert [action.pod.name for action in planned(world, EndPod)] == ["db-1-x"]
    assert run_patches(world)["db-1"]["phase"] == "Completed"
    assert not planned(replace(world, pods=builders.pod(others_left=("istio-proxy",))), EndPod)
    disrupted = builders.pod(ending=ending, others_left=("istio-proxy",), disrupted=True)
    assert not planned(replace(world, pods=disrupted), EndPod)


@pytest.mark.parametrize(
    ("job", "ending", "reason", "says"),
    [
        ({}, {"reason": "OOMKilled"}, "OutOfMemory", "spec.job.resources.limits.memory"),
        ({}, {"reason": "Evicted"}, "Evicted", "describe pod db-1-x"),
        ({}, None, "PodLost", "pod was deleted"),
        ({}, {"exit_code": 137}, "RunnerCrashed", "logs db-1-x"),
        ({}, {"unreadable": "{"}, "ResultUnreadable", "cannot be read"),
        ({"failure_reason": "DeadlineExceeded"}, None, "DeadlineExceeded", "activeDeadlineSeconds"),
        ({}, {"reason": "DeadlineExceeded"}, "DeadlineExceeded", "activeDeadlineSeconds"),
    ],
)
def test_a_run_that_died_without_a_result_says_why_and_what_to_do(
    job: dict[str, Any], ending: dict[str, Any] | None, reason: str, says: str
) -> None:
    dead = builders.job(succeeded=False, completed=NOW, **job)
    pods = {} if ending is None else builders.ended_pod(**ending)
    status = run_patches(builders.world(builders.bundle(), jobs=(dead,), pods=pods))["db-1"]
    assert (status["phase"], status["reason"]) == ("Failed", reason)
    assert says in status["message"]


def test_only_the_newest_finished_runs_are_kept_and_their_jobs_go_first() -> None:
    runs = tuple(finished(f"db-{n}", f"2026-03-01T0{n}:00:00Z", jobUid=f"job-uid-db-{n}") for n in range(5))
    world = builders.world(
        builders.bundle(builders.schedule(runHistoryLimit=3)),
        runs=runs,
        jobs=(builders.job("db-0", succeeded=True, completed=NOW - timedelta(days=1)),),
    )
    deletions = [a for a in builders.plan(world).actions if isinstance(a, DeleteJob | DeleteRun)]
    assert [(type(a), object_of(a).name) for a in deletions] == [
        (DeleteJob, "db-0"),
        (DeleteRun, "db-0"),
        (DeleteRun, "db-1"),
    ]


@pytest.mark.parametrize(
    ("change", "goes"),
    [
        ({}, True),
        ({"succeeded": False}, True),
        ({"claims": frozenset({"other"})}, False),
        ({"succeeded": None, "completed": None}, False),
        ({"deleting": True}, False),
    ],
    ids=["succeeded", "failed", "another claim", "at work", "going"],
)
def test_a_job_that_is_over_does_not_keep_a_claim_that_somebody_deletes(change: dict[str, Any], goes: bool) -> None:
    job = builders.job(**{"succeeded": True, "completed": NOW, "claims": frozenset({"app-data", "repo"}), **change})
    world = builders.world(
        builders.bundle(),
        runs=(finished("db-1", "2026-03-01T01:00:00Z", jobUid=job.uid),) if job.finished else (),
        jobs=(job,),
        leaving=frozenset({"app-data"}),
    )
    assert [a.job.name for a in planned(world, DeleteJob)] == (["db-1"] if goes else [])
    assert not planned(world, DeleteRun)
    assert not planned(replace(world, leaving=frozenset()), DeleteJob)


def test_runs_that_were_covered_push_no_others_out() -> None:
    covered = tuple(finished(f"c-{n}", "2026-03-01T05:00:00Z", "Skipped") for n in range(5))
    limit = builders.bundle(builders.schedule(runHistoryLimit=3))
    world = builders.world(limit, runs=(finished("db-1", "2026-03-01T01:00:00Z"), *covered))
    assert [a.run.name for a in planned(world, DeleteRun)] == ["c-0", "c-1"]


@pytest.mark.parametrize(
    ("deleting", "started", "phase"),
    [
        (False, 1, "Running"),
        (False, None, "Running"),
        (True, 1, "Pending"),
        (True, None, "Pending"),
        (True, -1, "Running"),
    ],
    ids=["said to start later", "not said yet", "before it went on", "before it goes on", "after"],
)
def test_pods_of_before_a_job_was_suspended_count_no_more(deleting: bool, started: int | None, phase: str) -> None:
    # `started`: seconds after the pod was made. The controller says when a Job went on only after it made the pod.
    at = NOW + timedelta(seconds=started) if started is not None else None
    job = builders.job(started=at)
    world = builders.world(
        builders.bundle(), jobs=(job,), pods=builders.pod(job, began=True, created=NOW, deleting=deleting)
    )
    assert run_patches(world)["db-1"]["phase"] == phase


def test_an_unfinished_run_is_never_forgotten() -> None:
    world = builders.world(
        builders.bundle(builders.schedule(runHistoryLimit=1)),
        runs=(finished("db-1", "2026-03-01T01:00:00Z"), finished("db-2", "2026-03-01T02:00:00Z"), builders.run("a")),
    )
    assert [a.run.name for a in planned(world, DeleteRun)] == ["db-1"]


def test_a_run_that_ends_makes_one_event() -> None:
    done = builders.job(succeeded=False, completed=NOW)
    world = builders.world(builders.bundle(), jobs=(done,))
    (event,) = planned(world, RecordEvent)
    assert (event.reason, event.warning) == ("RunFailed", True)
    assert not planned(recorded(world), RecordEvent)


def test_a_failed_repository_of_two_fails_the_run_and_is_named() -> None:
    broken = RepositoryResult(name="offsite", phase=Phase.FAILED, reason="PassphraseWrong", error="wrong passphrase")
    result = RunResult(Phase.FAILED, (*builders.result().repositories, broken), message="offsite: wrong passphrase")
    done = builders.job(succeeded=False, completed=NOW)
    world = builders.world(builders.bundle(), jobs=(done,), pods=builders.ended_pod(result=result))
    status = run_patches(world)["db-1"]
    assert [(r["name"], r["phase"]) for r in status["repositories"]] == [("main", "Completed"), ("offsite", "Failed")]
    assert status["message"] == "offsite: wrong passphrase"


def condition(world: Case) -> dict[str, Any]:
    """Return the only condition in the patch of the run `db-1`."""
    (found,) = run_patches(world)["db-1"]["conditions"]
    assert isinstance(found, dict)
    return found


def ended(phase: Phase, message: str = "") -> Case:
    done = builders.job(succeeded=phase is not Phase.FAILED, completed=NOW)
    pods = builders.ended_pod(result=builders.result(phase, message=message))
    return builders.world(builders.bundle(), jobs=(done,), pods=pods)


def recorded(world: Case, generation: int = 1) -> Case:
    """Return the world after its plan made the run `db-1` and wrote its status, and with it whatever came of that."""
    (before,) = world.runs or (builders.run("db-1"),)
    status = before.status.model_dump(mode="json", by_alias=True) | run_patches(world)["db-1"]
    metadata = builders.metadata("db-1", generation=generation)
    body = {**before.model_dump(mode="json", by_alias=True), "metadata": metadata, "status": status}
    return replace(world, runs=(BorgRun.model_validate(body),))


WAITING = builders.pod(began=False, waiting="ImagePullBackOff: no such image")
RUNNING = builders.world(builders.bundle(), jobs=(builders.job(),), pods=builders.pod())


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (builders.world(builders.bundle(), jobs=(builders.job(),)), ("Unknown", "Pending", "Pending")),
        (
            builders.world(builders.bundle(), jobs=(builders.job(),), pods=WAITING),
            ("Unknown", "Pending", "ImagePullBackOff: no such image"),
        ),
        (RUNNING, ("Unknown", "Running", "Running")),
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
                builders.bundle(),
                runs=(builders.run("db-1"), builders.run("a")),
                jobs=(builders.job_by_hand("a", suspended=False),),
            ),
            ("Unknown", "Pending", 'Waits until BorgRun "a" has finished'),
        ),
    ],
    ids=["pending", "pending, and why", "running", "completed", "with warnings", "failed", "cancelled", "waits"],
)
def test_a_run_says_in_a_condition_whether_it_succeeded(world: Case, said: tuple[str, str, str]) -> None:
    found = condition(world)
    assert (found["status"], found["reason"], found["message"]) == said
    assert (found["type"], found["observedGeneration"]) == ("Succeeded", 1)
    assert found["lastTransitionTime"] == "2026-03-02T12:00:00Z"


@pytest.mark.parametrize("world", [RUNNING, ended(Phase.COMPLETED)])
def test_a_condition_that_says_the_same_is_not_written_again(world: Case) -> None:
    later = planned(recorded(world), PatchStatus, NOW + timedelta(hours=1))
    assert [action for action in later if action.target.kind == "BorgRun"] == []


def test_the_transition_time_of_a_condition_moves_with_its_status_only() -> None:
    def at(later: Case, minutes: int) -> dict[str, Any]:
        patches = planned(later, PatchStatus, NOW + timedelta(minutes=minutes))
        (patch,) = (action.status for action in patches if action.target.kind == "BorgRun")
        (found,) = patch["conditions"]
        assert isinstance(found, dict)
        return found

    pending = recorded(builders.world(builders.bundle(), jobs=(builders.job(),)))
    running = replace(pending, pods=builders.pod())
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


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ("", "FailedMount: no such folder", True),
        ("Unschedulable: 0/1 nodes are available", "FailedMount: no such folder", True),
        ("FailedMount: no such folder", "FailedMount: no such folder", False),
        ("FailedCreate: exceeded quota: used 1Gi", "FailedCreate: exceeded quota: used 2Gi", False),
        ("FailedMount: no such folder", "", False),
        ("FailedCreate: exceeded quota: q, used 1", "FailedCreate: failed quota: q: must specify limits", True),
        ("Unschedulable: 0/3 nodes: 1 too small", "Unschedulable: 0/2 nodes: no room", False),
    ],
    ids=[
        "new",
        "another cause",
        "the same",
        "the same in other figures",
        "none any more",
        "another one of the same controller",
        "other nodes",
    ],
)
def test_what_keeps_a_run_from_beginning_is_told_again_when_it_is_another_cause(
    before: str, now: str, told: bool
) -> None:
    reason = "WaitingForPod" if before else None
    status = {"phase": "Pending", "jobUid": "job-uid-db-1", "reason": reason, "message": before}
    pods = builders.pod(began=False, waiting=now)
    world = builders.world(builders.bundle(), runs=(builders.run("db-1", status),), jobs=(builders.job(),), pods=pods)
    assert [now in event.message for event in planned(world, RecordEvent) if event.warning] == [True] * told


def test_what_keeps_a_run_from_beginning_is_no_news_once_it_was_cancelled() -> None:
    status = {"phase": "Pending", "jobUid": "job-uid-db-1", "reason": "WaitingForPod", "message": "ErrImagePull: no"}
    run = builders.run("db-1", status, cancel=True)
    pods = builders.pod(began=False, waiting="Failed: Failed to pull image")
    world = builders.world(builders.bundle(), runs=(run,), jobs=(builders.job(),), pods=pods)
    assert planned(world, RecordEvent) == []

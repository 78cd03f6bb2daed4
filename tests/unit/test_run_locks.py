"""Which locks are broken after a Job that died: those of nobody who may still work, and once."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest

from borg_contract.codec import decode_plan
from borg_contract.pod import PLAN_ENV, digest_node, lock_holder
from borg_contract.run import Operation
from borg_core import labels
from borg_core.actions import CreateJob, CreateRun, DeleteRun, PatchStatus, RecordEvent
from borg_core.formats import format_time
from borg_core.kinds.run import BorgRun
from borg_core.native.pod import Ending, ObservedPod
from borg_core.runs.locks import ATTEMPTS, LOOK_SECONDS, unlock_run_name
from borg_core.runs.plan import WAIT_LOOK_SECONDS
from borg_core.runs.world import Doubt
from borg_core.workload.bundle import Bundle
from support import builders
from support.builders import NOW, Case, plan, planned
from unit.test_crds import version_of


def finished(name: str, at: str, phase: str = "Failed", **status: Any) -> BorgRun:
    uid = {"jobUid": f"job-{name}"}
    return builders.run(name, {"phase": phase, "startTime": at, "completionTime": at, **uid, **status})


def dead_run(**status: Any) -> BorgRun:
    return finished("db-1", "2026-03-02T01:00:00Z", **status)


def holder_of(name: str) -> str:
    return lock_holder("team", name, f"job-{name}", digest_node("", "node-1"))


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
    assert created.manifest["metadata"]["annotations"] == {
        "borgoperator.io/dead-holder": holder_of("db-1"),
        "borgoperator.io/attempt": "1",
    }
    assert created.manifest["metadata"]["labels"]["borgoperator.io/trigger"] == "Automatic"
    assert created.manifest["spec"] == {"scheduleRef": {"name": "db"}, "operation": "BreakLock"}


@pytest.mark.parametrize(
    ("doubt", "again"),
    [
        (None, LOOK_SECONDS),
        (Doubt("Its pod has just gone", passes=True), LOOK_SECONDS),
        (Doubt("Its Node is gone", needs_a_person=True), None),
        (Doubt("Its pod has not ended"), None),
    ],
    ids=["not known yet", "time proves it", "a person is needed", "something has to happen"],
)
def test_a_holder_that_time_may_prove_dead_is_looked_at_again(doubt: Doubt | None, again: float | None) -> None:
    run = dead_run(reason="PodLost")
    holder = holder_of("db-1")
    case = world(run)
    assert plan(replace(case, doubts={holder: doubt} if doubt else {})).requeue_after == again


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


def attempt(number: int = 1, holder: str = "", caller: str = "db-1", **status: Any) -> BorgRun:
    """Return a run that was to remove the locks of the holder, made by the operator."""
    name = unlock_run_name(caller, number)
    notes = {labels.DEAD_HOLDER: holder or holder_of("db-1"), labels.ATTEMPT: str(number)}
    run = builders.run(name, {"jobUid": f"job-{name}", **status} if status else None, operation="BreakLock")
    made = {"annotations": notes, "creation_timestamp": f"2026-03-02T01:{number:02}:00Z"}
    return run.model_copy(update={"metadata": run.metadata.model_copy(update=made)})


def ended(phase: str, at: datetime = NOW - timedelta(hours=1), **status: Any) -> dict[str, Any]:
    return {"phase": phase, "startTime": format_time(at), "completionTime": format_time(at), **status}


DEAD = dead_run(reason="OutOfMemory")
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]


def test_locks_are_not_broken_twice_nor_after_a_good_run() -> None:
    assert unlocks(world(DEAD, attempt())) == []
    assert unlocks(world(DEAD, attempt(**ended("Completed")))) == []
    good = finished("db-2", "2026-03-02T02:00:00Z", "Completed")
    assert unlocks(world(DEAD, good)) == []


@pytest.mark.parametrize("reason", ["PodLost", "Evicted", "JobDeleted", "Interrupted", "PermissionDenied"])
@pytest.mark.parametrize(("number", "pause"), list(enumerate(PAUSES, 1)))
def test_an_unlock_that_fails_is_made_again_after_a_longer_and_longer_pause(
    number: int, pause: timedelta, reason: str
) -> None:
    failed = [attempt(n, **ended("Failed", NOW - pause, reason=reason)) for n in range(1, number + 1)]
    early = NOW - timedelta(seconds=1)
    assert planned(world(DEAD, *failed), CreateRun, early) == []
    assert plan(world(DEAD, *failed), early).requeue_after == 1
    (created,) = planned(world(DEAD, *failed), CreateRun)
    assert created.only_if_dead == holder_of("db-1")
    assert created.manifest["metadata"]["name"] == f"db-1-unlock-{number + 1}"
    assert created.manifest["metadata"]["annotations"][labels.ATTEMPT] == str(number + 1)


def test_an_unlock_is_made_again_also_when_the_pod_whose_lock_it_was_is_forgotten() -> None:
    case = world(DEAD, attempt(**ended("Failed")), pods={})
    (created,) = planned(case, CreateRun)
    assert created.only_if_dead == holder_of("db-1")
    assert created.manifest["metadata"]["name"] == "db-1-unlock-2"
    good = finished("db-2", "2026-03-02T11:30:00Z", "Completed")
    assert unlocks(world(DEAD, attempt(**ended("Failed")), good, pods={})) == []


def test_after_five_attempts_or_when_a_person_cancelled_one_it_is_not_made_again() -> None:
    failed = [attempt(number, **ended("Failed")) for number in range(1, ATTEMPTS + 1)]
    assert unlocks(world(DEAD, *failed)) == []
    assert unlocks(world(DEAD, failed[-1])) == [], "though the earlier ones are beyond the history"
    assert unlocks(world(DEAD, attempt(**ended("Cancelled")))) == []


def dying(number: int) -> Case:
    """Return a world in which an attempt has just died, and its BorgRun does not say so yet."""
    run = attempt(number, phase="Running")
    job = builders.job(
        run.metadata.name,
        uid=run.status.job_uid,
        run_uid=run.metadata.uid,
        operation=Operation.BREAK_LOCK,
        scheduled=None,
        owner_kind="BorgRun",
        succeeded=False,
        completed=NOW,
    )
    case = world(DEAD, run)
    return replace(case, jobs=(job,), pods={**case.pods, **builders.ended_pod(job, reason="OOMKilled", exit_code=137)})


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "resources.limits.memory. Attempt 1 of 5: made again after 1m00s, if a run needs it still"),
        (4, "resources.limits.memory. Attempt 4 of 5: made again after 8m00s, if a run needs it still"),
        (
            5,
            "resources.limits.memory. That was attempt 5 of 5: once it is certain that nobody writes to the repository",
        ),
    ],
)
def test_an_unlock_that_failed_says_what_comes_next_in_its_status_and_in_an_event(number: int, said: str) -> None:
    case = dying(number)
    name = unlock_run_name("db-1", number)
    (patch,) = [action.status for action in planned(case, PatchStatus) if action.target.name == name]
    (event,) = planned(case, RecordEvent)
    assert said in patch["message"]
    assert said in event.message
    assert event.warning
    assert "checkpoint" not in event.message


def waiting(holder: str, *others: BorgRun, of: Bundle | None = None, **more: Any) -> Case:
    """Return a world in which a run waits for a lock of the holder."""
    words = f'Locked by run "db-0" in namespace "team" ({holder}): waits until 12:30 UTC'
    job = builders.job("db-2", run_uid="uid-db-2", started=datetime(2026, 3, 2, 1, tzinfo=UTC))
    run = builders.run("db-2", {"phase": "Running", "jobUid": job.uid, "startTime": "2026-03-02T01:00:00Z"})
    pods = builders.pod(job, waits=True, node="node-1")
    told = {pod.uid: words for pod in pods.values()}
    return builders.world(of or builders.bundle(), runs=(run, *others), jobs=(job,), pods=pods, words=told, **more)


def said_by(case: Case, name: str = "db-2") -> str:
    return next(str(action.status["message"]) for action in planned(case, PatchStatus) if action.target.name == name)


COMMAND = (
    """echo '{"apiVersion":"borgoperator.io/v1alpha1","kind":"BorgRun","metadata":{"generateName":"main-unlock-"},"""
    """"spec":{"repositoryRef":{"name":"main"},"operation":"BreakLock"}}' | kubectl -n team create -f -"""
)


def test_a_run_that_waits_says_that_the_lock_could_not_be_removed_and_the_command_for_a_person() -> None:
    holder = holder_of("db-0")
    failed = [attempt(number, holder, "db-2", **ended("Failed")) for number in range(1, ATTEMPTS + 1)]
    case = waiting(holder, *failed)
    assert unlocks(case) == []
    assert 'Removing it failed 5 times, see BorgRun "db-2-unlock-5"' in said_by(case)
    assert said_by(case).endswith(COMMAND)


def test_a_run_that_waits_says_why_nobody_breaks_the_lock_and_names_a_command_only_where_a_person_must() -> None:
    holder = holder_of("db-0")
    alive = waiting(holder, doubts={holder: Doubt("Its pod db-0-x has not ended")})
    assert said_by(alive).endswith("waits until 12:30 UTC. Its pod db-0-x has not ended")
    unknown = waiting(holder, doubts={holder: Doubt("Its Node is gone", needs_a_person=True)})
    assert ". Its Node is gone: once it is certain that nobody writes" in said_by(unknown)
    assert said_by(unknown).endswith(COMMAND)
    assert unlocks(alive) == unlocks(unknown) == ["db-2-unlock"], "it is asked again at each look"


def test_the_command_for_a_person_breaks_the_locks_of_one_repository_alone() -> None:
    """Another schedule may be at work in the others, and would lose its lock."""
    both = builders.bundle(
        builders.schedule(repositories=("main", "offsite")),
        (builders.local_repository(), builders.local_repository("offsite")),
    )
    holder = holder_of("db-0")
    said = said_by(waiting(holder, of=both, doubts={holder: Doubt("Its Node is gone", needs_a_person=True)}))
    assert '"repositoryRef":{"name":"REPOSITORY"}' in said
    assert "REPOSITORY is main or offsite, as the log of the run says" in said


def test_the_command_for_a_person_is_a_run_that_the_api_server_takes() -> None:
    manifest = json.loads(COMMAND.split("'")[1])
    jsonschema.validate(manifest, version_of("BorgRun")["schema"]["openAPIV3Schema"])
    assert (
        BorgRun.model_validate({**manifest, "metadata": builders.metadata("x")}).spec.operation is Operation.BREAK_LOCK
    )


def test_a_run_that_found_two_holders_calls_for_both_and_one_cured_is_not_the_other() -> None:
    one, other = holder_of("db-8"), holder_of("db-9")
    results = [
        {"name": name, "phase": "Failed", "reason": "Locked", "lockedBy": h} for name, h in (("a", one), ("b", other))
    ]
    locked = finished("db-3", "2026-03-02T01:00:00Z", repositories=results)
    assert unlocks(world(locked)) == ["db-3-unlock", "db-3-unlock-2"]
    cured = attempt(1, one, "db-3", **ended("Completed"))
    assert [action.only_if_dead for action in planned(world(locked, cured), CreateRun)] == [other]


def test_a_second_dead_holder_is_seen_to_while_the_same_run_waits() -> None:
    cured = attempt(1, holder_of("db-0"), "db-2", **ended("Completed"))
    case = waiting(holder_of("db-9"), cured)
    assert [action.only_if_dead for action in planned(case, CreateRun)] == [holder_of("db-9")]
    assert unlocks(case) == ["db-2-unlock-2"]
    assert unlocks(waiting(holder_of("db-0"), cured)) == [], "the kubelet's words lag behind"


def test_a_new_run_that_waits_gets_attempts_of_its_own() -> None:
    before = [attempt(n, holder_of("db-0"), "db-1", **ended("Failed")) for n in range(1, ATTEMPTS + 1)]
    old = [
        run.model_copy(
            update={"metadata": run.metadata.model_copy(update={"creation_timestamp": "2026-03-01T03:00:00Z"})}
        )
        for run in before
    ]
    assert unlocks(waiting(holder_of("db-0"), *old)) == ["db-2-unlock"]


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


def locked_by(holder: str, number: int) -> BorgRun:
    """Return a run of one of the nights before that gave up waiting for the holder."""
    results = [{"name": "main", "phase": "Failed", "reason": "Locked", "lockedBy": holder}]
    return finished(f"db-{number:02}", f"2026-03-02T{number:02}:00:00Z", repositories=results)


def test_many_runs_that_waited_in_vain_for_one_holder_call_for_one_removal() -> None:
    nights = [locked_by(holder_of("db-0"), number) for number in range(10)]
    assert unlocks(world(*nights)) == ["db-09-unlock"]
    for phase in ("Running", "Completed"):
        made = attempt(1, holder_of("db-0"), "db-09", **ended(phase))
        later = made.metadata.model_copy(update={"creation_timestamp": "2026-03-02T10:00:00Z"})
        assert unlocks(world(*nights, made.model_copy(update={"metadata": later}))) == []


def test_an_unlock_of_an_earlier_run_of_that_name_is_taken_for_no_other_ones() -> None:
    earlier = lock_holder("team", "db-1", "job-uid-of-an-earlier-one", digest_node("", "node-1"))
    (created,) = planned(world(DEAD, attempt(1, earlier, **ended("Completed"))), CreateRun)
    assert created.only_if_dead == holder_of("db-1")
    assert created.manifest["metadata"]["name"] == "db-1-unlock-2"


def test_runs_that_remove_locks_push_out_no_record_of_a_backup_and_are_few() -> None:
    failed = [finished(f"db-{number:02}", f"2026-03-01T{number:02}:00:00Z", reason="DiskFull") for number in range(10)]
    removed = [
        attempt(1, holder_of(f"x-{number}"), f"x-{number:02}", **ended("Completed", NOW - timedelta(minutes=number)))
        for number in range(13)
    ]
    gone = [action.run.name for action in planned(world(*failed, *removed), DeleteRun)]
    assert sorted(gone) == ["x-10-unlock", "x-11-unlock", "x-12-unlock"]


def test_what_removed_a_lock_is_kept_as_long_as_a_run_that_is_kept_calls_for_it() -> None:
    holders = [holder_of(f"x-{number}") for number in range(3)]
    results = [
        {"name": f"r{number}", "phase": "Failed", "reason": "Locked", "lockedBy": holder}
        for number, holder in enumerate(holders)
    ]
    locked = finished("db-3", "2026-03-02T01:00:00Z", repositories=results)
    cured = [attempt(number, holder, "db-3", **ended("Completed")) for number, holder in enumerate(holders, 1)]
    case = world(locked, *cured)
    assert case.bundle
    short = replace(case, bundle=replace(case.bundle, schedule=builders.schedule(runHistoryLimit=1)))
    assert planned(short, DeleteRun) == []
    assert unlocks(short) == []
    good = finished("db-4", "2026-03-02T11:30:00Z", "Completed")
    after = replace(short, runs=(*short.runs, good))
    assert {action.run.name for action in planned(after, DeleteRun)} == {"db-3", "db-3-unlock", "db-3-unlock-2"}


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

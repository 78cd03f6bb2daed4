"""Carrying out: each action as requests, done again without harm, and what a fresh look finds in its way."""

from contextlib import suppress
from typing import Any

import pytest

from borg_cluster.errors import AlreadyExists, Conflict, NotFound, Unreachable
from borg_contract.run import Operation
from borg_core.actions import (
    Action,
    AdoptRun,
    CreateCronJob,
    CreateJob,
    CreateRun,
    DeleteCronJob,
    DeleteJob,
    DeleteRun,
    EndPod,
    MarkJob,
    PatchStatus,
    RecordEvent,
    RecordTick,
    RepairCronJob,
    ReserveTurn,
    StartJob,
    SuspendJob,
)
from borg_core.kinds.run import RUNS
from borg_core.native.job import JOBS
from borg_core.registry import Reference, find_kind
from borg_core.runs.turns import PLACEHOLDER_UID
from borg_operator.loop.apply import TakenError
from support import builders
from support.builders import DB, NOW
from support.operator import Operator
from support.recorder import Fault, Recorder

CRON_JOB, JOB, RUN, POD = (Reference(kind, "team", "x") for kind in ("CronJob", "Job", "BorgRun", "Pod"))
TICK = RecordTick(CRON_JOB, "CronJob-x", JOB, "Job-x", NOW)
MARKS = {"app.kubernetes.io/managed-by": "borg-operator", "borgoperator.io/schedule": "db"}
OWNER = {"apiVersion": "v1", "kind": "BorgSchedule", "name": "db", "uid": "uid-db", "controller": True}


def manifest(kind: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "x", "namespace": "team", "labels": MARKS, "ownerReferences": [OWNER], **metadata},
        "spec": {"schedule": "0 2 * * *"} if kind == "CronJob" else {},
    }


def body(kind: str, uid: str = "", name: str = "x", **more: Any) -> dict[str, Any]:
    operation = {"borgoperator.io/operation": more.pop("operation", Operation.BACKUP).value}
    made = manifest(kind, name=name, uid=uid or f"{kind}-x", labels={**MARKS, **operation})
    if kind in ("BorgRun", "BorgSchedule"):
        found = builders.run(name) if kind == "BorgRun" else builders.schedule(name)
        made["spec"] = found.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**made, **more}


def paused(job: dict[str, Any]) -> dict[str, Any]:
    """Return the Job as it is once it was let begin, and somebody suspended it."""
    return {
        **job,
        "metadata": {**job["metadata"], "annotations": {"borgoperator.io/turn": "given"}},
        "spec": {"suspend": True},
    }


ACTIONS: dict[str, tuple[Action, list[dict[str, Any]], list[str]]] = {
    "CreateCronJob": (CreateCronJob(manifest("CronJob")), [], ["create CronJob x"]),
    "RepairCronJob": (RepairCronJob(manifest("CronJob")), [body("CronJob")], ["replace CronJob x"]),
    "RepairCronJob, which forgets": (
        RepairCronJob(manifest("CronJob"), NOW),
        [body("CronJob")],
        ["merge CronJob/status x", "replace CronJob x"],
    ),
    "DeleteCronJob": (DeleteCronJob(CRON_JOB, "CronJob-x"), [body("CronJob")], ["delete CronJob/Background x"]),
    "CreateJob": (CreateJob(manifest("Job")), [], ["create Job x"]),
    "ReserveTurn": (ReserveTurn(CRON_JOB, "CronJob-x", JOB, "Job-x"), [body("CronJob")], ["merge CronJob/status x"]),
    "RecordTick": (TICK, [body("CronJob"), body("Job")], ["merge CronJob/status x"]),
    "RecordTick of a Job that is gone": (TICK, [body("CronJob")], []),
    "StartJob": (StartJob(JOB, "Job-x", DB), [body("Job", spec={"suspend": True})], ["merge Job x"]),
    "StartJob of one made anew": (StartJob(JOB, "old", DB), [body("Job", spec={"suspend": True})], []),
    "StartJob while another is at work": (
        StartJob(JOB, "Job-x", DB),
        [body("Job", spec={"suspend": True}), body("Job", "other", "other")],
        [],
    ),
    "StartJob while another is suspended by somebody else": (
        StartJob(JOB, "Job-x", DB),
        [body("Job", spec={"suspend": True}), paused(body("Job", "other", "other"))],
        [],
    ),
    "StartJob of one that somebody suspended meanwhile": (
        StartJob(JOB, "Job-x", DB),
        [paused(body("Job"))],
        [],
    ),
    "StartJob while locks are broken": (
        StartJob(JOB, "Job-x", DB),
        [body("Job", spec={"suspend": True}), body("Job", "other", "other", operation=Operation.BREAK_LOCK)],
        ["merge Job x"],
    ),
    "SuspendJob": (SuspendJob(JOB, "Job-x"), [body("Job", spec={"suspend": False})], ["merge Job x"]),
    "MarkJob": (MarkJob(JOB, "Job-x", {"note": "run"}), [body("Job")], ["merge Job x"]),
    "DeleteJob": (DeleteJob(JOB, "Job-x"), [body("Job")], ["delete Job/Foreground x"]),
    "DeleteJob of one made anew": (DeleteJob(JOB, "old"), [body("Job")], ["delete Job/Foreground x"]),
    "EndPod": (EndPod(POD, "Pod-x"), [body("Pod")], ["merge Pod x"]),
    "CreateRun": (CreateRun(manifest("BorgRun")), [], ["create BorgRun x"]),
    "AdoptRun": (AdoptRun(RUN, "BorgRun-x", {"labels": {"a": "b"}}), [body("BorgRun")], ["merge BorgRun x"]),
    "DeleteRun": (DeleteRun(RUN, "BorgRun-x"), [body("BorgRun")], ["delete BorgRun/Background x"]),
    "PatchStatus": (
        PatchStatus(RUN, "BorgRun-x", {"phase": "Pending"}),
        [body("BorgRun")],
        ["merge BorgRun/status x"],
    ),
    "RecordEvent": (RecordEvent(DB, "uid-db", "RunFailed", "it failed"), [], ["create Event db-1"]),
}
UNBOUND = ("CreateCronJob", "CreateJob", "CreateRun", "RecordEvent")
EXISTS = ("CreateCronJob", "CreateJob", "CreateRun")


def with_bodies(*bodies: dict[str, Any]) -> tuple[Recorder, Operator]:
    recorder = Recorder()
    for found in bodies:
        recorder.add(found["kind"], found)
    return recorder, Operator(recorder)


@pytest.mark.parametrize("case", ACTIONS)
def test_an_action_is_these_writes(case: str) -> None:
    action, bodies, writes = ACTIONS[case]
    recorder, operator = with_bodies(*bodies)
    operator.apply(action)
    assert recorder.writes == writes


@pytest.mark.parametrize("case", [case for case in ACTIONS if case != "RecordEvent"])
def test_an_action_that_is_done_again_changes_nothing_more(case: str) -> None:
    action, bodies, _ = ACTIONS[case]
    recorder, operator = with_bodies(*bodies)
    operator.apply(action)
    once = dict(recorder.objects)
    operator.apply(action)
    assert recorder.objects == once


@pytest.mark.parametrize("case", [case for case in ACTIONS if case not in (*EXISTS, "RecordEvent")])
def test_what_is_gone_is_no_trouble(case: str) -> None:
    action, _, _ = ACTIONS[case]
    recorder, operator = with_bodies()
    operator.apply(action)
    assert recorder.objects == {}


@pytest.mark.parametrize("case", EXISTS)
def test_what_an_attempt_made_whose_answer_was_lost_is_taken_for_ones_own(case: str) -> None:
    action, _, _ = ACTIONS[case]
    recorder, operator = with_bodies()
    recorder.faults = {0: Fault(Unreachable("reset"), after=True)}
    with pytest.raises(Unreachable):
        operator.apply(action)
    operator.apply(action)
    assert len(recorder.objects) == 1
    (name,) = (kind for kind, _, _ in recorder.objects)
    assert len(operator.store.values(find_kind(name))) == 1


@pytest.mark.parametrize("case", EXISTS)
@pytest.mark.parametrize(
    "other",
    [
        {"ownerReferences": []},
        {"ownerReferences": [{**OWNER, "uid": "somebody"}]},
        {"annotations": {"borgoperator.io/run-uid": "another"}},
        {"annotations": {"borgoperator.io/job-uid": "another"}},
    ],
    ids=["of nobody", "of another", "for another run", "of another Job"],
)
def test_what_somebody_else_has_made_is_not(case: str, other: dict[str, Any]) -> None:
    action, _, _ = ACTIONS[case]
    kind = case.removeprefix("Create").replace("Run", "BorgRun")
    found = body(kind)
    found["metadata"] |= other
    recorder, operator = with_bodies(found)
    with pytest.raises(TakenError):
        operator.apply(action)
    assert len(recorder.objects) == 1


def test_what_is_gone_between_two_looks_is_a_conflict_that_comes_again() -> None:
    recorder, operator = with_bodies(body("Job"))
    recorder.on_request = lambda request: recorder.remove("Job", "x") if request.verb == "get" else None
    with pytest.raises(AlreadyExists):
        operator.apply(CreateJob(manifest("Job")))


def test_a_reserved_turn_keeps_what_is_in_active_and_adds_a_placeholder_once() -> None:
    entry = {"kind": "Job", "namespace": "team", "name": "tick", "uid": "tick"}
    recorder, operator = with_bodies(body("CronJob", status={"active": [entry]}))
    for _ in range(2):
        operator.apply(ReserveTurn(CRON_JOB, "CronJob-x", JOB, "Job-x"))
    active = recorder.find("CronJob", "x")["status"]["active"]
    assert [found["uid"] for found in active] == ["tick", "Job-x", PLACEHOLDER_UID]
    assert active[2]["name"] == "x_placeholder", "no Job can have it: the CronJob controller looks by name for one"


def test_a_reserved_turn_takes_the_place_of_a_job_that_had_its_name() -> None:
    """The CronJob controller looks by name whether what it has in `active` is gone: that one would stay for ever."""
    entry = {"kind": "Job", "namespace": "team", "name": JOB.name, "uid": "of the one before"}
    recorder, operator = with_bodies(body("CronJob", status={"active": [entry]}))
    operator.apply(ReserveTurn(CRON_JOB, "CronJob-x", JOB, "Job-x"))
    assert [found["uid"] for found in recorder.find("CronJob", "x")["status"]["active"]] == ["Job-x", PLACEHOLDER_UID]


def test_a_reserved_turn_is_not_taken_when_the_cron_jobs_status_moved() -> None:
    recorder, operator = with_bodies(body("CronJob"))

    def move(request: Any) -> None:
        if request.verb == "merge":
            recorder.edit("CronJob", "x", {"status": {"lastScheduleTime": "2026-03-02T12:00:00Z"}})

    recorder.on_request = move
    with pytest.raises(Conflict):
        operator.apply(ReserveTurn(CRON_JOB, "CronJob-x", JOB, "Job-x"))
    assert "active" not in recorder.find("CronJob", "x")["status"]


@pytest.mark.parametrize("finished", [False, True])
def test_a_lost_tick_is_noted_and_in_active_while_it_is_at_work(finished: bool) -> None:
    conditions = [{"type": "Complete", "status": "True"}] if finished else []
    recorder, operator = with_bodies(body("CronJob"), body("Job", status={"conditions": conditions}))
    operator.apply(TICK)
    status = recorder.find("CronJob", "x")["status"]
    assert status["lastScheduleTime"] == "2026-03-02T12:00:00Z"
    assert [entry["uid"] for entry in status["active"]] == ([] if finished else ["Job-x"])


def test_a_job_that_was_not_seen_yet_is_known_from_the_fresh_look() -> None:
    recorder, operator = with_bodies(body("Job", spec={"suspend": True}))
    operator.late = True
    recorder.add("Job", body("Job", "other", "other"))
    operator.apply(StartJob(JOB, "Job-x", DB))
    assert operator.store.get(JOBS, "team", "other")
    assert recorder.find("Job", "x")["spec"]["suspend"] is True


@pytest.mark.parametrize(
    ("action", "suspended", "turn"),
    [(StartJob(JOB, "Job-x", DB), False, "given"), (SuspendJob(JOB, "Job-x"), True, "taken-back")],
)
def test_a_job_says_that_it_was_the_operator_who_let_it_begin_or_took_it_back(
    action: Action, turn: str, *, suspended: bool
) -> None:
    recorder, operator = with_bodies(body("Job", spec={"suspend": not suspended}))
    operator.apply(action)
    job = recorder.find("Job", "x")
    assert (job["spec"]["suspend"], job["metadata"]["annotations"]) == (suspended, {"borgoperator.io/turn": turn})


def test_what_others_added_to_a_cron_job_goes_and_what_admission_adds_stays() -> None:
    edited = body("CronJob")
    edited["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "fieldsV1": {"f:spec": {}}}]
    edited["spec"] = {"schedule": "* * * * *", "theirs": 1}
    recorder, operator = with_bodies(edited)
    operator.apply(RepairCronJob(manifest("CronJob")))
    assert recorder.writes == ["replace CronJob x"]
    assert recorder.find("CronJob", "x")["spec"] == {"schedule": "0 2 * * *"}


def test_an_event_that_cannot_be_told_stops_nobody() -> None:
    recorder, operator = with_bodies()
    recorder.faults = {0: Fault(Unreachable("away"))}
    operator.apply(RecordEvent(DB, "uid-db", "RunFailed", "x" * 5000, warning=True))
    operator.apply(RecordEvent(DB, "uid-db", "RunFailed", "x" * 5000, warning=True))
    (event,) = recorder.all_of("Event")
    assert (event["type"], len(event["note"])) == ("Warning", 1024)
    assert event["regarding"]["uid"] == "uid-db"


@pytest.mark.parametrize("case", [case for case in ACTIONS if " " not in case and case not in UNBOUND])
@pytest.mark.parametrize("late", [False, True], ids=["known", "before the watch says so"])
def test_what_was_made_anew_under_the_same_name_is_left_alone(case: str, late: bool) -> None:
    action, bodies, _ = ACTIONS[case]
    recorder, operator = with_bodies(*bodies)
    operator.late = late
    for old in bodies:
        recorder.remove(old["kind"], "x")
        others = {"uid": "new", "ownerReferences": [{**OWNER, "uid": "somebody"}]}
        recorder.add(old["kind"], {**old, "metadata": {**old["metadata"], **others}})
    before = dict(recorder.objects)
    with suppress(Conflict):
        operator.apply(action)
    assert recorder.objects == before


def test_a_status_that_somebody_else_wrote_meanwhile_is_looked_at_again() -> None:
    recorder, operator = with_bodies(body("BorgRun"))
    operator.late = True
    recorder.edit("BorgRun", "x", {"spec": {"cancel": True}})
    with pytest.raises(Conflict):
        operator.apply(PatchStatus(RUN, "BorgRun-x", {"phase": "Pending"}))
    assert recorder.find("BorgRun", "x")["status"] == {}
    # The watch has not brought it, and may not for long.
    operator.apply(PatchStatus(RUN, "BorgRun-x", {"phase": "Pending"}))
    assert recorder.find("BorgRun", "x")["status"]["phase"] == "Pending"


def test_a_run_that_was_deleted_is_not_known_any_more_before_the_watch_says_so() -> None:
    _, operator = with_bodies(body("BorgRun"))
    operator.late = True
    operator.apply(DeleteRun(RUN, "BorgRun-x"))
    assert operator.store.values(RUNS) == []


@pytest.mark.parametrize("gone", [True, False])
def test_what_the_api_server_says_is_gone_is_told_of_once_though_its_event_is_late(gone: bool) -> None:
    recorder = Recorder()
    recorder.add("BorgRun", body("BorgRun"))
    operator = Operator(recorder, late=True)
    recorder.remove("BorgRun", "x")
    if not gone:  # something in between says so
        recorder.faults = {0: Fault(NotFound("404"))}
    operator.apply(PatchStatus(RUN, "BorgRun-x", {"phase": "Failed"}))
    assert (operator.store.get(RUNS, "team", "x") is None) is gone

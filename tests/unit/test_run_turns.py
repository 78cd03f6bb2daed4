"""Whose turn it is: the steps by which a run by hand begins, and each way in which they can be interrupted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from borg_contract.run import Operation
from borg_core.actions import (
    Action,
    CreateJob,
    DeleteRun,
    MarkJob,
    MergeMetadata,
    PatchStatus,
    RecordEvent,
    RecordTick,
    ReserveTurn,
    StartJob,
    SuspendJob,
)
from borg_core.native.job import ObservedJob, parse_job
from borg_core.native.pod import Ending
from borg_core.registry import Reference
from borg_core.runs.covered import WAITING_LIMIT
from borg_core.runs.turns import PLACEHOLDER_UID, derive_job_name
from borg_core.runs.world import Refusal
from support import builders
from support.builders import NOW, Case, plan, planned, settled

STEPS = (CreateJob, ReserveTurn, StartJob)
READY = settled(builders.world(builders.bundle()))
TICK = builders.job("db-29000000", owner_uid="uid-cron", run_uid="uid-of-its-run")
BEFORE = replace(TICK, created=datetime(2026, 2, 28, tzinfo=UTC))
"""The same, begun before anybody asked for a run by hand."""
OURS = builders.job_by_hand("now")
RESERVED = frozenset({OURS.uid})


def steps(world: Case, now: datetime = NOW) -> list[type[Action]]:
    return [type(action) for action in plan(world, now).actions if isinstance(action, STEPS)]


def waits(world: Case, name: str = "now") -> tuple[str, str]:
    """Return reason and message of the run, as they will be."""
    found = [action.status for action in planned(world, PatchStatus) if action.target.name == name]
    return (found[0].get("reason") or "", found[0].get("message") or "") if found else ("", "")


def asked(*jobs: ObservedJob, active: frozenset[str] = frozenset(), run: str = "now", **more: Any) -> Case:
    """Return the world in which a run by hand was asked for, with what there is of it."""
    assert READY.cron_job
    cron_job = replace(READY.cron_job, active=active, **more)
    others = tuple(
        builders.run(job.name, {"phase": "Running", "jobUid": job.uid}) for job in jobs if job.scheduled is not None
    )
    marked = tuple(replace(job, run_uid=f"uid-{job.name}") for job in jobs)
    return replace(READY, cron_job=cron_job, runs=(builders.run(run), *others), jobs=marked)


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (asked(), [CreateJob]),
        (asked(OURS), [ReserveTurn]),
        (asked(OURS, active=RESERVED | {PLACEHOLDER_UID}), []),
        (asked(replace(OURS, at_rest=False), active=RESERVED), []),
        (asked(OURS, active=RESERVED), [StartJob]),
        (asked(replace(OURS, suspended=False), active=RESERVED), []),
        # A tick's run at work:
        (asked(BEFORE, active=frozenset({TICK.uid})), []),
        (asked(TICK, active=frozenset({TICK.uid})), [CreateJob]),
        (asked(OURS, TICK, active=frozenset({TICK.uid})), [ReserveTurn]),
        (asked(OURS, TICK, active=RESERVED | {TICK.uid, PLACEHOLDER_UID}), []),
        (asked(OURS, TICK, active=RESERVED | {TICK.uid}), []),
        (asked(OURS, TICK, active=RESERVED), []),
        # The tick's run has ended, the CronJob's status does not say so yet:
        (asked(OURS, replace(TICK, succeeded=True), active=RESERVED | {TICK.uid}), [StartJob]),
        # Removed from `active` by hand, or by a restore of the CronJob's status:
        (asked(OURS, active=frozenset()), [ReserveTurn]),
    ],
    ids=[
        "asked for",
        "made",
        "reserved, the controller has not seen it",
        "reserved and seen, but its own controller has not taken up that it is suspended",
        "reserved and seen",
        "begun",
        "a tick's run is at work",
        "a tick's run has overtaken it",
        "a tick's run came between",
        "a tick's run came between, reserved",
        "a tick's run came between, reserved and seen",
        "a tick's run came between and is not in active",
        "the tick's run has ended",
        "no longer reserved",
    ],
)
def test_a_run_by_hand_begins_in_steps_each_of_which_may_be_the_last(world: Case, expected: list[type]) -> None:
    assert steps(world) == expected


def test_the_job_of_a_run_by_hand_is_the_cron_jobs_and_suspended() -> None:
    (created,) = planned(asked(), CreateJob)
    metadata = created.manifest["metadata"]
    (owner,) = metadata["ownerReferences"]
    assert metadata["name"] == "now"
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("CronJob", "uid-cron", True)
    assert metadata["annotations"]["borgoperator.io/run-uid"] == "uid-now"
    assert metadata["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert created.manifest["spec"]["suspend"] is True


def test_a_turn_is_reserved_for_the_job_of_that_uid_in_its_cron_job() -> None:
    (action,) = planned(asked(OURS), ReserveTurn)
    assert action == ReserveTurn(
        Reference("CronJob", "team", "db"), "uid-cron", Reference("Job", "team", "now"), "job-uid-now"
    )


def test_without_a_cron_job_a_run_by_hand_waits_for_it() -> None:
    world = builders.world(builders.bundle(), runs=(builders.run("now"),))
    assert steps(world) == []
    patch = next(action.status for action in planned(world, PatchStatus) if action.target.name == "now")
    assert patch.keys() == {"phase", "trigger", "conditions"}
    assert (patch["phase"], patch["trigger"]) == ("Pending", "Manual")


def test_a_cron_job_of_somebody_else_controls_none_of_our_jobs() -> None:
    assert READY.cron_job
    world = replace(asked(), cron_job=replace(READY.cron_job, owner_uid="somebody"))
    assert steps(world) == []
    assert waits(world)[0] == "CronJobNameTaken"


def test_of_two_runs_by_hand_the_older_begins_and_the_other_says_whom_it_waits_for() -> None:
    world = replace(READY, runs=(builders.run("b", operation="Check"), builders.run("a")))
    (created,) = planned(world, CreateJob)
    assert created.manifest["metadata"]["name"] == "a"
    assert waits(world, "b") == ("WaitingForRun", 'Waits until BorgRun "a" has finished')


ASKED = "2026-03-01T00:00:00Z"
"""When the runs of the builders were asked for."""
AFTER = "2026-03-01T00:00:01Z"


def test_of_equal_runs_that_wait_the_oldest_begins_and_no_other_is_given_up_before_it_has() -> None:
    world = replace(READY, runs=tuple(builders.run(f"a{number}") for number in range(3)))
    (created,) = planned(world, CreateJob)
    assert created.manifest["metadata"]["name"] == "a0"
    said = 'Waits for BorgRun "a0", which does the same: once that has succeeded, this one is not needed'
    assert [waits(world, name) for name in ("a1", "a2")] == [("WaitingForRun", said)] * 2


def test_when_the_one_that_waits_first_is_deleted_or_cancelled_the_next_takes_its_place() -> None:
    others = (builders.run("a1"), builders.run("a2"))
    for before in ((), (builders.run("a0", {"phase": "Cancelled", "completionTime": ASKED}, cancel=True),)):
        (created,) = planned(replace(READY, runs=(*before, *others)), CreateJob)
        assert created.manifest["metadata"]["name"] == "a1"


@pytest.mark.parametrize(
    ("other", "spec", "covers"),
    [
        ({"phase": "Completed", "startTime": AFTER, "completionTime": AFTER}, {}, True),
        ({"phase": "CompletedWithWarnings", "startTime": AFTER, "completionTime": AFTER}, {}, True),
        ({"phase": "Completed", "startTime": ASKED, "completionTime": AFTER}, {}, False),
        ({"phase": "Running", "startTime": AFTER}, {}, False),
        ({"phase": "Failed", "startTime": AFTER, "completionTime": AFTER}, {}, False),
        ({"phase": "Cancelled", "startTime": AFTER, "completionTime": AFTER}, {}, False),
        ({"phase": "Completed", "startTime": AFTER, "completionTime": AFTER}, {"operation": "Check"}, False),
        ({"phase": "Completed", "startTime": AFTER, "completionTime": AFTER, "trigger": "Scheduled"}, {}, False),
    ],
    ids=[
        "ran",
        "ran with warnings",
        "began when this one was asked for, or before",
        "runs still",
        "failed",
        "was cancelled",
        "did something else",
        "by the clock, which waits for no other",
    ],
)
def test_a_run_is_not_needed_once_an_equal_one_by_hand_has_begun_since_and_succeeded(
    other: dict[str, Any], spec: dict[str, Any], covers: bool
) -> None:
    world = beside(other, **spec)
    covered = (
        "CoveredByRun",
        'BorgRun "now" began after this one was asked for, and did the same: one run is enough',
    )
    assert (waits(world, "then") == covered) is covers, waits(world, "then")
    assert (succeeded(world, "then") == "True") is covers, "what was asked for is done"


@pytest.mark.parametrize(
    ("start", "spec", "words"),
    [
        (AFTER, {}, 'Waits for BorgRun "now", which does the same: once that has succeeded, this one is not needed'),
        (ASKED, {}, 'Waits until BorgRun "now" has finished'),
        (AFTER, {"cancel": True}, 'Waits until BorgRun "now" has finished'),
        (AFTER, {"operation": "Check"}, 'Waits until BorgRun "now" has finished'),
    ],
    ids=["does it", "began before", "is being stopped", "does something else"],
)
def test_a_run_is_not_judged_before_the_equal_one_that_runs_has_ended(
    start: str, spec: dict[str, Any], words: str
) -> None:
    world = beside({"phase": "Running", "startTime": start}, **spec)
    assert steps(world) == []
    assert waits(world, "then") == ("WaitingForRun", words)
    assert succeeded(world, "then") == "Unknown"


@pytest.mark.parametrize("phase", ["Failed", "Cancelled"])
def test_when_the_one_that_others_relied_on_fails_the_next_begins(phase: str) -> None:
    (created,) = planned(beside({"phase": phase, "startTime": AFTER, "completionTime": AFTER}), CreateJob)
    assert created.manifest["metadata"]["name"] == "then"


def beside(other: dict[str, Any], **spec: Any) -> Case:
    """Return the world in which run `then` was asked for beside run `now`, of that status."""
    jobs: tuple[ObservedJob, ...] = ()
    if other["phase"] == "Running":
        start = datetime.fromisoformat(other["startTime"])
        jobs = (replace(OURS, suspended=False, started=start, run_uid="uid-now"),)
    status = {"trigger": "Manual", "jobUid": OURS.uid, **other}
    runs = (builders.run("now", status, **spec), builders.run("then"))
    pods = builders.pod(OURS) if jobs else {}
    return replace(asked(active=RESERVED if jobs else frozenset()), runs=runs, jobs=jobs, pods=pods)


def succeeded(world: Case, name: str) -> str:
    (patch,) = (action.status for action in planned(world, PatchStatus) if action.target.name == name)
    return str(patch["conditions"][0]["status"])


def test_a_run_is_not_overtaken_by_one_that_was_asked_for_before_it() -> None:
    """Its Job is younger, and from being made until the start is known nothing else tells the two apart."""
    begun = replace(OURS, suspended=False, created=NOW, run_uid="uid-now")
    world = asked(begun, active=RESERVED)
    for operation in (Operation.BACKUP, Operation.CHECK):
        then = builders.run("then", operation=operation.value)
        assert steps(replace(world, runs=(*world.runs, then))) == []


def test_a_run_of_the_same_second_does_not_step_before_one_that_has_a_job() -> None:
    world = asked(OURS)
    world = replace(world, runs=(*world.runs, builders.run("a")))
    assert steps(world) == [ReserveTurn]
    said = 'Waits for BorgRun "now", which does the same: once that has succeeded, this one is not needed'
    assert waits(world, "a") == ("WaitingForRun", said)


def test_somebody_who_asks_for_ever_while_nothing_can_begin_does_not_fill_the_cluster() -> None:
    missing = builders.bundle(claims=("repo-main",))
    world = builders.world(missing, runs=tuple(builders.run(f"a{number:02}") for number in range(40)))
    reasons = [waits(world, f"a{number:02}")[0] for number in range(40)]
    assert reasons[:10] == ["ClaimNotFound"] * 10
    assert waits(world, "a39") == ("TooManyWaiting", 'BorgRun "a00" and 9 others wait already and do the same')
    assert succeeded(world, "a39") == "False", "nothing was done"
    assert len(planned(world, DeleteRun)) == 40 - WAITING_LIMIT - missing.schedule.spec.run_history_limit


def test_a_run_by_hand_waits_for_a_scheduled_one() -> None:
    assert waits(asked(BEFORE)) == ("WaitingForRun", 'Waits until BorgRun "db-29000000" has finished')


def test_a_run_waits_for_a_pod_of_which_the_job_is_gone() -> None:
    left = tuple(builders.pod("earlier").values())
    world = replace(asked(), lingering=left)
    assert steps(world) == []
    assert waits(world) == ("WaitingForRun", "Waits until pod earlier-x of an earlier run has ended")
    assert steps(replace(asked(OURS, active=RESERVED), lingering=left)) == []


def test_a_job_that_was_suspended_at_work_goes_on_once_its_pods_can_be_told_apart() -> None:
    # Kubernetes' times are whole seconds: a pod of before and one of after would be of the same one.
    leaving = builders.pod(OURS, ending=Ending(), deleting=True)
    world = replace(asked(OURS, active=RESERVED), pods=leaving)
    assert steps(world, NOW + timedelta(milliseconds=400)) == []
    assert plan(world, NOW + timedelta(milliseconds=400)).requeue_after == pytest.approx(0.6)
    assert steps(world, NOW + timedelta(seconds=1)) == [StartJob]


def test_a_run_of_a_schedule_that_does_not_exist_says_so_and_waits() -> None:
    world = builders.world(None, runs=(builders.run("now"),))
    assert steps(world) == []
    assert waits(world) == ("ScheduleNotFound", 'BorgSchedule "db" does not exist in namespace "team": create it')


def test_a_run_of_a_schedule_that_cannot_be_read_does_not_ask_to_create_it() -> None:
    world = replace(builders.world(None, runs=(builders.run("now"),)), unreadable="spec.job: unknown")
    assert steps(world) == []
    words = 'BorgSchedule "db" exists and cannot be read, written by a newer version perhaps: spec.job: unknown'
    assert waits(world) == ("ScheduleNotFound", words)


def test_a_prune_by_hand_that_would_take_archives_of_others_does_not_begin_and_is_in_nobodys_way() -> None:
    template = settled(builders.world(builders.bundle(builders.schedule(archiveNameTemplate="backup-{now}"))))
    world = replace(template, runs=(builders.run("a", operation="Prune"), builders.run("b")))
    assert waits(world, "a")[0] == "InvalidArchiveName"
    (created,) = planned(world, CreateJob)
    assert created.manifest["metadata"]["name"] == "b"


def test_a_refused_job_leaves_the_run_pending_and_is_tried_again() -> None:
    world = replace(asked(), refusals={Reference("Job", "team", "now"): Refusal("exceeded quota: q")})
    assert steps(world) == [CreateJob]
    assert waits(world) == ("RefusedByApiServer", "Its Job is refused, and tried again: exceeded quota: q")


@pytest.mark.parametrize(
    ("before", "events"), [(None, 1), ("WaitingForRun", 1), ("WaitingForPod", 1), ("RefusedByApiServer", 0)]
)
def test_each_cause_that_keeps_a_run_from_beginning_is_told_once(before: str | None, events: int) -> None:
    said = {"phase": "Pending", "reason": before, "message": "Its Job is refused, and tried again: exceeded quota: q"}
    waiting = builders.run("now", said if before else None)
    refusals = {Reference("Job", "team", "now"): Refusal("exceeded quota: q")}
    world = replace(asked(), runs=(waiting,), refusals=refusals)
    assert len(planned(world, RecordEvent)) == events


def test_a_job_of_the_same_name_that_is_on_its_way_out_is_waited_for() -> None:
    old = replace(OURS, run_uid="uid-of-the-old-one", deleting=True, succeeded=False)
    world = replace(asked(), jobs=(old,))
    assert steps(world) == []


def test_a_cure_goes_before_those_that_wait_for_it_and_keeps_nobody_waiting() -> None:
    unlock = builders.run("db-1-unlock", operation="BreakLock")
    marked = unlock.metadata.model_copy(update={"annotations": {"borgoperator.io/dead-job-uid": "dead"}})
    unlock = unlock.model_copy(update={"metadata": marked})
    world = replace(asked(BEFORE), runs=(*asked(BEFORE).runs, unlock))
    (created,) = planned(world, CreateJob)
    assert created.manifest["metadata"]["name"] == "db-1-unlock"
    assert created.manifest["metadata"]["ownerReferences"][0]["kind"] == "BorgRun"
    assert "suspend" not in created.manifest["spec"]
    # It is at work, or cannot start at all: the run by hand goes on all the same.
    job = builders.job_by_hand(
        "db-1-unlock",
        operation=Operation.BREAK_LOCK,
        suspended=False,
        owner_kind="BorgRun",
        owner_uid="uid-db-1-unlock",
    )
    begun = replace(asked(OURS, active=RESERVED), runs=(builders.run("now"), unlock))
    assert steps(replace(begun, jobs=(*begun.jobs, job))) == [StartJob]


def test_a_run_by_hand_gives_way_to_a_tick_that_is_due_but_not_for_ever() -> None:
    due = datetime(2026, 3, 2, 2, 0, 1, tzinfo=UTC)

    def at(created: datetime) -> Case:
        run = builders.run("now")
        metadata = run.metadata.model_copy(update={"creation_timestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ")})
        return replace(asked(), runs=(run.model_copy(update={"metadata": metadata}),))

    assert steps(at(due), due) == []
    assert plan(at(due), due).requeue_after == 1
    assert steps(at(due - timedelta(seconds=16)), due) == [CreateJob]
    taken = replace(at(due), cron_job=asked(last_scheduled=due).cron_job)
    assert steps(taken, due) == [CreateJob]


@pytest.mark.parametrize(
    ("job", "last", "seconds", "heals"),
    [
        (TICK, None, 6, True),
        (TICK, None, 4, False),
        (TICK, NOW, 6, False),
        (TICK, NOW - timedelta(days=1), 6, True),
        (replace(TICK, succeeded=True), None, 6, True),
        (replace(TICK, owner_uid="another"), None, 6, False),
        (replace(TICK, scheduled=None), None, 6, False),
    ],
    ids=["lost", "perhaps under way", "noted", "an older one noted", "lost and over", "not ours", "by hand"],
)
def test_a_tick_that_the_controller_could_not_note_is_noted_for_it(
    job: ObservedJob, last: datetime | None, seconds: int, heals: bool
) -> None:
    world = replace(asked(job, last_scheduled=last), runs=())
    found = planned(world, RecordTick, NOW + timedelta(seconds=seconds))
    assert [(action.job_uid, action.tick) for action in found] == ([(job.uid, NOW)] if heals else [])


LOST = replace(TICK, owner_kind=None, owner_uid=None, succeeded=True)
"""A tick's Job that has ended, and that nobody controls any more."""


@pytest.mark.parametrize(
    ("job", "active", "adopts"),
    [
        (LOST, {LOST.uid}, True),
        (replace(LOST, succeeded=False), {LOST.uid, PLACEHOLDER_UID}, True),
        (replace(LOST, succeeded=None), {LOST.uid}, False),
        (replace(LOST, deleting=True), {LOST.uid}, False),
        (LOST, {"job-uid-another"}, False),
        (replace(TICK, succeeded=True), {TICK.uid}, False),
        (replace(LOST, owner_kind="Workflow", owner_uid="another"), {LOST.uid}, False),
        (replace(OURS, owner_kind=None, owner_uid=None), RESERVED | {PLACEHOLDER_UID}, False),
    ],
    ids=[
        "completed",
        "failed, beside a turn that is reserved",
        "at work",
        "on its way out",
        "of an earlier CronJob of that name",
        "the controller sees it",
        "somebody else's by now",
        "by hand, and waiting for its turn",
    ],
)
def test_a_job_of_whose_end_the_controller_would_never_know_is_the_cron_jobs_again(
    job: ObservedJob, active: set[str], adopts: bool
) -> None:
    found = planned(asked(job, active=frozenset(active)), MergeMetadata)
    assert [(action.target, action.uid) for action in found] == ([(job.reference, job.uid)] if adopts else [])
    for action in found:
        (owner,) = action.metadata["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("CronJob", "db", "uid-cron", True)


def test_a_job_that_is_given_back_stays_whose_else_it_is() -> None:
    others = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x", "blockOwnerDeletion": True}]
    metadata = {"name": "db-1", "namespace": "team", "uid": "j", "creationTimestamp": "2026-03-02T02:00:00Z"}
    lost = replace(LOST, owners_beside=parse_job({"metadata": {**metadata, "ownerReferences": others}}).owners_beside)
    (action,) = planned(asked(lost, active=frozenset({LOST.uid})), MergeMetadata)
    kept, ours = action.metadata["ownerReferences"]
    assert kept == {**others[0], "controller": False}
    assert (ours["uid"], ours["controller"]) == ("uid-cron", True)


def test_a_cron_job_of_somebody_else_is_given_no_job_back() -> None:
    world = asked(LOST, active=frozenset({LOST.uid}), owner_uid="somebody")
    assert planned(world, MergeMetadata) == []


MANUAL = builders.job("manual", owner_uid="uid-cron", scheduled=None)
UNLOCK = builders.job("unlock", owner_uid="uid-unlock", scheduled=None, operation=Operation.BREAK_LOCK)


@pytest.mark.parametrize(
    ("job", "others", "active", "step"),
    [
        (MANUAL, (), (), ReserveTurn),
        (MANUAL, (UNLOCK,), (), ReserveTurn),
        (MANUAL, (BEFORE,), (), SuspendJob),
        (MANUAL, (BEFORE,), (MANUAL.uid,), None),
        (replace(MANUAL, turn="given"), (BEFORE,), (), SuspendJob),
        (replace(MANUAL, turn="taken-back"), (BEFORE,), (), ReserveTurn),
        (replace(MANUAL, turn="given", suspended=True), (BEFORE,), (), ReserveTurn),
        (replace(MANUAL, succeeded=True), (), (), None),
        (replace(MANUAL, owner_uid="another"), (), (), None),
        (replace(MANUAL, scheduled=NOW), (), (), None),
    ],
    ids=[
        "alone",
        "locks are broken",
        "a tick at work",
        "has its turn",
        "lost its turn",
        "was taken back, and let begin by somebody else",
        "suspended by somebody else",
        "over",
        "not ours",
        "a tick",
    ],
)
def test_a_job_that_somebody_made_of_the_cron_job_gets_its_turn(
    job: ObservedJob, others: tuple[ObservedJob, ...], active: tuple[str, ...], step: type[Action] | None
) -> None:
    world = asked(job, *others, active=frozenset(active), run="manual")
    found = [action for action in plan(world, NOW).actions if isinstance(action, ReserveTurn | SuspendJob)]
    assert [(type(action), action.job.name) for action in found] == ([(step, "manual")] if step else [])


@pytest.mark.parametrize(
    ("job", "active", "noted"),
    [
        (MANUAL, {MANUAL.uid}, True),
        (MANUAL, set(), False),
        (replace(MANUAL, turn="given"), {MANUAL.uid}, False),
        (replace(MANUAL, turn="taken-back"), {MANUAL.uid}, True),
        (replace(MANUAL, suspended=True), {MANUAL.uid}, False),
    ],
    ids=["begun", "not entered yet", "noted", "let begin by somebody else", "waits for its turn"],
)
def test_of_a_job_that_somebody_else_let_begin_it_is_noted_that_it_had_its_turn(
    job: ObservedJob, active: set[str], *, noted: bool
) -> None:
    note = MarkJob(MANUAL.reference, MANUAL.uid, {"borgoperator.io/turn": "given"})
    assert (note in plan(asked(job, active=frozenset(active), run="manual"), NOW).actions) is noted


def test_a_job_that_somebody_else_suspended_keeps_the_next_run_waiting() -> None:
    world = asked(replace(BEFORE, suspended=True), active=frozenset({TICK.uid}))
    assert steps(world) == []
    assert waits(world) == ("WaitingForRun", 'Waits until BorgRun "db-29000000" has finished')


@pytest.mark.parametrize(
    ("run", "job"),
    [
        ("now", "now"),
        ("db-1", "db-1"),
        ("db-29000000", "db-29000000-by-hand"),
        ("other-29000000", "other-29000000-by-hand"),
        ("main-check-29000000", "main-check-29000000-by-hand"),
        ("db-2026-03-02", "db-2026-03-02"),
    ],
)
def test_no_job_by_hand_has_a_name_that_the_cron_job_controller_gives_to_a_tick_of_any_schedule(
    run: str, job: str
) -> None:
    assert derive_job_name(run) == job


def test_a_long_run_name_that_looks_like_a_ticks_stays_one_of_its_own() -> None:
    names = [f"{letter * 50}-29000000" for letter in "ab"] + [f"{'a' * 51}b-29000000"]
    found = {derive_job_name(name) for name in names}
    assert len(found) == 3
    assert all(len(name) <= 63 and name.endswith("-by-hand") for name in found)

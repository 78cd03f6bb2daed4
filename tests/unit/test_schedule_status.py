"""What a schedule says of its runs: failures counted once, gaps shown, no list of everything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from borg_core.actions import PatchStatus
from borg_core.kinds.run import BorgRun
from borg_core.kinds.statuses.schedule import BorgScheduleStatus
from support import builders
from support.builders import NOW, Case, planned, settled

TICK = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


TOMORROW = "2026-03-03T05:00:00Z"


def finished(name: str, hour: int, phase: str = "Completed", **status: Any) -> BorgRun:
    at = f"2026-03-01T{hour:02}:00:00Z"
    return builders.run(name, {"phase": phase, "startTime": at, "completionTime": at, **status})


def status_of(world: Case, now: datetime = NOW) -> BorgScheduleStatus:
    """Return the status after the plan was carried out."""
    assert world.bundle
    patches = [action.status for action in planned(world, PatchStatus, now) if action.target == world.subject]
    before = world.bundle.schedule.status.model_dump(mode="json", by_alias=True)
    after = before | (patches[0] if patches else {})
    return BorgScheduleStatus.model_validate({key: value for key, value in after.items() if value is not None})


def later(world: Case, *runs: BorgRun) -> Case:
    """Return the world after its status was written, with other runs in it."""
    assert world.bundle
    said = status_of(world).model_dump(mode="json", by_alias=True, exclude_none=True)
    bundle = replace(world.bundle, schedule=builders.with_status(world.bundle.schedule, said))
    return replace(world, bundle=bundle, runs=runs)


def world(*runs: BorgRun, **more: Any) -> Case:
    return builders.world(builders.bundle(), runs=runs, **more)


def last_run(found: BorgScheduleStatus) -> tuple[str, str, str]:
    condition = next(item for item in found.conditions if item.type == "LastRunSucceeded")
    return condition.status, condition.reason, condition.message


def test_failures_are_counted_until_a_backup_succeeds() -> None:
    failed = tuple(finished(f"db-{n}", n, "Failed") for n in range(3))
    assert status_of(world(*failed)).consecutive_failures == 3
    assert status_of(world(*failed, finished("db-3", 3))).consecutive_failures == 0


def test_a_run_that_was_deleted_before_it_ended_is_not_running_for_ever() -> None:
    running = builders.run("db-1", {"phase": "Running", "startTime": "2026-03-01T05:00:00Z"})
    before = world(finished("db-0", 4), running)
    assert status_of(before).last_run_name == "db-1"
    after = status_of(later(before, finished("db-0", 4)))
    assert (after.last_run_name, after.last_run_phase) == ("db-1", None)


@pytest.mark.parametrize("phase", ["Failed", "CompletedWithWarnings", "Cancelled"])
def test_how_the_last_run_ended_still_holds_when_its_record_is_gone(phase: str) -> None:
    both = (finished("db-0", 4), finished("db-1", 5, phase))
    seen = world(*both)
    before = last_run(status_of(seen))
    for left in (both[:1], ()):
        assert last_run(status_of(later(seen, *left))) == before
    ahead = later(world(both[0], finished("db-1", 5, phase, startTime=TOMORROW, completionTime=TOMORROW)), both[0])
    assert last_run(status_of(ahead))[2].startswith('BorgRun "db-0"'), "that one was by a clock that is wrong"
    later_one = last_run(status_of(later(seen, both[0], finished("db-2", 6))))
    assert later_one[:2] == ("True", "RunCompleted")


def of_the_future(name: str, hour: int, phase: str = "Completed", **status: Any) -> BorgRun:
    """Return a run that was made at that hour and began and ended by a clock that is a day ahead."""
    run = finished(name, hour, phase, startTime=TOMORROW, completionTime=TOMORROW, **status)
    made = {"creation_timestamp": f"2026-03-01T{hour:02}:00:00Z"}
    return run.model_copy(update={"metadata": run.metadata.model_copy(update=made)})


@pytest.mark.parametrize("kept", [True, False], ids=["its record is kept", "its record is gone"])
def test_a_good_backup_of_the_future_hides_no_failures_that_came_after_it(*, kept: bool) -> None:
    pruned: dict[str, Any] = {"repositories": [{"name": "main", "phase": "Completed", **PRUNED, **COMPACTED}]}
    good, ahead = finished("db-0", 4), of_the_future("db-1", 5, **pruned)
    first = world(good, ahead)
    told = status_of(first)
    assert (told.last_run_name, told.last_run_time) == ("db-1", "2026-03-01T05:00:00Z"), "when it was made"
    assert {told.last_success_time, told.last_prune_time, told.last_compact_time} == {"2026-03-01T05:00:00Z"}
    left = (good, ahead) if kept else (good,)
    case = later(first, *left, finished("db-2", 6, "Failed"), finished("db-3", 7, "Failed"))
    for _ in range(2):
        told = status_of(case)
        assert (told.last_run_name, told.last_run_phase, told.consecutive_failures) == ("db-3", "Failed", 2)
        assert told.last_success_time == "2026-03-01T05:00:00Z"
        assert last_run(told)[2].startswith('BorgRun "db-3"')
        case = later(case, *case.runs)


def test_a_failure_of_the_future_is_counted_once_and_over_with_the_next_good_backup() -> None:
    ahead = of_the_future("db-1", 5, "Failed")
    case = later(world(finished("db-0", 4), ahead), finished("db-0", 4), ahead)
    told = status_of(case)
    assert (told.last_run_phase, told.consecutive_failures, last_run(told)[0]) == ("Failed", 1, "False")
    told = status_of(later(case, ahead, finished("db-2", 6, "Failed")))
    assert told.consecutive_failures == 2
    told = status_of(later(case, ahead, finished("db-2", 6)))
    assert (told.last_run_name, told.consecutive_failures, last_run(told)[0]) == ("db-2", 0, "True")


def test_what_an_earlier_version_said_of_the_future_is_forgotten() -> None:
    times = ("lastRunTime", "lastSuccessTime", "lastFailureTime", "lastPruneTime", "lastCompactTime")
    said = {**dict.fromkeys(times, TOMORROW), "lastRunName": "x", "lastRunPhase": "Completed", "consecutiveFailures": 0}
    case = builders.world(builders.bundle(builders.with_status(builders.schedule(), said)), runs=FAILED[1:3])
    told = status_of(case)
    assert (told.last_run_name, told.last_run_phase, told.consecutive_failures) == ("db-2", "Failed", 2)
    assert (told.last_run_time, told.last_failure_time) == ("2026-03-01T02:00:00Z", "2026-03-01T02:00:00Z")
    assert (told.last_success_time, told.last_prune_time, told.last_compact_time) == (None, None, None)


def test_a_failure_is_told_at_once_though_the_operators_clock_is_a_bit_slow() -> None:
    case = world(finished("db-0", 4), finished("db-1", 5, "Failed"))
    told = status_of(case, datetime(2026, 3, 1, 4, 58, tzinfo=UTC))
    assert (told.last_run_name, told.last_run_phase, told.consecutive_failures) == ("db-1", "Failed", 1)


def test_failures_of_which_all_times_are_in_the_future_are_counted_where_there_is_nothing_else() -> None:
    told = status_of(world(*FAILED[:3]), datetime(2026, 2, 1, tzinfo=UTC))
    assert (told.last_run_name, told.last_run_time, told.consecutive_failures) == ("db-2", None, 3)


def test_a_run_that_had_begun_and_waits_again_is_told_as_it_is() -> None:
    """Its time falls back to when it was asked for, as it has begun nothing."""
    asked = {"creation_timestamp": "2026-03-01T05:00:00Z"}

    def run(status: dict[str, str]) -> BorgRun:
        found = builders.run("db-1", status)
        return found.model_copy(update={"metadata": found.metadata.model_copy(update=asked)})

    before = world(run({"phase": "Pending", "startTime": "2026-03-01T05:00:09Z"}))
    assert status_of(before).last_run_phase == "Pending"
    told = status_of(later(before, run({"phase": "Pending", "reason": "WaitingForCopy"})))
    assert (told.last_run_name, told.last_run_phase) == ("db-1", "Pending")
    ended = {"phase": "Failed", "reason": "CopyFailed", "completionTime": "2026-03-01T05:02:00Z"}
    told = status_of(later(before, run(ended)))
    assert (told.last_run_name, told.last_run_phase, told.consecutive_failures) == ("db-1", "Failed", 1)
    assert last_run(told)[:2] == ("False", "RunFailed")


FAILED = tuple(finished(f"db-{n}", n, "Failed") for n in range(6))


@pytest.mark.parametrize(
    ("seen", "counts"),
    [
        ([FAILED[:3], FAILED[:3], FAILED[:3]], [3, 3, 3]),
        ([FAILED[:3], FAILED[:2], FAILED[:1], ()], [3, 3, 3, 3]),
        ([FAILED[:3], FAILED[2:4], FAILED[4:5]], [3, 4, 5]),
        ([FAILED[:2], (*FAILED[:2], finished("ok", 3)), FAILED[:2]], [2, 0, 0]),
        ([(finished("ok", 3),), FAILED[4:5], FAILED[4:6]], [0, 1, 2]),
        ([FAILED[:1], (*FAILED[:1], finished("c", 2, "Cancelled"))], [1, 1]),
        ([FAILED[:1], (*FAILED[:1], finished("s", 2, "Skipped"))], [1, 1]),
        ([(finished("p", 1, "Failed"), finished("w", 2, "CompletedWithWarnings"))], [0]),
    ],
    ids=[
        "looked at again",
        "somebody deletes the records",
        "older ones are forgotten",
        "a good one between, forgotten",
        "after a good one that is forgotten",
        "a cancelled one changes nothing",
        "a covered one changes nothing",
        "warnings are a success",
    ],
)
def test_a_failure_is_counted_once_however_often_it_is_looked_at(
    seen: list[tuple[BorgRun, ...]], counts: list[int]
) -> None:
    case = world(*seen[0])
    found = [status_of(case).consecutive_failures]
    for runs in seen[1:]:
        case = later(case, *runs)
        found.append(status_of(case).consecutive_failures)
    assert found == counts


def test_two_failures_of_one_second_are_two() -> None:
    twins = (finished("db-1", 1, "Failed"), finished("db-2", 1, "Failed"))
    assert status_of(world(*twins)).consecutive_failures == 2


def test_a_count_of_an_earlier_version_is_not_counted_again() -> None:
    before = builders.with_status(builders.schedule(), {"consecutiveFailures": 7})
    case = builders.world(builders.bundle(before), runs=FAILED[:3])
    assert status_of(case).consecutive_failures == 7


def test_the_failure_of_the_last_run_stands_in_a_condition_until_the_next_good_one() -> None:
    bad = finished("db-1", 1, "Failed", message="main: wrong passphrase")
    status, _, message = last_run(status_of(world(bad)))
    assert (status, message) == ("False", 'BorgRun "db-1" failed: main: wrong passphrase')
    assert last_run(status_of(world(bad, finished("db-2", 2))))[0] == "True"


def gap(last: datetime | None, *runs: BorgRun, **more: Any) -> Case:
    ready = settled(world(*runs))
    assert ready.cron_job
    return replace(ready, cron_job=replace(ready.cron_job, last_scheduled=last), **more)


def seen(name: str, at: datetime) -> BorgRun:
    time = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return builders.run(name, {"phase": "Completed", "startTime": time, "scheduledTime": time, "completionTime": time})


def test_a_run_of_which_nothing_is_left_is_unknown_and_not_the_old_success() -> None:
    case = gap(TICK, seen("db-1", TICK - timedelta(days=1)))
    status, reason, message = last_run(status_of(case))
    assert (status, reason) == ("Unknown", "RunNotRecorded")
    assert "2026-03-02T02:00:00Z" in message
    assert status_of(case).consecutive_failures == 0


@pytest.mark.parametrize(
    "case",
    [
        gap(TICK, seen("db-2", TICK)),
        gap(TICK, jobs=(builders.job(scheduled=TICK, started=TICK),)),
        gap(NOW - timedelta(minutes=1), seen("db-1", TICK)),
        gap(None, seen("db-1", TICK)),
    ],
    ids=["recorded", "its Job is there", "a time that is no tick: set by us", "none yet"],
)
def test_what_is_recorded_is_no_gap(case: Case) -> None:
    conditions = {item.type: item.reason for item in status_of(case).conditions}
    assert conditions.get("LastRunSucceeded") != "RunNotRecorded"


def test_a_tick_of_just_now_is_no_gap_as_its_job_may_be_on_the_way() -> None:
    case = gap(TICK, seen("db-1", TICK - timedelta(days=1)))
    reasons = [last_run(status_of(case, TICK + timedelta(seconds=s)))[1] for s in (10, 31)]
    assert reasons == ["RunCompleted", "RunNotRecorded"]


def test_a_gap_closes_with_the_next_run() -> None:
    case = later(gap(TICK, seen("db-1", TICK - timedelta(days=1))), seen("db-3", TICK + timedelta(hours=1)))
    assert last_run(status_of(case))[0] == "True"


@pytest.mark.parametrize(
    ("schedule", "hours", "skipped"), [("0 * * * *", 0, None), ("0 * * * *", 3, 3), ("* * * * *", 3, 20)]
)
def test_ticks_that_passed_while_a_run_was_at_work_are_counted_up_to_a_bound(
    schedule: str, hours: int, skipped: int | None
) -> None:
    ready = settled(builders.world(builders.bundle(builders.schedule(schedule=schedule))))
    assert ready.cron_job
    busy = replace(
        ready, cron_job=replace(ready.cron_job, last_scheduled=NOW), jobs=(builders.job(),), pods=builders.pod()
    )
    assert status_of(busy, NOW + timedelta(hours=hours, seconds=1)).skipped_runs == skipped
    over = replace(busy, jobs=(builders.job(succeeded=True, completed=NOW),))
    assert status_of(over, NOW + timedelta(hours=hours, seconds=1)).skipped_runs is None


def test_of_very_many_unfinished_runs_the_first_are_named() -> None:
    runs = tuple(builders.run(f"r{number:04}", {"phase": "Running", "jobUid": f"j{number}"}) for number in range(1025))
    jobs = tuple(builders.job(f"j{number}", uid=f"j{number}", run_uid=f"uid-r{number:04}") for number in range(1025))
    active = status_of(world(*runs, jobs=jobs)).active
    assert len(active) == 100
    assert active[0] == "r0000"


def test_a_tick_that_could_not_begin_says_why_in_the_controllers_words() -> None:
    words = "FailedCreate: Error creating job: exceeded quota"
    overdue = gap(None, words={"uid-cron": words})
    ready = {item.type: item for item in status_of(overdue).conditions}
    assert (ready["Ready"].status, ready["Ready"].reason) == ("False", "JobRefused")
    assert words in ready["Ready"].message
    assert "Stalled" not in ready
    begun = gap(TICK, words={"uid-cron": words})
    assert {item.type: item.status for item in status_of(begun).conditions}["Ready"] == "True"


@pytest.mark.parametrize(("late", "wait"), [(-1, None), (0, 20), (15, 5), (20, None), (70, None)])
def test_a_tick_that_is_due_is_looked_at_again_when_it_is_overdue(late: int, wait: int | None) -> None:
    """The status names the next run by then, so nobody else would look."""
    case = gap(TICK - timedelta(days=1))
    plan = builders.plan(case, TICK + timedelta(seconds=late))
    assert plan.requeue_after == wait
    begun = replace(case, cron_job=replace(case.cron_job, last_scheduled=TICK)) if case.cron_job else case
    assert builders.plan(begun, TICK + timedelta(seconds=15)).requeue_after is None


@pytest.mark.parametrize(("suspend", "words"), [(True, "is suspended: it would fire at"), (False, "fires at")])
def test_only_a_schedule_that_fires_says_that_it_does(suspend: bool, words: str) -> None:
    case = settled(builders.world(builders.bundle(builders.schedule(suspend=suspend))))
    ready = {item.type: item for item in status_of(case).conditions}["Ready"]
    assert ready.status == "True"
    assert f'CronJob "db" {words} "0 2 * * *"' in ready.message
    assert ("fires at" in ready.message) is not suspend


PRUNED, COMPACTED = {"prune": {"kept": 1, "deleted": 1}}, {"compact": {"freedBytes": 1}}
KEPT = {"compact": {"freedBytes": 0, "appendOnly": True}}


@pytest.mark.parametrize(
    ("results", "pruned", "compacted"),
    [
        (({**PRUNED, **COMPACTED}, {**PRUNED, **COMPACTED}), True, True),
        (({**PRUNED, **KEPT}, {**PRUNED, **KEPT}), True, False),
        (({**PRUNED, **COMPACTED}, {**PRUNED, **KEPT}), True, False),
        (({**PRUNED, **COMPACTED}, {}), False, False),
        (({**PRUNED, **COMPACTED},), False, False),
        ((), False, False),
        (({**PRUNED, **COMPACTED}, {**PRUNED, **COMPACTED}, {}), True, True),
    ],
    ids=[
        "all",
        "append-only",
        "one of two is append-only",
        "one of two failed before",
        "killed after the first of two",
        "no result",
        "one that is no longer of it failed",
    ],
)
def test_pruned_and_compacted_is_what_was_so_in_every_repository(
    results: tuple[dict[str, Any], ...], pruned: bool, compacted: bool
) -> None:
    repositories = [{"name": f"r{n}", "phase": "Completed", **result} for n, result in enumerate(results)]
    bundle = builders.bundle(builders.schedule(repositories=("r0", "r1")))
    found = status_of(builders.world(bundle, runs=(finished("db-1", 1, repositories=repositories),)))
    assert (found.last_prune_time is not None, found.last_compact_time is not None) == (pruned, compacted)


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        (("app-data", "repo-main"), "it runs by its schedule"),
        ((), "it is not suspended; the condition Ready tells what is in its way"),
    ],
    ids=["ready", "without a claim, and so without a CronJob"],
)
def test_what_is_not_ready_is_not_said_to_run(claims: tuple[str, ...], words: str) -> None:
    (suspended,) = (
        condition
        for condition in status_of(builders.world(builders.bundle(claims=claims))).conditions
        if condition.type == "Suspended"
    )
    assert (suspended.status, suspended.reason, suspended.message) == ("False", "Active", words)

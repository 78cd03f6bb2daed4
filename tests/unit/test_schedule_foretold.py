"""A Job at a time that was not foretold is said; nothing else is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from borg_core.actions import CreateCronJob, PatchStatus, RecordEvent, RepairCronJob
from borg_core.clock.hashed import resolve
from borg_core.kinds.parts.base import Condition
from borg_core.kinds.status import ConditionType
from borg_core.labels import SCHEDULED_TIMESTAMP, TIMES
from borg_core.native.cron_job import ObservedCronJob
from borg_core.native.job import ObservedJob, parse_job
from borg_core.reconcile.status.schedule import derive_schedule_status
from support import builders
from support.builders import planned, settled

LAST = datetime(2026, 3, 2, 2, tzinfo=UTC)
NOW = LAST + timedelta(hours=1)
CRON_JOB = builders.cron_job(created=LAST - timedelta(days=30), last_scheduled=LAST)
OURS = ("Etc/UTC", "0 2 * * *")


def tick(at: datetime, times: tuple[str, str] | None = OURS, **more: Any) -> ObservedJob:
    return builders.job(f"db-{int(at.timestamp()) // 60}", scheduled=at, times=times, **more)


def disagreement(
    *jobs: ObservedJob,
    before: tuple[Condition, ...] = (),
    generation: int = 1,
    cron_job: ObservedCronJob = CRON_JOB,
) -> Condition | None:
    status = {"conditions": [condition.model_dump(by_alias=True) for condition in before]}
    schedule = builders.with_status(builders.schedule(), status)
    schedule = schedule.model_copy(update={"metadata": schedule.metadata.model_copy(update={"generation": generation})})
    world = builders.world(cron_job=cron_job, jobs=jobs)
    conditions = derive_schedule_status(world, schedule, (), (), clock=None, times=OURS, now=NOW).conditions
    return next((found for found in conditions if found.type == ConditionType.CLOCK_DISAGREES), None)


def test_a_job_at_another_time_is_said_with_what_it_may_be() -> None:
    said = disagreement(tick(LAST - timedelta(days=1)), tick(LAST + timedelta(minutes=30)))
    assert said
    assert (said.status, said.reason) == ("True", "ClockDisagrees")
    assert "db-29540310 was made for 2026-03-02T02:30:00Z, which was not foretold" in said.message
    assert '"0 2 * * *" in Etc/UTC names 2026-03-03T02:00:00Z next' in said.message
    assert "another edition of the time zone database" in said.message


@pytest.mark.parametrize(
    ("what", "job"),
    [
        ("as foretold", tick(LAST)),
        ("made by times that were edited since", tick(LAST - timedelta(minutes=7), ("Etc/UTC", "53 1 * * *"))),
        ("made in a zone that was edited since", tick(LAST - timedelta(hours=1), ("Europe/Berlin", "0 2 * * *"))),
        ("of a version that noted no times", tick(LAST + timedelta(minutes=7), None)),
        ("of a CronJob that was deleted", tick(LAST + timedelta(minutes=7), owner_uid="uid-of-a-former-one")),
        ("by hand", builders.job_by_hand(owner_uid="uid-cron", times=OURS)),
    ],
)
def test_no_false_alarm(what: str, job: ObservedJob) -> None:
    assert disagreement(job) is None, what


@pytest.mark.parametrize(
    "cron_job",
    [
        builders.with_spec(CRON_JOB, schedule="*/30 * * * *"),
        builders.with_spec(CRON_JOB, timeZone="Europe/Berlin"),
        replace(CRON_JOB, last_scheduled=LAST + timedelta(minutes=31)),
    ],
    ids=["is not repaired yet", "is not repaired yet: the zone", "was repaired, which forgets what was missed"],
)
def test_no_clock_is_blamed_for_a_cron_job_that_somebody_edited_while_the_operator_was_away(
    cron_job: ObservedCronJob,
) -> None:
    foreign = tick(LAST + timedelta(minutes=30))
    assert disagreement(foreign)
    assert disagreement(foreign, cron_job=cron_job) is None


def test_it_goes_when_the_next_job_agrees() -> None:
    foreign, good = tick(LAST + timedelta(hours=1)), tick(LAST + timedelta(days=1))
    assert disagreement(foreign)
    assert disagreement(foreign, good) is None


def test_it_stays_while_no_job_is_left_unless_the_schedule_is_edited() -> None:
    said = disagreement(tick(LAST + timedelta(hours=1)))
    assert said
    assert disagreement(before=(said,)) == said
    assert disagreement(before=(said,), generation=2) is None


def test_the_job_bears_the_times_that_its_cron_job_had() -> None:
    case = builders.world(builders.bundle(builders.schedule(schedule="H H * * *")))
    (made,) = planned(case, CreateCronJob)
    (patch,) = planned(case, PatchStatus)
    spec = made.manifest["spec"]
    assert spec["schedule"] == patch.status["effectiveSchedule"] == resolve("H H * * *", builders.NAMESPACE, "db")
    times = spec["jobTemplate"]["metadata"]["annotations"]
    assert times[TIMES] == f"Etc/UTC {spec['schedule']}"
    metadata = {
        **builders.metadata("db-1"),
        "annotations": {**times, SCHEDULED_TIMESTAMP: "2026-03-02T03:00:00+01:00"},
        "creationTimestamp": "2026-03-02T02:00:00Z",
    }
    job = parse_job({"metadata": metadata, "status": {}, "spec": {}})
    assert job.times == ("Etc/UTC", spec["schedule"])
    assert job.scheduled == LAST


def test_an_edit_takes_it_back_at_once() -> None:
    case = settled(builders.world(builders.bundle()))
    assert case.cron_job
    foreign = replace(tick(LAST + timedelta(minutes=7)), run_uid="uid", owner_uid=case.cron_job.uid)
    (patch,) = planned(replace(case, jobs=(foreign,)), PatchStatus)
    assert "ClockDisagrees" in [condition["type"] for condition in patch.status["conditions"]]
    edited = builders.with_status(builders.schedule(schedule="9 2 * * *"), patch.status)
    metadata = edited.metadata.model_copy(update={"generation": 2})
    bundle = builders.bundle(edited.model_copy(update={"metadata": metadata}))
    (patch,) = planned(replace(case, bundle=bundle, jobs=(foreign,)), PatchStatus)
    assert "ClockDisagrees" not in [condition["type"] for condition in patch.status["conditions"]]


def test_it_is_an_event_once() -> None:
    case = settled(builders.world(builders.bundle()), last_scheduled=LAST + timedelta(minutes=7))
    assert case.cron_job
    foreign = replace(tick(LAST + timedelta(minutes=7)), run_uid="uid", owner_uid=case.cron_job.uid)
    case = replace(case, jobs=(foreign,))
    events = [event for event in planned(case, RecordEvent) if event.reason == "ClockDisagrees"]
    assert [event.warning for event in events] == [True]


def test_an_edit_of_a_hashed_line_moves_the_cron_job_and_a_repair_brings_the_plain_line_back() -> None:
    case = settled(builders.world(builders.bundle(builders.schedule(schedule="H 4 * * *"))))
    assert case.cron_job
    assert planned(case, RepairCronJob) == []
    assert case.cron_job.schedule == resolve("H 4 * * *", builders.NAMESPACE, "db")
    edited = replace(case, cron_job=builders.with_spec(case.cron_job, schedule="0 4 * * *"))
    (repair,) = planned(edited, RepairCronJob)
    assert repair.manifest["spec"]["schedule"] == case.cron_job.schedule

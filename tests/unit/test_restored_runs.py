"""BorgRuns that a restore of the cluster put back: records of what was done, without their status. None runs again."""

from dataclasses import replace
from typing import Any

import pytest

from borg_core import labels
from borg_core.actions import AdoptRun, CreateJob, PatchStatus, RecordEvent
from borg_core.kinds.run import BorgRun
from support import builders
from support.builders import Case, plan, planned, settled

READY = settled(builders.world(builders.bundle()))
NOBODY = builders.world()
"""The schedule is not put back yet."""
SCHEDULE = {"apiVersion": "borgoperator.io/v1alpha1", "kind": "BorgSchedule", "name": "db"}
WORKFLOW = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "nightly", "uid": "uid-workflow"}


def record(
    trigger: str | None = "Manual", owners: tuple[dict[str, Any], ...] = (), status: dict[str, Any] | None = None
) -> BorgRun:
    marks = {labels.SCHEDULE: "db", **({labels.TRIGGER: trigger} if trigger else {})}
    metadata = builders.metadata("old", labels=marks, ownerReferences=list(owners))
    spec = {"scheduleRef": {"name": "db"}}
    return BorgRun.model_validate({"metadata": metadata, "spec": spec, "status": status or {}})


def begins(world: Case, run: BorgRun) -> bool:
    return bool(planned(replace(world, runs=(run,)), CreateJob))


def said(world: Case, run: BorgRun) -> dict[str, Any]:
    found = [patch.status for patch in planned(replace(world, runs=(run,)), PatchStatus) if patch.target.name == "old"]
    return found[0] if found else {}


@pytest.mark.parametrize("trigger", ["Manual", "Scheduled", "Automatic"])
@pytest.mark.parametrize(
    ("world", "owners"),
    [
        (READY, ()),
        (READY, ({**SCHEDULE, "uid": "uid-of-before"},)),
        (READY, (WORKFLOW,)),
        (NOBODY, ()),
        (NOBODY, (WORKFLOW,)),
    ],
    ids=[
        "owners stripped",
        "the schedule of before",
        "another owner's",
        "put back before its schedule",
        "another owner's, put back before its schedule",
    ],
)
def test_a_run_that_was_seen_in_an_earlier_life_is_not_run_again(
    trigger: str, world: Case, owners: tuple[dict[str, Any], ...]
) -> None:
    run = record(trigger, owners)
    status = said(world, run)
    assert not begins(world, run)
    assert (status["phase"], status["reason"], status["trigger"]) == ("Skipped", "Restored", trigger)
    assert "borgoperator.io/trigger" in status["message"]


@pytest.mark.parametrize(
    "run",
    [
        record(None),
        record("Manual", ({**SCHEDULE, "uid": "uid-db"},)),
        record("Manual", status={"phase": "Pending", "reason": "ScheduleNotFound"}),
    ],
    ids=["new", "adopted, and the operator died before it said so", "kept while its schedule was made anew"],
)
def test_a_run_of_this_life_begins(run: BorgRun) -> None:
    assert begins(READY, run)


def test_a_run_that_has_its_job_was_begun_in_this_life_whatever_became_of_its_owners() -> None:
    working = builders.job("old", run_uid=record().metadata.uid)
    for world in (READY, NOBODY):
        assert said(replace(world, jobs=(working,)), record("Manual")).get("reason") != "Restored"


def test_a_run_whose_schedule_was_deleted_is_no_record_of_an_earlier_life() -> None:
    assert said(NOBODY, record("Manual", ({**SCHEDULE, "uid": "uid-db"},))).get("reason") != "Restored"


def test_what_was_put_back_is_said_before_the_run_is_tied_and_keeps_its_trigger() -> None:
    """Tied without a status it would begin, if the operator died in between."""
    actions = plan(replace(READY, runs=(record("Scheduled"),))).actions
    (said_at,) = [at for at, action in enumerate(actions) if isinstance(action, PatchStatus)]
    (tied_at, tied) = next((at, action) for at, action in enumerate(actions) if isinstance(action, AdoptRun))
    assert said_at < tied_at
    assert tied.metadata["labels"][labels.TRIGGER] == "Scheduled"


def test_hundreds_of_records_make_no_events_and_leave_the_schedule_as_it_is() -> None:
    world = replace(READY, runs=(record("Manual"),))
    assert not planned(world, RecordEvent)
    assert not [patch for patch in planned(world, PatchStatus) if patch.target == builders.DB]


def test_a_new_run_is_not_covered_by_one_that_was_put_back() -> None:
    new = builders.run("zz-new")
    (made,) = planned(replace(READY, runs=(record(), new)), CreateJob)
    assert made.manifest["metadata"]["name"] == "zz-new"

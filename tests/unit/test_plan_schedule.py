"""Planning a schedule's CronJob and status, as tables of what is observed and what is to be done."""

from dataclasses import replace
from typing import Any

import pytest

from borg_core.kinds.schedule import BorgSchedule
from borg_core.native.cron_job import ObservedCronJob
from borg_core.reconcile.actions import Action, ApplyCronJob, PatchStatus, RecordEvent
from borg_core.reconcile.schedule import plan_schedule
from borg_core.reconcile.world import World
from support import builders
from support.builders import NOW


def of_kind(actions: tuple[Action, ...], kind: type[Action]) -> list[Any]:
    return [action for action in actions if isinstance(action, kind)]


def observed(action: ApplyCronJob, **more: Any) -> ObservedCronJob:
    metadata = action.manifest["metadata"]
    return ObservedCronJob(
        **{
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": "uid-cron",
            "owner_uid": metadata["ownerReferences"][0]["uid"],
            "labels": metadata["labels"],
            "spec": action.manifest["spec"],
            **more,
        }
    )


def with_status(schedule: BorgSchedule, patch: dict[str, Any]) -> BorgSchedule:
    return BorgSchedule.model_validate({**schedule.model_dump(by_alias=True), "status": patch})


def settled(world: World, **cron_job: Any) -> World:
    """Return the world after its plan was carried out."""
    assert world.bundle is not None
    actions = plan_schedule(world, NOW).actions
    (applied,) = of_kind(actions, ApplyCronJob)
    (patched,) = of_kind(actions, PatchStatus)
    schedule = with_status(world.bundle.schedule, patched.status)
    return replace(world, cron_job=observed(applied, **cron_job), bundle=replace(world.bundle, schedule=schedule))


def test_a_new_schedule_costs_three_writes_its_cron_job_its_status_and_an_event() -> None:
    plan = plan_schedule(builders.world(builders.bundle()), NOW)
    assert [type(action) for action in plan.actions] == [ApplyCronJob, PatchStatus, RecordEvent]
    assert plan.requeue_after is None


def test_nothing_is_done_when_nothing_changed() -> None:
    assert plan_schedule(settled(builders.world(builders.bundle())), NOW).actions == ()


def test_the_status_tells_the_next_run_and_that_it_is_ready() -> None:
    (patch,) = of_kind(plan_schedule(builders.world(builders.bundle()), NOW).actions, PatchStatus)
    assert patch.status["nextRunTime"] == "2026-03-03T02:00:00Z"
    assert patch.status["conditions"][0]["type"] == "Ready"
    assert patch.status["conditions"][0]["status"] == "True"


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": "0 3 * * *"},
        {"suspend": True},
        {"jobTemplate": {}},
    ],
)
def test_an_edited_cron_job_is_applied_again(change: dict[str, Any]) -> None:
    world = settled(builders.world(builders.bundle()))
    assert world.cron_job is not None
    edited = replace(world.cron_job, spec={**world.cron_job.spec, **change})
    (action,) = plan_schedule(replace(world, cron_job=edited), NOW).actions
    assert isinstance(action, ApplyCronJob)


def test_what_somebody_added_to_a_cron_job_is_taken_out_again() -> None:
    world = settled(builders.world(builders.bundle()), foreign_managers=("kubectl-edit",))
    (action,) = plan_schedule(world, NOW).actions
    assert isinstance(action, ApplyCronJob)


def test_defaults_that_the_api_server_adds_are_no_drift() -> None:
    world = settled(builders.world(builders.bundle()))
    assert world.cron_job is not None
    with_defaults = {**world.cron_job.spec, "newDefault": 1}
    assert plan_schedule(replace(world, cron_job=replace(world.cron_job, spec=with_defaults)), NOW).actions == ()


@pytest.mark.parametrize(
    ("before", "after", "forgets"),
    [
        ({"suspend": True}, {"suspend": False}, True),
        ({}, {"schedule": "30 11 * * *"}, True),
        ({}, {"timeZone": "Asia/Tokyo"}, True),
        ({}, {"runHistoryLimit": 3}, False),
    ],
)
def test_changed_times_never_make_up_for_ticks_that_were_not_meant(
    before: dict[str, Any], after: dict[str, Any], forgets: bool
) -> None:
    world = settled(builders.world(builders.bundle(builders.schedule(**before))))
    changed = builders.bundle(builders.schedule(**{**before, **after}))
    (action,) = of_kind(plan_schedule(replace(world, bundle=changed), NOW).actions, ApplyCronJob)
    assert (action.forget_missed_before == NOW) is forgets


MISSING = {
    "repository": (
        builders.bundle(repositories=()),
        "RepositoryNotFound",
        'BorgRepository "main" does not exist in namespace "team": create it, or correct spec.repositoryRefs',
    ),
    "claim": (
        builders.bundle(claims=("repo-main",)),
        "ClaimNotFound",
        'PersistentVolumeClaim "app-data" (source "data") does not exist in namespace "team": create it',
    ),
    "script": (
        builders.bundle(builders.schedule(hooks={"preBackup": {"scriptRef": {"name": "wake"}}})),
        "ScriptNotFound",
        'BorgScript "wake" does not exist in namespace "team": create it',
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_is_named_and_waited_for(case: str) -> None:
    bundle, reason, message = MISSING[case]
    plan = plan_schedule(builders.world(bundle), NOW)
    (patch,) = of_kind(plan.actions, PatchStatus)
    ready = patch.status["conditions"][0]
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", reason, message)
    assert "Stalled" not in [condition["type"] for condition in patch.status["conditions"]]
    assert not of_kind(plan.actions, ApplyCronJob)


def test_a_schedule_that_becomes_invalid_keeps_its_last_valid_cron_job() -> None:
    world = settled(builders.world(builders.bundle()))
    broken = builders.bundle(builders.schedule(schedule="0 2 * * 7"))
    plan = plan_schedule(replace(world, bundle=broken), NOW)
    assert not of_kind(plan.actions, ApplyCronJob)
    (patch,) = of_kind(plan.actions, PatchStatus)
    assert [c["type"] for c in patch.status["conditions"]] == ["Ready", "Stalled", "Suspended"]
    assert patch.status["nextRunTime"] == "2026-03-03T02:00:00Z"


def test_a_schedule_that_becomes_forbidden_is_suspended() -> None:
    world = settled(builders.world(builders.bundle()))
    forbidden = builders.bundle(builders.schedule(job={"image": "evil:1"}))
    plan = plan_schedule(replace(world, bundle=forbidden), NOW)
    (action,) = of_kind(plan.actions, ApplyCronJob)
    assert action.manifest["spec"]["suspend"] is True
    (patch,) = of_kind(plan.actions, PatchStatus)
    ready = patch.status["conditions"][0]
    assert ready["reason"] == "ImageNotAllowed"
    assert "nextRunTime" not in patch.status


def test_a_cron_job_of_somebody_else_is_left_alone() -> None:
    world = settled(builders.world(builders.bundle()), owner_uid=None)
    plan = plan_schedule(world, NOW)
    assert not of_kind(plan.actions, ApplyCronJob)
    (patch,) = of_kind(plan.actions, PatchStatus)
    assert patch.status["conditions"][0]["reason"] == "CronJobNameTaken"


def test_a_refusal_of_the_api_server_is_said_in_the_status() -> None:
    world = builders.world(builders.bundle(), refusals={"CronJob/db": "quota exceeded"})
    plan = plan_schedule(world, NOW)
    (patch,) = of_kind(plan.actions, PatchStatus)
    assert "quota exceeded" in patch.status["conditions"][0]["message"]
    assert not of_kind(plan.actions, ApplyCronJob)

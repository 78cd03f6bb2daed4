"""Planning a schedule's CronJob and status, as tables of what is observed and what is to be done."""

from dataclasses import replace
from typing import Any

import pytest

from borg_core.actions import CreateCronJob, CreateJob, PatchStatus, RecordEvent, RepairCronJob
from borg_core.registry import Reference
from borg_core.runs.world import Refusal
from support import builders
from support.builders import NOW, Case, plan, planned, settled

CRON_JOB = Reference("CronJob", builders.NAMESPACE, "db")


def conditions(case: Case) -> dict[str, dict[str, Any]]:
    """Return the conditions that are patched, by type."""
    (patch,) = planned(case, PatchStatus)
    return {condition["type"]: condition for condition in patch.status["conditions"]}


def test_a_new_schedule_costs_two_writes_its_cron_job_and_its_status() -> None:
    made = plan(builders.world(builders.bundle()))
    assert [type(action) for action in made.actions] == [CreateCronJob, PatchStatus]
    assert made.requeue_after is None


def test_nothing_is_done_when_nothing_changed() -> None:
    assert plan(settled(builders.world(builders.bundle()))).actions == ()


def test_the_status_tells_the_next_run_and_that_it_is_ready() -> None:
    (patch,) = planned(builders.world(builders.bundle()), PatchStatus)
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
    edited = builders.with_spec(world.cron_job, **change)
    (action,) = plan(replace(world, cron_job=edited)).actions
    assert isinstance(action, RepairCronJob)


def test_what_somebody_added_to_a_cron_job_is_taken_out_again() -> None:
    world = settled(builders.world(builders.bundle()), foreign_managers=("kubectl-edit",))
    (action,) = plan(world).actions
    assert isinstance(action, RepairCronJob)


def test_defaults_that_the_api_server_adds_are_no_drift() -> None:
    world = settled(builders.world(builders.bundle()))
    assert world.cron_job is not None
    with_defaults = builders.with_spec(world.cron_job, newDefault=1)
    assert plan(replace(world, cron_job=with_defaults)).actions == ()


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
    (action,) = planned(replace(world, bundle=changed), RepairCronJob)
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
    world = builders.world(bundle)
    ready = conditions(world)["Ready"]
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", reason, message)
    assert "Stalled" not in conditions(world)
    assert not planned(world, CreateCronJob)


def test_a_new_schedule_that_is_not_ready_makes_an_event_and_a_ready_one_does_only_when_that_is_news() -> None:
    missing = builders.world(builders.bundle(repositories=()))
    (event,) = planned(missing, RecordEvent)
    assert (event.reason, event.warning) == ("RepositoryNotFound", True)
    (patched,) = planned(missing, PatchStatus)
    found = builders.bundle(builders.with_status(builders.schedule(), patched.status))
    (event,) = planned(builders.world(found), RecordEvent)
    assert (event.reason, event.warning) == ("Scheduled", False)


def test_a_schedule_that_becomes_invalid_keeps_its_last_valid_cron_job() -> None:
    world = replace(
        settled(builders.world(builders.bundle())), bundle=builders.bundle(builders.schedule(schedule="0 2 * * 7"))
    )
    assert not planned(world, RepairCronJob)
    assert list(conditions(world)) == ["Ready", "Stalled", "Suspended"]
    (patch,) = planned(world, PatchStatus)
    assert patch.status["nextRunTime"] == "2026-03-03T02:00:00Z"


def test_a_schedule_that_becomes_invalid_can_still_be_suspended() -> None:
    broken = builders.bundle(builders.schedule(schedule="0 2 * * 7", suspend=True))
    world = replace(settled(builders.world(builders.bundle())), bundle=broken)
    (action,) = planned(world, RepairCronJob)
    assert (action.manifest["spec"]["suspend"], action.manifest["spec"]["schedule"]) == (True, "0 2 * * *")


def test_a_schedule_that_becomes_forbidden_is_suspended() -> None:
    forbidden = builders.bundle(builders.schedule(job={"image": "evil:1"}))
    world = replace(settled(builders.world(builders.bundle())), bundle=forbidden)
    (action,) = planned(world, RepairCronJob)
    assert action.manifest["spec"]["suspend"] is True
    assert conditions(world)["Ready"]["reason"] == "ImageNotAllowed"
    assert conditions(world)["Suspended"]["status"] == "True"
    (patch,) = planned(world, PatchStatus)
    assert "nextRunTime" not in patch.status


def test_a_cron_job_that_is_held_although_it_is_forbidden_by_now_is_suspended() -> None:
    # Valid and allowed once; then the installer forbids hostPath, and the schedule becomes invalid as well.
    host_path = {"name": "srv", "volume": {"hostPath": {"path": "/srv"}}}
    repositories = (builders.local_repository(sources=[host_path]),)
    allowing = replace(builders.SETTINGS, allow_host_path=True)
    allowed = settled(builders.world(builders.bundle(repositories=repositories), settings=allowing))
    broken = builders.bundle(builders.schedule(schedule="0 2 * * 7", sources=[builders.source()]), repositories)
    (action,) = planned(replace(allowed, bundle=broken, settings=builders.SETTINGS), RepairCronJob)
    assert action.manifest["spec"]["suspend"] is True


@pytest.mark.parametrize(
    "change",
    [{"schedule": "*/5 * * * *"}, {"jobTemplate": {"spec": {"template": {"spec": {}}}}}, {"suspend": True}],
    ids=["times", "another pod", "suspended"],
)
def test_a_cron_job_that_is_edited_while_it_is_held_is_suspended_until_it_can_be_renewed(
    change: dict[str, Any],
) -> None:
    valid = settled(builders.world(builders.bundle()))
    assert valid.cron_job
    assert valid.bundle
    missing = replace(valid, bundle=replace(valid.bundle, claims={}))
    assert not planned(missing, RepairCronJob)
    edited = replace(builders.with_spec(valid.cron_job, **change), foreign_managers=("kubectl-edit",))
    held = replace(missing, cron_job=edited)
    (repair,) = planned(held, RepairCronJob)
    assert repair.manifest["spec"] == {**edited.spec, "suspend": True}
    assert conditions(held)["Ready"]["reason"] == "ClaimNotFound"
    assert 'somebody edited CronJob "db" (kubectl-edit)' in conditions(held)["Ready"]["message"]
    assert conditions(held)["Suspended"]["status"] == "True"
    (patch,) = planned(held, PatchStatus)
    assert (patch.status["nextRunTime"], patch.status["effectiveSchedule"]) == (None, None)
    # Our own write has taken the name of who edited it out.
    written = replace(held, cron_job=builders.observed(repair.manifest))
    assert not planned(written, RepairCronJob)
    assert 'somebody edited CronJob "db"' in conditions(written)["Ready"]["message"]
    (renewed,) = planned(replace(valid, cron_job=written.cron_job), RepairCronJob)
    assert (renewed.manifest["spec"]["schedule"], renewed.manifest["spec"]["suspend"]) == ("0 2 * * *", False)
    assert renewed.forget_missed_before == NOW


@pytest.mark.parametrize("moved", ["by the installer", "by admission"])
def test_the_runners_image_under_another_name_suspends_no_cron_job_that_is_held(moved: str) -> None:
    ready = settled(builders.world(builders.bundle()))
    missing = replace(ready, bundle=builders.bundle(repositories=()))
    if moved == "by the installer":
        missing = replace(missing, settings=replace(builders.SETTINGS, runner_image="mirror.local/runner:2"))
    else:
        spec = ready.cron_job.spec  # type: ignore[union-attr]
        spec["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror.local/runner:1"
        missing = replace(missing, cron_job=builders.with_spec(ready.cron_job, **spec))  # type: ignore[arg-type]
    assert not planned(missing, RepairCronJob)
    assert conditions(missing)["Suspended"]["status"] == "False"


@pytest.mark.parametrize("mirror", ["", "mirror.local/"])
def test_an_image_that_is_forbidden_by_now_is_not_run_on_by_a_cron_job_that_is_held(mirror: str) -> None:
    named = builders.bundle(builders.schedule(job={"image": "own/runner:1"}))
    allowing = replace(builders.SETTINGS, allowed_images=("own/*",))
    ready = settled(builders.world(named, settings=allowing))
    spec = ready.cron_job.spec  # type: ignore[union-attr]
    spec["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"] = f"{mirror}own/runner:1"
    forbidden = replace(
        ready,
        settings=builders.SETTINGS,
        cron_job=builders.with_spec(ready.cron_job, **spec),  # type: ignore[arg-type]
        bundle=builders.bundle(repositories=()),
    )
    (repair,) = planned(forbidden, RepairCronJob)
    assert repair.manifest["spec"]["suspend"] is True
    said = conditions(forbidden)["Suspended"]
    assert said["status"] == "True"
    assert "the installer of the operator does not allow" in said["message"]
    assert not planned(replace(forbidden, settings=allowing), RepairCronJob)


def test_a_cron_job_of_somebody_else_is_left_alone() -> None:
    world = settled(builders.world(builders.bundle()), owner_uid="uid-of-another")
    assert not planned(world, RepairCronJob)
    assert not planned(world, CreateCronJob)
    assert conditions(world)["Ready"]["reason"] == "CronJobNameTaken"


def test_a_name_that_is_taken_by_what_is_not_watched_is_said_too() -> None:
    refusals = {CRON_JOB: Refusal("another CronJob has the name", taken=True)}
    assert conditions(builders.world(builders.bundle(), refusals=refusals))["Ready"]["reason"] == "CronJobNameTaken"


def test_a_refusal_of_the_api_server_is_said_in_the_status_and_asked_for_again() -> None:
    world = builders.world(builders.bundle(), refusals={CRON_JOB: Refusal("quota exceeded")})
    ready = conditions(world)["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "RefusedByApiServer")
    assert "quota exceeded" in ready["message"]
    assert "Stalled" not in conditions(world)
    assert planned(world, CreateCronJob)


def test_records_that_are_refused_are_told_of_the_schedule() -> None:
    run = Reference("BorgRun", "team", "db-1")
    world = replace(settled(builders.world(builders.bundle())), jobs=(builders.job("db-1"),))

    def told(reference: Reference, refusal: Refusal) -> dict[str, Any]:
        patches = planned(replace(world, refusals={reference: refusal}), PatchStatus)
        [patch] = [patch for patch in patches if patch.target.kind == "BorgSchedule"]
        return next((c for c in patch.status.get("conditions", ()) if c["type"] == "Ready"), {})

    ready = told(run, Refusal("exceeded quota: runs"))
    assert ready["reason"] == "RefusedByApiServer"
    assert "exceeded quota: runs" in ready["message"]
    for other in (Refusal("another has the name", taken=True), Refusal("exceeded quota: runs")):
        reference = run if other.taken else run._replace(name="db-1-unlock")
        assert told(reference, other).get("reason") != "RefusedByApiServer", "it gets another name, or is no record"


def test_times_that_never_come_are_told_and_keep_nobody_from_running_it_by_hand() -> None:
    never = builders.bundle(builders.schedule(schedule="0 0 31 4,6 *"))
    case = builders.world(never, runs=(builders.run("now"),))
    ready = conditions(replace(case, runs=()))["Ready"]
    assert (ready["reason"], ready["status"]) == ("InvalidSchedule", "False")
    said = '"0 0 31 4,6 *" never runs: no time within five years matches it; name times that come'
    assert ready["message"] == said
    assert planned(settled(case), CreateJob)
    before = settled(builders.world(builders.bundle()))
    assert not planned(replace(before, bundle=never), RepairCronJob), "it goes on as it last was valid"
    held = builders.bundle(builders.schedule(schedule="0 0 31 4,6 *", suspend=True))
    assert conditions(builders.world(held))["Ready"]["status"] == "True"


def test_a_cron_job_that_is_refused_has_no_next_run_unless_it_exists_already() -> None:
    refusals = {CRON_JOB: Refusal("quota exceeded")}
    (patched,) = planned(builders.world(builders.bundle(), refusals=refusals), PatchStatus)
    assert "nextRunTime" not in patched.status
    changed = builders.bundle(builders.schedule(schedule="0 3 * * *"))
    kept = replace(settled(builders.world(builders.bundle()), created=NOW), bundle=changed, refusals=refusals)
    (patched,) = planned(kept, PatchStatus)
    assert patched.status["nextRunTime"]


@pytest.mark.parametrize("change", [{"schedule": "0 5 * * *"}, {"suspend": True}, {"timeZone": "Asia/Tokyo"}])
def test_a_change_that_is_refused_changes_nothing_of_the_times_that_are_told(change: dict[str, Any]) -> None:
    before = settled(builders.world(builders.bundle()), created=NOW)
    changed = builders.bundle(builders.schedule(**change))
    refused = replace(before, bundle=changed, refusals={CRON_JOB: Refusal("denied by a webhook")})
    (patched,) = planned(refused, PatchStatus)
    assert planned(refused, RepairCronJob), "it is asked again"
    assert patched.status["nextRunTime"] == "2026-03-03T02:00:00Z"
    assert patched.status["effectiveSchedule"] == "0 2 * * *"


def test_what_was_refused_and_is_not_any_more_is_ready_again() -> None:
    refused = builders.world(builders.bundle(), refusals={CRON_JOB: Refusal("quota exceeded")})
    (patched,) = planned(refused, PatchStatus)
    (made,) = planned(refused, CreateCronJob)
    healed = builders.bundle(builders.with_status(builders.schedule(), patched.status))
    world = builders.world(healed, cron_job=builders.observed(made.manifest))
    assert conditions(world)["Ready"]["status"] == "True"
    assert [event.reason for event in planned(world, RecordEvent)] == ["Scheduled"]

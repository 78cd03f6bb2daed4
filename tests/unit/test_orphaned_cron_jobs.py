"""CronJobs of ours that nobody owns: put back by a restore, which leaves owners out, or kept by `--cascade=orphan`."""

from dataclasses import replace
from typing import Any

import pytest

from borg_core import labels
from borg_core.actions import CreateCronJob, PatchStatus, RepairCronJob
from borg_core.native.cron_job import ObservedCronJob
from borg_operator.loop.apply import TakenError
from support import builders
from support.builders import Case, planned, settled
from support.operator import Operator
from support.recorder import Recorder

READY = settled(builders.world(builders.bundle()))
assert READY.cron_job
ORPHAN = replace(READY.cron_job, owner_uid=None)
LABELS = ORPHAN.labels


def ready(world: Case) -> dict[str, Any]:
    (patch,) = [patch for patch in planned(world, PatchStatus) if patch.target == builders.DB]
    return next(condition for condition in patch.status["conditions"] if condition["type"] == "Ready")


def with_cron_job(found: ObservedCronJob) -> Case:
    return replace(builders.world(builders.bundle()), cron_job=found)


def test_an_orphan_is_adopted() -> None:
    world = with_cron_job(ORPHAN)
    (repair,) = planned(world, RepairCronJob)
    (owner,) = repair.manifest["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == ("uid-db", True)
    assert ready(world)["status"] == "True"


def test_an_orphan_is_adopted_as_it_was_while_its_schedule_is_not_ready() -> None:
    world = replace(builders.world(builders.bundle(repositories=())), cron_job=ORPHAN)
    (repair,) = planned(world, RepairCronJob)
    assert repair.manifest["spec"] == ORPHAN.spec
    assert ready(world)["reason"] == "RepositoryNotFound"


@pytest.mark.parametrize(
    "found",
    [
        replace(ORPHAN, owner_uid="uid-of-another"),
        replace(ORPHAN, labels={}, subject=None),
        replace(ORPHAN, labels={labels.SCHEDULE: "db"}),
        replace(ORPHAN, subject=builders.DB._replace(name="other")),
    ],
    ids=["somebody owns it", "no labels", "not managed by us", "another schedule's"],
)
def test_what_is_not_provably_ours_is_left_alone(found: ObservedCronJob) -> None:
    world = with_cron_job(found)
    assert not planned(world, RepairCronJob)
    assert not planned(world, CreateCronJob)
    assert ready(world)["reason"] == "CronJobNameTaken"


def manifest(**metadata: Any) -> dict[str, Any]:
    owner = {"apiVersion": "v1", "kind": "BorgSchedule", "name": "db", "uid": "uid-db", "controller": True}
    named = {"name": "db", "namespace": "team", "labels": LABELS, "ownerReferences": [owner], **metadata}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": named, "spec": {"schedule": "0 2 * * *"}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ownerReferences": []}, ["replace CronJob db"]),
        ({"ownerReferences": [{"kind": "Deployment", "uid": "other", "controller": True}]}, []),
        ({"ownerReferences": [], "labels": {}}, []),
    ],
    ids=["an orphan", "taken by somebody meanwhile", "labels removed meanwhile"],
)
def test_a_fresh_look_decides_whether_an_orphan_is_adopted(change: dict[str, Any], expected: list[str]) -> None:
    recorder = Recorder()
    recorder.add("CronJob", manifest(uid="uid-cron", **change))
    operator = Operator(recorder)
    operator.apply(RepairCronJob(manifest()))
    assert recorder.writes == expected


def test_who_else_owns_a_cron_job_owns_it_still_when_it_is_repaired() -> None:
    recorder = Recorder()
    (ours,) = manifest()["metadata"]["ownerReferences"]
    beside = {"apiVersion": "v1", "kind": "ConfigMap", "name": "release", "uid": "uid-release"}
    stale = {**ours, "controller": False}
    recorder.add("CronJob", manifest(uid="uid-cron", ownerReferences=[beside, stale]))
    Operator(recorder).apply(RepairCronJob(manifest()))
    assert recorder.find("CronJob", "db")["metadata"]["ownerReferences"] == [ours, beside]


@pytest.mark.parametrize("operator_held_it", [False, True])
def test_who_put_it_back_holds_it_no_more(operator_held_it: bool) -> None:
    """Who created an object holds each field whose value stays, and would be taken for somebody who edits it."""
    others = [{"manager": "velero-server", "operation": "Update", "fieldsV1": {"f:spec": {"f:schedule": {}}}}]
    own = [{"manager": labels.MANAGER, "operation": "Update", "fieldsV1": {"f:spec": {}}}] * operator_held_it
    recorder = Recorder()
    recorder.add("CronJob", manifest(uid="uid-cron", ownerReferences=[], managedFields=[*others, *own]))
    Operator(recorder).apply(RepairCronJob(manifest()))
    assert recorder.find("CronJob", "db")["metadata"]["managedFields"] == own


def test_an_orphan_that_is_met_when_the_cron_job_is_created_is_not_taken_for_it_unseen() -> None:
    recorder = Recorder()
    recorder.add("CronJob", manifest(uid="uid-cron", ownerReferences=[]))
    with pytest.raises(TakenError):
        Operator(recorder).apply(CreateCronJob(manifest()))

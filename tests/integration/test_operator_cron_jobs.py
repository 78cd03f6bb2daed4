"""The CronJob is what the schedule says, whatever anybody does to it."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from borg_core.clock.hashed import resolve
from borg_core.labels import SCHEDULED_TIMESTAMP
from integration import resources
from integration.cluster import Kubectl
from integration.test_operator_conditions import PROMPT_SECONDS, WAIT_SECONDS, apply, seconds_between, written
from support.waiting import condition, wait_for

REPAIR_SECONDS = 5.0


@pytest.fixture
def cron_job(kubectl: Kubectl, namespace: str) -> dict[str, Any]:
    """Make a schedule and return its CronJob."""
    apply(kubectl, namespace, *resources.claims(), resources.repository(), resources.schedule())
    return wait_for_cron_job(kubectl, namespace, bool, WAIT_SECONDS)


def wait_for_cron_job(
    kubectl: Kubectl, namespace: str, holds: Callable[[dict[str, Any]], bool], within: float
) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        done = kubectl("-n", namespace, "get", "cronjob", "db", "-o", "json", check=False)
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found

    cron_job, _ = wait_for(look, holds, within, "the CronJob")
    return cron_job


def patch(kubectl: Kubectl, namespace: str, kind: str, change: dict[str, Any]) -> None:
    kubectl("-n", namespace, "patch", kind, "db", "--type=merge", "-p", json.dumps(change))


def test_a_deleted_cron_job_comes_back(kubectl: Kubectl, namespace: str, cron_job: dict[str, Any]) -> None:
    kubectl("-n", namespace, "delete", "cronjob", "db")
    again = wait_for_cron_job(kubectl, namespace, bool, REPAIR_SECONDS)
    assert again["metadata"]["uid"] != cron_job["metadata"]["uid"]
    assert again["spec"] == cron_job["spec"]


EDITS: dict[str, dict[str, Any]] = {
    "another time": {"schedule": "* * * * *"},
    "suspended": {"suspend": True},
    "another policy": {"concurrencyPolicy": "Allow"},
    "a field removed": {"startingDeadlineSeconds": None},
    "a field added": {"jobTemplate": {"spec": {"ttlSecondsAfterFinished": 1}}},
    "a node chosen": {"jobTemplate": {"spec": {"template": {"spec": {"nodeSelector": {"disk": "fast"}}}}}},
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.usefixtures("cron_job")
def test_an_edited_cron_job_is_repaired(kubectl: Kubectl, namespace: str, cron_job: dict[str, Any], edit: str) -> None:
    patch(kubectl, namespace, "cronjob", {"spec": EDITS[edit]})
    wait_for_cron_job(kubectl, namespace, lambda found: found["spec"] == cron_job["spec"], REPAIR_SECONDS)


def test_a_container_that_somebody_added_is_taken_out(
    kubectl: Kubectl, namespace: str, cron_job: dict[str, Any]
) -> None:
    extra = [{"op": "add", "path": "/spec/jobTemplate/spec/template/spec/containers/-", "value": _miner(cron_job)}]
    kubectl("-n", namespace, "patch", "cronjob", "db", "--type=json", "-p", json.dumps(extra))
    wait_for_cron_job(kubectl, namespace, lambda found: found["spec"] == cron_job["spec"], REPAIR_SECONDS)


def _miner(cron_job: dict[str, Any]) -> dict[str, Any]:
    (borg,) = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return {**borg, "name": "miner", "command": ["sleep", "1d"]}


def test_lost_labels_and_owner_come_back(kubectl: Kubectl, namespace: str, cron_job: dict[str, Any]) -> None:
    kubectl("-n", namespace, "label", "cronjob", "db", "borgoperator.io/schedule-")

    def is_ours_again(found: dict[str, Any]) -> bool:
        return bool(found["metadata"].get("labels") == cron_job["metadata"]["labels"])

    wait_for_cron_job(kubectl, namespace, is_ours_again, REPAIR_SECONDS)


@pytest.mark.usefixtures("cron_job")
@pytest.mark.parametrize(
    ("change", "follows"),
    [
        ({"schedule": "15 3 * * *"}, {"schedule": "15 3 * * *"}),
        ({"timeZone": "Asia/Tokyo"}, {"timeZone": "Asia/Tokyo"}),
        ({"suspend": True}, {"suspend": True}),
        ({"runHistoryLimit": 3}, {"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 3}),
    ],
)
def test_the_cron_job_follows_the_schedule(
    kubectl: Kubectl, namespace: str, change: dict[str, Any], follows: dict[str, Any]
) -> None:
    patch(kubectl, namespace, "borgschedule", {"spec": change})
    wait_for_cron_job(kubectl, namespace, lambda found: follows.items() <= found["spec"].items(), WAIT_SECONDS)
    edited, followed = (
        written(kubectl.get("-n", namespace, kind, "db", "--show-managed-fields"))
        for kind in ("borgschedule", "cronjob")
    )
    assert 0 <= seconds_between(edited, followed) <= PROMPT_SECONDS


@pytest.mark.usefixtures("cron_job")
def test_a_hashed_line_reaches_the_cron_job_as_a_plain_one_and_stays(kubectl: Kubectl, namespace: str) -> None:
    patch(kubectl, namespace, "borgschedule", {"spec": {"schedule": "H H 1 1 *"}})
    plain = resolve("H H 1 1 *", namespace, "db")
    wait_for_cron_job(kubectl, namespace, lambda found: found["spec"]["schedule"] == plain, WAIT_SECONDS)
    patch(kubectl, namespace, "cronjob", {"spec": {"schedule": "0 0 1 1 *"}})
    wait_for_cron_job(kubectl, namespace, lambda found: found["spec"]["schedule"] == plain, REPAIR_SECONDS)

    schedule, _ = wait_for(
        lambda: kubectl.get("-n", namespace, "borgschedule", "db"),
        lambda found: found["status"].get("effectiveSchedule") == plain,
        WAIT_SECONDS,
        "the status",
    )
    assert schedule["spec"]["schedule"] == "H H 1 1 *"
    assert f'fires at "{plain}" (chosen for "H H 1 1 *")' in condition(schedule, "Ready")["message"]


def test_a_job_at_a_time_that_was_not_foretold_is_said_until_the_next_one_agrees(
    kubectl: Kubectl, namespace: str, cron_job: dict[str, Any]
) -> None:
    """The Jobs are made as the controller would make them; for the first, with another time zone database."""
    begin_tick(kubectl, namespace, cron_job, "2026-01-01T01:00:00+01:00")
    assert disagreement(kubectl, namespace) is None

    begin_tick(kubectl, namespace, cron_job, "2026-01-01T00:00:00-01:00")
    said, _ = wait_for(lambda: disagreement(kubectl, namespace), bool, WAIT_SECONDS, "ClockDisagrees")
    assert said
    assert "was made for 2026-01-01T01:00:00Z, which was not foretold" in said["message"]

    begin_tick(kubectl, namespace, cron_job, "2027-01-01T00:00:00Z")
    wait_for(lambda: disagreement(kubectl, namespace), lambda found: found is None, WAIT_SECONDS, "agreement")


def begin_tick(kubectl: Kubectl, namespace: str, cron_job: dict[str, Any], scheduled: str) -> None:
    template = cron_job["spec"]["jobTemplate"]
    minutes = int(datetime.fromisoformat(scheduled).timestamp()) // 60
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": "db",
        "uid": cron_job["metadata"]["uid"],
        "controller": True,
    }
    metadata = {
        "name": f"db-{minutes}",
        "labels": template["metadata"]["labels"],
        "annotations": {**template["metadata"]["annotations"], SCHEDULED_TIMESTAMP: scheduled},
        "ownerReferences": [owner],
    }
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}
    kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(job))
    wait_for(
        lambda: kubectl("-n", namespace, "get", "borgrun", f"db-{minutes}", check=False).returncode,
        lambda code: code == 0,
        WAIT_SECONDS,
        "the record of the Job",
    )


def disagreement(kubectl: Kubectl, namespace: str) -> dict[str, Any] | None:
    conditions = kubectl.get("-n", namespace, "borgschedule", "db")["status"].get("conditions", [])
    return next((found for found in conditions if found["type"] == "ClockDisagrees"), None)


def test_a_cron_job_of_somebody_else_is_left_alone_and_named(kubectl: Kubectl, namespace: str) -> None:
    foreign = ["create", "cronjob", "db", "--image=none", "--schedule=0 0 1 1 *"]
    kubectl("-n", namespace, *foreign)
    before = kubectl.get("-n", namespace, "cronjob", "db")
    apply(kubectl, namespace, *resources.claims(), resources.repository(), resources.schedule())
    seen, _ = wait_for(
        lambda: kubectl.get("-n", namespace, "borgschedule", "db"),
        lambda found: bool(condition(found, "Ready")),
        WAIT_SECONDS,
        "Ready",
    )
    assert condition(seen, "Ready")["reason"] == "CronJobNameTaken"
    assert kubectl.get("-n", namespace, "cronjob", "db")["spec"] == before["spec"]
    kubectl("-n", namespace, "delete", "cronjob", "db")
    wait_for_cron_job(kubectl, namespace, lambda found: bool(found.get("metadata", {}).get("ownerReferences")), 8)


@pytest.mark.usefixtures("cron_job")
def test_deleting_the_schedule_removes_the_cron_job(kubectl: Kubectl, namespace: str) -> None:
    kubectl("-n", namespace, "delete", "borgschedule", "db", "--timeout=60s")
    wait_for_cron_job(kubectl, namespace, lambda found: not found, WAIT_SECONDS)


def test_a_run_of_a_schedule_that_does_not_exist_waits_and_says_so(kubectl: Kubectl, namespace: str) -> None:
    apply(kubectl, namespace, resources.run("now"))
    seen, _ = wait_for(
        lambda: kubectl.get("-n", namespace, "borgrun", "now"),
        lambda found: "status" in found,
        WAIT_SECONDS,
        "the run's status",
    )
    since = condition(seen, "Succeeded")["lastTransitionTime"]
    assert seconds_between(seen["metadata"]["creationTimestamp"], since) <= PROMPT_SECONDS
    message = f'BorgSchedule "db" does not exist in namespace "{namespace}": create it'
    assert seen["status"] == {
        "phase": "Pending",
        "trigger": "Manual",
        "reason": "ScheduleNotFound",
        "message": message,
        "conditions": [
            {
                "type": "Succeeded",
                "status": "Unknown",
                "reason": "Pending",
                "message": message,
                "lastTransitionTime": seen["status"]["conditions"][0]["lastTransitionTime"],
                "observedGeneration": 1,
            }
        ],
    }

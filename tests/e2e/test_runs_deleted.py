"""A run is paired with its Job by uid, never by name: what a person deletes goes, and does not come back."""

import json
import time

import pytest

from e2e.gate import gated
from e2e.team import Object, Team
from support.pods import watch_pods

EVERY_MINUTE = "* * * * *"


@pytest.fixture(scope="module")
def deleting(team: Team) -> Team:
    """Make schedules: `night` by hand; for every minute `held`, whose runs wait for ever, `failing` and `named`."""
    team.prepare()
    team.work("echo hello > /data/hello")
    team.repository("main")
    team.repository("broken", passphrase="no-such-secret")
    team.schedule("night")
    team.schedule("named", schedule=EVERY_MINUTE, suspend=True)
    gated(team, "held", schedule=EVERY_MINUTE)
    team.schedule("failing", "broken", schedule=EVERY_MINUTE)
    return team


def test_a_run_that_is_deleted_and_made_anew_under_its_name_runs_again(deleting: Team) -> None:
    first = deleting.completed("again", "night")

    deleting("delete", "brun", "again")
    second = deleting.completed("again", "night")

    assert second["jobUid"] != first["jobUid"]
    assert second["startTime"] >= first["completionTime"]
    archives = [status["repositories"][0]["archive"] for status in (first, second)]
    assert len(set(archives)) == 2
    assert set(archives) <= set(deleting.archives("main"))


def test_a_scheduled_run_that_is_deleted_while_it_runs_stops_and_stays_away(deleting: Team) -> None:
    with watch_pods(deleting.kubectl, deleting.namespace, "borgoperator.io/schedule=held") as pods:
        pods.running(within=90)
        deleting.suspend("held")
        run = deleting.scheduled("held")
        status = deleting.eventually(
            lambda: deleting.get("brun", run["metadata"]["name"])["status"],
            "the run knows its Job",
            holds=lambda seen: "jobUid" in seen,
        )

        deleting("delete", "brun", run["metadata"]["name"])

        pods.ended(status["jobUid"], within=30)
    _expect_nothing_left(deleting, run["metadata"]["name"], status["jobUid"])
    _look_again(deleting, "held")
    assert deleting.names("brun", "borgoperator.io/schedule=held") == set()


def test_a_failure_counts_once_and_its_deletion_changes_no_count(deleting: Team) -> None:
    run = deleting.scheduled("failing", within=90)["metadata"]["name"]
    deleting.suspend("failing")
    status = deleting.finished(run)
    assert status["phase"] == "Failed"
    deleting.eventually(
        lambda: deleting.get("bsched", "failing")["status"],
        "the failure is counted",
        holds=lambda seen: seen.get("lastRunName") == run and seen["consecutiveFailures"] == 1,
    )

    deleting("delete", "brun", run)

    _expect_nothing_left(deleting, run, status["jobUid"])
    _look_again(deleting, "failing")
    assert deleting.find("brun", run) is None
    assert deleting.get("bsched", "failing")["status"]["consecutiveFailures"] == 1
    failures = [event for event in deleting.items("events.events.k8s.io") if event["reason"] == "RunFailed"]
    assert len(failures) == 1, json.dumps(failures, indent=1)


def test_a_run_with_the_name_of_another_schedules_next_job_is_neither_taken_for_it_nor_in_its_way(
    deleting: Team,
) -> None:
    minutes = int(time.time()) // 60
    names = [f"named-{minutes + later}" for later in (1, 2)]  # it may turn just now
    for name, operation in zip(names, ("Backup", "Compact"), strict=True):  # of two that are equal, one is enough
        deleting.begin(name, "night", operation)
    deleting.suspend("named", suspend=False)

    (job,) = deleting.eventually(
        lambda: [item for item in deleting.items("jobs") if _tick_of(item, "named")], "a tick came", within=130
    )
    deleting.suspend("named")
    assert job["metadata"]["name"] in names
    uid = job["metadata"]["uid"]
    (run,) = deleting.eventually(
        lambda: [item for item in deleting.items("brun") if item.get("status", {}).get("jobUid") == uid],
        "the tick's run is recorded",
    )
    assert run["spec"]["scheduleRef"] == {"name": "named"}
    assert deleting.finished(run["metadata"]["name"])["trigger"] == "Scheduled"
    by_hand = [deleting.finished(name) for name in names]
    assert [(status["phase"], status["trigger"]) for status in by_hand] == [("Completed", "Manual")] * 2
    assert len({uid, *(status["jobUid"] for status in by_hand)}) == 3
    told = [event for event in deleting.items("events.events.k8s.io") if event["regarding"]["name"] == "named"]
    assert sum(event.get("deprecatedCount") or 1 for event in told) < 20, json.dumps(told, indent=1)


def _expect_nothing_left(team: Team, run: str, uid: str) -> None:
    team.eventually(
        lambda: (
            [item for item in team.items("jobs") if item["metadata"]["uid"] == uid]
            or team.names("pods", f"batch.kubernetes.io/controller-uid={uid}")
        ),
        f"Job and pod of {run} are gone",
        holds=lambda left: not left,
        within=30,
    )


def _look_again(team: Team, schedule: str) -> None:
    """Return when the operator has looked at the schedule anew."""
    team.patch("bsched", schedule, runHistoryLimit=7)
    team.eventually(
        lambda: team.get("bsched", schedule),
        "the operator has looked again",
        holds=lambda seen: seen["status"]["observedGeneration"] == seen["metadata"]["generation"],
    )


def _tick_of(job: Object, cron_job: str) -> bool:
    """Tell whether the CronJob's controller has made the Job."""
    metadata = job["metadata"]
    owned = any(owner["name"] == cron_job for owner in metadata.get("ownerReferences", []))
    return owned and "batch.kubernetes.io/cronjob-scheduled-timestamp" in metadata.get("annotations", {})

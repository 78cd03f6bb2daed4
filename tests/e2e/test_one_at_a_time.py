"""One run of a schedule at a time, whoever asked for it, and no tick is lost to that."""

from datetime import datetime

import pytest

from e2e.gate import gated, let_pass
from e2e.team import Team
from support.pods import watch_pods

EVERY_MINUTE = "* * * * *"


@pytest.fixture(scope="module")
def busy(team: Team) -> Team:
    """Make two schedules for every minute whose runs wait until they may pass; `hand-first` is suspended."""
    team.prepare()
    team.work("echo hello > /data/hello")
    team.repository("main")
    gated(team, "hand-first", schedule=EVERY_MINUTE, suspend=True)
    gated(team, "tick-first", schedule=EVERY_MINUTE)
    return team


def test_a_tick_during_a_run_by_hand_waits_for_its_end_and_is_not_lost(busy: Team) -> None:
    with watch_pods(busy.kubectl, busy.namespace, "borgoperator.io/schedule=hand-first") as pods:
        busy.begin("by-hand", "hand-first")
        pods.running()
        busy.suspend("hand-first", suspend=False)
        held = busy.eventually(lambda: _ticks_held(busy, "hand-first"), "a tick was held", within=90)
        assert busy.names("brun", "borgoperator.io/schedule=hand-first") == {"by-hand"}

        let_pass(busy, "hand-first")
        assert busy.finished("by-hand")["phase"] == "Completed"
        tick = busy.scheduled("hand-first", within=20)  # at once, not with the next minute
        busy.suspend("hand-first")
        let_pass(busy, "hand-first")
        status = busy.finished(tick["metadata"]["name"])

    assert status["phase"] == "Completed", busy.story()
    assert held
    by_hand = busy.get("brun", "by-hand")["status"]
    assert by_hand["startTime"] < status["scheduledTime"] < by_hand["completionTime"] <= status["startTime"]
    assert pods.overlaps() == []


def test_a_run_by_hand_during_a_tick_waits_for_its_end(busy: Team) -> None:
    with watch_pods(busy.kubectl, busy.namespace, "borgoperator.io/schedule=tick-first") as pods:
        pods.running(within=90)
        busy.suspend("tick-first")
        tick = busy.scheduled("tick-first")["metadata"]["name"]
        busy.begin("patient", "tick-first")
        said = busy.eventually(
            lambda: busy.get("brun", "patient").get("status", {}),
            "the run says for what it waits",
            holds=lambda seen: seen.get("reason") == "WaitingForRun",
        )
        assert tick in said["message"]

        let_pass(busy, "tick-first")
        first = busy.finished(tick)
        let_pass(busy, "tick-first")
        second = busy.finished("patient")

    assert (first["phase"], second["phase"]) == ("Completed", "Completed"), busy.story()
    assert datetime.fromisoformat(first["completionTime"]) <= datetime.fromisoformat(second["startTime"])
    assert pods.overlaps() == []


def test_a_job_that_somebody_made_of_the_cron_job_waits_as_well(busy: Team) -> None:
    with watch_pods(busy.kubectl, busy.namespace, "borgoperator.io/schedule=hand-first") as pods:
        busy.begin("unhurried", "hand-first")
        pods.running()
        busy("create", "job", "hasty", "--from=cronjob/hand-first")
        said = busy.eventually(
            lambda: (busy.find("brun", "hasty") or {}).get("status", {}),  # the operator makes it of the Job
            "the Job says for what it waits",
            holds=lambda seen: seen.get("reason") == "WaitingForRun",
        )
        assert "unhurried" in said["message"]

        let_pass(busy, "hand-first")
        first = busy.finished("unhurried")
        let_pass(busy, "hand-first")
        second = busy.finished("hasty")

    assert [(run["phase"], len(run["repositories"])) for run in (first, second)] == [("Completed", 1)] * 2, busy.story()
    assert datetime.fromisoformat(first["completionTime"]) <= datetime.fromisoformat(second["startTime"])


def _ticks_held(team: Team, name: str) -> list[str]:
    """Return what the CronJob controller says of ticks of a CronJob that it did not begin as a run is under way."""
    return [
        event["note"]
        for event in team.items("events.events.k8s.io")
        if (event["regarding"].get("kind"), event["regarding"]["name"]) == ("CronJob", name)
        and event["reason"] == "JobAlreadyActive"
    ]

"""What is done with a repository alone, without any schedule: Check, Compact and List, by hand or by the clock."""

import json

import pytest

from e2e.team import API_VERSION, Object, Team, is_time


@pytest.fixture(scope="module")
def filled(team: Team) -> Team:
    """Make `main` with an archive in it, and `watched`, which is checked each minute."""
    team.prepare()
    team.work("echo hello > /data/hello")
    team.repository("watched")
    team.repository("main")
    team.schedule("night")
    team.schedule("other", "watched")
    team.completed("backup", "night")
    team.completed("backup-other", "other")
    team.repository("watched", verification={"check": {"schedule": "*/1 * * * *"}})  # now there is something to check
    return team


@pytest.mark.parametrize("operation", ["Check", "Compact", "List"])
def test_an_operation_on_a_repository_needs_no_schedule(filled: Team, operation: str) -> None:
    name = f"by-hand-{operation.lower()}"
    filled.begin(name, operation=operation, repository="main")

    status = filled.finished(name)

    assert (status["phase"], status["trigger"]) == ("Completed", "Manual"), filled.story()
    (repository,) = status["repositories"]
    assert (repository["name"], repository["phase"]) == ("main", "Completed")
    assert "archive" not in repository


def test_a_backup_of_a_repository_alone_is_refused_with_what_to_do(filled: Team) -> None:
    spec = {"repositoryRef": {"name": "main"}, "operation": "Backup"}
    run = {"apiVersion": API_VERSION, "kind": "BorgRun", "metadata": {"name": "whole"}, "spec": spec}

    refused = filled("create", "-f", "-", stdin=json.dumps(run), check=False)

    assert refused.returncode
    assert "scheduleRef" in refused.stderr


def test_a_repository_is_checked_by_the_clock_through_a_cron_job_of_its_own(filled: Team) -> None:
    (cron_job,) = filled.eventually(
        lambda: [item for item in filled.items("cronjobs") if _owner(item)["kind"] == "BorgRepository"],
        "there is a CronJob of its checks",
    )
    assert _owner(cron_job)["name"] == "watched"
    assert cron_job["spec"]["schedule"] == "*/1 * * * *"

    run = filled.eventually(
        lambda: [item for item in filled.items("brun") if _is_check_by_clock(item)], "a check has begun", within=90
    )[0]
    status = filled.finished(run["metadata"]["name"])

    assert status["phase"] == "Completed", filled.story()
    assert is_time(status["scheduledTime"])
    assert run["spec"]["repositoryRef"] == {"name": "watched"}
    checked = filled.eventually(
        lambda: filled.get("brepo", "watched")["status"].get("lastCheckTime"), "the repository says when"
    )
    assert checked >= status["completionTime"]  # the next minute may have come


def test_the_cron_job_of_checks_goes_when_they_are_no_longer_asked_for(filled: Team) -> None:
    def cron_jobs() -> list[Object]:
        return [item for item in filled.items("cronjobs") if _owner(item)["name"] == "briefly"]

    filled.repository("briefly", verification={"check": {"schedule": "0 4 * * 0"}})
    filled.eventually(cron_jobs, "there is a CronJob of its checks")

    filled.repository("briefly")

    filled.eventually(cron_jobs, "it is gone", holds=lambda found: not found)


def _is_check_by_clock(run: Object) -> bool:
    return bool(run.get("status", {}).get("trigger") == "Scheduled" and run["spec"]["operation"] == "Check")


def _owner(item: Object) -> Object:
    owner: Object = item["metadata"]["ownerReferences"][0]
    return owner

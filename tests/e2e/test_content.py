"""A claim that is emptied between two nights pushes out no good archive; one bad source loses none of the good ones."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from e2e.team import Team, condition, source

KEEP_ONE = {"enabled": True, "keepDaily": 1, "keepWeekly": 0, "keepMonthly": 0, "keepYearly": 0}


@pytest.fixture(scope="module", autouse=True)
def filled(team: Team) -> None:
    team.prepare()
    team.work("for number in $(seq 20); do echo $number > /data/file-$number; done")


def test_a_claim_that_is_emptied_keeps_what_there_was_and_says_so_until_it_is_filled(team: Team) -> None:
    team.repository("main")
    team.schedule("db", prune=KEEP_ONE)
    assert team.run("db-1", "db")["phase"] == "Completed", team.story()
    yesterday = _copy_to_yesterday(team)
    team.work("mkdir /tmp/kept; mv /data/file-* /tmp/kept")

    for number in (2, 3):
        status = team.run(f"db-{number}", "db")
        assert (status["phase"], status["reason"]) == ("CompletedWithWarnings", "Warnings"), team.story()
        assert "/sources/data holds no file" in status["message"]
        (repository,) = status["repositories"]
        assert (repository["reason"], repository["files"]) == ("SourceEmpty", 0)
        assert "prune" not in repository
        assert len(team.archives("main")) == number + 1
        assert yesterday in team.archives("main")
    _repository_says(team, lambda message: "/sources/data holds no file" in message)
    assert "/sources/data holds no file" in condition(team.get("bsched", "db"), "LastRunSucceeded")["message"]

    team.work("mv /tmp/kept/file-* /data")
    (healed,) = team.completed("db-4", "db")["repositories"]
    assert healed["prune"]["deleted"] == 4  # the newest day has its newest archive, as was asked for
    assert team.archives("main") == [healed["archive"]]
    _repository_says(team, lambda message: "but" not in message)


def test_one_source_that_cannot_be_read_does_not_lose_the_other(team: Team) -> None:
    team.work("mkdir -p /data/priv; echo secret > /data/priv/file; chmod 0 /data/priv")
    (volume,) = source()
    bad, good = {**volume, "name": "priv", "paths": ["priv"]}, {**volume, "name": "data", "paths": ["file-1"]}
    team.repository("half", sources=[bad, good], minFiles=1)
    team.schedule("half", "half", prune=KEEP_ONE)

    status = team.run("half-1", "half")

    assert (status["phase"], status["reason"]) == ("Failed", "RepositoriesFailed"), team.story()
    (repository,) = status["repositories"]
    assert (repository["phase"], repository["reason"]) == ("Failed", "SourceUnreadable")
    assert repository["files"] == 1
    assert repository["totals"]["archives"] == 1
    assert team.archives("half") == [repository["archive"]]
    assert 'holds "data", but not all: Source "priv" cannot be read' in repository["error"]
    schedule = team.get("bsched", "half")["status"]
    assert "lastSuccessTime" not in schedule
    assert schedule["consecutiveFailures"] == 1
    team.work("chmod 0700 /data/priv")
    assert team.completed("half-2", "half")["repositories"][0]["files"] == 2


def test_fewer_files_than_are_asked_for_fail(team: Team) -> None:
    team.patch("brepo", "half", minFiles=3)

    status = team.run("half-3", "half")

    (repository,) = status["repositories"]
    assert (repository["phase"], repository["reason"], repository["files"]) == ("Failed", "TooFewFiles", 2)
    assert repository["archive"] in team.archives("half")


def _repository_says(team: Team, holds: Callable[[str], bool]) -> None:
    team.eventually(
        lambda: condition(team.get("brepo", "main"), "Ready")["message"], "the repository says so", holds=holds
    )


def _copy_to_yesterday(team: Team) -> str:
    """Write an archive like the newest one, as if it had been made a day before; return its name."""
    listed = json.loads(team.borg("main", "list --json --format '{comment}'"))
    (archive,) = listed["archives"]
    moment = datetime.now(UTC) - timedelta(days=1)
    name = f"db-{moment:%Y-%m-%dT%H:%M:%S}"
    options = f"--timestamp {moment:%Y-%m-%dT%H:%M:%S} --comment '{archive['comment']}'"
    team.borg("main", f"create {options} ::{name} /data")
    return name

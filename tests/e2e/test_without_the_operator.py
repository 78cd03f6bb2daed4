"""Backups go on while the operator is down, and are recorded when it is back.

For three minutes no other schedule of the cluster is looked after.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from e2e.absence import away, scale
from e2e.conftest import Operator
from e2e.team import Object, Team, is_time

TICKS = 3


@pytest.fixture(name="away")
def _away(ticking: Team, operator: Operator) -> Iterator[None]:
    with away(ticking.kubectl, operator):
        yield


@pytest.mark.disturbs
@pytest.mark.usefixtures("away")
def test_three_ticks_without_the_operator_are_run_and_recorded_when_it_returns(
    ticking: Team, operator: Operator
) -> None:
    left = datetime.now(UTC)
    jobs = ticking.eventually(
        lambda: [job for job in ticking.items("jobs", "borgoperator.io/schedule=ticking") if _done_since(job, left)],
        "three ticks were run",
        holds=lambda seen: len(seen) >= TICKS,
        within=60 * (TICKS + 1),
    )
    names = sorted(job["metadata"]["name"] for job in jobs)
    assert not ticking.names("brun", "borgoperator.io/schedule=ticking") & set(names)  # there was no operator

    scale(ticking.kubectl, operator, 1)

    statuses = [_recorded(ticking, name) for name in names]
    archives = ticking.archives("main")
    for job, status in zip(sorted(jobs, key=lambda item: item["metadata"]["name"]), statuses, strict=True):
        assert (status["phase"], status["trigger"]) == ("Completed", "Scheduled"), json.dumps(status, indent=1)
        assert status["jobUid"] == job["metadata"]["uid"]
        assert status["startTime"] == job["status"]["startTime"]
        assert is_time(status["scheduledTime"])
        assert is_time(status["completionTime"])
        (repository,) = status["repositories"]
        assert repository["archive"] in archives
        assert repository["files"] == 1
        assert repository["totals"]["archives"] >= 1
    assert len({status["scheduledTime"] for status in statuses}) == len(statuses)
    schedule = ticking.get("bsched", "ticking")["status"]
    assert schedule["lastSuccessTime"] >= statuses[-1]["completionTime"]


def _recorded(team: Team, name: str) -> Object:
    team.eventually(lambda: team.find("brun", name), f"BorgRun {name} appears")
    return team.finished(name)


def _done_since(job: Object, begin: datetime) -> bool:
    done = job.get("status", {}).get("succeeded") == 1
    return done and datetime.fromisoformat(job["metadata"]["creationTimestamp"]) > begin

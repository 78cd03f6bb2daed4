"""Copies while the operator is away: clones are made, read and deleted without it; runs with snapshots wait for it.

For five minutes no other schedule of the cluster is looked after.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from e2e.absence import away, scale
from e2e.conftest import Operator
from e2e.copies import OURS, check_pair, copying_team, live_claim, nothing_is_left, schedule
from e2e.team import Object, Team
from support.cluster import Kubectl

pytestmark = pytest.mark.disturbs

TICKS = 3


@pytest.fixture(scope="module")
def storing(kubectl: Kubectl, operator: Operator) -> Iterator[Team]:
    with copying_team(kubectl, operator) as team, live_claim(team):
        team.repository("main")
        yield team


def test_three_ticks_are_backed_up_from_clones_each_of_which_goes_at_the_latest_with_the_next(
    storing: Team, operator: Operator
) -> None:
    schedule(storing, "clones", "Clone", schedule="* * * * *")
    storing.eventually(lambda: storing.find("cronjob", "clones"), "its CronJob is there")
    with away(storing.kubectl, operator):
        seen: dict[str, Object] = {}

        def ended() -> dict[str, Object]:
            for job in storing.items("jobs", "borgoperator.io/schedule=clones"):
                if job.get("status", {}).get("succeeded") == 1:
                    seen[job["metadata"]["name"]] = job
            return seen

        storing.eventually(
            ended, "three ticks were run", holds=lambda jobs: len(jobs) >= TICKS, within=60 * (TICKS + 2)
        )
        # Of what has ended, the newest is there until the operator, or an hour, comes.
        storing.eventually(
            lambda: storing.names("pvc", OURS), "one clone at most", holds=lambda names: len(names) <= 1, within=20
        )
        storing.suspend("clones")
    storing.eventually(lambda: storing.get("cronjob", "clones")["spec"]["suspend"], "the operator is back")
    archives = [name for name in storing.archives("main") if name.startswith("clones-")]
    assert len(archives) >= TICKS
    for archive in archives:
        check_pair(storing, archive)
    newest = max(seen)
    storing.eventually(lambda: storing.find("brun", newest), "what there was of a Job is recorded")
    assert storing.finished(newest)["phase"] == "Completed"
    nothing_is_left(storing)


def test_a_tick_that_needs_a_snapshot_waits_for_the_operator_and_is_not_lost(storing: Team, operator: Operator) -> None:
    schedule(storing, "snapshots", "Snapshot", schedule="* * * * *")
    storing.eventually(lambda: storing.find("cronjob", "snapshots"), "its CronJob is there")
    with away(storing.kubectl, operator):
        left = datetime.now(UTC)

        def waiting() -> list[Object]:
            return [
                job
                for job in storing.items("jobs", "borgoperator.io/schedule=snapshots")
                if job["spec"].get("suspend") and datetime.fromisoformat(job["metadata"]["creationTimestamp"]) >= left
            ]

        (job,) = storing.eventually(waiting, "a tick waits", within=150)
        assert not storing.names("volumesnapshots.snapshot.storage.k8s.io")
        scale(storing.kubectl, operator, 1)
        name = job["metadata"]["name"]
        storing.eventually(lambda: storing.find("brun", name), "the tick is recorded", within=90)
        status = storing.finished(name, within=180)
        assert (status["phase"], status["trigger"]) == ("Completed", "Scheduled"), storing.story()
    storing.suspend("snapshots")
    nothing_is_left(storing, within=150)

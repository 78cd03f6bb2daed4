"""A pod that takes more of its node's disk than it may: the kubelet itself evicts it in the middle of a backup."""

from collections.abc import Iterator

import pytest

from e2e.conftest import Operator
from e2e.team import Team
from support.cluster import RESTRICTED, Kubectl, fresh_namespace

pytestmark = pytest.mark.takes_minutes
SLOW = "zstd,22"
LIMIT = "24Mi"
NAMED = {"archiveNameTemplate": "{job_name}-{timestamp}"}


@pytest.fixture(scope="module")
def team(kubectl: Kubectl, operator: Operator) -> Iterator[Team]:
    with fresh_namespace(kubectl, RESTRICTED) as name:
        team = Team(kubectl, name, operator.images)
        team.prepare()
        team.work("head -c 400M /dev/urandom > /data/large")
        team.script("hoard", "head -c 64M /dev/zero > /tmp/hoard")
        yield team


def test_an_evicted_backup_says_of_what_it_took_too_much_and_the_next_one_succeeds(team: Team) -> None:
    team.repository("main", compression=SLOW)
    hoarding = {"preBackup": {"scriptRef": {"name": "hoard"}}}
    storage = {"resources": {"limits": {"ephemeral-storage": LIMIT}}}
    team.schedule("db", hooks=hoarding, job=storage, **NAMED)
    team.begin("evicted", "db")
    team.grown("main", 1_000_000)  # borg holds the lock

    ended = team.finished("evicted", within=240)

    assert (ended["phase"], ended["reason"]) == ("Failed", "Evicted"), team.story()
    assert f"exceeds the total limit of containers {LIMIT}" in ended["message"]
    assert "spec.job.resources" in ended["message"]
    team.work("rm /data/large; echo small > /data/small")
    team.schedule("db", hooks={}, job={}, **NAMED)
    team.completed("after", "db")
    assert len(team.archives("main")) == 1
    team.borg("main", "check --verify-data")

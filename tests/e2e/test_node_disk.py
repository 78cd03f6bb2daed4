"""A node's disk is full, or a pod takes more of it than it may: the kubelet evicts the pod in mid-backup."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.conftest import Operator
from e2e.team import Object, Team
from support.cluster import RESTRICTED, Kubectl, fresh_namespace
from support.node_processes import ballast, is_made_of_processes, wanting_disk

SLOW = "zstd,22"
LIMIT = "24Mi"
GIBI = 2**30
NAMED = {"archiveNameTemplate": "{job_name}-{timestamp}"}


@pytest.fixture
def team(kubectl: Kubectl, operator: Operator) -> Iterator[Team]:
    with fresh_namespace(kubectl, RESTRICTED) as name:
        team = Team(kubectl, name, operator.images)
        team.prepare()
        team.script("hoard", "head -c 64M /dev/zero > /tmp/hoard")
        yield team


@pytest.mark.takes_minutes
def test_an_evicted_backup_says_of_what_it_took_too_much_and_the_next_one_succeeds(team: Team) -> None:
    # The kubelet looks at what pods take about once in a minute, a busy one later: borg is to be at work for longer.
    team.work("head -c 1G /dev/urandom > /data/large")
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


@pytest.fixture
def everybody(kubectl: Kubectl, operator: Operator) -> Iterator[None]:
    """Return when all that the kubelet evicted meanwhile is there again, and clear what is left of it."""
    yield
    of_operator = f"--namespace={operator.namespace}"
    kubectl("delete", "pods", of_operator, "--field-selector=status.phase!=Running,status.phase!=Pending")
    for name in (operator.deployment, f"{operator.deployment}-api"):
        kubectl("rollout", "status", f"deployment/{name}", of_operator, "--timeout=120s")


@pytest.mark.disturbs
@pytest.mark.usefixtures("everybody")
def test_a_node_without_room_evicts_and_the_run_goes_on_in_another_pod(team: Team) -> None:
    """Its Job makes another pod, which waits until there is room, and goes on behind the lock of the one before."""
    if not is_made_of_processes():
        pytest.skip("only the local node's kubelet can be told that its disk is full")
    team.work("head -c 250M /dev/urandom > /data/large")
    team.repository("main", compression=SLOW)
    team.schedule("db", hooks={"preBackup": {"scriptRef": {"name": "hoard"}}}, **NAMED)
    team.begin("crowded", "db")
    team.grown("main", 1_000_000)  # borg holds the lock

    # A kubelet that begins while the disk is full refuses the pods that run already: it is to know them before.
    with wanting_disk(2 * GIBI), _known_to_kubelet(team, "crowded"), ballast(3 * GIBI):
        evicted = team.eventually(lambda: _evicted(team), "the kubelet evicts the pod", within=120)
        assert "The node was low on resource: ephemeral-storage" in evicted[0]["status"]["message"]
    ended = team.finished("crowded", within=300)

    assert ended["phase"] == "Completed", team.story()
    assert len(team.items("pods", team.pods_of("crowded"))) == 2
    team("delete", "pod", "workbench", "--wait")  # the kubelet took that as well
    team.workbench()
    assert team.archives("main") == [repository["archive"] for repository in ended["repositories"]]
    team.borg("main", "check --verify-data")


@contextmanager
def _known_to_kubelet(team: Team, run: str) -> Iterator[None]:
    """Wait until the kubelet, which has begun anew, has taken up the pod of the run."""
    (node,) = (item["metadata"]["name"] for item in team.kubectl.get("nodes")["items"])
    (pod,) = team.names("pods", team.pods_of(run))

    def look() -> bool:
        return pod in str(team("get", "--raw", f"/api/v1/nodes/{node}/proxy/pods", check=False).stdout)

    team.eventually(look, "the kubelet knows the pod")
    yield


def _evicted(team: Team) -> list[Object]:
    pods = team.items("pods", team.pods_of("crowded"))
    return [pod for pod in pods if pod["status"].get("reason") == "Evicted"]

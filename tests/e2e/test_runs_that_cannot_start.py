"""A run that cannot start says why, in the words of whoever refuses it, and runs once the cause is gone."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from e2e.conftest import Operator
from e2e.team import Object, Team, source
from support.cluster import RESTRICTED, Kubectl, fresh_namespace
from support.rest import Rest, find_facade, make_account
from support.webhook import admission_webhook

NO_DRIVER = [{"name": "data", "volume": {"csi": {"driver": "none.example.com"}}}]


@dataclass(frozen=True)
class Obstacle:
    """What is in a run's way: made before, with the words that must be heard, and how it is removed."""

    words: str
    make: Callable[[Team, ExitStack], object]
    remove: Callable[[Team, ExitStack], object]
    schedule: Object = field(default_factory=dict)
    sources: list[Object] = field(default_factory=source)


def _make_empty_volume(team: Team, stack: ExitStack) -> None:
    """Make the claim `elsewhere` for a folder of the node that is not there."""
    name = f"{team.namespace}-elsewhere"
    common: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    volume = {
        **common,
        "capacity": {"storage": "1Gi"},
        "persistentVolumeReclaimPolicy": "Retain",
        "claimRef": {"namespace": team.namespace, "name": "elsewhere"},
        "hostPath": {"path": f"/tmp/{name}", "type": "Directory"},
    }
    claim = {**common, "volumeName": name, "resources": {"requests": {"storage": "1Gi"}}}
    team.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "elsewhere"}, "spec": claim},
    )
    stack.callback(team.kubectl, "delete", "pv", name, "--wait=false")


def _make_folder(team: Team, stack: ExitStack) -> None:
    """Let the kubelet make the folder, with a file in it, for a pod of a namespace that may have it."""
    namespace = stack.enter_context(fresh_namespace(team.kubectl, {}))
    path = {"path": f"/tmp/{team.namespace}-elsewhere", "type": "DirectoryOrCreate"}
    container = {
        "command": ["sh", "-ec", "echo hello > /folder/hello"],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "folder", "mountPath": "/folder"}],
    }
    visitor = Team(team.kubectl, namespace, team.images)
    visitor.pod("mkdir", "runner", container, {"volumes": [{"name": "folder", "hostPath": path}]}, until="Succeeded")


def _forbid_pods(team: Team, _: ExitStack) -> None:
    spec = {"hard": {"pods": str(len(team.items("pods")))}}
    team.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": spec})


def _refuse_jobs(team: Team, stack: ExitStack) -> None:
    target = {"service": {"name": "nobody", "namespace": team.namespace, "path": "/"}}
    stack.enter_context(
        admission_webhook(team.kubectl, "ValidatingWebhookConfiguration", team.namespace, "jobs", target)
    )


def _nothing(_team: Team, _stack: ExitStack) -> None:
    return


OBSTACLES = {
    "mount": Obstacle(
        "hostPath type check failed",
        _make_empty_volume,
        _make_folder,
        sources=[{"name": "data", "volume": {"persistentVolumeClaim": {"claimName": "elsewhere"}}}],
    ),
    "quota": Obstacle("exceeded quota: full", _forbid_pods, lambda team, _: team("delete", "resourcequota", "full")),
    "pod-security": Obstacle(
        'violates PodSecurity "restricted:latest"',
        _nothing,
        lambda team, _: team.kubectl(
            "label", "namespace", team.namespace, "pod-security.kubernetes.io/enforce=baseline", "--overwrite"
        ),
        schedule={"job": {"fileAccess": "ReadAll"}},
    ),
    "webhook": Obstacle(
        'service "nobody" not found',
        _refuse_jobs,
        lambda team, _: team.kubectl("delete", "validatingwebhookconfiguration", team.namespace),
    ),
}


@pytest.fixture
def alone(kubectl: Kubectl, operator: Operator) -> Iterator[Team]:
    """Give a team whose namespace no other test has."""
    with fresh_namespace(kubectl, RESTRICTED) as name:
        team = Team(kubectl, name, operator.images)
        team.prepare()
        team.work("echo hello > /data/hello")
        yield team


@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES.keys())
def test_the_cause_is_told_in_status_event_and_rest_and_the_run_goes_on_without_it(
    alone: Team, obstacle: Obstacle
) -> None:
    person = Rest(find_facade(), alone.namespace, make_account(alone.kubectl, alone.namespace, "person", "borg-admin"))
    with ExitStack() as stack:
        alone.repository("main", sources=obstacle.sources)
        alone.schedule("night", **obstacle.schedule)
        obstacle.make(alone, stack)

        alone.begin("stuck", "night")

        run = _expect_told(alone, "stuck", obstacle.words)
        _expect_event(alone, "night", obstacle.words)
        alone.eventually(
            lambda: person.look("/api/backup/status/stuck"),
            "REST tells it as well",
            holds=lambda seen: bool(seen) and obstacle.words in (seen["error_message"] or ""),
        )
        obstacle.remove(alone, stack)
        status = alone.finished("stuck", within=150)

    assert status["phase"] == "Completed", alone.story()
    assert obstacle.words not in status.get("message", "")
    assert alone.names("brun") == {"stuck"}
    if job_uid := run["status"].get("jobUid"):
        assert status["jobUid"] == job_uid


def test_a_tick_that_is_refused_is_told_and_made_up_for(alone: Team) -> None:
    with ExitStack() as stack:
        alone.repository("main")
        _refuse_jobs(alone, stack)
        alone.schedule("ticking", schedule="* * * * *")

        _expect_event(alone, "ticking", 'service "nobody" not found', within=120)
        assert alone.names("jobs") == set()

    assert alone.finished(alone.scheduled("ticking")["metadata"]["name"])["phase"] == "Completed", alone.story()


def test_a_run_that_never_had_a_container_is_cancelled_without_a_trace_and_the_next_one_runs(alone: Team) -> None:
    alone.repository("main", sources=NO_DRIVER)
    alone.schedule("night")
    alone.begin("stuck", "night")
    _expect_told(alone, "stuck", "driver name none.example.com not found in the list of registered CSI drivers")
    alone.begin("next", "night")

    alone.repository("main")
    alone.cancel("stuck")

    assert alone.finished("stuck", within=30)["phase"] == "Cancelled"
    assert alone.finished("next")["phase"] == "Completed", alone.story()
    assert alone.names("brun") == {"stuck", "next"}


def _expect_told(team: Team, run: str, words: str) -> Object:
    """Return the run as soon as its status has the words."""
    found: Object = team.eventually(
        lambda: team.get("brun", run),
        f"the status says: {words}",
        holds=lambda seen: words in seen.get("status", {}).get("message", ""),
    )
    assert found["status"]["phase"] == "Pending"
    assert found["status"]["reason"]
    return found


def _expect_event(team: Team, schedule: str, words: str, within: float = 60) -> None:
    team.eventually(
        lambda: [note for type_, _, note in team.notes(schedule) if type_ == "Warning"],
        f"an Event about {schedule} says: {words}",
        holds=lambda notes: any(words in note for note in notes),
        within=within,
    )

"""A real API server for the integration tests: the cluster of KUBECONFIG, else the one that `make up` left."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration import resources
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Pod
from support.cluster import REPOSITORY, Kubectl, connect, fresh_namespace
from support.rest import Rest, find_facade, make_account
from support.waiting import wait_for


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the fleet of schedules be idle while all other tests run: it is made first and looked at last."""

    def place(item: pytest.Item) -> int:
        return -1 if item.get_closest_marker("fleet_first") else bool(item.get_closest_marker("fleet_last"))

    items.sort(key=place)


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    return connect()


@pytest.fixture(scope="session")
def crds(kubectl: Kubectl) -> None:
    """Make the API server enforce the CRDs of this checkout."""
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(REPOSITORY / "crds"))
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(REPOSITORY / "crds"))


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """Give the test a namespace of its own, which lets in pods of the restricted Pod Security Standard only."""
    with fresh_namespace(kubectl) as name:
        yield name


@pytest.fixture(scope="session")
def facade_url() -> str:
    """Give the facade in the cluster: one address for all its replicas."""
    return find_facade()


@pytest.fixture(scope="module")
def rest(kubectl: Kubectl, facade_url: str) -> Iterator[Rest]:
    """Give the module's tests a namespace with two repositories and two scripts, and an admin in it."""
    with fresh_namespace(kubectl) as namespace:
        items = [
            *resources.claims(),
            resources.repository("main"),
            resources.repository("offsite"),
            resources.script("wake", {"name": "HOST", "required": True}, {"name": "TOKEN", "type": "Password"}),
            resources.script("sleep"),
        ]
        kubectl(
            "-n", namespace, "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        )
        admin = Rest(facade_url, namespace, make_account(kubectl, namespace, "admin", "borg-admin"))
        wait_for(lambda: admin.look("/api/scripts"), lambda found: len(found) == 2, 5, "the facade sees the scripts")
        yield admin


@pytest.fixture(scope="module")
def images(kubectl: Kubectl) -> dict[str, Any]:
    """Give the images of the install that is there, as values."""
    selector = "--selector=app.kubernetes.io/name=borg-operator"
    containers = {
        container["name"]: container
        for item in kubectl.get("deployments", "--all-namespaces", selector)["items"]
        for container in item["spec"]["template"]["spec"]["containers"]
    }
    environment = {item["name"]: item.get("value") for item in containers["operator"]["env"]}
    used = {
        "operator": containers["operator"]["image"],
        "api": containers["api"]["image"],
        "runner": environment["BORG_OPERATOR_RUNNER_IMAGE"],
    }
    parts = {name: image.rpartition(":") for name, image in used.items()}
    return {name: {"repository": repository, "tag": tag} for name, (repository, _, tag) in parts.items()}


@pytest.fixture(scope="module")
def alone(kubectl: Kubectl) -> Iterator[None]:
    """Send the operator of the whole cluster away: two that look after one namespace undo each other's work.

    They say different things in the plans of pods: only one of them may read which cluster this is.
    """
    deployment = ("deployment/borg-operator", "--namespace=borg-system")
    pods = ("pods", "--namespace=borg-system", "--selector=app.kubernetes.io/component=operator")
    kubectl("scale", *deployment, "--replicas=0")
    wait_for(lambda: kubectl.get(*pods)["items"], lambda found: found == [], 60, "no operator of the whole cluster")
    yield
    kubectl("scale", *deployment, "--replicas=1")
    kubectl("rollout", "status", *deployment, "--timeout=90s")


@pytest.fixture(scope="session")
def borg() -> Path:
    return find_borg()


@pytest.fixture
def pod(tmp_path: Path, borg: Path) -> Pod:
    """Give what a backup pod is to the runner, without a cluster: the runner's tests."""
    return Pod(tmp_path, borg)

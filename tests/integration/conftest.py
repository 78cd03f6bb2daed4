"""A real API server for the integration tests: the cluster of KUBECONFIG, else the one that `make up` left."""

import json
from collections.abc import Iterator

import pytest

from integration import resources
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

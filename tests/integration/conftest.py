"""A real API server for the integration tests: the cluster of KUBECONFIG, else the one that `make up` left."""

from collections.abc import Iterator

import pytest

from support.cluster import REPOSITORY, Kubectl, connect, fresh_namespace


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

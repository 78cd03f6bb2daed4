"""A real cluster with the operator in it: teams with namespaces of their own, which enforce Pod Security."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from e2e.team import Team
from support.cluster import BASELINE, RESTRICTED, Kubectl, connect, fresh_namespace


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let modules that take minutes begin first, and what looks back at the whole run come last."""
    places = {"takes_minutes": -1, "looks_back": 1}

    def place(item: pytest.Item) -> int:
        return next((number for marker, number in places.items() if item.get_closest_marker(marker)), 0)

    items.sort(key=place)


@dataclass(frozen=True)
class Operator:
    """Where the operator runs, and the images that belong to it."""

    namespace: str
    deployment: str
    selector: str
    images: dict[str, str]


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    return connect()


@pytest.fixture(scope="session")
def operator(kubectl: Kubectl) -> Operator:
    selector = "app.kubernetes.io/name=borg-operator,app.kubernetes.io/component=operator"
    found = kubectl.get("deployments", "--all-namespaces", f"--selector={selector}")["items"]
    if not found:
        pytest.fail("the operator is not in this cluster; run `make deploy`")
    container = found[0]["spec"]["template"]["spec"]["containers"][0]
    runner = next(item["value"] for item in container["env"] if item["name"] == "BORG_OPERATOR_RUNNER_IMAGE")
    images = {"runner": runner, "sshd": runner.replace("/runner", "/sshd")}
    metadata = found[0]["metadata"]
    return Operator(metadata["namespace"], metadata["name"], selector, images)


@pytest.fixture(scope="module")
def team(kubectl: Kubectl, operator: Operator) -> Iterator[Team]:
    """Give the module's tests a namespace in common; its pods must be of the restricted Pod Security Standard."""
    with fresh_namespace(kubectl, RESTRICTED) as name:
        yield Team(kubectl, name, operator.images)


@pytest.fixture(scope="module")
def baseline_team(kubectl: Kubectl, operator: Operator) -> Iterator[Team]:
    """Give the module's tests a namespace that lets root in, as `fileAccess: ReadAll` needs it."""
    with fresh_namespace(kubectl, BASELINE) as name:
        yield Team(kubectl, name, operator.images)


@pytest.fixture(scope="session")
def ticking(kubectl: Kubectl, operator: Operator) -> Iterator[Team]:
    """Give schedules that have been there for a while: `ticking` fires each minute, `paused` would if it might.

    They begin when the first test asks for them, so that later ones need not wait for the clock.
    """
    with fresh_namespace(kubectl, RESTRICTED) as name:
        team = Team(kubectl, name, operator.images)
        team.prepare()
        team.work("echo hello > /data/hello")
        team.repository("main")
        team.repository("other")
        team.schedule("ticking", "main", schedule="* * * * *")
        team.schedule("paused", "other", schedule="* * * * *", suspend=True)
        yield team

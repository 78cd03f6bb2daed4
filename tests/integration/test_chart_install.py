"""The chart in a real cluster, beside the install that is there: for some namespaces, upgraded, rolled back, and gone.

The CRDs stay with the cluster's own release; see "The CRDs" in the chart's README.
"""

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration import resources
from support.chart import CHART, find_helm
from support.cluster import REPOSITORY, Kubectl, fresh_namespace
from support.waiting import condition, wait_for

FIRST_CHART = "05e23bb00e8db56c557920df0a9437805b905214"
"""The commit with the first chart. Whoever installed it must be able to upgrade."""

OURS = (
    "pods,persistentvolumeclaims,serviceaccounts,roles,rolebindings,networkpolicies,"
    "borgschedules,borgrepositories,borgruns"
)
WITH_THE_OPERATOR = (
    "deployments,replicasets,pods,services,serviceaccounts,configmaps,secrets,roles,rolebindings,networkpolicies,"
    "poddisruptionbudgets"
)
FIRST_ATTEMPT = re.compile(r"Request attempt #1(/\d+)? failed; will retry")
OF_EVERY_NAMESPACE = {"configmap/kube-root-ca.crt", "serviceaccount/default"}


@dataclass(frozen=True)
class Release:
    """A release in `system` for the one namespace `team`."""

    kubectl: Kubectl
    name: str
    system: str
    team: str
    values: dict[str, Any]

    def helm(self, *arguments: str, values: bool = False) -> str:
        """Return what helm says; fails the test with its own words."""
        command = [find_helm(), *arguments, "--namespace", self.system, *(("--values", "-") if values else ())]
        done = subprocess.run(
            command,
            input=yaml.safe_dump(self.values),
            capture_output=True,
            text=True,
            env=self.kubectl.environment,
            timeout=150,
            check=False,
        )
        if done.returncode:
            pods = self.kubectl("get", "pods", "-n", self.system, "-o", "wide", check=False).stdout
            pytest.fail(f"helm {' '.join(arguments)}: {done.stderr}\n{done.stdout[-3000:]}\n{pods}")
        return done.stdout

    def install(self, chart: Path = CHART) -> None:
        self.helm("upgrade", "--install", self.name, str(chart), "--wait", "--timeout", "90s", values=True)

    @property
    def account(self) -> str:
        return f"system:serviceaccount:{self.system}:{self.name}-borg-operator"

    def may(self, verb: str, resource: str, namespace: str) -> bool:
        asked = ("auth", "can-i", verb, resource, "--namespace", namespace, "--as", self.account)
        return self.kubectl(*asked, check=False).stdout.strip() == "yes"

    def seen(self) -> set[str]:
        """Return the namespace/name of the schedules that the operator has in mind; none while it starts."""
        selector = f"--selector=app.kubernetes.io/instance={self.name},app.kubernetes.io/component=operator"
        pods = self.kubectl.get("pods", "-n", self.system, selector)["items"]
        (name,) = (pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"])
        path = f"/api/v1/namespaces/{self.system}/pods/{name}:8081/proxy/metrics"
        metrics = self.kubectl("get", "--raw", path, check=False).stdout  # 503 until it has seen everything once
        lines = [line for line in metrics.splitlines() if line.startswith("borg_schedule_ready{")]
        labels = [
            dict(part.split("=") for part in line[line.index("{") + 1 : line.index("}")].split(",")) for line in lines
        ]
        return {f"{item['namespace']}/{item['schedule']}".replace('"', "") for item in labels}

    def listed(self, kinds: str, namespace: str) -> set[str]:
        """Return kind/name of what is in the namespace, but for what is in every one."""
        found = self.kubectl("get", kinds, "-n", namespace, "-o", "name").stdout.split()
        return {name.replace(".rbac.authorization.k8s.io", "") for name in found} - OF_EVERY_NAMESPACE


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


def make_release(kubectl: Kubectl, stack: ExitStack, name: str, images: dict[str, Any], **api: Any) -> Release:
    """Return a release in two fresh namespaces, to be installed yet; at the end all of it goes."""
    system = stack.enter_context(fresh_namespace(kubectl))
    team = stack.enter_context(fresh_namespace(kubectl))
    values = {
        "image": images,
        "operator": {"namespaces": [team], "resyncSeconds": 1},
        "crds": {"install": False},
        "api": {"replicas": 1, **api},
    }
    release = Release(kubectl, name, system, team, values)
    stack.callback(release.helm, "uninstall", name, "--ignore-not-found")
    return release


@pytest.fixture(scope="module", autouse=True)
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


@pytest.fixture(scope="module")
def pair(kubectl: Kubectl, crds: None, images: dict[str, Any]) -> Iterator[tuple[Release, Release]]:
    """Give two installs side by side, each with a schedule in its namespace."""
    del crds
    with ExitStack() as stack:
        one = make_release(kubectl, stack, "one", images)
        other = make_release(kubectl, stack, "other", images, enabled=False)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Release.install, (one, other)))
        for release in (one, other):
            add_schedule(release)
        yield one, other


def add_schedule(release: Release) -> None:
    """Make the schedule `db` and wait until it is Ready."""
    items = [*resources.claims(), resources.repository(), resources.schedule()]
    manifests = yaml.safe_dump_all(items)
    release.kubectl("-n", release.team, "apply", "-f", "-", stdin=manifests)
    wait_for(
        lambda: release.kubectl.get("borgschedule", "db", "-n", release.team),
        lambda found: condition(found, "Ready").get("status") == "True",
        20,
        "the schedule is Ready",
    )


def test_an_install_for_some_namespaces_makes_nothing_of_the_cluster(pair: tuple[Release, Release]) -> None:
    for release in pair:
        made = release.kubectl.get(
            "clusterroles,clusterrolebindings,customresourcedefinitions",
            f"--selector=app.kubernetes.io/instance={release.name}",
        )
        assert made["items"] == []
        bindings = release.kubectl.get("clusterrolebindings")["items"]
        subjects = [subject for binding in bindings for subject in binding.get("subjects", [])]
        assert release.system not in {subject.get("namespace") for subject in subjects}


def test_installs_side_by_side_do_not_see_each_other(pair: tuple[Release, Release]) -> None:
    for release, neighbour in (pair, pair[::-1]):
        seen, _ = wait_for(release.seen, bool, 60, "the operator has seen a schedule")
        assert seen == {f"{release.team}/db"}
        for resource in ("borgschedules", "cronjobs.batch", "jobs.batch", "pods"):
            assert release.may("list", resource, release.team)
            assert not release.may("list", resource, neighbour.team)
        assert not release.may("get", "secrets", release.team)
        assert not release.may("list", "customresourcedefinitions", "")


def test_helm_test_takes_a_backup_and_leaves_nothing(pair: tuple[Release, Release]) -> None:
    release, _ = pair
    before = release.listed(OURS, release.team)
    said = release.helm("test", release.name, "--timeout", "2m")
    assert "Phase:          Succeeded" in said
    assert release.listed(OURS, release.team) == before


def test_the_commands_that_helm_names_after_installing_lead_to_a_backup(pair: tuple[Release, Release]) -> None:
    release, _ = pair
    notes = release.helm("get", "notes", release.name)
    commands = notes[notes.index("kubectl -n") : notes.index("What there is")]
    assert commands.count("kubectl -n") == 3
    release.kubectl("-n", release.team, "delete", "borgrepository", "main")  # its name is that of the notes
    release.kubectl("-n", release.team, "apply", "-f", "-", stdin=yaml.safe_dump(resources.claim("borg-repositories")))
    shell = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(
        shell, capture_output=True, text=True, env=release.kubectl.environment, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "borgrun.borgoperator.io/nightly-first condition met" in done.stdout


def test_an_operator_of_some_namespaces_has_nothing_to_complain_of(pair: tuple[Release, Release]) -> None:
    for release in pair:
        said = release.kubectl("logs", "-n", release.system, f"deployment/{release.name}-borg-operator").stdout
        # A request that the API server did not take at first is kopf's to repeat, and no fault of ours.
        log = "\n".join(line for line in said.splitlines() if not FIRST_ATTEMPT.search(line))
        assert "Traceback" not in log
        assert "orbidden" not in log
        assert '"severity": "error"' not in log


@pytest.fixture(scope="module")
def first_chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the chart of the first commit; skips the tests in a clone that does not reach back to it."""
    folder = tmp_path_factory.mktemp("first")
    command = ["git", "-C", str(REPOSITORY), "archive", FIRST_CHART, "charts"]
    archive = subprocess.run(command, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("this clone is too shallow to have the first chart")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder / "charts" / "borg-operator"


def test_an_upgrade_and_its_rollback_leave_cron_jobs_alone_and_an_uninstall_leaves_what_people_made(
    kubectl: Kubectl, crds: None, images: dict[str, Any], first_chart: Path
) -> None:
    del crds

    def cron_job() -> tuple[str, int]:
        metadata = kubectl.get("cronjob", "db", "-n", release.team)["metadata"]
        return metadata["uid"], metadata["generation"]

    def settled() -> bool:
        # The new operator has looked at the schedule; what it would change, it has changed.
        wait_for(release.seen, lambda seen: f"{release.team}/db" in seen, 60, "the operator has seen the schedule")
        return True

    with ExitStack() as stack:
        release = make_release(kubectl, stack, "older", images, enabled=False)
        release.install(first_chart)
        add_schedule(release)
        before = cron_job()
        release.install()
        assert settled()
        assert cron_job() == before
        release.helm("rollback", release.name, "1", "--wait", "--timeout", "90s")
        assert settled()
        assert cron_job() == before
        release.install()
        release.helm("uninstall", release.name, "--wait")
        assert cron_job() == before
        assert "borgschedule.borgoperator.io/db" in release.listed("borgschedules", release.team)
        wait_for(
            lambda: release.listed(WITH_THE_OPERATOR, release.system), lambda left: left == set(), 40, "it is all gone"
        )
        roles = release.listed("roles,rolebindings", release.team)
        assert roles == set()
        selector = f"--selector=app.kubernetes.io/instance={release.name}"
        assert kubectl.get("clusterroles,clusterrolebindings", selector)["items"] == []
        assert len(kubectl.get("customresourcedefinitions", "-l", "app.kubernetes.io/name=borg-operator")["items"]) == 4

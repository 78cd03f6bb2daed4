"""Releases of the chart for tests, each in namespaces of its own beside the install that is there."""

import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration import resources
from support.chart import CHART, find_helm
from support.cluster import Kubectl, fresh_namespace
from support.waiting import condition, wait_for

WITH_THE_OPERATOR = (
    "deployments,replicasets,pods,services,serviceaccounts,configmaps,secrets,roles,rolebindings,networkpolicies,"
    "poddisruptionbudgets"
)
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

    def metrics(self) -> list[str]:
        """Return the lines of the operator's metrics; none while it starts."""
        selector = f"--selector=app.kubernetes.io/instance={self.name},app.kubernetes.io/component=operator"
        pods = self.kubectl.get("pods", "-n", self.system, selector)["items"]
        (name,) = (pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"])
        path = f"/api/v1/namespaces/{self.system}/pods/{name}:8081/proxy/metrics"
        return self.kubectl("get", "--raw", path, check=False).stdout.splitlines()  # 503 until it has seen all once

    def seen(self) -> set[str]:
        """Return the namespace/name of the schedules that the operator has in mind; none while it starts."""
        lines = [line for line in self.metrics() if line.startswith("borg_schedule_ready{")]
        labels = [
            dict(part.split("=") for part in line[line.index("{") + 1 : line.index("}")].split(",")) for line in lines
        ]
        return {f"{item['namespace']}/{item['schedule']}".replace('"', "") for item in labels}

    def listed(self, kinds: str, namespace: str) -> set[str]:
        """Return kind/name of what is in the namespace, but for what is in every one."""
        found = self.kubectl("get", kinds, "-n", namespace, "-o", "name").stdout.split()
        return {name.replace(".rbac.authorization.k8s.io", "") for name in found} - OF_EVERY_NAMESPACE


def make_release(kubectl: Kubectl, stack: ExitStack, name: str, images: dict[str, Any], **api: Any) -> Release:
    """Return a release in two fresh namespaces, to be installed yet; at the end all of it goes."""
    system = stack.enter_context(fresh_namespace(kubectl))
    team = stack.enter_context(fresh_namespace(kubectl))
    values = {
        "image": images,
        "operator": {"namespaces": [team], "clusterName": "test", "resyncSeconds": 1},
        "crds": {"install": False},
        "api": {"replicas": 1, **api},
    }
    release = Release(kubectl, name, system, team, values)
    stack.callback(release.helm, "uninstall", name, "--ignore-not-found")
    return release


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

"""deploy/install.yaml, for those who have no Helm: applied, used, applied again, given to Helm and back, deleted."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import yaml

from integration import resources
from integration.releases import WITH_THE_OPERATOR, Release, add_schedule, make_release
from support.chart import CHART
from support.cluster import REPOSITORY, Kubectl
from support.waiting import wait_for

Object = dict[str, Any]

pytestmark = pytest.mark.usefixtures("alone")

BESIDE = {
    "fullnameOverride": "without-helm",
    "rbac": {"userRoles": False, "aggregateToDefaultRoles": False},
    "operator": {"resyncSeconds": 1},
}
"""Other names than those of the install that is there: what is of the whole cluster would otherwise be the same.

The ClusterRole by which Helm refuses a second operator is the same, and gone at the end: an upgrade makes it again.
"""


@pytest.fixture(scope="module")
def plain(kubectl: Kubectl, crds: None, images: Object) -> Iterator[tuple[Release, str]]:
    """Give a release that Helm does not know of, and the manifests it was applied from."""
    del crds
    with ExitStack() as stack:
        release = make_release(kubectl, stack, "borg-operator", images)
        release.values.update(BESIDE)
        command = [str(REPOSITORY / "dev" / "manifests"), "render", "--namespace", release.system, "--values", "-"]
        done = subprocess.run(command, input=yaml.safe_dump(release.values), capture_output=True, text=True, check=True)
        stack.callback(kubectl, "delete", "--ignore-not-found", "-f", "-", stdin=done.stdout)
        kubectl("apply", "-f", "-", stdin=done.stdout)
        rolled_out(release)
        add_schedule(release)
        yield release, done.stdout


def rolled_out(release: Release) -> None:
    for name in ("without-helm", "without-helm-api"):
        release.kubectl("rollout", "status", f"deployment/{name}", "-n", release.system, "--timeout=90s")


def take_backup(release: Release, name: str) -> None:
    release.kubectl("-n", release.team, "create", "-f", "-", stdin=yaml.safe_dump(resources.run(name)))
    release.kubectl("-n", release.team, "wait", "--for=condition=Succeeded", f"borgrun/{name}", "--timeout=90s")


def cron_job(release: Release) -> tuple[str, int]:
    metadata = release.kubectl.get("cronjob", "db", "-n", release.team)["metadata"]
    return metadata["uid"], metadata["generation"]


def test_what_was_applied_takes_backups_and_is_unchanged_when_applied_again(plain: tuple[Release, str]) -> None:
    release, manifests = plain
    take_backup(release, "first")
    again = release.kubectl("apply", "-f", "-", stdin=manifests).stdout.splitlines()
    assert len(again) > 10
    assert [line for line in again if not line.endswith(" unchanged")] == []


def test_helm_takes_it_over_and_gives_it_back_and_schedules_notice_nothing(plain: tuple[Release, str]) -> None:
    release, manifests = plain
    before = cron_job(release)
    release.helm(
        "install",
        release.name,
        str(CHART),
        "--take-ownership",
        "--wait",
        "--timeout",
        "90s",
        values=True,
    )
    take_backup(release, "under-helm")
    release.helm("uninstall", release.name, "--wait")
    assert cron_job(release) == before
    release.kubectl("apply", "-f", "-", stdin=manifests)
    rolled_out(release)
    take_backup(release, "without-helm-again")
    assert cron_job(release) == before


def test_deleting_it_deletes_nothing_that_people_made(plain: tuple[Release, str]) -> None:
    release, manifests = plain
    before = cron_job(release)
    release.kubectl("delete", "-f", "-", stdin=manifests)
    wait_for(
        lambda: release.listed(WITH_THE_OPERATOR, release.system), lambda left: left == set(), 40, "it is all gone"
    )
    selector = "--selector=app.kubernetes.io/managed-by=kubectl"
    assert release.kubectl.get("clusterroles,clusterrolebindings", selector)["items"] == []
    assert cron_job(release) == before
    release.kubectl("get", "namespace", release.system)
    left = release.listed("borgschedules,borgrepositories,borgruns", release.team)
    assert {"borgschedule.borgoperator.io/db", "borgrepository.borgoperator.io/main"} < left

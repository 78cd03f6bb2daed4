"""The chart in a real cluster, beside the install that is there: for some namespaces, upgraded, rolled back, and gone.

The CRDs stay with the cluster's own release; see "The CRDs" in the chart's README.
"""

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration import resources
from integration.releases import WITH_THE_OPERATOR, Release, add_schedule, make_release
from support.cluster import REPOSITORY, Kubectl
from support.waiting import wait_for

FIRST_CHART = "05e23bb00e8db56c557920df0a9437805b905214"
"""The commit with the first chart. Whoever installed it must be able to upgrade."""

CLUSTER_NAME = "        - {name: BORG_OPERATOR_CLUSTER_NAME, value: test}\n"
OURS = (
    "pods,persistentvolumeclaims,serviceaccounts,roles,rolebindings,networkpolicies,"
    "borgschedules,borgrepositories,borgruns"
)
FIRST_ATTEMPT = re.compile(r"Request attempt #1(/\d+)? failed; will retry")

pytestmark = pytest.mark.usefixtures("alone")


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
    """Give the chart of the first commit; skips the tests in a clone that does not reach back to it.

    Its operator is of today's image, which looks at kinds that there were not: it may list them. And that image wants
    to know which cluster it is in.
    """
    folder = tmp_path_factory.mktemp("first")
    command = ["git", "-C", str(REPOSITORY), "archive", FIRST_CHART, "charts"]
    archive = subprocess.run(command, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("this clone is too shallow to have the first chart")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    chart = folder / "charts" / "borg-operator"
    rights = chart / "templates" / "rbac.yaml"
    kinds = "[borgschedules, borgrepositories, borgscripts, borgruns]"
    assert kinds in rights.read_text()
    rights.write_text(rights.read_text().replace(kinds, f"{kinds[:-1]}, borgarchives, borgrestores, borgsessions]"))
    operator = chart / "templates" / "operator.yaml"
    operator.write_text(operator.read_text().replace(" env:\n", f" env:\n{CLUSTER_NAME}", 1))
    return chart


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
        assert len(kubectl.get("customresourcedefinitions", "-l", "app.kubernetes.io/name=borg-operator")["items"]) == 7

"""Clusters that are strict with every pod: they give out uids, have quotas, taints, a registry that wants a login.

With what the installer says in the chart's values, and nothing in any schedule, all of it runs.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import yaml

from integration import resources
from integration.releases import Release, add_schedule, make_release
from support.cluster import Kubectl
from support.platform import USER, giving_out_users, quota, tainted
from support.waiting import wait_for

Object = dict[str, Any]

pytestmark = pytest.mark.usefixtures("alone")

TAINT = "backups.example.com/only=yes:NoSchedule"
TOLERATIONS = [{"key": "backups.example.com/only", "operator": "Exists"}]
RESOURCES = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
SECRETS = [{"name": "registry"}]
OF_OURS = {"resources": RESOURCES, "tolerations": TOLERATIONS}
STRICT: Object = {
    "usersFromPlatform": True,
    "backupPods": {
        **OF_OURS,
        "imagePullSecrets": SECRETS,
        "labels": {"sidecar.istio.io/inject": "false"},
        "annotations": {"example.com/price": "$(HOME) $5"},
    },
}


@pytest.fixture(scope="module")
def strict(kubectl: Kubectl, crds: None, images: Object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Give a release, with a schedule that says nothing of pods, where pods as they are by default are refused."""
    del crds
    with ExitStack() as stack:
        release = make_release(kubectl, stack, "strict", {**images, "pullSecrets": SECRETS}, **OF_OURS)
        release.values["operator"] |= OF_OURS
        release.values.update(STRICT)
        places = (release.system, release.team)
        for namespace in places:
            kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(quota()))
        image = "{repository}:{tag}".format(**images["runner"])
        folder = tmp_path_factory.mktemp("tls")
        stack.enter_context(giving_out_users(kubectl, image, folder, places))
        stack.enter_context(tainted(kubectl, TAINT))
        release.install()
        add_schedule(release)
        yield release


def pod(**spec: Any) -> Object:
    container = {
        "name": "c",
        "image": "none",
        "resources": RESOURCES,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        **spec.pop("container", {}),
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **spec.pop("security", {})}
    whole = {"containers": [container], "securityContext": security, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial"}, "spec": whole}


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (pod(security={"runAsUser": 10001}), "names a user itself: runAsUser"),
        (pod(security={"fsGroup": 10001}), "names a user itself: fsGroup"),
        (pod(container={"resources": {}}), "must specify limits.cpu"),
    ],
)
def test_the_cluster_refuses_what_would_run_elsewhere(strict: Release, trial: Object, said: str) -> None:
    arguments = ("-n", strict.team, "create", "--dry-run=server", "-f", "-")
    assert strict.kubectl(*arguments, stdin=json.dumps(pod())).returncode == 0
    refused = strict.kubectl(*arguments, stdin=json.dumps(trial), check=False)
    assert said in refused.stderr


def test_operator_and_facade_run_under_a_uid_that_has_no_name(strict: Release) -> None:
    pods = strict.kubectl.get("pods", "-n", strict.system, "--selector=app.kubernetes.io/instance=strict")["items"]
    assert {item["metadata"]["labels"]["app.kubernetes.io/component"] for item in pods} == {"operator", "api"}
    for item in pods:
        assert item["spec"]["securityContext"]["runAsUser"] == USER
        assert item["spec"]["imagePullSecrets"] == SECRETS
        (status,) = item["status"]["containerStatuses"]
        assert (status["ready"], status["restartCount"]) == (True, 0)


def test_a_backup_by_the_clock_or_by_hand_needs_nothing_in_its_schedule(strict: Release) -> None:
    run = yaml.safe_dump(resources.run("first"))
    strict.kubectl("-n", strict.team, "create", "-f", "-", stdin=run)
    wait_for(
        lambda: strict.kubectl.get("borgrun", "first", "-n", strict.team).get("status", {}),
        lambda status: status.get("phase") in ("Completed", "CompletedWithWarnings", "Failed"),
        90,
        "the run has ended",
    )
    status = strict.kubectl.get("borgrun", "first", "-n", strict.team)["status"]
    # The source is empty, which is a warning by itself.
    assert status["phase"] in ("Completed", "CompletedWithWarnings"), status
    (made,) = strict.kubectl.get("pods", "-n", strict.team, "--selector=borgoperator.io/schedule=db")["items"]
    spec, metadata = made["spec"], made["metadata"]
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == (USER, 0)
    assert spec["containers"][0]["resources"] == RESOURCES
    assert spec["imagePullSecrets"] == SECRETS
    assert TOLERATIONS[0] in spec["tolerations"]
    assert metadata["labels"]["sidecar.istio.io/inject"] == "false"
    assert metadata["annotations"]["example.com/price"] == "$(HOME) $5"


def test_helm_test_takes_a_backup_there(strict: Release) -> None:
    assert "Phase:          Succeeded" in strict.helm("test", strict.name, "--timeout", "2m")


def test_a_run_on_a_repository_alone_has_the_defaults_too(strict: Release) -> None:
    run = {
        "apiVersion": resources.API_VERSION,
        "kind": "BorgRun",
        "metadata": {"name": "look"},
        "spec": {"repositoryRef": {"name": "main"}, "operation": "List"},
    }
    strict.kubectl("-n", strict.team, "create", "-f", "-", stdin=json.dumps(run))
    strict.kubectl("-n", strict.team, "wait", "--for=condition=Succeeded", "borgrun/look", "--timeout=60s")


def test_a_changed_default_is_written_once_and_then_the_cron_job_is_left_alone(strict: Release) -> None:
    def generation() -> int:
        return int(strict.kubectl.get("cronjob", "db", "-n", strict.team)["metadata"]["generation"])

    def node_selector() -> Object | None:
        spec = strict.kubectl.get("cronjob", "db", "-n", strict.team)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        found: Object | None = spec.get("nodeSelector")
        return found

    before = generation()
    for times, wanted in enumerate(({"kubernetes.io/os": "linux"}, None), start=1):
        strict.values["backupPods"] = {**STRICT["backupPods"], "nodeSelector": wanted or {}}
        strict.install()
        wait_for(node_selector, wanted.__eq__ if wanted else _is_none, 60, "the CronJob has the default, or none")
        wait_for(strict.seen, lambda seen: f"{strict.team}/db" in seen, 60, "the operator has seen the schedule")
        assert generation() == before + times
    now = time.time()
    wait_for(lambda: _last_resync(strict), lambda at: at > now + 1, 30, "it has looked at everything again")
    log = strict.kubectl("logs", "-n", strict.system, "deployment/strict-borg-operator").stdout
    assert log.count("RepairCronJob") == 1
    assert generation() == before + times


def _last_resync(release: Release) -> float:
    name = "borg_operator_last_resync_timestamp_seconds "
    return next((float(line.split()[1]) for line in release.metrics() if line.startswith(name)), 0.0)


def _is_none(found: Object | None) -> bool:
    return found is None


def test_an_operator_that_is_given_nonsense_says_so_and_ends(strict: Release) -> None:
    name = "strict-borg-operator"
    deployment = strict.kubectl.get("deployment", name, "-n", strict.system)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    environment = {
        item["name"]: item["value"] for item in container["env"] if item["name"].startswith("BORG_OPERATOR_BACKUP")
    }
    assert json.loads(environment["BORG_OPERATOR_BACKUP_PODS"].replace("$$", "$"))["resources"] == RESOURCES
    nonsense = 'BORG_OPERATOR_BACKUP_PODS={"tolerations":[{"kye":"x"}]}'
    strict.kubectl("set", "env", "-n", strict.system, f"deployment/{name}", nonsense)
    selector = "--selector=app.kubernetes.io/instance=strict,app.kubernetes.io/component=operator"

    def words() -> str:
        return strict.kubectl("logs", "-n", strict.system, selector, "--tail=5", check=False).stdout

    said, _ = wait_for(words, lambda text: "backupPods" in text, 60, "the operator says what is wrong")
    assert "tolerations.0.kye" in said
    strict.install()

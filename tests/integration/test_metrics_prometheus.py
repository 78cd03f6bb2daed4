"""A real Prometheus reads the running system: every alert fires in a staged fault and clears when that is mended.

And every panel of the dashboard has something to show. The alerts are those that the chart renders, with one change:
each `for` is a second, since the faults are there at once. Their expressions are untouched; where they ask for hours or
years to pass, the time in a status is set back.
"""

import json
import math
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import yaml

from e2e.team import NEVER, RUNNER_UID, Team
from support.cluster import REPOSITORY, Kubectl, fresh_namespace
from support.prometheus import Prometheus, Target, run_prometheus
from support.waiting import wait_for

CHART = REPOSITORY / "charts" / "borg-operator"
RELEASE, SYSTEM = "borg-operator", "borg-system"
BOARD = json.loads((CHART / "files/dashboards/borg.json").read_text())
PANELS = [(panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel.get("targets", ())]
VARIABLES = {"$schedule": ".*", "$repository": ".*", "$__rate_interval": "30s"}
_CORE = {"apiVersion": "v1"}
LONG_AGO = "2020-01-01T00:00:00Z"


@dataclass(frozen=True)
class Scene:
    """A namespace with schedules of which each will have its fault, and a Prometheus that sees them."""

    team: Team
    prometheus: Prometheus

    def fires(self, alert: str, labels: dict[str, str], within: float = 30) -> None:
        what = f"{alert} fires"
        wait_for(lambda: self.prometheus.firing(alert, labels), lambda firing: firing, within, what)

    def clears(self, alert: str, labels: dict[str, str], within: float = 30) -> None:
        what = f"{alert} clears"
        wait_for(lambda: self.prometheus.firing(alert, labels), lambda firing: not firing, within, what)

    def set_status(self, kind: str, name: str, status: dict[str, Any]) -> None:
        patch = json.dumps({"status": status})
        self.team("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture(scope="module")
def scene(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with fresh_namespace(kubectl) as namespace:
        team = Team(kubectl, namespace, {"runner": _runner_image(kubectl)})
        team.prepare()
        team.work("echo hello > /data/hello")
        for name in ("late", "old", "locked"):
            team.repository(name)
        team.repository("broken", passphrase="not-there-yet")
        for name in ("late", "old", "locked", "broken"):
            team.schedule(name, name)
        folder = tmp_path_factory.mktemp("prometheus")
        with run_prometheus(kubectl, folder, _targets(kubectl), _rules(kubectl)) as prometheus:
            yield Scene(team, prometheus)


@pytest.fixture(scope="module")
def nearly_full(scene: Scene) -> Iterator[Scene]:
    """Give the scene with a repository `small` on a volume of 16 MiB, of which a pod has filled 15.

    Such a volume is a mount of its own in the node, which can be made where the node is made of processes.
    """
    if not _is_local():
        pytest.skip("a small volume can be made in the local cluster of `make up` only")
    folder = f"/run/borg-small-{scene.team.namespace}"
    _in_node("sh", "-ec", f"mkdir {folder}; mount -t tmpfs -o size=16m,mode=1777 small {folder}")
    volume = f"small-{scene.team.namespace}"
    try:
        scene.team.apply(_volume(volume, folder, scene.team.namespace))
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}}
        claim |= {"storageClassName": "", "volumeName": volume}
        scene.team.apply({**_CORE, "kind": "PersistentVolumeClaim", "metadata": {"name": "small"}, "spec": claim})
        place = {"volume": {"persistentVolumeClaim": {"claimName": "small"}}}
        scene.team.repository("small", local=place)
        fill = _container("head -c 15M /dev/zero > /small/ballast; sleep infinity")
        scene.team.pod("filler", "runner", fill, _mounting("small"))
        yield scene
    finally:
        scene.team("delete", "pod", "filler", "looker", "--ignore-not-found", "--wait")
        scene.team("delete", "pvc", "small", "--ignore-not-found", "--wait=false")
        scene.team("delete", "pv", volume, "--ignore-not-found", "--wait=false")
        _in_node("sh", "-ec", f"umount {folder}; rmdir {folder}")


@pytest.fixture(scope="module", autouse=True)
def early(request: pytest.FixtureRequest) -> None:
    """Fill the small volume before all else, so that the kubelet's minute passes while the other tests run."""
    if _is_local():
        request.getfixturevalue("nearly_full")


def test_a_missed_run_fires_until_the_schedule_has_new_times(scene: Scene) -> None:
    of_late = {"namespace": scene.team.namespace, "schedule": "late"}
    scene.team.eventually(lambda: scene.team.find("cronjob", "late"), "the schedule has its CronJob")
    # As if the CronJob controller had been away since: at New Year, runs were due.
    scene.set_status("cronjob", "late", {"lastScheduleTime": LONG_AGO})
    scene.fires("BorgBackupMissed", of_late)
    scene.team("patch", "bsched", "late", "--type=merge", "-p", '{"spec": {"schedule": "1 0 1 1 *"}}')
    scene.clears("BorgBackupMissed", of_late)


def test_a_stale_backup_fires_until_there_is_a_good_one(scene: Scene) -> None:
    of_old = {"namespace": scene.team.namespace, "schedule": "old"}
    scene.set_status("bsched", "old", {"lastSuccessTime": LONG_AGO})
    scene.fires("BorgBackupStale", of_old)
    scene.team.completed("old-by-hand", "old")
    scene.clears("BorgBackupStale", of_old)


def test_a_failing_backup_fires_until_one_ends_well(scene: Scene) -> None:
    of_broken = {"namespace": scene.team.namespace, "schedule": "broken"}
    status = scene.team.run("broken-1", "broken")
    assert status["phase"] == "Failed", status
    scene.fires("BorgBackupFailing", of_broken)
    scene.team.secret("not-there-yet", passphrase="here it is")
    scene.team.completed("broken-2", "broken")
    scene.clears("BorgBackupFailing", of_broken)


def test_a_locked_repository_fires_until_the_lock_is_broken(scene: Scene) -> None:
    team, of_locked = scene.team, {"namespace": scene.team.namespace, "repository": "locked"}
    team.completed("locked-1", "locked")
    # Its run ends with borg, its Job a moment later; one that is made beside it would be suspended until then.
    job = team.get("brun", "locked-1")["status"]["jobUid"]
    team.eventually(
        lambda: [item for item in team.items("jobs") if item["metadata"]["uid"] == job],
        "the Job of locked-1 has ended",
        holds=lambda found: all("completionTime" in item["status"] for item in found),
    )
    team.work("mkdir /repositories/locked/lock.exclusive; touch /repositories/locked/lock.exclusive/elsewhere@1.99-0")
    _begin_impatient_job(team, "locked", "locked-2")
    status = team.finished("locked-2")
    assert [item["reason"] for item in status["repositories"]] == ["Locked"], status
    scene.fires("BorgRepositoryLocked", of_locked)
    team.completed("locked-3", "locked", operation="BreakLock")
    scene.clears("BorgRepositoryLocked", of_locked)


def test_a_nearly_full_volume_fires(nearly_full: Scene) -> None:
    # Long since filled: the kubelet looks at volumes once a minute.
    nearly_full.fires("BorgRepositoryNearlyFull", _of_small(nearly_full), within=75)
    nearly_full.team("delete", "pod", "filler", "--wait")
    nearly_full.team.pod("looker", "runner", _container("rm /small/ballast; sleep infinity"), _mounting("small"))


@pytest.fixture(scope="module")
def verified(scene: Scene) -> Scene:
    """Give the scene after a check and a drill, with a restore that waits for an application which does not end."""
    team = scene.team
    by_the_clock = {"schedule": NEVER}
    team.repository("old", verification={"check": by_the_clock, "drill": by_the_clock})
    team.completed("old-to-look-at", "old")
    for operation in ("Check", "Drill"):
        team.begin(operation.lower(), operation=operation, repository="old")
        assert team.finished(operation.lower())["phase"] == "Completed", team.story()
    team.claim("stubborn")
    container = _container("trap '' TERM; while :; do sleep 1; done", "stubborn")
    pod = {
        "containers": [{"name": "app", "image": team.images["runner"], **container}],
        "terminationGracePeriodSeconds": 600,
        **_mounting("stubborn"),
    }
    labels = {"app": "stubborn"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    team.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "stubborn"}, "spec": spec})
    team("rollout", "status", "deployment/stubborn", "--timeout=60s")
    into = {
        "repositoryRef": {"name": "old"},
        "ownership": "RunAs",
        "job": {"runAsUser": RUNNER_UID, "fsGroup": RUNNER_UID},
    }
    stubborn, other = ({"claim": {"claimName": name}} for name in ("stubborn", "app-data"))
    team.make("BorgRestore", "failed", archive="no-such", target=other, writers="Ignore", **into)
    team.eventually(
        lambda: team.get("brest", "failed")["status"], "one fails", holds=lambda seen: "completionTime" in seen
    )
    team.make("BorgRestore", "waiting", latest={}, target=stubborn, writers="ScaleDown", **into)
    team.eventually(lambda: team.get("brest", "waiting")["status"], "one waits", holds=lambda seen: "heldSince" in seen)
    return scene


@pytest.mark.usefixtures("verified")
@pytest.mark.parametrize(("title", "expression"), PANELS, ids=[f"{title}-{n}" for n, (title, _) in enumerate(PANELS)])
def test_every_panel_has_something_to_show(scene: Scene, title: str, expression: str) -> None:
    for variable, value in {"$namespace": scene.team.namespace, **VARIABLES}.items():
        expression = expression.replace(variable, value)
    if "kubelet_volume_stats" in expression and not _tells_sizes(scene.team):
        pytest.skip(
            "the kubelet tells no sizes of volumes of the type hostPath, and kind's provisioner makes no others"
        )
    # The kubelet looks at volumes once a minute.
    within = 75 if "kubelet" in expression else 15
    scene.team("annotate", "--overwrite", "bsched,brepo", "--all", f"test/panel={hash(title)}")

    def values() -> list[float]:
        return [float(series["value"][1]) for series in scene.prometheus.query(expression)]

    wait_for(values, lambda seen: any(not math.isnan(value) for value in seen), within, f"{title}: {expression}")


def test_a_volume_that_was_nearly_full_clears_once_there_is_room(nearly_full: Scene) -> None:
    nearly_full.clears("BorgRepositoryNearlyFull", _of_small(nearly_full), within=75)
    # Not because nothing is known any more. One look may fall on a scrape that was missed.
    of_small = f'{{namespace="{nearly_full.team.namespace}", persistentvolumeclaim="small"}}'
    for metric in ("borg_repository_info", "kubelet_volume_stats_available_bytes"):
        wait_for(partial(nearly_full.prometheus.query, metric + of_small), bool, 30, f"{metric} is known")


def test_an_operator_that_is_away_fires_until_it_is_back_and_has_forgotten_nothing(
    scene: Scene, kubectl: Kubectl
) -> None:
    of_team = f'{{namespace="{scene.team.namespace}", __name__=~"borg_schedule_last_.*"}}'

    def numbers() -> dict[str, str]:
        found = scene.prometheus.query(of_team)
        return {json.dumps(series["metric"], sort_keys=True): series["value"][1] for series in found}

    before, _ = wait_for(numbers, bool, 30, "the operator's numbers are there")
    scale = ("--namespace", SYSTEM, "scale", f"deployment/{RELEASE}", "--replicas")
    kubectl(*scale, "0")
    try:
        scene.fires("BorgOperatorDown", {}, within=45)
    finally:
        kubectl(*scale, "1")
    scene.clears("BorgOperatorDown", {}, within=45)
    wait_for(numbers, lambda seen: seen == before, 10, "every number is what it was")
    kubectl("--namespace", SYSTEM, "rollout", "status", f"deployment/{RELEASE}", "--timeout=60s")


def _of_small(scene: Scene) -> dict[str, str]:
    return {"namespace": scene.team.namespace, "repository": "small", "persistentvolumeclaim": "small"}


def _tells_sizes(team: Team) -> bool:
    volumes = [claim["spec"]["volumeName"] for claim in team.items("pvc")]
    return any("hostPath" not in team.kubectl.get("pv", volume)["spec"] for volume in volumes)


def _is_local() -> bool:
    driver = subprocess.run([REPOSITORY / "dev/cluster", "driver"], capture_output=True, text=True, check=True)
    return driver.stdout.strip() == "local"


def _in_node(*command: str) -> None:
    subprocess.run([REPOSITORY / "dev/drivers/local", "run", *command], check=True, timeout=30)


def _volume(name: str, folder: str, namespace: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "Exists"}]}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "16Mi"},
        "claimRef": {"namespace": namespace, "name": "small"},
        "local": {"path": folder},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
    }
    return {**_CORE, "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def _container(script: str, claim: str = "small") -> dict[str, Any]:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    mounts = [{"name": claim, "mountPath": f"/{claim}"}]
    return {"command": ["sh", "-euc", script], "securityContext": security, "volumeMounts": mounts}


def _mounting(claim: str) -> dict[str, Any]:
    security = {"runAsNonRoot": True, "runAsUser": RUNNER_UID, "seccompProfile": {"type": "RuntimeDefault"}}
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}}]
    return {"securityContext": security, "volumes": volumes}


def _rules(kubectl: Kubectl) -> dict[str, Any]:
    """Return the alerts as the chart renders them, with `for` shortened to a second."""
    command = ["helm", "template", RELEASE, str(CHART), "--namespace", SYSTEM, "--set", "metrics.alerts.enabled=true"]
    command += ["--show-only", "templates/prometheusrule.yaml"]
    done = subprocess.run(command, env=kubectl.environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    rules: dict[str, Any] = yaml.safe_load(done.stdout)["spec"]
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule["for"] = "1s"
    return rules


def _targets(kubectl: Kubectl) -> list[Target]:
    """Return operator, facade and kubelets, as the ServiceMonitors would find them.

    The operator through its Service, because its pod will be another one after it was away; of the facade each pod.
    """
    services = f"/api/v1/namespaces/{SYSTEM}/services"
    selector = f"--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=api"
    pods = kubectl.get("pods", "--namespace", SYSTEM, "--field-selector=status.phase=Running", selector)["items"]
    nodes = kubectl.get("nodes")["items"]
    operator = f"{services}/{RELEASE}-metrics:metrics/proxy/metrics"
    return [
        Target(operator, f"{RELEASE}-metrics", "operator", SYSTEM),
        *(
            Target(
                f"/api/v1/namespaces/{SYSTEM}/pods/{name}:5000/proxy/metrics", f"{RELEASE}-api-metrics", name, SYSTEM
            )
            for name in (pod["metadata"]["name"] for pod in pods)
        ),
        *(
            Target(f"/api/v1/nodes/{name}/proxy/metrics", "kubelet", name)
            for name in (node["metadata"]["name"] for node in nodes)
        ),
    ]


def _runner_image(kubectl: Kubectl) -> str:
    container = kubectl.get("deployment", RELEASE, "--namespace", SYSTEM)["spec"]["template"]["spec"]["containers"][0]
    image: str = next(item["value"] for item in container["env"] if item["name"] == "BORG_OPERATOR_RUNNER_IMAGE")
    return image


def _begin_impatient_job(team: Team, schedule: str, name: str) -> None:
    """Make a Job as the CronJob controller would, but for one thing: it waits a second for locks, not half an hour."""
    cron_job = team.get("cronjob", schedule)
    template = cron_job["spec"]["jobTemplate"]
    container = template["spec"]["template"]["spec"]["containers"][0]
    plan = next(item for item in container["env"] if item["name"] == "BORG_RUN_PLAN")
    plan["value"] = json.dumps({**json.loads(plan["value"]), "lockWaitSeconds": 1})
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": schedule, "uid": cron_job["metadata"]["uid"]}
    metadata = {**template["metadata"], "name": name, "ownerReferences": [{**owner, "controller": True}]}
    team.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]})

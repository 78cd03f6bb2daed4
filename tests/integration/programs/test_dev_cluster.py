"""The development cluster's scripts, with a Docker that answers or not: what `make up`, `down` and `status` do then."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.cluster import REPOSITORY

# Docker as the scripts see it: the file `nodes` holds the ids of kind's nodes; without it, the engine does not answer.
DOCKER = """#!/usr/bin/env bash
echo "$*" >>"$BORG_FAKE/asked"
[[ -e $BORG_FAKE/nodes ]] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }
case "$1 $2" in
  "ps --all") cat "$BORG_FAKE/nodes" ;;
  "inspect --format") if [[ $3 == *Image* ]]; then echo kindest/node:made; else cat "$BORG_FAKE/is"; fi ;;
  "rm --force") : >"$BORG_FAKE/nodes" ;;
  "run --rm") rm -r "$BORG_DEV_STATE"/* ;;
esac
"""
# As of the time when the node began, with parts of seconds as Docker has them, and its heartbeats without.
BEGAN, BEFORE, AFTER = "2026-11-26T18:50:01.123456789Z", "2026-11-26T18:50:00Z", "2026-11-26T18:50:01Z"


@dataclass(frozen=True)
class Checkout:
    """A copy of dev/, with a state folder and a Docker of its own."""

    root: Path
    environment: dict[str, str]

    @property
    def state(self) -> Path:
        return self.root / "state"

    def docker(self, nodes: str | None, status: str = "running") -> None:
        (self.root / "nodes").unlink(missing_ok=True)
        (self.root / "is").write_text(status + "\n")
        if nodes is not None:
            (self.root / "nodes").write_text(nodes)

    def cluster(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.script("cluster", *arguments, **more)

    def script(self, name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.root / "dev" / name), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env={**self.environment, **more}, check=False, timeout=60
        )

    def asked(self) -> list[str]:
        asked = self.root / "asked"
        return asked.read_text().splitlines() if asked.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    shutil.copytree(REPOSITORY / "dev", tmp_path / "dev", ignore=shutil.ignore_patterns(".state", "__pycache__"))
    shutil.copy(REPOSITORY / "Dockerfile", tmp_path)
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BORG_DEV")}
    environment |= {"BORG_DEV_STATE": str(tmp_path / "state"), "BORG_DEV_CACHE": str(tmp_path / "cache")}
    environment |= {"BORG_FAKE": str(tmp_path), "PATH": f"{docker.parent}:{os.environ['PATH']}"}
    (tmp_path / "state/log").mkdir(parents=True)
    (tmp_path / "state/driver").write_text("kind\n")
    return Checkout(tmp_path, environment)


def test_down_fails_and_keeps_the_state_while_docker_does_not_answer(checkout: Checkout) -> None:
    checkout.docker(None)
    done = checkout.cluster("down")
    assert done.returncode == 1
    assert "Cannot connect to the Docker daemon" in done.stderr
    assert "nothing was removed. Start Docker, then: make down" in done.stderr
    assert "The cluster is down" not in done.stdout
    assert (checkout.state / "driver").exists()


def test_down_needs_no_kind_as_that_of_today_may_not_be_the_one_that_made_the_node(checkout: Checkout) -> None:
    checkout.docker("0123456789ab\n")
    done = checkout.cluster("down")
    assert done.returncode == 0, done.stderr
    assert "rm --force --volumes 0123456789ab" in checkout.asked()
    assert "The cluster is down" in done.stdout
    assert not checkout.state.exists()


def test_down_without_a_node_asks_docker_to_remove_nothing(checkout: Checkout) -> None:
    checkout.docker("")
    assert checkout.cluster("down").returncode == 0
    assert [line.split()[0] for line in checkout.asked()] == ["ps"]
    assert not checkout.state.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make folders of somebody else's")
def test_down_has_docker_remove_the_folders_that_docker_made(checkout: Checkout) -> None:
    os.chown(checkout.state / "log", 12345, 12345)
    checkout.docker("0123456789ab\n")
    done = checkout.cluster("down")
    assert done.returncode == 0, done.stderr
    removal = f"run --rm --network none --volume {checkout.state}:/state --entrypoint find kindest/node:made"
    assert checkout.asked()[-1] == f"{removal} /state -mindepth 1 -delete"
    assert not checkout.state.exists()


def test_an_up_that_did_not_end_is_remembered(checkout: Checkout) -> None:
    (checkout.state / "driver").unlink()
    checkout.docker(None)
    assert checkout.cluster("up", BORG_DEV_CLUSTER="kind").returncode != 0
    done = checkout.cluster("down")
    assert done.returncode == 1, done.stdout
    assert "Start Docker" in done.stderr


def test_another_kind_of_cluster_counts_after_down_only(checkout: Checkout) -> None:
    checkout.docker("0123456789ab\n")
    done = checkout.cluster("up", BORG_DEV_CLUSTER="existing")
    assert done.returncode == 1
    assert "a cluster of the kind 'kind'; BORG_DEV_CLUSTER=existing counts after make down" in done.stderr
    assert checkout.cluster("down", BORG_DEV_CLUSTER="existing").returncode == 0
    assert "rm --force --volumes 0123456789ab" in checkout.asked()


def test_there_are_three_kinds_of_cluster(checkout: Checkout) -> None:
    (checkout.state / "driver").unlink()
    assert "not one of: existing, kind, local" in checkout.cluster("up", BORG_DEV_CLUSTER="../drivers/kind").stderr


def test_up_says_what_to_do_while_docker_does_not_answer(checkout: Checkout) -> None:
    checkout.docker(None)
    assert "Docker does not answer: start it" in checkout.cluster("up").stderr


def test_images_are_not_built_for_a_cluster_that_is_not_there(checkout: Checkout) -> None:
    checkout.docker("")
    assert "run make up" in checkout.script("images").stderr
    assert checkout.asked() == []


def test_a_checkout_is_the_same_by_whichever_way_it_is_reached(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(checkout.root)
    assert _name(checkout, tmp_path / "way") == _name(checkout, checkout.root)


def test_a_moved_checkout_keeps_its_cluster_s_name_and_a_copy_gets_its_own(checkout: Checkout, tmp_path: Path) -> None:
    before = _name(checkout, checkout.root)
    copy = tmp_path / "copy"
    shutil.copytree(checkout.root / "dev", copy / "dev")
    assert _name(checkout, copy) != before
    (checkout.state / "place").write_text(f"{checkout.root}\n")
    assert _name(checkout, copy) != before
    (checkout.root / "dev").rename(tmp_path / "old")
    assert _name(checkout, copy) == before


def test_clean_removes_what_is_ours_by_name(checkout: Checkout) -> None:
    checkout.docker("")
    cache = checkout.root / "cache"
    for name in ("tools-v1.34.4-0123456789/kind", "images/api-1.tar", "containerd999/layer", "somebody/else"):
        (cache / name).parent.mkdir(parents=True)
        (cache / name).touch()
    (cache / "pause.tar").touch()
    done = checkout.script("clean", BORG_DEV_IMAGE_PREFIX="registry.example/borg")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in cache.iterdir()] == ["somebody"]
    removed = [line.split()[2] for line in checkout.asked() if line.startswith("image rm")]
    assert removed[:4] == [f"registry.example/borg/{name}:dev" for name in ("operator", "api", "runner", "sshd")]
    assert [name.partition(":")[0] for name in removed[4:]] == ["docker.io/library/debian", "kindest/node"]
    assert checkout.asked()[-2:] == ["network rm kind", "builder prune --force"]


@pytest.mark.parametrize(
    ("nodes", "status", "words"),
    [
        ("0123456789ab\n", "exited", "its node is stopped (exited); make up starts it"),
        ("", "running", "kind cluster: down"),
        (None, "running", "Docker does not answer"),
    ],
    ids=["stopped", "none", "no-docker"],
)
def test_status_says_what_is_missing(checkout: Checkout, nodes: str | None, status: str, words: str) -> None:
    checkout.docker(nodes, status)
    done = checkout.cluster("status")
    assert done.returncode == 1
    assert words in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("version", "suits"),
    [
        ("v1.32.4-dispatcher", False),
        ("v1.33.0", True),
        ("v1.34.11", True),
        ("v1.35.2+k3s1", True),
        ("v1.36.0", False),
        ("v2.34.0", False),
        ("", False),
    ],
)
def test_kubectl_may_be_one_minor_away(checkout: Checkout, version: str, suits: bool) -> None:
    kubectl = checkout.root / "bin/kubectl"
    kubectl.write_text(f"""#!/bin/sh\necho '{{"clientVersion": {{"major": "1", "gitVersion": "{version}"}}}}'\n""")
    kubectl.chmod(0o755)
    assert _bash(checkout, f"KUBERNETES_VERSION=v1.34.4; kubectl_suits {kubectl}", "settings", "clients") is suits


@pytest.mark.parametrize(("version", "suits"), [("v3.16.4", False), ("v3.17.0", True), ("v4.0.1", True), ("", False)])
def test_helm_may_be_any_that_takes_ownership(checkout: Checkout, version: str, suits: bool) -> None:
    helm = checkout.root / "bin/helm"
    helm.write_text(f"#!/bin/sh\necho '{version}'\n")
    helm.chmod(0o755)
    assert _bash(checkout, f"helm_suits {helm}", "settings", "clients") is suits


NODE_READY = {"type": "Ready", "status": "True"}
STALE = {
    "a controller that worked": ("Lease", {"renewTime": f"{BEFORE[:-1]}.999999Z"}),
    "a node that was Ready": ("Node", {"conditions": [{**NODE_READY, "lastHeartbeatTime": BEFORE}]}),
    "a node that is not Ready yet": (
        "Node",
        {"conditions": [{**NODE_READY, "status": "False", "lastHeartbeatTime": AFTER}]},
    ),
    "a node that is new": ("Node", {}),
    "a container that ran": (
        "Pod",
        {"phase": "Running", "containerStatuses": [{"state": {"running": {"startedAt": BEFORE}}}]},
    ),
}
CURRENT = {
    "a controller that works again": ("Lease", {"renewTime": f"{AFTER[:-1]}.000001Z"}),
    "a node that is Ready again": ("Node", {"conditions": [{**NODE_READY, "lastHeartbeatTime": AFTER}]}),
    "a container that runs again": (
        "Pod",
        {"phase": "Running", "containerStatuses": [{"state": {"running": {"startedAt": AFTER}}}]},
    ),
    "a container that falls over": (
        "Pod",
        {"phase": "Running", "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
    ),
    "a pod that ended before": (
        "Pod",
        {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"startedAt": BEFORE}}}]},
    ),
    "a pod that waits for a node": ("Pod", {"phase": "Pending"}),
}


@pytest.mark.parametrize("what", sorted({**STALE, **CURRENT}))
def test_a_status_counts_once_the_kubelet_has_looked_again(what: str) -> None:
    kind, status = {**STALE, **CURRENT}[what]
    name = "kube-controller-manager" if kind == "Lease" else "it"
    objects = {"items": [{"kind": kind, "metadata": {"name": name}, "status": status, "spec": status}]}
    command = [sys.executable, str(REPOSITORY / "dev/lib/current.py"), BEGAN]
    done = subprocess.run(command, input=json.dumps(objects), capture_output=True, text=True, check=False)
    assert done.returncode == (what in STALE), done.stderr
    assert done.stderr == (f"{kind} {name} is not current\n" if what in STALE else "")


def test_tools_are_built_anew_when_a_version_of_theirs_changes(checkout: Checkout) -> None:
    def folder() -> str:
        command = ["bash", "-c", f"source {checkout.root}/dev/lib/settings.sh; echo $TOOLS"]
        return subprocess.run(command, env=checkout.environment, capture_output=True, text=True, check=True).stdout

    before = folder()
    assert folder() == before
    programs = checkout.root / "dev/tools/programs"
    programs.write_text(programs.read_text().replace("sigs.k8s.io/kind@v", "sigs.k8s.io/kind@v1"))
    assert folder() != before


def test_packages_are_root_s_to_install_and_others_are_told_what_to_type() -> None:
    script = "".join((REPOSITORY / "dev/lib" / name).read_text() for name in ("progress.sh", "apt.sh"))
    script += "command() { :; }\napt_install 'to install uv with' python3-venv gcc\n"
    nobody = 65534 if os.geteuid() == 0 else None
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=False, cwd="/", user=nobody)
    assert done.returncode == 1
    wanted = "as root, type: apt-get update && apt-get install --no-install-recommends python3-venv gcc\n"
    assert done.stderr.endswith(wanted)
    assert done.stdout == ""


def _name(checkout: Checkout, root: Path) -> str:
    command = ["bash", "-c", f"source {root}/dev/lib/settings.sh; echo $KIND_CLUSTER"]
    return subprocess.run(command, env=checkout.environment, capture_output=True, text=True, check=True).stdout


def _bash(checkout: Checkout, command: str, *libraries: str) -> bool:
    sources = "".join(f"source {checkout.root}/dev/lib/{name}.sh; " for name in libraries)
    done = subprocess.run(
        ["bash", "-c", f"set -uo pipefail; {sources}{command}"], env=checkout.environment, check=False
    )
    return done.returncode == 0

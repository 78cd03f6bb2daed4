"""Claims that can be copied, somebody who writes into them without end, and what copies may leave behind."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.conftest import Operator
from e2e.team import Object, Team
from support.cluster import BASELINE, Kubectl, fresh_namespace

CLASS = "csi"
DRIVER = "folders.csi.dev"
OURS = "app.kubernetes.io/managed-by=borg-operator"

WRITER = """
# `current` changes from one folder to the next at once, and in each the sum is that of its neighbour.
umask 077
n=0
while :; do
  n=$((n + 1))
  mkdir /live/$n
  head -c 300000 /dev/urandom >/live/$n/data
  sha256sum </live/$n/data >/live/$n/sum
  ln -s $n /live/next
  mv -T /live/next /live/current
  rm -rf /live/$((n - 2))
  sleep 0.2
done
"""


@contextmanager
def copying_team(kubectl: Kubectl, operator: Operator) -> Iterator[Team]:
    """Give a team with a local repository, whose pods may be root; skip where the cluster has nothing that clones."""
    if kubectl("get", "storageclass", CLASS, check=False).returncode:
        pytest.skip(f"this cluster has no StorageClass {CLASS} that clones: the local driver brings one, kind has none")
    with fresh_namespace(kubectl, BASELINE) as name:
        team = Team(kubectl, name, operator.images)
        team.prepare(owners=True)
        yield team


@contextmanager
def live_claim(team: Team, name: str = "live", **spec: Any) -> Iterator[None]:
    """Make a claim, and for a while the pod `<name>-writer` that writes into it without end."""
    team.claim(name, **{"storageClassName": CLASS, **spec})
    container = {
        "command": ["sh", "-ec", WRITER],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "live", "mountPath": "/live"}],
    }
    volumes = [{"name": "live", "persistentVolumeClaim": {"claimName": name}}]
    security = {"runAsUser": 4321, "runAsGroup": 4321, "runAsNonRoot": True}
    team.pod(f"{name}-writer", "runner", container, {"volumes": volumes, "securityContext": security})
    try:
        yield
    finally:
        team("delete", "pod", f"{name}-writer", "--wait=false")


def copied(copy: str, claim: str = "live") -> list[Object]:
    """Return the sources of a schedule that reads a copy of the claim."""
    return [{"name": "data", "copy": copy, "volume": {"persistentVolumeClaim": {"claimName": claim}}}]


def schedule(team: Team, name: str, copy: str, claim: str = "live", **spec: Any) -> None:
    team.schedule(name, "main", sources=copied(copy, claim), job={"fileAccess": "ReadAll"}, **spec)


def check_pair(team: Team, archive: str) -> None:
    """Fail unless the file in the archive has the sum that stands beside it."""
    folder = f"/tmp/{archive}"
    team.borg("main", f"extract ::{archive}", folder=folder)
    team.work(f'cd {folder}/sources/data/current && [ "$(sha256sum <data)" = "$(cat sum)" ]; rm -rf {folder}')


def left_behind(team: Team) -> list[str]:
    """Return what there is of copies: claims, snapshots, and volumes of the namespace that no claim holds any more."""
    claims = [f"claim {name}" for name in sorted(team.names("pvc", OURS))]
    snapshots = [f"snapshot {name}" for name in sorted(team.names("volumesnapshots.snapshot.storage.k8s.io"))]
    contents = team.kubectl.get("volumesnapshotcontents.snapshot.storage.k8s.io")["items"]
    held = {item["spec"].get("volumeName") for item in team.items("pvc")}
    volumes = team.kubectl.get("pv")["items"]
    return [
        *claims,
        *snapshots,
        *(
            f"content {item['metadata']['name']}"
            for item in contents
            if item["spec"]["volumeSnapshotRef"]["namespace"] == team.namespace
        ),
        *(
            f"volume {item['metadata']['name']}"
            for item in volumes
            if item["spec"].get("claimRef", {}).get("namespace") == team.namespace
            and item["spec"].get("csi", {}).get("driver") == DRIVER
            and item["metadata"]["name"] not in held
        ),
    ]


def nothing_is_left(team: Team, within: float = 60) -> None:
    team.eventually(
        lambda: left_behind(team), "nothing is left of any copy", holds=lambda seen: not seen, within=within
    )


@contextmanager
def storage_class(kubectl: Kubectl, name: str, copies: str) -> Iterator[None]:
    """Make a class whose driver makes no copies, has no room for them, or does not answer: none, full, hang."""
    made = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": DRIVER,
        "volumeBindingMode": "WaitForFirstConsumer",
        "parameters": {"copies": copies},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(made))
    try:
        yield
    finally:
        kubectl("delete", "storageclass", name)

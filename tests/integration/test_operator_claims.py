"""Claims that are chosen by their labels, on a real API server: the CronJob has those that there are."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from integration import resources
from integration.cluster import Kubectl
from integration.test_operator_conditions import WAIT_SECONDS, apply
from integration.test_operator_cron_jobs import wait_for_cron_job
from support.waiting import condition, wait_for

CHOSEN = {"name": "chosen", "claimSelector": {"matchLabels": {"backup": "nightly"}}}
FOLLOWS_SECONDS = 3.0
"""A second, and what kubectl and a busy machine take."""


def claim(name: str, **labels: str) -> dict[str, Any]:
    made = resources.claim(name)
    # Of no class, on a volume of its own: bound in a moment, without a provisioner and without a pod.
    spec = {**made["spec"], "storageClassName": "", "volumeName": name}
    return {**made, "metadata": {"name": name, "labels": labels}, "spec": spec}


def volume(name: str, namespace: str) -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "claimRef": {"namespace": namespace, "name": name.removeprefix(f"{namespace}-")},
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "nfs": {"server": "192.0.2.1", "path": "/nothing"},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


class Claims:
    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self.kubectl, self.namespace = kubectl, namespace
        self.volumes: list[str] = []

    def come(self, *names: str) -> None:
        """Make claims with the label, each bound to a volume."""
        items: list[dict[str, Any]] = []
        for name in names:
            self.volumes.append(f"{self.namespace}-{name}")
            made = claim(name, backup="nightly")
            made["spec"]["volumeName"] = self.volumes[-1]
            items += [volume(self.volumes[-1], self.namespace), made]
        apply(self.kubectl, self.namespace, *items)

    def go(self, *names: str) -> None:
        self.kubectl("-n", self.namespace, "delete", "pvc", "--wait=false", *names)

    def mounted(self) -> set[str]:
        done = self.kubectl("-n", self.namespace, "get", "cronjob", "db", "-o", "json", check=False)
        pod = json.loads(done.stdout)["spec"]["jobTemplate"]["spec"]["template"]["spec"] if done.stdout else {}
        names = {item.get("persistentVolumeClaim", {}).get("claimName") for item in pod.get("volumes", ())}
        return {name for name in names if name not in (None, "borg-repo")}

    def wait_until(self, *names: str, within: float = FOLLOWS_SECONDS) -> None:
        wait_for(self.mounted, lambda found: found == set(names), within, f"a CronJob with {names}")

    def schedule(self) -> dict[str, Any]:
        return self.kubectl.get("-n", self.namespace, "bsched", "db")


@pytest.fixture
def claims(kubectl: Kubectl, namespace: str) -> Iterator[Claims]:
    """Make a schedule that chooses claims, of which there are none yet."""
    made = Claims(kubectl, namespace)
    apply(kubectl, namespace, *resources.claims(), resources.repository(sources=[CHOSEN]), resources.schedule())
    yield made
    if made.volumes:
        kubectl("delete", "pv", "--wait=false", "--ignore-not-found", *made.volumes)


def said(schedule: dict[str, Any], type_: str) -> tuple[str, str]:
    found = condition(schedule, type_)
    return found.get("status", ""), found.get("reason", "")


def test_the_cron_job_follows_claims_that_come_and_go(claims: Claims) -> None:
    wait_for(
        claims.schedule,
        lambda found: said(found, "Ready") == ("False", "NoClaimMatches"),
        WAIT_SECONDS,
        "that none is there",
    )
    assert claims.mounted() == set()
    claims.come("a", "b", "c.d")
    claims.wait_until("a", "b", "c.d", within=WAIT_SECONDS)
    schedule, _ = wait_for(
        claims.schedule, lambda found: found["status"].get("claims") == 3, WAIT_SECONDS, "the number of claims"
    )
    assert said(schedule, "Ready")[0] == "True"
    assert condition(schedule, "ClaimsSelected")["message"] == "3 claims: a, b, c.d"
    shown = claims.kubectl("-n", claims.namespace, "get", "bsched", "db", "-o", "wide").stdout
    assert "CLAIMS" in shown

    claims.go("b")
    claims.wait_until("a", "c.d")
    claims.kubectl("-n", claims.namespace, "label", "pvc", "a", "backup-")
    claims.wait_until("c.d")
    claims.kubectl("-n", claims.namespace, "annotate", "pvc", "c.d", "borgoperator.io/ignore=true")
    wait_for(
        claims.schedule, lambda found: said(found, "Ready")[1] == "NoClaimMatches", FOLLOWS_SECONDS, "that none is left"
    )
    wait_for_cron_job(claims.kubectl, claims.namespace, lambda found: bool(found["spec"]["suspend"]), FOLLOWS_SECONDS)
    claims.kubectl("-n", claims.namespace, "annotate", "pvc", "c.d", "borgoperator.io/ignore-")
    wait_for_cron_job(claims.kubectl, claims.namespace, lambda found: not found["spec"]["suspend"], FOLLOWS_SECONDS)


def test_a_claim_that_is_not_bound_is_told_and_not_taken(claims: Claims) -> None:
    claims.come("a")
    apply(claims.kubectl, claims.namespace, claim("waiting", backup="nightly"))
    claims.wait_until("a", within=WAIT_SECONDS)
    words = '1 claim: a; left out: "waiting" is not bound to a volume yet'
    wait_for(
        claims.schedule, lambda found: condition(found, "ClaimsSelected").get("message") == words, WAIT_SECONDS, words
    )


def test_many_claims_at_once_make_few_writes(claims: Claims) -> None:
    names = [f"c{number:02}" for number in range(60)]
    claims.come(*names)
    claims.wait_until(*names, within=WAIT_SECONDS)
    found = claims.kubectl.get("-n", claims.namespace, "cronjob", "db")
    claims.go(*names[1:])
    claims.wait_until(names[0], within=WAIT_SECONDS)
    after = claims.kubectl.get("-n", claims.namespace, "cronjob", "db")
    # A generation is a write that changed the spec; kubectl takes some seconds for sixty deletions.
    assert after["metadata"]["generation"] - found["metadata"]["generation"] < 20

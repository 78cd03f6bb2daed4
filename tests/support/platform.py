"""A platform that gives out uids, as OpenShift does: a webhook that refuses pods that name one, and gives others."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support import webhook
from support.cluster import RESTRICTED, Kubectl, fresh_namespace

Object = dict[str, Any]

USER = 1000650000
"""What every pod of the platform gets as its uid and fsGroup; its gid is 0, and no image knows it by a name."""

_ANSWER = r"""
NAMED = ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups")


def answer(pod):
    spec = pod["spec"]
    parts = [spec, *spec.get("initContainers", []), *spec["containers"]]
    named = sorted({key for part in parts for key in part.get("securityContext", {}) if key in NAMED})
    if named:
        return "the pod names a user itself: " + ", ".join(named), []
    user = GIVEN["user"]
    given = {**spec.get("securityContext", {}), "runAsUser": user, "runAsGroup": 0, "fsGroup": user}
    return "", [{"op": "add", "path": "/spec/securityContext", "value": given}]
"""


@contextmanager
def giving_out_users(kubectl: Kubectl, image: str, folder: Path, namespaces: tuple[str, ...]) -> Iterator[None]:
    """Let the namespaces be such a platform. `image`: one with Python; `folder`: for the webhook's certificate."""
    with ExitStack() as stack:
        home = stack.enter_context(fresh_namespace(kubectl, RESTRICTED))
        secret, certificate = webhook.make_certificate(folder, home)
        container, volumes = webhook.container(_ANSWER, {"user": USER})
        container |= {
            "name": webhook.NAME,
            "image": image,
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": webhook.NAME, "labels": {"app": webhook.NAME}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 10001,
                    "fsGroup": 10001,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": volumes,
            },
        }
        items = {"apiVersion": "v1", "kind": "List", "items": [secret, webhook.service(), pod]}
        kubectl("-n", home, "apply", "-f", "-", stdin=json.dumps(items))
        kubectl("-n", home, "wait", "--for=condition=Ready", "--timeout=60s", f"pod/{webhook.NAME}")
        target = webhook.target(home, certificate)
        for namespace in namespaces:
            stack.enter_context(
                webhook.admission_webhook(kubectl, "MutatingWebhookConfiguration", namespace, "pods", target)
            )
        yield


@contextmanager
def tainted(kubectl: Kubectl, taint: str) -> Iterator[None]:
    """Let all nodes take new pods only if they tolerate the taint, `key=value:Effect`."""
    kubectl("taint", "nodes", "--all", "--overwrite", taint)
    try:
        yield
    finally:
        kubectl("taint", "nodes", "--all", f"{taint}-")


def quota() -> Object:
    """Return a quota as platforms put it on every namespace: pods that do not say what they need are refused."""
    hard = {"requests.cpu": "4", "requests.memory": "8Gi", "limits.cpu": "16", "limits.memory": "16Gi"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "platform"}, "spec": {"hard": hard}}

"""A webhook, in a pod of the tests, that puts sidecars into backup pods as service meshes and log shippers do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support import webhook
from support.cluster import Kubectl

Object = dict[str, Any]

_ANSWER = r"""
def answer(pod):
    sidecar = GIVEN.get(pod["metadata"]["labels"].get("borgoperator.io/schedule"))
    if not sidecar:
        return "", []
    like = pod["spec"]["containers"][0]
    added = {**sidecar, "image": like["image"], "securityContext": like["securityContext"]}
    where = "/spec/containers/0" if sidecar["name"] < like["name"] else "/spec/containers/-"
    return "", [{"op": "add", "path": where, "value": added}]
"""


def container(sidecars: dict[str, Object]) -> tuple[Object, list[Object]]:
    """Return its container and volumes. `sidecars`: by schedule, name and command of what is put in."""
    return webhook.container(_ANSWER, sidecars)


@contextmanager
def injecting(kubectl: Kubectl, namespace: str, certificate: str) -> Iterator[None]:
    """Let the API server ask it about each backup pod of the namespace, in which it is."""
    target = webhook.target(namespace, certificate)
    selectors = {"objectSelector": {"matchLabels": {"app.kubernetes.io/name": "borg-run"}}}
    with webhook.admission_webhook(kubectl, "MutatingWebhookConfiguration", namespace, "pods", target, **selectors):
        yield

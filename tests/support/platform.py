"""A platform that gives out uids, as OpenShift does: a webhook that refuses pods that name one, and gives others."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support import injector
from support.cluster import RESTRICTED, Kubectl, fresh_namespace

Object = dict[str, Any]

USER = 1000650000
"""What every pod of the platform gets as its uid and fsGroup; its gid is 0, and no image knows it by a name."""

_SERVER = r"""
import base64, http.server, json, os, ssl

USER = int(os.environ["USER_GIVEN"])
NAMED = ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        spec = request["object"]["spec"]
        parts = [spec, *spec.get("initContainers", []), *spec["containers"]]
        named = sorted({key for part in parts for key in part.get("securityContext", {}) if key in NAMED})
        response = {"uid": request["uid"], "allowed": not named}
        if named:
            response["status"] = {"message": "the pod names a user itself: " + ", ".join(named)}
        else:
            given = {**spec.get("securityContext", {}), "runAsUser": USER, "runAsGroup": 0, "fsGroup": USER}
            patch = [{"op": "add", "path": "/spec/securityContext", "value": given}]
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())


server = http.server.ThreadingHTTPServer(("", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


@contextmanager
def giving_out_users(kubectl: Kubectl, image: str, folder: Path, namespaces: tuple[str, ...]) -> Iterator[None]:
    """Let the namespaces be such a platform. `image`: one with Python; `folder`: for the webhook's certificate."""
    with ExitStack() as stack:
        home = stack.enter_context(fresh_namespace(kubectl, RESTRICTED))
        secret, certificate = injector.make_certificate(folder, home)
        container, volumes = injector.container({})
        container["command"] = ["python3", "-c", _SERVER]
        container |= {
            "name": "webhook",
            "image": image,
            "env": [{"name": "USER_GIVEN", "value": str(USER)}],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "webhook", "labels": {"app": "injector"}},
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
        items = {"apiVersion": "v1", "kind": "List", "items": [secret, injector.service(), pod]}
        kubectl("-n", home, "apply", "-f", "-", stdin=json.dumps(items))
        kubectl("-n", home, "wait", "--for=condition=Ready", "--timeout=60s", "pod/webhook")
        target = {"service": {"name": "injector", "namespace": home, "path": "/"}, "caBundle": certificate}
        for namespace in namespaces:
            stack.enter_context(
                injector.admission_webhook(kubectl, "MutatingWebhookConfiguration", namespace, "pods", target)
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

"""A webhook, in a pod of the tests, that puts sidecars into backup pods as service meshes and log shippers do."""

import json
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.cluster import Kubectl

Object = dict[str, Any]

PORT = 8443

_NAME = "injector"
_SERVER = r"""
import base64, http.server, json, os, ssl

SIDECARS = json.loads(os.environ["SIDECARS"])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        pod = request["object"]
        sidecar = SIDECARS.get(pod["metadata"]["labels"].get("borgoperator.io/schedule"))
        response = {"uid": request["uid"], "allowed": True}
        if sidecar:
            like = pod["spec"]["containers"][0]
            added = {**sidecar, "image": like["image"], "securityContext": like["securityContext"]}
            where = "/spec/containers/0" if sidecar["name"] < like["name"] else "/spec/containers/-"
            patch = [{"op": "add", "path": where, "value": added}]
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


def container(sidecars: dict[str, Object]) -> tuple[Object, list[Object]]:
    """Return the injector's container and its volumes. `sidecars`: by schedule, name and command of what is put in."""
    return {
        "command": ["python3", "-c", _SERVER],
        "env": [{"name": "SIDECARS", "value": json.dumps(sidecars)}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
    }, [{"name": "tls", "secret": {"secretName": f"{_NAME}-tls"}}]


def make_certificate(folder: Path, namespace: str) -> tuple[Object, str]:
    """Return the Secret of a certificate for the injector's service, and the certificate in base64."""
    host = f"{_NAME}.{namespace}.svc"
    key, certificate = folder / "tls.key", folder / "tls.crt"
    subject = ["-subj", f"/CN={_NAME}", "-addext", f"subjectAltName=DNS:{host}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    texts = {path.name: path.read_text(encoding="ascii") for path in (key, certificate)}
    metadata = {"name": f"{_NAME}-tls"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls"}
    return {**secret, "stringData": texts}, b64encode(certificate.read_bytes()).decode()


def service() -> Object:
    spec = {"selector": {"app": _NAME}, "ports": [{"port": 443, "targetPort": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": _NAME}, "spec": spec}


@contextmanager
def webhook(kubectl: Kubectl, namespace: str, certificate: str) -> Iterator[None]:
    """Let the API server ask the injector about each backup pod of the namespace."""
    target = {"service": {"name": _NAME, "namespace": namespace, "path": "/"}, "caBundle": certificate}
    selectors = {"objectSelector": {"matchLabels": {"app.kubernetes.io/name": "borg-run"}}}
    with admission_webhook(kubectl, "MutatingWebhookConfiguration", namespace, "pods", target, **selectors):
        yield


@contextmanager
def admission_webhook(
    kubectl: Kubectl, kind: str, namespace: str, resource: str, target: Object, **selectors: Object
) -> Iterator[None]:
    """Have a webhook in the cluster that is asked when something of the resource is made in the namespace."""
    group = "" if resource == "pods" else "batch"
    hook = {
        "name": f"{resource}.tests.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 5,
        "failurePolicy": "Fail",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [{"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]}],
        "clientConfig": target,
        **selectors,
    }
    body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": namespace}}
    kubectl("create", "-f", "-", stdin=json.dumps({**body, "webhooks": [hook]}))
    try:
        yield
    finally:
        kubectl("delete", kind, namespace, "--ignore-not-found")

"""An admission webhook in a pod of the tests, which does with each pod that is made what a test says."""

import json
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.cluster import Kubectl

Object = dict[str, Any]

NAME = "webhook"
"""Of its Service, of the label `app` of its pod, and of what else belongs to it."""

PORT = 8443

_SERVER = r"""
import base64, http.server, json, os, ssl

GIVEN = json.loads(os.environ["GIVEN"])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        refused, patch = answer(request["object"])
        response = {"uid": request["uid"], "allowed": not refused}
        if refused:
            response["status"] = {"message": refused}
        elif patch:
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())


ANSWER
server = http.server.ThreadingHTTPServer(("", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def container(answer: str, given: Object) -> tuple[Object, list[Object]]:
    """Return the webhook's container, without an image, and its volumes.

    `answer`: Python that defines `answer(pod)`, which returns words of refusal or "", and a JSON patch or []. It knows
    `given` as GIVEN.
    """
    return {
        "command": ["python3", "-c", _SERVER.replace("ANSWER\n", answer)],
        "env": [{"name": "GIVEN", "value": json.dumps(given)}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
    }, [{"name": "tls", "secret": {"secretName": f"{NAME}-tls"}}]


def make_certificate(folder: Path, namespace: str) -> tuple[Object, str]:
    """Return the Secret of a certificate for its Service, and the certificate in base64."""
    host = f"{NAME}.{namespace}.svc"
    key, certificate = folder / "tls.key", folder / "tls.crt"
    subject = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{host}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    texts = {path.name: path.read_text(encoding="ascii") for path in (key, certificate)}
    metadata = {"name": f"{NAME}-tls"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls"}
    return {**secret, "stringData": texts}, b64encode(certificate.read_bytes()).decode()


def service() -> Object:
    spec = {"selector": {"app": NAME}, "ports": [{"port": 443, "targetPort": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": spec}


def target(namespace: str, certificate: str) -> Object:
    """Return the `clientConfig` of the webhook in that namespace; `certificate`: as `make_certificate` gives it."""
    return {"service": {"name": NAME, "namespace": namespace, "path": "/"}, "caBundle": certificate}


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

# ruff: noqa: INP001 - a program, not a package
"""What `helm test` does: asks for a run of the schedule that the test has made, and waits until it is Completed.

It runs in a pod of the runner's image, so it is of the standard library alone. Exit code 1 and a sentence when the run
is not what it should be.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TERMINAL = ("Completed", "CompletedWithWarnings", "Failed", "Cancelled")
PAUSE_SECONDS = 0.5

Object = dict[str, Any]


def send(url: str, context: ssl.SSLContext, body: Object | None = None) -> Object:
    """Return the answer to a GET, or with a body to a POST, with the token of the pod's account."""
    token = (ACCOUNT / "token").read_text()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - http and https, from the chart
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as response:  # noqa: S310
            found: Object = json.load(response)
            return found
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.code} {error.read().decode(errors='replace')}")


def api_server(environment: Mapping[str, str]) -> str:
    """Return the URL of the API server; an address of IPv6 stands in brackets."""
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment["KUBERNETES_SERVICE_PORT"]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def main() -> None:
    """Take the backup; then ask the facade, where there is one, whether it has seen it."""
    namespace, schedule = os.environ["NAMESPACE"], os.environ["SCHEDULE"]
    ends = time.monotonic() + float(os.environ["TIMEOUT_SECONDS"])
    cluster = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    runs = f"{api_server(os.environ)}/apis/borgoperator.io/v1alpha1/namespaces/{namespace}/borgruns"
    run = send(
        runs,
        cluster,
        {
            "apiVersion": "borgoperator.io/v1alpha1",
            "kind": "BorgRun",
            "metadata": {"generateName": f"{schedule}-"},
            "spec": {"scheduleRef": {"name": schedule}},
        },
    )
    name, told = run["metadata"]["name"], ""
    status: Object = {}
    while status.get("phase") not in TERMINAL:
        if time.monotonic() > ends:
            sys.exit(f"BorgRun {namespace}/{name} has not ended in time: {json.dumps(status)}")
        time.sleep(PAUSE_SECONDS)
        status = send(f"{runs}/{name}", cluster).get("status", {})
        now = f"{status.get('phase', 'not seen by the operator yet')}: {status.get('message', '')}"
        if now != told:
            print(f"BorgRun {namespace}/{name}: {now}", flush=True)  # noqa: T201
            told = now
    repositories = status.get("repositories", [])
    if status["phase"] != "Completed" or not repositories or not repositories[0].get("files"):
        sys.exit(f"this is not a good backup: {json.dumps(status)}")
    if facade := os.environ.get("FACADE_URL"):
        # By the name of its Service; its certificate may be for another one.
        inside = ssl.create_default_context()
        inside.check_hostname, inside.verify_mode = False, ssl.CERT_NONE
        seen = send(f"{facade}/api/backup/status/{name}?namespace={namespace}", inside)
        if seen.get("status") != "completed":
            sys.exit(f"the facade says otherwise: {json.dumps(seen)}")
    print(f"A backup of {repositories[0]['files']} files: archive {repositories[0]['archive']}")  # noqa: T201


if __name__ == "__main__":
    main()

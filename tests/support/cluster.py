"""The cluster under test, through kubectl: the way its users go."""

import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
BASELINE = {"pod-security.kubernetes.io/enforce": "baseline"}

ENVIRONMENT = REPOSITORY / "dev" / ".state" / "env"


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl against the cluster under test."""

    environment: dict[str, str] = field(repr=False)

    def __call__(self, *arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Return what `kubectl arguments…` did. With `check`, an error fails the test with kubectl's own words."""
        command = ["kubectl", *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=self.environment, timeout=120, check=False
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return the object, or the list, that `kubectl get arguments…` finds."""
        found: dict[str, Any] = json.loads(self("get", *arguments, "-o", "json").stdout)
        return found


def connect() -> Kubectl:
    """Return kubectl for the cluster of KUBECONFIG, else for the one of `make up`. Fails the test without any."""
    kubectl = Kubectl({**os.environ, **_exports()})
    try:
        answer = kubectl("version", "--request-timeout=10s", check=False)
    except FileNotFoundError:
        pytest.fail("kubectl is not installed; `make up` brings one, in dev/.state/bin")
    if answer.returncode:
        pytest.fail(f"no cluster answers; run `make up`, or set KUBECONFIG: {answer.stderr}")
    return kubectl


@contextmanager
def fresh_namespace(kubectl: Kubectl, labels: dict[str, str] = RESTRICTED) -> Iterator[str]:
    """Make a namespace of a new name, give the name, delete it at the end without waiting for it to be gone."""
    name = f"test-{secrets.token_hex(4)}"
    try:
        make_namespace(kubectl, name, labels)
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def make_namespace(kubectl: Kubectl, name: str, labels: dict[str, str]) -> None:
    """Make a namespace in which pods can be made."""
    metadata = {"name": name, "labels": labels}
    kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
    # Until then, no pod is admitted here.
    kubectl("wait", "--for=create", "serviceaccount/default", "--namespace", name, "--timeout=60s")


def _exports() -> dict[str, str]:
    """Return what dev/.state/env exports, unless the caller has a KUBECONFIG of his own."""
    if "KUBECONFIG" in os.environ or not ENVIRONMENT.exists():
        return {}
    exports = dict(re.findall(r"^export (\w+)=\"?([^\"\n]*)", ENVIRONMENT.read_text(), re.MULTILINE))
    tools = str(ENVIRONMENT.parent / "bin")
    return {**exports, "PATH": os.pathsep.join([tools, os.environ["PATH"]])}

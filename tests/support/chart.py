"""The Helm chart, rendered by Helm itself."""

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from support.cluster import REPOSITORY

CHART = REPOSITORY / "charts" / "borg-operator"

Object = dict[str, Any]

SCHEMA: Object = json.loads((CHART / "values.schema.json").read_text())
VALUES: Object = yaml.safe_load((CHART / "values.yaml").read_text())


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """Helm will not render: the message is what a user reads."""


@functools.cache
def find_helm() -> str:
    """Return the path of helm: the one on PATH, else the one of dev/tools, which is built if it is not there yet."""
    if found := shutil.which("helm"):
        return found
    subprocess.run([REPOSITORY / "dev" / "tools" / "build", "helm"], check=True, capture_output=True)
    settings = REPOSITORY / "dev" / "lib" / "settings.sh"
    command = ["bash", "-c", f"source {settings}; echo $TOOLS"]
    folder = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return str(Path(folder) / "helm")


def render(values: Object | None = None, *, release: str = "backups", namespace: str = "borg-system") -> list[Object]:
    """Return the objects of a release with these values, new ones at each call. Raises Refused."""
    text = _run_helm(yaml.safe_dump(values or {}), release, namespace)
    return [document for document in yaml.load_all(text, Loader=_Strict) if document]


class _Strict(yaml.CSafeLoader):
    """Takes no key twice. In C: the CRDs are long, and PyYAML's own takes a second for them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(set(keys)) == len(keys), f"a key twice: {sorted(keys)}"
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


@functools.cache
def _run_helm(values: str, release: str, namespace: str) -> str:
    """Return what Helm renders: once for each set of values, however many tests look at it."""
    command = [find_helm(), "template", release, str(CHART), "--namespace", namespace, "--values", "-"]
    # Without a KUBECONFIG: a chart that looked into the cluster would be another one in GitOps.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    done = subprocess.run(command, input=values, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [item for item in objects if item["kind"] == kind]


def pod_specs(objects: list[Object]) -> dict[str, Object]:
    """Return the spec of every pod that the chart makes, by the name of its Deployment or its own."""
    specs = {item["metadata"]["name"]: item["spec"] for item in of_kind(objects, "Pod")}
    return specs | {
        item["metadata"]["name"]: item["spec"]["template"]["spec"] for item in of_kind(objects, "Deployment")
    }


def merged(values: Object, into: Object) -> Object:
    """Return what Helm makes of values and defaults: null takes a value away."""
    found = dict(into)
    for name, value in values.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict) and isinstance(found.get(name), dict):
            found[name] = merged(value, found[name])
        else:
            found[name] = value
    return found


def validate(values: Object) -> None:
    """Raise jsonschema.ValidationError where the chart's schema refuses the values."""
    jsonschema.validate(merged(values, VALUES), SCHEMA, jsonschema.Draft7Validator)

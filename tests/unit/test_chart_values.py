"""The chart's values: each is in the schema, explained, and refused when it is misspelt."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from support.chart import CHART
from support.cluster import REPOSITORY
from unit.test_crds import CRDS, version_of

Object = dict[str, Any]
Path = tuple[str, ...]

SCHEMA: Object = json.loads((CHART / "values.schema.json").read_text())
VALUES: Object = yaml.safe_load((CHART / "values.yaml").read_text())
METADATA: Object = yaml.safe_load((CHART / "Chart.yaml").read_text())
OF_HELM = {("global",)}
"""Values that Helm itself adds."""


def described(schema: Object, path: Path = ()) -> Iterator[tuple[Path, Object]]:
    """Yield every value that the schema names, sections included."""
    for name, part in schema.get("properties", {}).items():
        yield (*path, name), part
        if "requests" not in part.get("properties", {}):  # Kubernetes' own from here on
            yield from described(part, (*path, name))


DESCRIBED = dict(described(SCHEMA))
SECTIONS = [path for path, part in DESCRIBED.items() if "properties" in part] + [()]


def at(tree: Any, path: Path) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def nested(path: Path, value: Any) -> Object:
    tree: Any = value
    for name in reversed(path):
        tree = {name: tree}
    found: Object = tree
    return found


def test_the_defaults_are_valid() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA, jsonschema.Draft7Validator)


@pytest.mark.parametrize("path", sorted(DESCRIBED.keys() - OF_HELM), ids=".".join)
def test_every_value_of_the_schema_has_a_default_and_an_explanation(path: Path) -> None:
    at(VALUES, path)  # raises KeyError where there is none
    part = DESCRIBED[path]
    if "properties" not in part:
        assert len(part["description"]) > 10


@pytest.mark.parametrize("section", SECTIONS, ids=lambda path: ".".join(path) or "top")
def test_a_misspelt_value_is_refused_in_every_section(section: Path) -> None:
    with pytest.raises(jsonschema.ValidationError, match="dditional properties"):
        jsonschema.validate(nested((*section, "misspelt"), 1), SCHEMA)


REFUSED: list[Object] = [
    {"operator": {"namespaces": ["Team"]}},
    {"operator": {"namespaces": ["team", "team"]}},
    {"operator": {"allowedImages": ["one,two"]}},
    {"operator": {"resyncSeconds": 0}},
    {"operator": {"logFormat": "xml"}},
    {"image": {"runner": {"digest": "sha256:short"}}},
    {"image": {"pullPolicy": "Sometimes"}},
    {"api": {"replicas": 0}},
    {"api": {"service": {"port": 70000}}},
    {"api": {"podDisruptionBudget": {"maxUnavailable": "half"}}},
    {"api": {"podAnnotations": {"a": 1}}},
    {"rbac": {"rolePrefix": "-"}},
    {"networkPolicy": {"egress": {"apiServerCIDRs": ["10.0.0.1"]}}},
    {"test": {"storage": "much"}},
    {"metrics": {"serviceMonitor": {"interval": "30"}}},
]


@pytest.mark.parametrize("values", REFUSED, ids=json.dumps)
def test_values_that_would_not_work_are_refused(values: Object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, SCHEMA)


def test_readme_and_descriptions_are_those_of_the_comments() -> None:
    command = [sys.executable, str(REPOSITORY / "dev" / "chart_docs.py"), "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def annotation(name: str) -> Any:
    return yaml.safe_load(METADATA["annotations"][f"artifacthub.io/{name}"])


def test_artifact_hub_is_told_the_images_that_the_chart_uses() -> None:
    images = VALUES["image"]
    used = {name: images[name]["repository"] for name in ("operator", "api", "runner")}
    told = {item["name"]: item["image"] for item in annotation("images")}
    assert told == {name: f"{repository}:{METADATA['appVersion']}" for name, repository in used.items()}


def test_artifact_hub_is_told_all_kinds() -> None:
    told = {(item["kind"], item["name"], item["version"]) for item in annotation("crds")}
    assert told == {(kind, CRDS[kind]["metadata"]["name"], version_of(kind)["name"]) for kind in CRDS}


def test_the_examples_on_artifact_hub_are_what_the_api_server_takes() -> None:
    examples = annotation("crdsExamples")
    assert len(examples) > 2
    for example in examples:
        schema = version_of(example["kind"])["schema"]["openAPIV3Schema"]
        jsonschema.validate(example, schema)
        assert example["spec"].keys() <= schema["properties"]["spec"]["properties"].keys()

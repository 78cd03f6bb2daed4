"""The chart's values: each is in the schema, explained, and refused when it is misspelt."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from support.chart import CHART, SCHEMA, VALUES, Refused, render, validate
from support.cluster import REPOSITORY
from unit.test_crds import CRDS, version_of

Object = dict[str, Any]
Path = tuple[str, ...]

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
        validate(nested((*section, "misspelt"), 1))


def is_empty(value: Any) -> bool:
    return value in (None, "", [], {})


MAPS_OF_THE_USER = {("operator", "resources"), ("api", "resources"), ("metrics", "dashboard", "labels")}
"""Those that are not empty: null is Helm's only way to take such a default away."""
MAY_BE_NULL = [path for path in DESCRIBED if path not in OF_HELM and is_empty(at(VALUES, path))] + [*MAPS_OF_THE_USER]
EVERYTHING: Object = yaml.safe_load((CHART / "ci" / "everything-values.yaml").read_text())
NEEDED_BY_EVERYTHING = {("api", "ingress", "hosts"), ("api", "httpRoute", "parentRefs")}


@pytest.mark.parametrize("path", sorted(DESCRIBED.keys() - OF_HELM - set(MAY_BE_NULL)), ids=".".join)
def test_null_is_refused_with_the_name_of_a_value_that_is_needed(path: Path) -> None:
    with pytest.raises(jsonschema.ValidationError, match=f"'{path[-1]}' is a required property"):
        validate(nested(path, None))


def test_helm_itself_says_which_section_is_null() -> None:
    with pytest.raises(Refused, match="backupPods"):
        render({"backupPods": None})


@pytest.mark.parametrize("empty", [None, dict, list], ids=["null", "{}", "[]"])
@pytest.mark.parametrize("others", [{}, EVERYTHING], ids=["by itself", "with everything on"])
def test_whatever_may_be_empty_renders_when_it_is_empty(empty: type | None, others: Object) -> None:
    values = others
    for path in set(MAY_BE_NULL) - NEEDED_BY_EVERYTHING:
        given = at(VALUES, path)
        if empty is None or isinstance(given, empty):
            validate(nested(path, empty() if empty else None))
            values = replaced(values, path, empty() if empty else None)
    objects = render(values)
    assert {"Deployment", "Service", "Role"} <= {item["kind"] for item in objects}
    assert all(item["metadata"]["name"] for item in objects)


def replaced(tree: Object, path: Path, value: Any) -> Object:
    """Return the tree with that value, whatever was there."""
    name, *rest = path
    inner = tree.get(name)
    return {**tree, name: replaced(inner if isinstance(inner, dict) else {}, tuple(rest), value) if rest else value}


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
    {"commonLabels": {"app.kubernetes.io/name": "mine"}},
    {"operator": {"podLabels": {"app.kubernetes.io/instance": "mine"}}},
    {"api": {"podLabels": {"helm.sh/chart": "mine"}}},
    {"networkPolicy": {"egress": {"dnsPorts": []}}},
    {"rbac": {"rolePrefix": "-"}},
    {"networkPolicy": {"egress": {"apiServerCIDRs": ["10.0.0.1"]}}},
    {"test": {"storage": "much"}},
    {"metrics": {"serviceMonitor": {"interval": "30"}}},
]


def test_labels_that_are_not_the_charts_own_may_be_anybodys() -> None:
    labels = {"app.kubernetes.io/part-of": "backups", "app.kubernetes.io/component-owner": "us", "team": "storage"}
    validate({"commonLabels": labels, "api": {"podLabels": labels}})


@pytest.mark.parametrize("values", REFUSED, ids=json.dumps)
def test_values_that_would_not_work_are_refused(values: Object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(values)


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

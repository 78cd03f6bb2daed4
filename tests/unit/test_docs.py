"""The documentation's links lead somewhere, what it tells people to type exists, and what it shows is valid."""

import importlib.util
import re
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml

from borg_api.app import create_app
from borg_api.configuration import Configuration
from borg_contract.reasons import Reason
from borg_contract.reasons import Reason as RunnerReason
from unit.test_crds import CRDS

Schema = dict[str, Any]

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)")
MAKE = re.compile(r"(?:^ {4}|`|&& |=\w+ )make ([a-z0-9]+)", re.MULTILINE)
FILE = re.compile(r"\b((?:docs|dev|charts|crds|tests|core|runner)/[\w./-]+\w)")
BLOCK = re.compile(r"^( *)```yaml[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
HEREDOC = re.compile(r"^( *)kubectl [^\n]*<<'?END'?\n(.*?)^\1END", re.MULTILINE | re.DOTALL)
SETTING = re.compile(r"(?:--set |`)((?:api|image|operator|rbac|crds)\.[A-Za-z.]+)\b")
INCLUDED = "--8<--"


def load_reference() -> ModuleType:
    """Load the generator of the reference as mkdocs does: its folder is on the path while it is loaded."""
    folder = ROOT / "dev" / "docs"
    spec = importlib.util.spec_from_file_location("reference", folder / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


REFERENCE = load_reference()


@cache
def generated() -> dict[str, str]:
    return dict(REFERENCE.render_pages(ROOT))


def closed(schema: Schema) -> Schema:
    """Return the schema as the API server reads it: a field that it does not know is a mistake."""
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {name: closed(child) for name, child in schema["properties"].items()}
        result.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            result[key] = closed(schema[key])
    return result


def validate(resource: dict[str, Any]) -> None:
    """Raise what is wrong with a resource of our kinds; CEL rules are for the tests with an API server."""
    (version,) = CRDS[resource["kind"]]["spec"]["versions"]
    schema = closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.Draft202012Validator(schema).validate(resource)


def resources_in_files() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((ROOT / "docs").rglob("*.yaml")):
        for document in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
            if document.get("apiVersion", "").startswith("borgoperator.io/"):
                yield f"{path.relative_to(ROOT)} {document['kind']}", document


def resources_in_pages() -> Iterator[tuple[str, dict[str, Any]]]:
    for page in PAGES:
        for match in [*BLOCK.finditer(page.read_text()), *HEREDOC.finditer(page.read_text())]:
            if INCLUDED in match[2]:
                continue
            for document in yaml.load_all(textwrap.dedent(match[2]), Loader=yaml.CSafeLoader):
                if document.get("apiVersion", "").startswith("borgoperator.io/"):
                    yield f"{page.relative_to(ROOT)} {document['kind']}", document


RESOURCES = [pytest.param(resource, id=name) for name, resource in [*resources_in_files(), *resources_in_pages()]]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def exists(page: Path, target: str) -> bool:
    path = (page.parent / target).resolve()
    return path.exists() or (
        path.is_relative_to(ROOT / "docs") and str(path.relative_to(ROOT / "docs")) in REFERENCE.PAGES
    )


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    assert [target for target in targets if not exists(page, target)] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_target_exists(page: Path) -> None:
    known = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(MAKE.findall(page.read_text())) - known == set()


@pytest.mark.parametrize("page", [page for page in PAGES if "adr" not in page.parts], ids=name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    paths = set(FILE.findall(page.read_text()))
    assert [path for path in sorted(paths) if not (ROOT / path).exists() and ".state" not in path] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_setting_of_the_chart_exists(page: Path) -> None:
    values = yaml.load((ROOT / "charts" / "borg-operator" / "values.yaml").read_text(), Loader=yaml.CSafeLoader)
    for setting in SETTING.findall(page.read_text()):
        found = values
        for key in setting.rstrip(".").split("."):
            assert key in found, setting
            found = found[key]


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_resource_that_is_shown_is_valid(resource: dict[str, Any]) -> None:
    validate(resource)


def test_a_field_that_does_not_exist_is_not_valid() -> None:
    resource = yaml.load((ROOT / "docs" / "examples" / "06-run.yaml").read_text(), Loader=yaml.CSafeLoader)
    with pytest.raises(jsonschema.ValidationError, match="scheduleref"):
        validate({**resource, "spec": {**resource["spec"], "scheduleref": {}}})


def test_troubleshooting_knows_every_reason_and_no_other() -> None:
    headings = re.findall(r"^### (\w+) \{ #\1 \}$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted({reason.value for reason in (*Reason, *RunnerReason)})


def field_names(schema: Schema) -> Iterator[str]:
    for field, child in schema.get("properties", {}).items():
        yield field
        yield from field_names(child)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from field_names(schema[key])


@pytest.mark.parametrize("kind", ["BorgRepository", "BorgSchedule", "BorgScript", "BorgRun"])
def test_the_reference_has_every_field_of_a_kind(kind: str) -> None:
    (version,) = CRDS[kind]["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    fields = [field for part in ("spec", "status") for field in field_names(properties.get(part, {}))]
    page = generated()[f"reference/{kind.lower()}.md"]
    cells = re.findall(r"^\| \[?`([^`]+)`", page.split("## Columns of kubectl get")[0], re.MULTILINE)
    assert sorted(cells) == sorted(fields)


def test_the_reference_has_every_operation_and_answer_of_the_rest_api() -> None:
    document = create_app(Configuration("default")).openapi()
    page = generated()[REFERENCE.REST]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            (section,) = [part for part in page.split("\n### ") if part.startswith(f"{method.upper()} {path} ")]
            for status in operation["responses"]:
                assert f"| {status} |" in section
            for parameter in operation.get("parameters", ()):
                assert f"| `{parameter['name']}` |" in section
    for schema in document["components"]["schemas"]:
        assert f"\n### {schema} " in page

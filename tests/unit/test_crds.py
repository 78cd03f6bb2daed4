"""The CRDs and the models are two texts about one thing: here each is held against the other, in both directions."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from borg_contract.archive_name import PLACEHOLDERS
from borg_core.kinds.base import GROUP, VERSION, Model
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import BorgSchedule
from borg_core.kinds.script import BorgScript

Schema = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "crds"
MODELS: dict[str, type[Model]] = {
    "BorgRepository": BorgRepository,
    "BorgSchedule": BorgSchedule,
    "BorgScript": BorgScript,
    "BorgRun": BorgRun,
}
SHORT_NAMES = {"BorgRepository": "brepo", "BorgSchedule": "bsched", "BorgScript": "bscript", "BorgRun": "brun"}
STATUS_KINDS = {"BorgRepository", "BorgSchedule", "BorgRun"}

OF_THE_API_SERVER = {"apiVersion", "kind", "metadata"}
TEXT_IN_THE_MODEL = {"status.conditions[].status", "status.lastRunPhase"}
"""Enums in the CRD that the operator composes as text."""
STRICTER_THAN_THE_MODEL = {"status.conditions[].message", "status.conditions[].lastTransitionTime"}
"""Required by metav1.Condition; the operator fills them in late."""


@dataclass(frozen=True)
class Fact:
    """What a CRD and a model must agree on about one field."""

    type: str
    enum: frozenset[str] | None
    default: Any
    required: bool


def read_crds() -> dict[str, Schema]:
    documents = [yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))]
    return {document["spec"]["names"]["kind"]: document for document in documents}


CRDS = read_crds()


def version_of(kind: str) -> Schema:
    (version,) = CRDS[kind]["spec"]["versions"]
    assert isinstance(version, dict)
    return version


def schema_of(kind: str) -> Schema:
    schema = version_of(kind)["schema"]["openAPIV3Schema"]
    assert isinstance(schema, dict)
    return schema


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield (path, schema) of every field below `schema`, items as `[]` and values of maps as `{}`."""
    for name, child in schema.get("properties", {}).items():
        if not path and name in OF_THE_API_SERVER:
            continue
        here = f"{path}.{name}" if path else name
        yield here, child
        yield from walk(child, here)
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(key), dict):
            yield path + mark, schema[key]
            yield from walk(schema[key], path + mark)


def resolved(schema: Schema, definitions: Schema) -> Schema:
    """Return a pydantic schema as a CRD would write it: no $ref, no anyOf with null, free-form objects left empty."""
    default = {key: schema[key] for key in ("default",) if key in schema}
    if "$ref" in schema:
        return resolved(definitions[schema["$ref"].rsplit("/", 1)[1]] | default, definitions)
    if "anyOf" in schema:
        (given,) = (choice for choice in schema["anyOf"] if choice.get("type") != "null")
        return resolved(given | default, definitions)
    plain = {**schema}
    if "properties" in schema:
        plain["properties"] = {name: resolved(child, definitions) for name, child in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            plain[key] = resolved(schema[key], definitions)
    if "const" in schema:
        plain["enum"] = [schema["const"]]
    return plain


def is_free_form(schema: Schema) -> bool:
    return schema.get("additionalProperties") is True


def facts_of(schema: Schema, stop_at: frozenset[str] = frozenset()) -> dict[str, Fact]:
    """Return a fact for each field; below the paths `stop_at` nothing is looked at."""
    required = {""}
    facts = {}
    fields = list(walk(schema))
    for path, field in [("", schema), *fields]:
        required |= {f"{path}.{name}".lstrip(".") for name in field.get("required", [])}
    for path, field in fields:
        if any(path.startswith((f"{stop}.", f"{stop}[", f"{stop}{{")) for stop in stop_at):
            continue
        default = field.get("default")
        if default in ("", []) or isinstance(default, dict) or path.startswith("status."):
            # Empty is the same as none, an object's fields have defaults of their own, and a status is never defaulted.
            default = None
        enum = frozenset(field["enum"]) if "enum" in field and path not in TEXT_IN_THE_MODEL else None
        facts[path] = Fact(
            type=field.get("type", "?"),
            enum=enum,
            default=default,
            required=path in required and path not in STRICTER_THAN_THE_MODEL,
        )
    return facts


def free_form_paths(schema: Schema) -> frozenset[str]:
    return frozenset(path for path, field in walk(schema) if is_free_form(field))


@pytest.mark.parametrize("kind", MODELS)
def test_crd_and_model_have_the_same_fields_with_the_same_types_enums_defaults_and_requirements(kind: str) -> None:
    raw = MODELS[kind].model_json_schema(by_alias=True)
    model = resolved(raw, raw.get("$defs", {}))
    stop_at = free_form_paths(model)
    crd_facts, model_facts = facts_of(schema_of(kind), stop_at), facts_of(model, stop_at)

    assert sorted(crd_facts) == sorted(model_facts)
    differing = {path: (crd_facts[path], model_facts[path]) for path in crd_facts}
    assert {path: pair for path, pair in differing.items() if pair[0] != pair[1]} == {}


@pytest.mark.parametrize("kind", MODELS)
def test_every_field_has_a_description(kind: str) -> None:
    wordless = [path for path, field in walk(schema_of(kind)) if len(field.get("description", "")) < len("A volume.")]
    assert wordless == []


@pytest.mark.parametrize("kind", MODELS)
def test_every_text_list_map_and_number_is_bounded(kind: str) -> None:
    def bounded(field: Schema) -> bool:
        match field.get("type"):
            case "string":
                return "maxLength" in field or "enum" in field or field.get("format") == "date-time"
            case "array":
                return "maxItems" in field
            case "object" if "additionalProperties" in field:
                return "maxProperties" in field
            case "integer" | "number":
                return "minimum" in field
            case _:
                return True

    assert [path for path, field in walk(schema_of(kind)) if not bounded(field)] == []


@pytest.mark.parametrize("kind", MODELS)
def test_every_list_says_how_appliers_merge_it(kind: str) -> None:
    lists = [(path, field) for path, field in walk(schema_of(kind)) if field.get("type") == "array"]
    assert [path for path, field in lists if field.get("x-kubernetes-list-type") not in {"map", "atomic"}] == []


@pytest.mark.parametrize("kind", MODELS)
def test_every_rule_has_a_message_of_one_sentence(kind: str) -> None:
    fields = [("", schema_of(kind)), *walk(schema_of(kind))]
    rules = [(path, rule) for path, field in fields for rule in field.get("x-kubernetes-validations", [])]
    assert [
        (path, rule["rule"])
        for path, rule in rules
        if len(rule.get("message", "")) < len("an hour is 0 to 23") or "\n" in rule["message"]
    ] == []


def test_crds_are_named_and_found_as_the_design_says() -> None:
    assert CRDS.keys() == MODELS.keys()
    for kind, crd in CRDS.items():
        spec, version = crd["spec"], version_of(kind)
        assert crd["metadata"]["name"] == f"{spec['names']['plural']}.{GROUP}"
        assert (spec["group"], version["name"], spec["scope"]) == (GROUP, VERSION, "Namespaced")
        assert (spec["names"]["shortNames"], spec["names"]["categories"]) == ([SHORT_NAMES[kind]], ["borg"])
        assert ("status" in version.get("subresources", {})) is (kind in STATUS_KINDS)


@pytest.mark.parametrize("kind", MODELS)
def test_columns_and_selectors_point_at_fields_that_exist(kind: str) -> None:
    version = version_of(kind)
    known = {f".{path}" for path, _ in walk(schema_of(kind))} | {".metadata.creationTimestamp"}
    paths = [entry["jsonPath"] for entry in version["additionalPrinterColumns"] + version.get("selectableFields", [])]
    plain = [path.replace('[?(@.type=="Ready")]', "[]") for path in paths]
    assert [path for path in plain if path not in known] == []


def test_repositories_and_schedules_say_the_same_about_sources_and_hooks() -> None:
    repository = schema_of("BorgRepository")["properties"]["spec"]["properties"]
    schedule = schema_of("BorgSchedule")["properties"]["spec"]["properties"]
    assert repository["sources"]["items"] == schedule["sources"]["items"]
    assert repository["hooks"]["properties"] == schedule["hooks"]["properties"]
    for kind in STATUS_KINDS - {"BorgRun"}:
        conditions = schema_of(kind)["properties"]["status"]["properties"]["conditions"]
        assert conditions == schema_of("BorgSchedule")["properties"]["status"]["properties"]["conditions"]


def test_the_conditions_of_a_run_differ_from_those_of_a_schedule_in_words_only() -> None:
    def rules(kind: str) -> dict[str, Schema]:
        conditions = {"conditions": schema_of(kind)["properties"]["status"]["properties"]["conditions"]}
        words_and_children = {"description", "items", "properties"}
        return {
            path: {key: value for key, value in field.items() if key not in words_and_children}
            for path, field in walk({"properties": conditions})
        }

    assert rules("BorgRun") == rules("BorgSchedule")


def test_the_archive_name_rule_knows_the_placeholders_of_the_runner() -> None:
    template = schema_of("BorgSchedule")["properties"]["spec"]["properties"]["archiveNameTemplate"]
    rule = template["x-kubernetes-validations"][0]
    assert f"({'|'.join(PLACEHOLDERS)})" in rule["rule"]
    assert [name for name in PLACEHOLDERS if f"{{{name}}}" not in rule["message"]] == []

"""The CRDs are generated from the kinds; here is what must be true of them, whichever kinds there are."""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from borg_contract.archive_name import PLACEHOLDERS
from borg_contract.schema import Rules
from borg_contract.schema import Schema as FieldSchema
from borg_core.kinds.archive import MOST_UNRECORDED
from borg_core.kinds.parts.base import GROUP, VERSION
from borg_core.kinds.parts.timing import USUAL_TIMES, CronText
from borg_core.kinds.parts.verification import MOST_DRILLED
from borg_core.kinds.restore_status import MOST_SCALED
from borg_core.kinds.statuses.schedule import ACTIVE_LIMIT
from borg_core.registry import own_kinds

Schema = dict[str, Any]

ROOT = Path(__file__).parents[2]
KINDS = [kind.kind for kind in own_kinds()]
SHORT_NAMES = {"BorgRepository": "brepo", "BorgSchedule": "bsched", "BorgScript": "bscript", "BorgRun": "brun"}
"""What people type, and so stays."""
STATUS_KINDS = {"BorgRepository", "BorgSchedule", "BorgRun"}

USUAL_FIELDS = (
    ("*", "0", "59", "*/15", "1,31-40/2"),
    ("*", "23", "8-18", "0,9"),
    ("*", "1", "20", "30,31", "1-7"),
    ("*", "12", "1-10", "*/99"),
    ("*", "0-6", "MON-FRI", "SAT,0/2"),
)

CHOSEN = re.compile(r"""\? '' : ("(?:[^"\\]|\\.)*")""")
"""The messages of which a rule's messageExpression chooses."""

OF_THE_API_SERVER = {"apiVersion", "kind", "metadata"}


def read_crds() -> dict[str, Schema]:
    documents = [
        yaml.load(path.read_text(), Loader=yaml.CSafeLoader) for path in sorted((ROOT / "crds").glob("*.yaml"))
    ]
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


def test_the_crds_and_the_charts_copy_are_what_the_kinds_say() -> None:
    command = [sys.executable, str(ROOT / "dev" / "crds.py"), "check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_description(kind: str) -> None:
    wordless = [path for path, field in walk(schema_of(kind)) if len(field.get("description", "")) < len("A volume.")]
    assert wordless == []


@pytest.mark.parametrize("kind", KINDS)
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


def test_every_list_of_a_status_is_cut_where_it_is_written() -> None:
    """The API server refuses the whole status for one that is longer; what a run tells, the runner's codec judges."""
    cut = {
        "BorgRepository.listing.unrecorded": MOST_UNRECORDED,
        "BorgRepository.listing.vanished.archives": 8,
        "BorgRepository.drilled": MOST_DRILLED,
        "BorgRestore.scaled": MOST_SCALED,
        "BorgRestore.warnings": 32,
        "BorgSchedule.active": ACTIVE_LIMIT,
    }
    told = {"BorgRestore.preview.sample", "BorgRun.repositories"}
    found = {
        f"{kind}.{path}": field["maxItems"]
        for kind in KINDS
        for path, field in walk(schema_of(kind).get("properties", {}).get("status", {}))
        if field.get("type") == "array" and path != "conditions" and "[]" not in path
    }
    assert found.keys() == cut.keys() | told
    assert [path for path, most in cut.items() if most > found[path]] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_says_how_appliers_merge_it(kind: str) -> None:
    lists = [(path, field) for path, field in walk(schema_of(kind)) if field.get("type") == "array"]
    assert [path for path, field in lists if field.get("x-kubernetes-list-type") not in {"map", "atomic"}] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_has_a_message_of_one_sentence(kind: str) -> None:
    fields = [("", schema_of(kind)), *walk(schema_of(kind))]
    rules = [(path, rule) for path, field in fields for rule in field.get("x-kubernetes-validations", [])]
    assert [
        (path, rule["rule"])
        for path, rule in rules
        for message in [rule.get("message", ""), *CHOSEN.findall(rule.get("messageExpression", ""))]
        if len(message) < len("an hour is 0 to 23") or "\n" in message
    ] == []


def holds(rule: str, text: str) -> bool:
    """Tell whether a CEL rule about a text holds: so far as rules about times go, with Python's regular expressions."""
    python = rule.replace(r"[^\P{Cc}\t]", r"[\x00-\x08\x0a-\x1f\x7f]").replace(r"\s\pZ", r"\s")
    python = re.sub(r"self\.matches\((r?'[^']*')\)", r"bool(re.search(\1, self))", python)
    python = re.sub(r"self\.contains\(('[^']*')\)", r"(\1 in self)", python)
    python = python.replace("startsWith", "startswith").replace("||", " or ").replace("&&", " and ")
    return bool(eval(python.replace("!", " not "), {"re": re, "self": text}))


def test_what_passes_for_a_usual_schedule_is_refused_by_no_rule() -> None:
    (schema,) = (note for note in get_args(CronText) if isinstance(note, FieldSchema))
    (several,) = schema.rules
    assert isinstance(several, Rules)
    refused = [rule.message for rule in several.rules if not holds(rule.rule, "0 24 * * *")]
    assert refused == ["an hour is 0 to 23"]  # so the rules are read rightly
    for text in map(" ".join, product(*USUAL_FIELDS)):
        assert holds(several.usual, text), text
        assert [rule.message for rule in several.rules if not holds(rule.rule, text)] == [], text


@pytest.mark.parametrize(
    "text", ["", "60 2 * * *", "0 24 * * *", "0 2 0 * *", "0 2 * 13 *", "0 2 * * 7", "*/0 2 * * *"]
)
def test_a_schedule_that_some_rule_refuses_does_not_pass_for_a_usual_one(text: str) -> None:
    assert re.search(USUAL_TIMES, text) is None


def test_crds_are_named_and_found_as_the_design_says() -> None:
    assert sorted(CRDS) == sorted(KINDS)
    short_names = {kind: crd["spec"]["names"]["shortNames"] for kind, crd in CRDS.items()}
    assert short_names == short_names | {kind: [name] for kind, name in SHORT_NAMES.items()}
    assert len({name for (name,) in short_names.values()}) == len(KINDS)
    for kind, crd in CRDS.items():
        spec, version = crd["spec"], version_of(kind)
        assert crd["metadata"]["name"] == f"{spec['names']['plural']}.{GROUP}"
        assert (spec["group"], version["name"], spec["scope"]) == (GROUP, VERSION, "Namespaced")
        assert spec["names"]["categories"] == ["borg"]
        assert ("status" in version.get("subresources", {})) is ("status" in schema_of(kind)["properties"])
    assert {kind for kind in KINDS if "status" in schema_of(kind)["properties"]} >= STATUS_KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_columns_and_selectors_point_at_fields_that_exist(kind: str) -> None:
    version = version_of(kind)
    known = {f".{path}" for path, _ in walk(schema_of(kind))} | {".metadata.creationTimestamp"}
    paths = [entry["jsonPath"] for entry in version["additionalPrinterColumns"] + version.get("selectableFields", [])]
    plain = [re.sub(r'\[\?\(@\.type=="\w+"\)\]', "[]", path) for path in paths]
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
    (rule,) = template["x-kubernetes-validations"]
    assert rule["rule"].count(f"({'|'.join(PLACEHOLDERS)})") == len(("usual", "any"))
    assert [name for name in PLACEHOLDERS if f"{{{name}}}" not in rule["message"]] == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_in_a_list_has_a_default_for_client_side_apply_would_find_a_difference_each_time(kind: str) -> None:
    def defaults(schema: Schema, path: str, *, in_list: bool) -> Iterator[str]:
        if in_list and "default" in schema:
            yield path
        for name, child in schema.get("properties", {}).items():
            yield from defaults(child, f"{path}.{name}", in_list=in_list)
        for below in ("items", "additionalProperties"):
            if isinstance(schema.get(below), dict):
                yield from defaults(schema[below], f"{path}[]", in_list=True)

    assert list(defaults(schema_of(kind), kind, in_list=False)) == []

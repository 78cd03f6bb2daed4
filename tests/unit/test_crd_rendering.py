"""A small kind as the API server would be told of it: what is taken from types, from defaults and from a Schema."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import pytest

from borg_contract.schema import Rule, Rules, Schema
from borg_core.crd import render_crd
from borg_core.kinds.parts.base import IS_A_NAME, Metadata, Model, NameRef
from borg_core.native.job import JOBS
from borg_core.registry import Column, Definition, Kind


class Colour(StrEnum):
    RED = "Red"
    BLUE = "Blue"


@dataclass(frozen=True)
class Wheel:
    spokes_in_all: Annotated[int, Schema("How many.", minimum=3)]
    colour: Colour | None = None


class Extra(Model):
    bell: Annotated[bool, Schema("Whether it rings.")] = True


class BikeSpec(Model):
    owner: Annotated[NameRef, Schema("Whose.", below={"name": Schema("Who.", maxLength=9)})]
    wheels: Annotated[tuple[Annotated[Wheel, Schema("One.")], ...], Schema("All.", listMapKeys=["spokesInAll"])] = ()
    gears: Annotated[int, Schema(format="int32"), Schema("Outer words.")] = 0
    extras: Annotated[Extra, Schema("More.")] = Extra()
    parts: Annotated[dict[str, Any] | None, Schema("As they are.", shape=Extra)] = None
    anything: dict[str, Any] | None = None
    sizes: dict[str, int | str] | None = None


class BikeStatus(Model):
    moving: bool = False


class Bike(Model):
    metadata: Metadata
    spec: BikeSpec
    status: BikeStatus = BikeStatus()


def schema(*rules: Rule | Rules) -> dict[str, Any]:
    definition = Definition(
        Bike, "bk", Schema("A bike.", *rules), (Column("Gears", ".spec.gears", wide=True),), selectable=(".spec.gears",)
    )
    kind = Kind("Bike", "example.com", "v1", "bikes", Bike.model_validate, definition=definition)
    (version,) = render_crd(kind)["spec"]["versions"]
    rendered: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return rendered


SPEC = schema()["properties"]["spec"]["properties"]

FIELDS: dict[str, dict[str, Any]] = {
    "owner": {
        "type": "object",
        "description": "Whose.",
        "required": ["name"],
        "properties": {
            "name": {
                "type": "string",
                "description": "Who.",
                "minLength": 1,
                "maxLength": 9,
                "x-kubernetes-validations": [{"rule": IS_A_NAME.rule, "message": IS_A_NAME.message}],
            }
        },
    },
    "wheels": {
        "type": "array",
        "description": "All.",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["spokesInAll"],
        "items": {
            "type": "object",
            "description": "One.",
            "required": ["spokesInAll"],
            "properties": {
                "spokesInAll": {"type": "integer", "description": "How many.", "minimum": 3},
                "colour": {"type": "string", "enum": ["Red", "Blue"]},
            },
        },
    },
    "gears": {"type": "integer", "format": "int32", "description": "Outer words.", "default": 0},
    "extras": {
        "type": "object",
        "description": "More.",
        "properties": {"bell": {"type": "boolean", "description": "Whether it rings.", "default": True}},
    },
    "parts": {
        "type": "object",
        "description": "As they are.",
        "properties": {"bell": {"type": "boolean", "description": "Whether it rings.", "default": True}},
    },
    "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "sizes": {
        "type": "object",
        "additionalProperties": {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
        },
    },
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_rendered_from_its_type_its_default_and_its_schema(name: str) -> None:
    assert SPEC[name] == FIELDS[name]


def test_what_the_operator_writes_is_never_defaulted() -> None:
    assert schema()["properties"]["status"]["properties"] == {"moving": {"type": "boolean"}}


def test_a_rule_for_the_name_gives_the_name_a_bound() -> None:
    assert schema()["properties"]["metadata"] == {"type": "object"}
    named = schema(Rule("self.metadata.name != 'car'", "a bike is no car", ".metadata.name"))
    assert named["properties"]["metadata"]["properties"] == {"name": {"type": "string", "maxLength": 253}}
    assert named["x-kubernetes-validations"] == [
        {"rule": "self.metadata.name != 'car'", "message": "a bike is no car", "fieldPath": ".metadata.name"}
    ]


def test_several_rules_become_one_that_says_what_each_of_them_says() -> None:
    several = Rules("self.usual", (Rule("self.a", 'a is "so"'), Rule("self.b", "b is so")))
    assert schema(several)["x-kubernetes-validations"] == [
        {
            "rule": "(self.usual) || ((self.a) && (self.b))",
            "message": 'a is "so"',
            "messageExpression": (
                r"""(((self.a) ? '' : "; a is \"so\"") + ((self.b) ? '' : "; b is so")).substring(2)"""
            ),
        }
    ]


def test_what_only_a_schema_says_does_not_keep_a_resource_from_being_read() -> None:
    metadata = {"name": "b", "namespace": "n"}
    wheels = [{"spokesInAll": 1, "ofANewerVersion": True}]
    bike = Bike.model_validate({"metadata": metadata, "spec": {"owner": {"name": "n" * 10}, "wheels": wheels}})
    assert (bike.spec.owner.name, bike.spec.wheels) == ("n" * 10, (Wheel(1),))


def test_a_kind_of_kubernetes_has_no_definition_of_ours() -> None:
    with pytest.raises(ValueError, match="Job has no definition"):
        render_crd(JOBS)

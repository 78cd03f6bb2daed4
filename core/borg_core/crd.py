"""The custom resource definition of a kind, from its model: what `dev/crds.py` writes into crds/ and the chart."""

import dataclasses
import inspect
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from borg_contract.schema import Rule, Rules, Schema
from borg_core.kinds.parts.base import to_wire
from borg_core.registry import Column, Definition, Kind

Json = dict[str, Any]

_SCALARS: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_OF_THE_API_SERVER = ("kind", "metadata")
_NAME_LIMIT = 253
_ORDER = (
    "type", "format", "x-kubernetes-int-or-string", "anyOf", "description", "default", "enum", "pattern", "minLength",
    "maxLength", "minimum", "maximum", "minItems", "maxItems", "maxProperties", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys", "x-kubernetes-preserve-unknown-fields", "required", "x-kubernetes-validations",
    "properties", "items", "additionalProperties",
)  # fmt: skip


def render_crd(kind: Kind[Any]) -> Json:
    """Return the CustomResourceDefinition. Raises ValueError for a kind that is not ours."""
    definition = kind.definition
    if definition is None:
        raise ValueError(f"{kind.kind} has no definition: it is Kubernetes' own")
    root = _render_root(kind, definition)
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        **({"subresources": {"status": {}}} if "status" in root["properties"] else {}),
        **(
            {"selectableFields": [{"jsonPath": path} for path in definition.selectable]}
            if definition.selectable
            else {}
        ),
        "additionalPrinterColumns": [_render_column(column) for column in definition.columns],
        "schema": {"openAPIV3Schema": root},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "labels": {"app.kubernetes.io/name": "borg-operator"},
        },
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [definition.short_name],
                "categories": ["borg"],
            },
            "versions": [version],
        },
    }


def _render_root(kind: Kind[Any], definition: Definition) -> Json:
    own = _render_object(definition.model, defaults=True)
    metadata: Json = {"type": "object"}
    if definition.schema.rules:
        # What a rule may cost is reckoned from how long a name can be.
        metadata["properties"] = {"name": {"type": "string", "maxLength": _NAME_LIMIT}}
    properties = {
        "apiVersion": {"type": "string", "description": f"{kind.group}/{kind.version}"},
        "kind": {"type": "string", "description": kind.kind},
        "metadata": metadata,
        **{name: schema for name, schema in own["properties"].items() if name not in _OF_THE_API_SERVER},
    }
    required = [name for name in own["required"] if name not in _OF_THE_API_SERVER]
    return _apply({"type": "object", "required": required, "properties": properties}, definition.schema, defaults=True)


def _render_column(column: Column) -> Json:
    return {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.path,
        **({"priority": 1} if column.wide else {}),
        **({"description": column.description} if column.description else {}),
    }


def _render_type(annotation: Any, *, defaults: bool) -> Json:
    """Return the schema of a field of this type. `defaults`: whether its fields' defaults belong to it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        schema = _render_type(arguments[0], defaults=defaults)
        for note in arguments[1:]:
            schema = _apply(schema, note, defaults=defaults)
        return schema
    if origin in (Union, UnionType, tuple, dict, Literal):
        return _render_generic(origin, arguments, defaults=defaults)
    if issubclass(annotation, StrEnum):
        return {"type": "string", "enum": [member.value for member in annotation]}
    return {"type": _SCALARS[annotation]} if annotation in _SCALARS else _render_object(annotation, defaults=defaults)


def _render_generic(origin: Any, arguments: tuple[Any, ...], *, defaults: bool) -> Json:
    if origin in (Union, UnionType):
        first, *others = (choice for choice in arguments if choice is not NoneType)
        if not others:
            return _render_type(first, defaults=defaults)
        choices = [_render_type(choice, defaults=defaults) for choice in (first, *others)]
        return {"x-kubernetes-int-or-string": True, "anyOf": choices}
    if origin is tuple:
        # No defaults in a list's items: client-side apply replaces lists whole, and would find a difference each time.
        items = _render_type(arguments[0], defaults=False)
        return {"type": "array", "x-kubernetes-list-type": "atomic", "items": items}
    if origin is dict:
        if arguments[1] is Any:
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        return {"type": "object", "additionalProperties": _render_type(arguments[1], defaults=False)}
    return {"type": "string", "enum": list(arguments)}


def _render_object(model: type[Any], *, defaults: bool) -> Json:
    hints = get_type_hints(model, include_extras=True)
    fields = _defaults_of(model)
    properties: Json = {}
    required: list[str] = []
    for name in _in_order(model):
        here = defaults and name != "status"  # what only the operator writes is as it wrote it
        schema = _render_type(hints[name], defaults=here)
        if here and _is_worth_saying(fields[name]):
            value = fields[name]
            schema["default"] = list(value) if isinstance(value, tuple) else value
        properties[to_wire(name)] = _ordered(schema)
        if fields[name] is ... or _is_required(hints[name]):
            required.append(to_wire(name))
    return {"type": "object", "properties": properties, "required": required}


def _in_order(model: type[Any]) -> Iterator[str]:
    """Yield the fields' names: what a class adds itself stands before what it inherits."""
    known = _defaults_of(model)
    for owner in model.__mro__:
        yield from (name for name in inspect.get_annotations(owner) if name in known)


def _defaults_of(model: type[Any]) -> Mapping[str, Any]:
    """Return the default of each field, `...` where it has none."""
    if issubclass(model, BaseModel):
        return {name: ... if field.is_required() else field.default for name, field in model.model_fields.items()}
    return {
        field.name: ... if field.default is dataclasses.MISSING else field.default
        for field in dataclasses.fields(model)
    }


def _is_worth_saying(default: Any) -> bool:
    """Tell whether a default belongs into the schema: empty is the same as none, an object's fields have their own."""
    return isinstance(default, bool | int) or (isinstance(default, str | tuple) and bool(default))


def _is_required(annotation: Any) -> bool:
    notes = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return any(note.required for note in notes if isinstance(note, Schema))


def _apply(schema: Json, note: Any, *, defaults: bool) -> Json:
    """Return `schema` with what `note` adds; of two descriptions, the outer one is meant."""
    if not isinstance(note, Schema):
        return schema
    if note.shape is not None:
        schema = _render_object(note.shape, defaults=defaults)
    added = {**note.keywords}
    if keys := added.pop("listMapKeys", None):
        added |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys}
    if note.description:
        added["description"] = note.description
    if note.rules:
        added["x-kubernetes-validations"] = [
            *schema.get("x-kubernetes-validations", ()),
            *(_render_rule(rule) for rule in note.rules),
        ]
    if note.below:
        target = schema.get("items", schema)
        below = {
            name: _apply(child, note.below[name], defaults=defaults) if name in note.below else child
            for name, child in target["properties"].items()
        }
        target = {**target, "properties": below}
        added |= {"items": target} if "items" in schema else target
    return _ordered({**schema, **added})


def _render_rule(rule: Rule | Rules) -> Json:
    if isinstance(rule, Rules):
        return _render_rules(rule)
    return {"rule": rule.rule, "message": rule.message, **({"fieldPath": rule.field} if rule.field else {})}


def _render_rules(several: Rules) -> Json:
    """Return one rule: one expression for what is usual, for all else every rule with its message."""
    first = several.rules[0]
    every = " && ".join(f"({item.rule})" for item in several.rules)
    said = " + ".join(f"(({item.rule}) ? '' : {_quoted(f'; {item.message}')})" for item in several.rules)
    return {
        "rule": f"({several.usual}) || ({every})",
        # Said only should the expression fail, which would be a fault of ours.
        "message": first.message,
        "messageExpression": f"({said}).substring({len('; ')})",
        **({"fieldPath": first.field} if first.field else {}),
    }


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _ordered(schema: Json) -> Json:
    empty = {key for key in ("required",) if schema.get(key) == []}
    return {key: schema[key] for key in sorted(schema.keys() - empty, key=_ORDER.index)}

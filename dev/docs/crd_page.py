"""One custom resource as a page: every field with its type, default, bounds and what it is for."""

from collections.abc import Iterator
from typing import Any

from markup import anchor, code, inline, table
from schema_facts import Schema, list_bounds, list_messages, name_type

_OF_EVERY_RESOURCE = ("apiVersion", "kind", "metadata")
_HEADER = ("field", "type", "default", "what it is")


def render_page(crd: dict[str, Any]) -> str:
    """Return the page of the CRD's only version."""
    names = crd["spec"]["names"]
    (version,) = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    group = f"{crd['spec']['group']}/{version['name']}"
    short = ", ".join(f"`{name}`" for name in names["shortNames"])
    head = [
        f"# {names['kind']}",
        inline(schema["description"]),
        f"`apiVersion: {group}`, `kind: {names['kind']}`; kubectl also takes `{names['plural']}` and {short}.",
        f"This page is made from the CRD; `kubectl explain {names['shortNames'][0]} --recursive` says the same.",
        *_rules(schema),
    ]
    sections = [
        section
        for name, child in schema["properties"].items()
        if name not in _OF_EVERY_RESOURCE
        for section in _sections(name, child)
    ]
    return "\n\n".join([*head, *sections, *_columns(version)]) + "\n"


def _sections(path: str, schema: Schema) -> Iterator[str]:
    """Yield the section of the object at `path`, then those of the objects in it."""
    inner = _object_in(schema)
    properties = inner.get("properties", {})
    level = "##" if "." not in path else "###"
    yield f"{level} {path} {{ #{anchor(path)} }}"
    yield inline(schema.get("description", ""))
    yield from _rules(inner)
    yield table(_HEADER, [_row(path, name, child, inner) for name, child in properties.items()])
    for name, child in properties.items():
        if _object_in(child).get("properties"):
            yield from _sections(_path(path, name, child), child)


def _row(path: str, name: str, schema: Schema, parent: Schema) -> tuple[str, ...]:
    nested = bool(_object_in(schema).get("properties"))
    field = f"[`{name}`](#{anchor(_path(path, name, schema))})" if nested else f"`{name}`"
    if name in parent.get("required", ()):
        default = "required"
    else:
        default = code(schema["default"]) if "default" in schema else ""
    facts = list_bounds(schema)
    items = schema.get("items", {})
    if not nested and items:
        facts += [f"each {phrase}" for phrase in list_bounds(items)]
    rules = [*list_messages(schema), *list_messages(items)] if not nested else []
    text = inline(schema.get("description", ""))
    if facts:
        text += f"<br>*{'; '.join(facts)}*"
    if rules:
        text += "<br>What does not fit is refused with these words:"
        text += "".join(f"<br>• {inline(rule)}" for rule in rules)
    return field, name_type(schema), default, text


def _rules(schema: Schema) -> Iterator[str]:
    """Yield, as one list, what is refused with which words."""
    if messages := list_messages(schema):
        yield "What does not fit is refused with these words:"
        yield "\n".join(f"- {inline(message)}" for message in messages)


def _columns(version: dict[str, Any]) -> Iterator[str]:
    columns = version.get("additionalPrinterColumns", ())
    yield "## Columns of kubectl get"
    rows = [
        (
            inline(column["name"]),
            f"`{column['jsonPath']}`",
            "with `-o wide`" if column.get("priority") else "",
            inline(column.get("description", "")),
        )
        for column in columns
    ]
    yield table(("column", "field", "", "what it is"), rows)
    if selectable := version.get("selectableFields"):
        fields = ", ".join(f"`{item['jsonPath'].lstrip('.')}`" for item in selectable)
        yield f"`kubectl get --field-selector` (Kubernetes ≥ 1.31) knows {fields}."


def _object_in(schema: Schema) -> Schema:
    """Return the schema itself, or that of a list's items or a map's values."""
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            return dict(schema[key])
    return schema


def _path(path: str, name: str, schema: Schema) -> str:
    return f"{path}.{name}" + ("[]" if "items" in schema else "")

"""The facade's OpenAPI document as a page: every operation, what it takes and what it answers."""

import json
from collections.abc import Iterator
from typing import Any

from markup import code, inline, table
from schema_facts import Schema, list_bounds, name_type

_METHODS = ("get", "post", "put", "patch", "delete")
_INTRODUCTION = """\
# REST API

Every operation of the facade, made from its own OpenAPI document, which it also serves as `/openapi.json`, and for
people as `/docs`. What one must know besides is in [REST](../rest.md). Paths with `{job_id}` take the name of the
resource as well as its id."""


def render_page(document: dict[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    parts = [_INTRODUCTION]
    for tag in document["tags"]:
        parts.append(f"## {tag['name']}")
        if description := tag.get("description"):
            parts.append(inline(description))
        for path, item in document["paths"].items():
            for method in _METHODS:
                if method in item and tag["name"] in item[method].get("tags", ()):
                    parts += _operation(method, path, item[method])
    parts.append("## Bodies")
    for name, schema in document["components"]["schemas"].items():
        parts += _body(name, schema)
    return "\n\n".join(part for part in parts if part) + "\n"


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### {method.upper()} {path} {{ #{operation['operationId']} }}"
    yield inline(operation.get("description") or operation.get("summary", ""))
    if not operation.get("security"):
        yield "Needs no token."
    parameters = [
        (
            f"`{parameter['name']}`",
            parameter["in"],
            name_type(parameter["schema"]),
            "required" if parameter.get("required") else _default(parameter["schema"]),
            _describe(parameter.get("description", ""), parameter["schema"]),
        )
        for parameter in operation.get("parameters", ())
    ]
    yield table(("parameter", "in", "type", "default", "what it is"), parameters)
    if body := operation.get("requestBody"):
        ((media, content),) = body["content"].items()
        need = "" if body.get("required") else ", optional"
        yield f"Body (`{media}`{need}): {name_type(content['schema'])}"
    answers = [
        (status, inline(answer["description"]), ", ".join(_contents(answer)))
        for status, answer in operation["responses"].items()
    ]
    yield table(("answer", "when", "body"), answers)


def _contents(answer: dict[str, Any]) -> Iterator[str]:
    for media, content in answer.get("content", {}).items():
        schema = content.get("schema")
        yield name_type(schema) if schema else f"`{media}`"


def _body(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name} {{ #{name.lower()} }}"
    yield inline(schema.get("description", ""))
    required = schema.get("required", ())
    rows = [
        (
            f"`{field}`",
            name_type(child),
            "required" if field in required else _default(child),
            _describe(child.get("description", ""), child),
        )
        for field, child in schema.get("properties", {}).items()
    ]
    yield table(("field", "type", "default", "what it is"), rows)
    for example in schema.get("examples", ())[:1]:
        yield f"```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```"


def _describe(description: str, schema: Schema) -> str:
    facts = list_bounds(schema)
    return inline(description) + (f" *{'; '.join(facts)}*" if facts else "")


def _default(schema: Schema) -> str:
    return code(schema["default"]) if schema.get("default") is not None else ""

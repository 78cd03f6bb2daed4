"""dev/kube_schemas.py <folder> <swagger.json> <CRD files…>: JSON schemas for kubeconform, without asking the internet.

Kubernetes' own come from the OpenAPI document in its Go module, the others from CRDs. Each kind is one file,
<group>/<kind>_<version>.json, with what it refers to inside; unknown fields are errors, as with strict validation by
kubectl.
"""

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]

_REFERENCE = "#/definitions/"
_NOT_IN_JSON_SCHEMA = ("format", "default", "example")
"""Or with another meaning there."""
_INT_OR_STRING: Schema = {"type": ["integer", "string"]}


def native(document: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield file name and schema of every kind of the OpenAPI document that is an object of its own."""
    definitions = {name: _strict(definition) for name, definition in document["definitions"].items()}
    for name, definition in document["definitions"].items():
        if "metadata" not in definition.get("properties", {}):
            continue
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            inside = {item: definitions[item] for item in _reachable(name, definitions)}
            yield (
                _file(kind["group"], kind["version"], kind["kind"]),
                {
                    "$ref": f"{_REFERENCE}{name}",
                    "definitions": inside,
                },
            )


def custom(crd: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield file name and schema of every version of a CRD."""
    spec = crd["spec"]
    for version in spec["versions"]:
        schema = _strict(version["schema"]["openAPIV3Schema"])
        properties = schema["properties"]
        properties |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
        yield _file(spec["group"], version["name"], spec["names"]["kind"]), schema


def _file(group: str, version: str, kind: str) -> str:
    # kubeconform takes the version for the group where there is none.
    return f"{group or version}/{kind.lower()}_{version}.json"


def _reachable(name: str, definitions: dict[str, Schema]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += _references(definitions[current])
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            yield reference.removeprefix(_REFERENCE)
        for item in part.values():
            yield from _references(item)
    elif isinstance(part, list):
        for item in part:
            yield from _references(item)


def _strict(part: Any) -> Any:
    """Return the schema with what is not listed forbidden, and Kubernetes' own types in JSON Schema's words."""
    if isinstance(part, list):
        return [_strict(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("x-kubernetes-int-or-string") or part.get("format") == "int-or-string":
        return copy.deepcopy(_INT_OR_STRING)
    strict: Schema = {}
    for key, item in part.items():
        if key == "properties":
            strict[key] = {name: _strict(field) for name, field in item.items()}
        elif not key.startswith("x-kubernetes-") and key not in _NOT_IN_JSON_SCHEMA:
            strict[key] = _strict(item)
    open_ = "additionalProperties" in part or part.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in part and not open_:
        strict["additionalProperties"] = False
    return strict


def main() -> None:
    """Write the files."""
    folder, swagger, *crds = (Path(argument) for argument in sys.argv[1:])
    schemas = dict(native(json.loads(swagger.read_text())))
    for path in crds:
        for document in yaml.safe_load_all(path.read_text()):
            if document:
                schemas |= custom(document)
    for name, schema in schemas.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(schema))
    print(f"{len(schemas)} schemas in {folder}")


if __name__ == "__main__":
    main()

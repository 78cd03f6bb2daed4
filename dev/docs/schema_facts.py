"""What a JSON schema says of one value, in words: its type, its bounds."""

import json
import re
from typing import Any

from markup import code

Schema = dict[str, Any]

_CHOICE = re.compile(r"""\? '' : ("(?:[^"\\]|\\.)*")""")

_BOUNDS = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("maxProperties", "at most {} keys"),
)


def name_type(schema: Schema) -> str:
    """Return the type in a few words, for example `list of string`."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if options := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(dict.fromkeys(name_type(option) for option in options))
    match schema:
        case {"type": "array", "items": dict(items)}:
            return f"list of {name_type(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"map of string to {name_type(values)}"
        case {"type": "string", "format": "date-time"}:
            return "time"
    return str(schema.get("type", "any"))


def list_bounds(schema: Schema) -> list[str]:
    """Return enum, bounds and pattern as phrases."""
    inner = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    known = schema | inner[0] if len(inner) == 1 else schema
    phrases = []
    if "enum" in known:
        phrases.append("one of " + ", ".join(code(value) for value in known["enum"]))
    if "const" in known:
        phrases.append(f"always {code(known['const'])}")
    if known.get("minLength") == 1:
        known = {**known, "minLength": None}
        phrases.append("not empty")
    phrases += [words.format(f"{known[key]:,}") for key, words in _BOUNDS if known.get(key)]
    if known.get("minimum") == 0:
        phrases.append("at least 0")
    if "pattern" in known:
        phrases.append(f"matches `{known['pattern']}`")
    return phrases


def list_messages(schema: Schema) -> list[str]:
    """Return the words with which the API server refuses what breaks a rule."""
    return [message for rule in schema.get("x-kubernetes-validations", ()) for message in _messages_of(rule)]


def _messages_of(rule: Schema) -> list[str]:
    """Return the rule's message, or all those of which its `messageExpression` chooses (see borg_core.crd)."""
    chosen = _CHOICE.findall(rule.get("messageExpression", ""))
    return [json.loads(text).removeprefix("; ") for text in chosen] or [rule["message"]]

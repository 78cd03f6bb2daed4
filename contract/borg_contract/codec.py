"""Plan and result as compact JSON: keys in camelCase, as in the custom resources; absent values are left out."""

import dataclasses
import json
import re
import types
import typing
from enum import StrEnum

from borg_contract.plan import RunPlan
from borg_contract.result import RepositoryResult, RunResult


def encode(value: RunPlan | RunResult | RepositoryResult) -> str:
    """Return compact JSON in ASCII without a `$`, which the kubelet would expand in an environment value."""
    text = json.dumps(_encoded(value), separators=(",", ":"), ensure_ascii=True)
    return text.replace("$", "\\u0024")


def decode_plan(text: str) -> RunPlan:
    """Return the plan in `text`. Raises ValueError (json.JSONDecodeError included), KeyError or TypeError."""
    plan: RunPlan = _decoded(RunPlan, json.loads(text))
    return plan


def decode_result(text: str) -> RunResult:
    """Return the result in `text`. Raises ValueError (json.JSONDecodeError included), KeyError or TypeError."""
    result: RunResult = _decoded(RunResult, json.loads(text))
    return result


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _encoded(value: typing.Any) -> typing.Any:
    if dataclasses.is_dataclass(value):
        fields = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {_camel(f.name): _encoded(item) for f, item in fields if item not in (f.default, {})}
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_encoded(item) for item in value]
    return value


def _decoded(kind: typing.Any, value: typing.Any) -> typing.Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _decoded(arguments[0], value)
    if origin is tuple:
        return tuple(_decoded(arguments[0], item) for item in value)
    if origin is dict:
        return {key: _decoded(arguments[1], item) for key, item in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        names = [f.name for f in dataclasses.fields(kind)]
        return kind(**{name: _decoded(hints[name], value[_camel(name)]) for name in names if _camel(name) in value})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    return value

"""Plan and result as compact JSON: keys in camelCase, as in the custom resources; absent values are left out.

The kubelet cuts the result of a pod with many containers. So it may begin with a line of its own that holds the result
in brief: one JSON object all the same, in which versions that know nothing of that line pass over one unknown key.

A result comes from a pod, in which anything may have written it: it is decoded strictly, with its types and bounds, and
whatever is not well-formed raises a ValueError. Keys that this version does not know are ignored: a newer runner may
have written them.
"""

import dataclasses
import functools
import json
import math
import re
import types
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_args, get_origin

from borg_contract.plan import RunPlan
from borg_contract.result import RunResult
from borg_contract.retention import Retention
from borg_contract.schema import FILE_NAME, Schema
from borg_contract.session.plan import SessionPlan

_T = TypeVar("_T")

LARGEST_NUMBER = 2**63 - 1
"""The schema's int64."""

_BRIEF = '{"brief":'
_REST = ",\n"
FRAME_BYTES = len(_BRIEF) + len(_REST)
"""What `encode_with_brief` adds to the two, nearly."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(value: Any) -> str:
    """Return compact JSON in ASCII without a `$`, which the kubelet would expand in an environment value."""
    text = json.dumps(_encoded(value), separators=(",", ":"), ensure_ascii=True)
    return text.replace("$", "\\u0024")


def encode_with_brief(brief: RunResult, whole: RunResult) -> str:
    """Return `whole` as `encode` does, and before it a line with `brief`, which is read where the rest was cut off."""
    return f"{_BRIEF}{encode(brief)}{_REST}{encode(whole)[1:]}"


def decode_plan(text: str) -> RunPlan:
    """Return the plan in `text`. Raises ValueError when it is none."""
    return _decode(RunPlan, text)


def decode_session_plan(text: str) -> SessionPlan:
    """Return the plan in `text`. Raises ValueError when it is none."""
    return _decode(SessionPlan, text)


def decode_answer(kind: type[_T], text: str) -> _T:
    """Return a session's answer of that kind, see `borg_contract.session.answers`. Raises ValueError for any other."""
    return _decode(kind, text)


def decode_result(text: str) -> RunResult:
    """Return the result in `text`: finished, and small enough for a BorgRun's status. Raises ValueError for any other.

    Of one that was cut, the brief one before it. The error says which field is wrong.
    """
    try:
        result = _decode(RunResult, text)
    except json.JSONDecodeError:
        brief, cut, _ = text.partition(_REST)
        if not (cut and brief.startswith(_BRIEF)):
            raise
        result = _decode(RunResult, brief.removeprefix(_BRIEF))
    names = [repository.name for repository in result.repositories]
    if len(set(names)) < len(names):
        raise ValueError("result: two repositories have one name")
    for phase in (result.phase, *(repository.phase for repository in result.repositories)):
        if not phase.finished:
            raise ValueError(f'result: the phase "{phase}" is of something that has not ended')
    return result


def _decode(kind: type[_T], text: str) -> _T:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        decoded: _T = _decoded(kind, value, kind.__name__)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return decoded


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _encoded(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        # A retention travels whole: whoever reads it may have other defaults, and must not delete more because of that.
        whole = isinstance(value, Retention)
        fields = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {_camel(f.name): _encoded(item) for f, item in fields if whole or item not in (f.default, {})}
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_encoded(item) for item in value]
    return value


@functools.cache
def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _decoded(kind: Any, value: Any, where: str) -> Any:  # noqa: PLR0911 - an arm for each shape
    """Return `value`, which JSON gave, as a `kind` of the contract's types. Raises ValueError naming `where`."""
    if get_origin(kind) is Annotated:
        return _decoded_annotated(kind, value, where)
    if isinstance(kind, types.UnionType):  # of something and None
        return None if value is None else _decoded(kind.__args__[0], value, where)
    if isinstance(kind, types.GenericAlias):
        return _decoded_collection(kind, value, where)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _decoded_fields(kind, value, where)
    if issubclass(kind, StrEnum) and isinstance(value, str):
        return kind(value)
    if kind is float and type(value) in (int, float):
        return _finite(value, where)
    if kind in (str, int, bool) and type(value) is kind:  # a bool is no int here
        return _text(value, where) if kind is str else value
    raise ValueError(f"{where}: {type(value).__name__} instead of {kind.__name__}")


def _decoded_annotated(kind: Any, value: Any, where: str) -> Any:
    inner, *notes = get_args(kind)
    if FILE_NAME in notes and isinstance(value, str):
        return value
    found = _decoded(inner, value, where)
    for note in notes:
        if isinstance(note, Schema):
            _check_bounds(found, note.keywords, where)
    return found


def _decoded_collection(kind: types.GenericAlias, value: Any, where: str) -> Any:
    if kind.__origin__ is tuple and isinstance(value, list):
        return tuple(_decoded(kind.__args__[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if kind.__origin__ is dict and isinstance(value, dict):
        return {_text(key, where): _decoded(kind.__args__[1], item, f"{where}.{key}") for key, item in value.items()}
    raise ValueError(f"{where}: {type(value).__name__} instead of {kind.__origin__.__name__}")


def _decoded_fields(kind: Any, value: dict[str, Any], where: str) -> Any:
    found = {}
    for field in dataclasses.fields(kind):
        key = _camel(field.name)
        if key in value:
            found[field.name] = _decoded(field.type, value[key], f"{where}.{key}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{where}: {key} is missing")
    return kind(**found)


def _finite(value: float, where: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{where}: a number without bounds")
    return number


def _text(value: str, where: str) -> str:
    if _SURROGATE.search(value):
        raise ValueError(f"{where}: half of a surrogate pair, which UTF-8 cannot carry")
    return value


def _check_bounds(value: Any, keywords: Mapping[str, Any], where: str) -> None:
    """Raise ValueError for what the schema of a BorgRun's status does not hold."""
    if isinstance(value, str | tuple):
        least, most = ("minLength", "maxLength") if isinstance(value, str) else ("minItems", "maxItems")
        if not keywords.get(least, 0) <= len(value) <= keywords.get(most, len(value)):
            raise ValueError(f"{where}: a length of {len(value)} is out of bounds")
        if isinstance(value, str) and "pattern" in keywords and not re.fullmatch(keywords["pattern"], value):
            raise ValueError(f"{where}: not what {keywords['pattern']} describes")
    elif value is not None and not _is_within(value, keywords):
        raise ValueError(f"{where}: {value} is out of bounds")


def _is_within(value: Any, keywords: Mapping[str, Any]) -> bool:
    if not isinstance(value, int | float):
        return True
    return bool(keywords.get("minimum", value) <= value <= keywords.get("maximum", LARGEST_NUMBER))

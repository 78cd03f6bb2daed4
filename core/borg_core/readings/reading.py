"""What two kinds of readings have in common: times as seconds since 1970, conditions as yes, no, or not known."""

from collections.abc import Iterable

from borg_core.formats import parse_time
from borg_core.kinds.parts.base import Condition

Key = tuple[str, str]
"""(namespace, name)."""


def derive_seconds(text: str | None) -> float | None:
    """Return an RFC 3339 time as seconds since 1970, None where there is none."""
    return parse_time(text).timestamp() if text else None


def derive_truth(conditions: Iterable[Condition], type_: str) -> bool | None:
    """Return whether the condition holds, None while nobody has said so."""
    status = next((condition.status for condition in conditions if condition.type == type_), "Unknown")
    return None if status == "Unknown" else status == "True"

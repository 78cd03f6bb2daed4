"""What the parsers of native objects have in common."""

from datetime import datetime
from typing import Any

from borg_core.timestamps import parse_time


def controller_of(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the owner reference of the object's controller, empty when it has none."""
    return next((owner for owner in metadata.get("ownerReferences", []) if owner.get("controller")), {})


def holds(condition: dict[str, Any]) -> bool:
    return bool(condition["status"] == "True")


def time_of(text: str | None) -> datetime | None:
    return parse_time(text) if text else None

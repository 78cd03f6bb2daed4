"""Waiting for the cluster to become what a test expects, and saying what it was when it did not."""

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

_PAUSE_SECONDS = 0.05


def wait_for(look: Callable[[], T], holds: Callable[[T], bool], within: float, what: str) -> tuple[T, float]:
    """Look again and again until `holds`; return what was seen and after how many seconds. Fails the test when late."""
    began = time.monotonic()
    while True:
        seen = look()
        elapsed = time.monotonic() - began
        if holds(seen):
            return seen, elapsed
        if elapsed > within:
            pytest.fail(f"not within {within} s: {what}; seen last: {json.dumps(seen, indent=1, default=str)[:6000]}")
        time.sleep(_PAUSE_SECONDS)


def condition(resource: dict[str, Any], type_: str) -> dict[str, Any]:
    """Return the condition of that type, empty when there is none."""
    conditions = resource.get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == type_), {})

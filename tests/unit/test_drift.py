"""Drift: what was rendered must stand in the live object; what the API server adds or rewrites is none."""

from typing import Any

import pytest

from borg_core.native.drift import covers


@pytest.mark.parametrize(
    ("live", "rendered", "covered"),
    [
        ({"a": 1, "default": 2}, {"a": 1}, True),
        ({"a": 2}, {"a": 1}, False),
        ({}, {"a": 1}, False),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": [{"x": 1, "d": 0}]}, {"a": [{"x": 1}]}, True),
        ({"resources": {"limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "1000m"}}}, True),
        ({"resources": {"limits": {"memory": "1Gi"}}}, {"resources": {"limits": {"memory": 1073741824}}}, True),
        ({"resources": {"limits": {"memory": "1G"}}}, {"resources": {"limits": {"memory": "1Gi"}}}, False),
        ({"cpu": "1"}, {"cpu": "1000m"}, False),
        ({"key": "k"}, {"key": "k", "effect": ""}, True),
        ({"key": "k", "effect": "NoExecute"}, {"key": "k", "effect": ""}, False),
        ({"key": "k"}, {"key": "k", "seconds": 0}, False),
        ({}, {"automount": False}, False),
    ],
)
def test_the_live_object_covers_the_rendered_one(live: Any, rendered: Any, covered: bool) -> None:
    assert covers(live, rendered) is covered

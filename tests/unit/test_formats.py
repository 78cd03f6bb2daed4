"""Durations as people read them."""

import pytest

from borg_core.formats import format_duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (45.4, "45s"), (92, "1m32s"), (3600, "1h00m"), (11100, "3h05m"), (-1, "0s")]
)
def test_a_duration_has_at_most_two_parts(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text

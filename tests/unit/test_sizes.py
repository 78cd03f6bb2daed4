"""Sizes as people read them."""

import pytest

from borg_core.formats import format_size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (812, "812"),
        (1023, "1023"),
        (1024, "1.0Ki"),
        (1288490189, "1.2Gi"),
        (10 * 2**20, "10Mi"),
        (2**30 - 1, "1.0Gi"),
    ],
)
def test_a_size_has_a_binary_unit(size: int, text: str) -> None:
    assert format_size(size) == text

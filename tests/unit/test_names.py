"""Names made from others: as long as they may be, and never the same for two."""

from itertools import product

import pytest

from borg_core.names import shorten

NAMES = [
    prefix * length + end for prefix, length, end in product("ab", (1, 40, 55, 56, 57, 62, 200), ("", "-", ".", "x"))
]


@pytest.mark.parametrize(("suffix", "limit"), [("-unlock", 63), ("-check", 52), ("-by-hand", 63), ("", 20)])
def test_two_names_never_become_one_and_none_is_too_long(suffix: str, limit: int) -> None:
    made = [shorten(name, suffix, limit) for name in NAMES]
    assert len(set(made)) == len(set(NAMES))
    assert all(len(name) <= limit and name.endswith(suffix) for name in made)


def test_what_fits_stays_as_it_is() -> None:
    assert shorten("main", "-check", 52) == "main-check"
    assert shorten("a" * 46, "-check", 52) == f"{'a' * 46}-check"


def test_what_is_cut_ends_in_no_dot_or_dash_before_its_digest() -> None:
    made = shorten("a" * 36 + "-." * 20, "-check", 52)
    assert made.startswith("a" * 36 + "-")
    assert "--" not in made
    assert ".-" not in made

"""Numbers in forms."""

_DIGITS = 16
"""More than any id or count has."""


def read_number(text: str) -> int | str:
    """Return the number; of what is none, the text, of which REST says what is wrong with it."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else text

"""Sizes for people, and back."""

_STEP = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

SIZE = rf"[0-9]{{1,9}}(?:\.[0-9])? (?:{'|'.join(_UNITS)})"
"""A pattern for what `describe_size` returns of what is not below 0."""


def describe_size(size: int) -> str:
    """Return `size` bytes for people: 512 B, 1.5 MiB."""
    value, unit = float(size), 0
    while abs(value) >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def parse_size(text: str) -> int:
    """Return about how many bytes such a text tells of. Raises ValueError for another one."""
    number, _, unit = text.partition(" ")
    factor: int = _STEP ** _UNITS.index(unit)
    return round(float(number) * factor)

"""Numbers as people read them beside Kubernetes' own."""

_UNITS = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def format_size(size: int) -> str:
    """Return bytes with two or three digits and a binary unit: `812`, `1.2Gi`, `34Mi`."""
    value = float(size)
    unit = 0
    while value >= 1023.5 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - what would be rounded to 1024
        value /= 1024
        unit += 1
    digits = 1 if unit and value < 9.95 else 0  # noqa: PLR2004 - what would be rounded to 10.0
    return f"{value:.{digits}f}{_UNITS[unit]}"

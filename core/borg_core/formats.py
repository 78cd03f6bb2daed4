"""Times, durations and sizes as texts: RFC 3339 in UTC with `Z` and whole seconds, as Kubernetes writes them."""

from datetime import UTC, datetime

_UNITS = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def format_time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Return the instant in UTC. Raises ValueError when `text` is not RFC 3339."""
    return datetime.fromisoformat(text).astimezone(UTC)


def is_time(text: str) -> bool:
    """Tell whether it is a time that can be told in UTC."""
    try:
        parse_time(text)
    except (ValueError, OverflowError):
        return False
    return True


def format_duration(seconds: float) -> str:
    """Return e.g. `45s`, `1m32s`, `3h05m`, as kubectl shows ages: two parts are enough for people."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def format_size(size: int) -> str:
    """Return bytes with two or three digits and a binary unit: `812`, `1.2Gi`, `34Mi`."""
    value = float(size)
    unit = 0
    while value >= 1023.5 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - what would be rounded to 1024
        value /= 1024
        unit += 1
    digits = 1 if unit and value < 9.95 else 0  # noqa: PLR2004 - what would be rounded to 10.0
    return f"{value:.{digits}f}{_UNITS[unit]}"

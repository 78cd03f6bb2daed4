"""RFC 3339 in UTC with `Z` and whole seconds, as Kubernetes writes its times."""

from datetime import UTC, datetime


def format_time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Return the instant in UTC. Raises ValueError when `text` is not RFC 3339."""
    return datetime.fromisoformat(text).astimezone(UTC)


def format_duration(seconds: float) -> str:
    """Return e.g. `45s`, `1m32s`, `3h05m`, as kubectl shows ages: two parts are enough for people."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"

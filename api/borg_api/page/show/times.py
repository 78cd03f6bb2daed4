"""Times and sizes for people. Times are UTC, and say so; the page's script shows them in the reader's own zone."""

from datetime import datetime, timedelta

from markupsafe import Markup

from borg_core.formats import format_size, format_time, parse_time

NOTHING = "–"  # noqa: RUF001 - a dash
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_WEEKS = 14 * _DAY
_HOURS_TOLD = 36
"""From so many on, days are told: of a daily backup an hour more or less says something."""


def span(seconds: float) -> str:
    """Return so long in one or two words: `45 s`, `12 min`, `3 h 5 min`, `26 h`, `9 d`."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    hours, minutes = whole // _HOUR, whole // _MINUTE % 60
    if whole < 6 * _HOUR and minutes:
        return f"{hours} h {minutes} min"
    return f"{hours} h" if hours < _HOURS_TOLD else f"{round(whole / _DAY)} d"


def span_at_most(seconds: float) -> str:
    """Return the same, and no less than it is: `hour`, `21 h`, `3 d`."""
    hours = -(-seconds // _HOUR)
    if hours <= 1:
        return "hour"
    return span(hours * _HOUR) if hours < _HOURS_TOLD else span(-(-seconds // _DAY) * _DAY)


def age(text: str, now: datetime) -> float:
    """Return how many seconds ago that was."""
    return (now - parse_time(text)).total_seconds()


def relative(instant: datetime, now: datetime) -> str:
    """Return `6 h ago` or `in 20 min`; of what is weeks away, the day."""
    seconds = (now - instant).total_seconds()
    if abs(seconds) >= _WEEKS:
        return f"{instant:%Y-%m-%d}"
    if abs(seconds) < 1:
        return "now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def moment(text: str | None, now: datetime) -> Markup:
    """Return the element that tells a time by how far away it is, and in full for whoever points at it."""
    if not text:
        return Markup('<span class="none">never</span>')
    instant = parse_time(text)
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC" data-ago>{}</time>').format(
        format_time(instant), instant, relative(instant, now)
    )


def instant(text: str | None) -> Markup:
    """Return the element that tells a time by day and hour."""
    if not text:
        return Markup('<span class="none">{}</span>').format(NOTHING)
    found = parse_time(text)
    return Markup('<time datetime="{}" data-full>{:%a %Y-%m-%d %H:%M} UTC</time>').format(format_time(found), found)


def size(count: int | None) -> str:
    """Return bytes as `1.2 GiB`."""
    if count is None:
        return NOTHING
    text = format_size(count)
    digits = text.rstrip("KMGTPEi")
    return f"{digits} {text[len(digits) :]}B"


def between(start: str | None, end: str | None, now: datetime) -> str:
    """Return how long it took, or takes until now."""
    if not start:
        return NOTHING
    took = (parse_time(end) if end else now) - parse_time(start)
    return span(max(took, timedelta()).total_seconds())


def count(number: int, one: str, many: str = "") -> str:
    """Return `1 archive`, `2,048 archives`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"

"""Random schedules, zones and instants, most of them where clocks change and where parsers disagree."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from borg_core.clock.zone import Change, Zone
from oracle.facts import ACCEPTED, REFUSED, REFUSED_ZONES

ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Africa/Monrovia",
    "America/Argentina/San_Luis",
    "America/Asuncion",
    "America/Caracas",
    "America/Godthab",
    "America/Havana",
    "America/Los_Angeles",
    "America/New_York",
    "America/Noronha",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "Antarctica/Casey",
    "Antarctica/Macquarie",
    "Antarctica/Troll",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Dhaka",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Eucla",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Chile/EasterIsland",
    "Etc/GMT+12",
    "Etc/UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Europe/Lisbon",
    "Europe/London",
    "Europe/Moscow",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Fiji",
    "Pacific/Kiritimati",
    "Pacific/Norfolk",
    "UTC",
)
_ODD_ZONES = (
    *(name for name, _ in REFUSED_ZONES),
    "local",
    " Europe/Berlin",
    "Europe/",
    "./UTC",
    "Europe/Berlin\n",
    "leapseconds",
    "Europe/Berlín",
    "-UTC",
)

_EARLIEST = int(datetime(1965, 1, 1, tzinfo=UTC).timestamp())
_LATEST = int(datetime(2080, 1, 1, tzinfo=UTC).timestamp())
# Where a zone skipped a whole day, robfig/cron searches for ever; the random cases begin behind it.
_AFTER_SKIPPED_DAY = {
    "Pacific/Apia": int(datetime(2012, 1, 1, tzinfo=UTC).timestamp()),
    "Pacific/Kiritimati": int(datetime(1995, 1, 3, tzinfo=UTC).timestamp()),
}
_ALPHABET = "0123456789*,-/?LW#H@ +._%~=TZSUNJAFRİıſ\t\n\v\f\r\x1c\x1f\x00\x85\xa0\u1680\u2003\u2028\u3000\u200b٣７"  # noqa: RUF001
_MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_SPECIALS = (
    *ACCEPTED,
    *(text for text, _ in REFUSED),
    "@",
    "@every  5m",
    "0 2 * * 5#2",
    "0 2 31 4,6,9,11 *",
    "0 2 29 2 *",
    "0 2 * NOV-FEB *",
    "0 2 ?-x/1 * MON",
    "0 , * * *",
    "0 2 , * MON",
    "0 2 * , *",
    "0 2 * * ,",
    "0 2 ,, * ,",
    "0 2 32 * *",
    "0 2 * 0 *",
    "*/18446744073709551617 2 * * *",
    "+5 +2 */+1 * *",
    "5-+7 2 * * *",
    "0x1 2 * * *",
    "1e1 2 * * *",
)


@dataclass(frozen=True, slots=True)
class Case:
    """A question to both sides: the `count` runs of `expr` in `tz`, each after the last one, first after `after`."""

    expr: str
    tz: str
    after: int  # microseconds since 1970
    count: int


def make_cases(seed: int, count: int) -> list[Case]:
    """Return the same cases for the same seed."""
    source = random.Random(seed)
    return [_make_case(source) for _ in range(count)]


def _make_case(source: random.Random) -> Case:
    zone = source.choice(ZONES)
    change, instant = _choose_instant(source, zone)
    expression = _choose(source, [(80, _near(change)), (14, _mutated(change)), (3, _every), (2, _special), (1, _macro)])
    if source.random() < 0.02:
        zone = source.choice(_ODD_ZONES)
    after = instant * 1_000_000 + (source.randrange(1_000_000) if source.random() < 0.3 else 0)
    return Case(expression, zone, after, source.choice((1, 2, 3, 5)))


@cache
def _changes(zone: str) -> Sequence[Change]:
    earliest = _AFTER_SKIPPED_DAY.get(zone, _EARLIEST)
    return tuple(Zone.parse(zone).changes(earliest, _LATEST)) or (Change(1_774_746_000, 0, 0),)


def _choose_instant(source: random.Random, zone: str) -> tuple[Change, int]:
    change = source.choice(_changes(zone))
    reach = source.choice((1, 3600, 3 * 3600, 26 * 3600, 10 * 86400, 45 * 86400, 0))
    instant = change.instant + source.randint(-reach, reach) if reach else source.randrange(_EARLIEST, _LATEST)
    return change, max(instant, _AFTER_SKIPPED_DAY.get(zone, _EARLIEST))


Maker = Callable[[random.Random], str]


def _choose(source: random.Random, makers: Sequence[tuple[int, Maker]]) -> str:
    (maker,) = source.choices([maker for _, maker in makers], [weight for weight, _ in makers])
    return maker(source)


def _near(change: Change) -> Maker:
    """Make schedules whose times lie about the change's wall clock, valid nearly always."""
    wall = datetime.fromtimestamp(change.instant + _lesser_offset(change), UTC)

    def make(source: random.Random) -> str:
        hour, weekday = (wall.hour + source.randint(-2, 2)) % 24, (wall.isoweekday() + source.randint(-1, 1)) % 7
        day, month = min(max(wall.day + source.randint(-1, 1), 1), 31), (wall.month + source.randint(-2, 0)) % 12 + 1
        return source.choice((" ", " ", " ", "  ", "\t")).join(
            (
                _field(source, 0, 59, source.choice((0, 15, 30, 45, 59)), star=0.2),
                _field(source, 0, 23, hour, star=0.25),
                _field(source, 1, 31, day, star=0.6),
                _field(source, 1, 12, month, star=0.7),
                _field(source, 0, 6, weekday, star=0.6),
            )
        )

    return make


def _lesser_offset(change: Change) -> int:
    return min(change.before, change.after)


def _field(source: random.Random, low: int, high: int, hint: int, star: float) -> str:
    if source.random() < star:
        return source.choice(("*", "*", "*", "?", "*/1", "*,*"))
    parts = [_range(source, low, high, hint)]
    while source.random() < 0.15:
        parts.append(_range(source, low, high, source.randint(low, high)))
    return ",".join(parts)


def _range(source: random.Random, low: int, high: int, hint: int) -> str:
    value = hint if source.random() < 0.8 else source.randint(low, high)
    step = source.randint(1, max(2, (high - low) // 2))
    end = source.randint(value, high)
    return source.choice(
        (
            *[_name(source, value, low, high)] * 5,
            f"{_name(source, value, low, high)}-{_name(source, end, low, high)}",
            f"{value}-{end}/{step}",
            f"{value}/{step}",
            f"*/{step}",
            f"?/{step}",
        )
    )


def _name(source: random.Random, value: int, low: int, high: int) -> str:
    names = {
        (1, 12): ("", "JAN", "feb", "Mar", "APR", "may", "Jun", "JUL", "aug", "Sep", "OCT", "nov", "Dec"),
        (0, 6): ("SUN", "mon", "Tue", "WED", "thu", "Fri", "SAT"),
    }.get((low, high))
    if names and source.random() < 0.3:
        return names[value]
    return f"{value:02}" if source.random() < 0.1 else str(value)


def _mutated(change: Change) -> Maker:
    valid = _near(change)

    def make(source: random.Random) -> str:
        text = list(source.choice((valid(source), valid(source), valid(source), _macro(source), _every(source))))
        for _ in range(source.choice((1, 1, 1, 2, 3))):
            place = source.randint(0, len(text))
            text[place : place + source.choice((0, 1, 1))] = source.choice(("", *source.choices(_ALPHABET, k=3)))
        return "".join(text)

    return make


def _every(source: random.Random) -> str:
    terms = "".join(_term(source) for _ in range(source.choice((1, 1, 2, 3))))
    return "@every " + source.choice(("", "", "", "+", "-")) + terms


def _term(source: random.Random) -> str:
    number = source.choice(
        (
            str(source.randint(0, 90)),
            f"{source.randint(0, 90)}.{source.randint(0, 99999)}",
            f".{source.randint(0, 99)}",
            f"{source.randint(0, 9)}.",
            str(10 ** source.randint(1, 21)),
            "0." + "9" * source.randint(1, 25),
            source.choice(("", ".", "0", "9223372036854775807", "9223372036854775808", "2562047")),
        )
    )
    return number + source.choice(("ns", "us", "µs", "μs", "ms", "s", "m", "h", "h", "m", "s", "d", "", "H"))


def _macro(source: random.Random) -> str:
    return source.choice(_MACROS)


def _special(source: random.Random) -> str:
    return source.choice(_SPECIALS)

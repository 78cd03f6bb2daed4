"""Durations as Go writes them, for `@every 1h30m`."""

import re

from borg_core.clock.error import CronError, quote

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "\N{MICRO SIGN}s": 10**3,
    "\N{GREEK SMALL LETTER MU}s": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_TERM = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^.0-9]+)")
_LIMIT = 1 << 63  # Go counts nanoseconds in 64 bits
_SECOND = 10**9


def parse_every(text: str) -> int:
    """Return the whole seconds between two runs of `@every <text>`: at least 1, fractions dropped.

    Raises CronError when Go's time.ParseDuration refuses `text`.
    """
    nanoseconds = _parse_nanoseconds(text)
    return max(nanoseconds, _SECOND) // _SECOND


def _parse_nanoseconds(text: str) -> int:
    negative = text.startswith("-")
    rest = text[1:] if text.startswith(("-", "+")) else text
    if rest == "0":
        return 0
    if not rest:
        raise CronError('"@every" needs a duration after one blank: write for example "@every 1h30m"')
    total = position = 0
    while position < len(rest):
        term = _TERM.match(rest, position)
        if term is None or not (term[1] or term[2]):
            raise CronError(f'{quote(text)} is not a duration: write numbers with units, for example "@every 1h30m"')
        unit = _NANOSECONDS.get(term[3])
        if unit is None:
            raise CronError(_explain_unit(text, term[3]))
        total += _whole(term[1], unit, text) + _fraction(term[2] or "", unit)
        if total > _LIMIT:
            raise _too_long(text)
        position = term.end()
    if total == _LIMIT and not negative:
        raise _too_long(text)
    return -total if negative else total


def _whole(digits: str, unit: int, text: str) -> int:
    significant = digits.lstrip("0")
    if len(significant) > len(str(_LIMIT)) or int(significant or "0") > _LIMIT // unit:
        raise _too_long(text)
    return int(significant or "0") * unit


def _fraction(digits: str, unit: int) -> int:
    """Return nanoseconds, computed in floating point as Go does, so that both round alike."""
    value, scale = 0, 1.0
    for digit in digits:
        if value > (_LIMIT - 1) // 10 or value * 10 + int(digit) > _LIMIT:
            break
        value = value * 10 + int(digit)
        scale *= 10
    return int(float(value) * (float(unit) / scale))


def _explain_unit(text: str, unit: str) -> str:
    if unit != unit.strip():
        return f'the duration {quote(text)} holds blanks: write it without, for example "@every 1h30m"'
    return (
        f"{quote(unit)} is not a unit of time in {quote(text)}: "
        'write h, m or s (there is no day or week: 24h, 168h), for example "@every 24h"'
    )


def _too_long(text: str) -> CronError:
    return CronError(f"the duration {quote(text)} is too long: write at most 2562047h, which is 292 years")

"""The five fields of a schedule, read as robfig/cron's ParseStandard reads them.

Refusals are worded for people: what is wrong, and what to write instead. What is accepted must not differ from what a
CronJob accepts, strange as some of it is ("*-5" is "*", and "," names no time at all).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from borg_core.clock.error import CronError, quote

# unicode.IsSpace of Go; str.split() takes four control characters more.
_BLANKS = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_NUMBER = re.compile(r"[+-]?[0-9]+")
_LARGEST_NUMBER = (1 << 63) - 1
_SUNDAY_ELSEWHERE = 7
_FIELD_COUNT = 5


@dataclass(frozen=True, slots=True)
class Fields:
    """The values that each field names, as bit sets (bit 30 of `minutes` is minute 30)."""

    minutes: int
    hours: int
    days: int
    months: int
    weekdays: int  # Sunday is bit 0
    either_day: bool  # both day fields are restricted, so a day that matches one of them will do

    def names_day(self, day: int, weekday: int) -> bool:
        in_month, in_week = self.days >> day & 1, self.weekdays >> weekday & 1
        return bool(in_month | in_week if self.either_day else in_month & in_week)

    def names_nothing(self) -> bool:
        """Return whether a field is empty, which "," makes it, so that no time can match."""
        some_day = self.days | self.weekdays if self.either_day else self.days and self.weekdays
        return not (self.minutes and self.hours and some_day and self.months)


@dataclass(frozen=True, slots=True)
class Field:
    label: str
    low: int
    high: int
    wanted: str
    names: Mapping[str, int] = field(default_factory=dict)


_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_MINUTE = Field("minute", 0, 59, "0 to 59")
_HOUR = Field("hour", 0, 23, "0 to 23")
_DAY = Field("day of month", 1, 31, "1 to 31")
_MONTH = Field("month", 1, 12, "1 to 12 or JAN to DEC", {name: number for number, name in enumerate(_MONTH_NAMES, 1)})
_WEEKDAY = Field(
    "weekday",
    0,
    6,
    "0 (Sunday) to 6 (Saturday) or SUN to SAT",
    {name: number for number, name in enumerate(_WEEKDAY_NAMES)},
)
FIELDS = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)

MACROS: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def split_fields(expression: str) -> list[str]:
    """Return what stands between blanks, as robfig/cron sees them."""
    return [text for text in _BLANKS.split(expression) if text]


def parse_fields(expression: str) -> Fields:
    """Return what the five fields or the macro name. Raises CronError when a CronJob would refuse them."""
    texts = split_fields(MACROS.get(expression, expression))
    if expression.startswith("@") and expression not in MACROS:
        raise CronError(_explain_macro(expression))
    if len(texts) != _FIELD_COUNT:
        raise CronError(_explain_count(expression, texts))
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = (
        _parse_field(text, kind) for text, kind in zip(texts, FIELDS, strict=True)
    )
    return Fields(minutes, hours, days, months, weekdays, either_day=not (any_day or any_weekday))


def _parse_field(text: str, kind: Field) -> tuple[int, bool]:
    """Return the values named as a bit set, and whether a star makes the field count as unrestricted."""
    bits, starred = 0, False
    for part in text.split(","):
        if part:  # robfig drops empty parts
            values, star = _parse_range(part, kind)
            bits |= values
            starred = starred or star
    return bits, starred


def _parse_range(text: str, kind: Field) -> tuple[int, bool]:
    span, *steps = text.split("/")
    low, *highs = span.split("-")
    star = low in {"*", "?"}
    if star:
        first, last = kind.low, kind.high  # robfig ignores what follows a hyphen here
    else:
        first = _parse_value(low, text, kind)
        if len(highs) > 1:
            raise CronError(f'{quote(text)} in the {kind.label} has too many hyphens: write a range as in "1-5"')
        last = _parse_value(highs[0], text, kind) if highs else first
    if len(steps) > 1:
        raise CronError(f'{quote(text)} in the {kind.label} has too many slashes: write a step as in "*/15"')
    step = 1
    if steps:
        step = _parse_step(steps[0], text, kind)
        star = star and step == 1
        if not highs:
            last = kind.high  # "5/20" means "5-59/20"
    for value in (first, last):
        if not kind.low <= value <= kind.high:
            raise CronError(_explain_value(value, text, kind))
    if first > last:
        backwards = f"the range {quote(text)} in the {kind.label} runs backwards: "
        raise CronError(backwards + f'write "{low}-{kind.high},{kind.low}-{highs[0]}" to go over the end')
    if step == 1:
        return ((1 << (last - first + 1)) - 1) << first, star
    return sum(1 << value for value in range(first, last + 1, step)), star


def _parse_value(text: str, whole: str, kind: Field) -> int:
    # Go lowers the dotted capital I to a plain i, Python to two characters.
    named = kind.names.get(text.replace("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i").lower())
    if named is not None:
        return named
    if not _NUMBER.fullmatch(text):
        raise CronError(_explain_word(text, whole, kind))
    return _number(text)


def _parse_step(text: str, whole: str, kind: Field) -> int:
    step = _number(text) if _NUMBER.fullmatch(text) else 0
    if not 0 < step <= _LARGEST_NUMBER:
        message = f"the step of {quote(whole)} in the {kind.label} is not a number of at least 1: "
        raise CronError(message + 'write for example "*/15"')
    return step


def _number(text: str) -> int:
    """Return the number that `text` spells; one too large for 64 bits becomes the least of those."""
    digits = text.lstrip("+-").lstrip("0")
    value = int(digits or "0") if len(digits) <= len(str(_LARGEST_NUMBER)) else _LARGEST_NUMBER + 1
    return -value if text.startswith("-") else value


def _explain_macro(text: str) -> str:
    if text.strip().lower() in MACROS:
        return f'{quote(text)} is not known to a CronJob: write "{text.strip().lower()}", in lower case without blanks'
    if text.strip().lower() == "@reboot":
        return '"@reboot" is not known to a CronJob, for a cluster has no boot: write a time, for example "@daily"'
    if text.strip().lower().startswith("@every"):
        return f'{quote(text)} is not known to a CronJob: write "@every" and a duration, for example "@every 1h30m"'
    return f'{quote(text)} is not known to a CronJob: write one of {", ".join(MACROS)}, or "@every 1h30m"'


def _explain_count(expression: str, texts: list[str]) -> str:
    if not texts:
        return 'the schedule is empty: write five fields, for example "0 2 * * *"'
    if texts[0].startswith("@"):
        return f'a blank stands before "@": write {quote(expression.strip())}'
    found = f"the schedule has {len(texts)} field{'s' if len(texts) > 1 else ''}"
    wanted = 'minute, hour, day of month, month and weekday, for example "0 2 * * *"'
    if len(texts) < _FIELD_COUNT:
        return f"{found}: write all five of {wanted}"
    return f"{found}, but a CronJob has no seconds or years and no blanks inside a field: write exactly {wanted}"


def _explain_value(value: int, text: str, kind: Field) -> str:
    if kind is _WEEKDAY and value == _SUNDAY_ELSEWHERE:
        return f'Sunday is 0, not 7, in a Kubernetes CronJob: write "0" or "SUN" in place of 7 in {quote(text)}'
    return f"{quote(text)} is out of range for the {kind.label}: write {kind.wanted}"


def _explain_word(text: str, whole: str, kind: Field) -> str:
    if not text:
        return f'a number is missing in {quote(whole)} in the {kind.label}: write for example "1-5" or "*/5"'
    other = next((item for item in (_MONTH, _WEEKDAY) if item is not kind and text.lower() in item.names), None)
    if other:
        return f"{quote(text)} is a {other.label}, but stands in the {kind.label}: write {kind.wanted}"
    return f"{quote(whole)} in the {kind.label} is not known to a CronJob: {_advise_word(text, kind)}"


def _advise_word(text: str, kind: Field) -> str:
    word = text.upper()
    for applies, advice in (
        (word.isalpha() and word[:3].lower() in kind.names, f'write the name with three letters, "{word[:3]}"'),
        ("#" in word, 'it has no "#" for the n-th weekday; write the weekday alone, as in "MON"'),
        (word.startswith("H"), 'a value that is chosen by the name is a "H" in upper case, as in "H" and "H(0-29)"'),
        (
            word == "R" or word.startswith("R("),
            'it has no "R" for a random value, which would be another one each time; write "H"',
        ),
        (
            kind in (_DAY, _WEEKDAY) and "L" in word,
            'it has no "L" for the last day; write a day of every month, as in "28"',
        ),
        (kind is _DAY and "W" in word, 'it has no "W" for the nearest working day; write the day as a number'),
    ):
        if applies:
            return advice
    return f'write {kind.wanted}, "*", or lists, ranges and steps of those as in "1,2", "1-5" and "*/2"'

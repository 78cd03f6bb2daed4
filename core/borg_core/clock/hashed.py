"""`H` in a line of times: a value chosen by a hash of the name, so that many schedules do not all begin at once.

The dialect is Jenkins'. croniter, which speaks it, hashes; it is asked for one value in a range at a time, because its
versions answer other forms differently, and for each field with an id of its own, because it takes minute and hour from
overlapping bits of one number. What is chosen must never change: a table in the tests holds it.
"""

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache

from croniter import croniter

from borg_core.clock.error import CronError, quote
from borg_core.clock.expression import FIELDS, Field, split_fields

_FORM = re.compile(r"H(?:\(([0-9]{1,4})-([0-9]{1,4})\))?(?:/([0-9]{1,4}))?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_FORMS = 'write "H", "H(0-29)", "H/15" or "H(0-29)/10"'
_DAY_INDEX = 2
_LAST_SAFE_DAY = 28


def is_hashed(expression: str) -> bool:
    """Tell whether a value is left to the name."""
    return not expression.startswith("@") and _has_hash(split_fields(expression))


def is_day_hashed(expression: str) -> bool:
    """Tell whether it is left to the name on which days it runs."""
    return not expression.startswith("@") and _has_hash(split_fields(expression)[_DAY_INDEX:])


@lru_cache(maxsize=16384)
def resolve(expression: str, namespace: str, name: str) -> str:
    """Return the line with each `H` replaced for the CronJob of that name, itself where it has none.

    Raises CronError where `H` is written in a way that is not known, and for more than a line, which a CronJob would
    take and admission refuses. Everything else is left for `CronSchedule.parse`.
    """
    if _CONTROL.search(expression):
        raise CronError('write the schedule on one line, for example "0 2 * * *"')
    texts = split_fields(expression)
    if not is_hashed(expression) or len(texts) != len(FIELDS):
        return expression
    seed = f"{namespace}/{name}"
    return " ".join(
        ",".join(_resolve(part, index, seed) if _is_hash(part) else part for part in text.split(","))
        for index, text in enumerate(texts)
    )


def try_resolve(expression: str, namespace: str, name: str) -> str:
    """Return the line with each `H` replaced, the line as it is where that is not possible."""
    try:
        return resolve(expression, namespace, name)
    except CronError:
        return expression


def _has_hash(texts: Iterable[str]) -> bool:
    return any(_is_hash(part) for text in texts for part in text.split(","))


def _is_hash(part: str) -> bool:
    return part.startswith("H")  # no month and no weekday does


def _resolve(text: str, index: int, seed: str) -> str:
    field = FIELDS[index]
    match = _FORM.fullmatch(text)
    if match is None:
        raise CronError(f"{quote(text)} in the {field.label} is no form of H: {_FORMS}")
    last = _LAST_SAFE_DAY if index == _DAY_INDEX else field.high
    low, high = (int(match[1]), int(match[2])) if match[1] else (field.low, last)
    _check_range(text, field, low, high, last)
    if match[3] is None:
        return str(_choose(index, low, high, seed))
    step = int(match[3])
    if step < 2:  # noqa: PLR2004 - with a step of 1 there is nothing to choose
        raise CronError(
            f'{quote(text)} in the {field.label} leaves nothing to choose: write a step of 2 or more, or "*"'
        )
    start = _choose(index, low, min(low + step - 1, high), seed)
    return f"{start}-{high}/{step}" if start + step <= high else str(start)


def _check_range(text: str, field: Field, low: int, high: int, last: int) -> None:
    if not field.low <= low <= high <= field.high:
        wanted = f"write a range within {field.low} to {last}, the lower number first, for example"
        raise CronError(f'{quote(text)} is out of range for the {field.label}: {wanted} "H({field.low}-{last})"')
    if high > last:
        message = f"{quote(text)} in the {field.label} could choose a day that some months do not have: write"
        raise CronError(f'{message} "H({min(low, last)}-{last})" at most')


def _choose(index: int, low: int, high: int, seed: str) -> int:
    """Return a value from low to high: always the same for one seed and field, independent of the other fields'."""
    if low == high:
        return low
    digest = hashlib.sha256(f"{seed}/{index}".encode()).digest()
    fields = ["*"] * len(FIELDS)
    fields[index] = f"H({low}-{high})"
    expanded, _ = croniter.expand(" ".join(fields), hash_id=digest)
    return int(expanded[index][0])

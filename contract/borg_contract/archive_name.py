"""Names of archives: how a schedule's template becomes a name, and which names of a repository are the schedule's own.

Prune deletes what matches the pattern, so that leaves nothing open: literal text is escaped, and a time placeholder
stands for exactly as many digits as it writes. Schedule `db` therefore never matches `db-daily-…`. All functions are
pure; the operator calls them when it judges a schedule, the runner when it works.
"""

import datetime as dt
import re
import string
from collections.abc import Iterator
from functools import lru_cache

NAME_PLACEHOLDERS = ("job_name", "repo_name")
"""Who: the schedule's `metadata.name` and the repository's."""

TIME_PLACEHOLDERS = ("now", "date", "time", "timestamp")
"""When the archive was begun, always in UTC."""

PLACEHOLDERS = (*NAME_PLACEHOLDERS, *TIME_PLACEHOLDERS)

NAME_LIMIT = 240
"""Characters. Borg asserts 255 when it has read everything, and adds up to 15 to the names of checkpoints."""

_DIGIT = "[0-9]"
_SHAPES = {
    "now": "dddd-dd-ddTdd:dd:dd",
    "date": "dddd-dd-dd",
    "time": "dd:dd:dd",
    "timestamp": "d" * 10,  # until the year 2286
}
_FORMATS = {"now": "%Y-%m-%dT%H:%M:%S", "date": "%Y-%m-%d", "time": "%H:%M:%S"}
CHECKPOINT = ".checkpoint"
"""Between an archive's name and the number of a checkpoint: what an interrupted `borg create` leaves."""

RECREATED = ".recreate"
"""Behind the name of an archive that `borg recreate` writes anew, as long as that has not ended."""

_RENAME = "let no dot come before that word, or give the resource another name"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TIMES = re.compile("|".join(shape.replace("d", r"[0-9]") for shape in _SHAPES.values()) + "(?![0-9])")
_TOKEN = re.compile(r"\[0-9\]|\[(.)\]|(.)", re.DOTALL)


def render_archive_name(template: str, *, schedule: str, repository: str, now: dt.datetime) -> str:
    """Return the name of an archive begun at `now` (any time zone). Raises ValueError for an invalid template."""
    moment = now.astimezone(dt.UTC)
    values = {name: moment.strftime(text) for name, text in _FORMATS.items()}
    values |= {"job_name": schedule, "repo_name": repository, "timestamp": str(int(moment.timestamp()))}
    return "".join(literal + (values[name] if name else "") for literal, name in _checked_parts(template))


def find_name_problem(template: str, *, schedule: str, repository: str) -> str | None:
    """Return what is wrong with the names that a valid template gives, to follow "The template …"."""
    anytime = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    name = render_archive_name(template, schedule=schedule, repository=repository, now=anytime)
    if len(name) > NAME_LIMIT:
        return f"gives names of {len(name)} characters, of which borg takes {NAME_LIMIT}: shorten it"
    if CHECKPOINT in name:
        return f'gives names such as "{name}", and borg hides what has "{CHECKPOINT}" in it as unfinished: {_RENAME}'
    if name.endswith(RECREATED):
        return f'gives names such as "{name}", and "{RECREATED}" ends those of what borg writes anew: {_RENAME}'
    return None


def find_template_problems(template: str, *, prune: bool = False) -> list[str]:
    """Return what is wrong with `template`, each to follow "The template …". `prune`: whether it must suit prune."""
    stray = "has a stray brace: write placeholders as {now}, and no other braces"
    try:
        parts = list(_parts(template))
    except ValueError:
        return [stray]
    problems = []
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    unknown = [name for _, name in parts if name is not None and name not in PLACEHOLDERS]
    problems += [f"has the unknown placeholder {{{name}}}: known are {known}" for name in unknown]
    if any("{" in literal or "}" in literal for literal, _ in parts):
        problems.append(stray)
    if "/" in template or "::" in template:
        problems.append('has a slash or "::", which borg allows in no archive name')
    if _CONTROL.search(template):
        problems.append("has a control character")
    if not template or template != template.strip():
        problems.append("is empty, or begins or ends with a blank")
    if CHECKPOINT in template:
        problems.append(f'has "{CHECKPOINT}", by which borg tells unfinished archives that prune may delete')
    if template.endswith(RECREATED):
        problems.append(f'ends with "{RECREATED}", by which borg tells archives that it writes anew')
    if prune and "job_name" not in [name for _, name in parts]:
        problems.append("needs {job_name} when prune is enabled: it tells this schedule's archives from others'")
    return problems


def derive_prune_glob(template: str, *, schedule: str, repository: str) -> str:
    """Return the pattern, for `borg --glob-archives`, of all names that the schedule gives and of no other names.

    Raises ValueError for an invalid template.
    """
    values = {"job_name": schedule, "repo_name": repository}
    pieces = []
    for literal, name in _checked_parts(template):
        pieces.append(_escaped(literal))
        if name in values:
            pieces.append(_escaped(values[name]))
        elif name:
            pieces.append(_SHAPES[name].replace("d", _DIGIT))
    return "".join(pieces)


def without_times(name: str) -> str:
    """Return an archive's name without its times: equal for all that one template gave to one schedule."""
    return _TIMES.sub("", name)


def overlaps(pattern_a: str, pattern_b: str) -> bool:
    """Tell whether some name matches both patterns, which `derive_prune_glob` made."""
    tokens_a, tokens_b = _tokens(pattern_a), _tokens(pattern_b)
    return len(tokens_a) == len(tokens_b) and all(map(_compatible, tokens_a, tokens_b))


def _compatible(a: str, b: str) -> bool:
    if a == _DIGIT:
        return b == _DIGIT or b in string.digits
    return a == b or (b == _DIGIT and a in string.digits)


@lru_cache(maxsize=4096)  # the pattern of each schedule is held against that of each
def _tokens(pattern: str) -> tuple[str, ...]:
    """Return what stands for one character each: the digit class, or a literal character without its brackets."""
    return tuple(match[1] or match[2] or _DIGIT for match in _TOKEN.finditer(pattern))


def _parts(template: str) -> Iterator[tuple[str, str | None]]:
    """Yield (literal, placeholder that follows or None). Raises ValueError for unbalanced braces."""
    for literal, name, spec, conversion in string.Formatter().parse(template):
        yield (
            literal,
            None if name is None else name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else ""),
        )


def _checked_parts(template: str) -> list[tuple[str, str | None]]:
    if problems := find_template_problems(template):
        raise ValueError(f'archiveNameTemplate "{template}" {problems[0]}')
    return list(_parts(template))


def _escaped(text: str) -> str:
    return re.sub(r"[*?\[]", lambda match: f"[{match[0]}]", text)

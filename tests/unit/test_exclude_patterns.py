"""Patterns of `exclude`: what is refused matches no path of ours, and what matched in a run is told as borg sees it."""

import itertools
import random
import re
from types import SimpleNamespace

import pytest

from borg_core.kinds.parts.exclude import ALIEN, CANNOT_MATCH_RE, MAY_MATCH, STRAIGHTENED
from borg_runner.borg.patterns import UnusedPatterns, compile_pattern

PIECES = (
    *(
        "*",
        "**",
        "?",
        "[sd]",
        "[s/]ources",
        "[",
        "sources",
        "source?",
        "s*s",
        "*s",
        "data",
        "cache",
        "*.tmp",
        ".",
        "..",
    ),
    *(
        "s**",
        "",
        "**x",
        "so[u]rces",
        "-",
        "ces",
        "?ources",
        "^sources",
        "^s",
        "^/",
        "^so?x",
        r"\A",
        r"^\/",
        "sources$",
        "!",
    ),
)
NAMES = ("sources", "s", "data", "cache", "a.tmp", "-x", "[a]", "Data", "!", " ")


def is_refused(pattern: str) -> bool:
    """Return what the rules of the API server say of a pattern, see borg_core.kinds.parts.exclude."""
    straightened = re.search(STRAIGHTENED, pattern) is not None
    if re.search(ALIEN, pattern):
        return not straightened
    style = pattern[:2] if re.match("(fm|sh|re|pp|pf):", pattern) else "fm"
    if style == "re":
        return "|" not in pattern and re.search(CANNOT_MATCH_RE, pattern) is not None
    return not straightened and re.search(MAY_MATCH[style], pattern) is None


def test_what_is_refused_matches_nothing_that_could_be_in_an_archive() -> None:
    chance = random.Random(7)
    paths = [
        "/".join(["sources", chance.choice(["data", "x", "a-1", "s"]), *chance.choices(NAMES, k=chance.randrange(4))])
        for _ in range(200)
    ]
    refused = 0
    for _ in range(6000):
        style = chance.choice(["", "fm:", "sh:", "pp:", "pf:", "re:"])
        pattern = style + chance.choice(["", "/", "./", "//"])
        pattern += "/".join(chance.choices(PIECES, k=chance.randint(1, 4))) + chance.choice(["", "/"])
        if not is_refused(pattern) or (style == "re:" and not is_expression(pattern[3:])):
            continue
        refused += 1
        matches = compile_pattern(pattern)
        assert [path for path in chance.sample(paths, 40) if matches(path)] == [], pattern
    assert refused > 1000


def is_expression(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


@pytest.mark.parametrize(
    ("pattern", "matched", "missed"),
    [
        ("*.tmp", "sources/data/a/b.tmp", "sources/data/b.tmp.txt"),
        ("*/cache", "sources/data/cache", "sources/data/cached"),
        ("sources/data/cache/", "sources/data/cache/x", "sources/data/cache"),
        ("/sources/data", "/sources/data/x", "/sources/database"),
        ("sh:*/data/*.tmp", "sources/data/a.tmp", "sources/data/b/a.tmp"),
        ("sh:**/.git", "sources/data/.git", "sources/data/x.git"),
        ("sh:sources/[!d]*", "sources/x", "sources/data"),
        ("pp:sources/data/x", "sources/data/x/y", "sources/data/xy"),
        ("pf:sources/data/x/", "sources/data/x", "sources/data/x/y"),
        (r"re:\.bak$", "sources/data/a.bak", "sources/data/a.bak/b"),
    ],
)
def test_patterns_are_unused_until_borg_leaves_something_out_that_they_match(
    pattern: str, matched: str, missed: str
) -> None:
    unused = UnusedPatterns([pattern, "never"])
    unused.see(missed)
    before = unused.names
    unused.see(matched)
    assert (before, unused.names) == ((pattern, "never"), ("never",))


def test_the_look_at_what_is_left_out_takes_so_long_in_all_and_then_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count(0.0, 4.0)
    monkeypatch.setattr("borg_runner.borg.patterns.time", SimpleNamespace(monotonic=lambda: next(clock)))
    unused = UnusedPatterns(["never", "*.tmp"])
    said = []
    for _ in range(5):
        unused.see("sources/data/x.tmp")
        said.append(unused.names)
    assert said == [("never",), ("never",), (), (), ()]
    assert next(clock) == 6 * 4, "nobody looks any more"


def test_of_an_expression_that_borg_does_not_take_nothing_is_said() -> None:
    unused = UnusedPatterns(["re:["])
    unused.see("sources/data/x")
    assert unused.names == ()

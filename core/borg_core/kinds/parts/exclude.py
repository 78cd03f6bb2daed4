"""What is left out of archives: borg's patterns, and which of them can never match a path in an archive of ours.

Such a path is `sources/<source>/…`, and borg matches from its beginning. Refused is only what provably matches none of
them; each rule judges one style and lets the others pass. A pattern with `//`, `.` or `..` in it is left to borg, which
straightens it first.
"""

from typing import Annotated

from borg_contract.schema import Rule, Schema

_ROOT = "sources"
_ROOT_BEGUN = "(" + "(".join(_ROOT) + ")?" * len(_ROOT)
_ROOT_ENDED = "(" + "|".join(_ROOT[start:] for start in range(len(_ROOT))) + ")?"
_IN_A_SOURCE = rf"{_ROOT}(/?$|/[a-z0-9-]*([*?\[/]|$))"
"""The root itself, or what may go on as the name of a source."""

STRAIGHTENED = r"(^|[/:])\.\.?(/|$)|[^/]//+[^/]"
MAY_MATCH = {
    "fm": rf"^(fm:)?(/+$|/*({_ROOT_BEGUN}[*?\[]|{_IN_A_SOURCE}))",
    "sh": (
        rf"^sh:(/+$|/*({_IN_A_SOURCE}|{_ROOT_BEGUN}(\[|[*?][^/]*\[|\*\*(/|$)|[*?][^/]*\*\*(/|$)"
        rf"|([*?]|[*?][^/]*[*?]){_ROOT_ENDED}(/|$))))"
    ),
    "pp": rf"^pp:(/+|/*{_ROOT}(/[a-z0-9-]+(/(?s:.)*)?)?/*)$",
    "pf": rf"^pf:/*{_ROOT}/[a-z0-9-]+(/(?s:.)*)?$",
}
"""By style: what a pattern looks like that may match."""


def _all_but(wanted: str) -> str:
    """Return the class of characters that stand for themselves in an expression, without `wanted`."""
    letters = "".join(letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter != wanted)
    return f"[A-Z0-9_ {letters}{'' if wanted == '/' else '/'}-]"


_PATH_BEGINS = f"{_ROOT}/"
CANNOT_MATCH_RE = (
    r"^re:(\^|\\A)("
    + "|".join(f"{_PATH_BEGINS[:at]}{_all_but(letter)}" for at, letter in enumerate(_PATH_BEGINS))
    + r"|\\/)([^?*{]|$)"
)
"""An expression that begins with another letter than paths do (unless it has a `|` further on)."""

_SPELLING = (
    "the path in the archive begins with sources/ and the source's name, without a slash before: write "
    "sources/data/cache for one folder, "
)
ALIEN = r"^([-+!#] ?|\s)"
"""The beginning of a line of a pattern file, or a blank: no path of ours begins so."""


def _rule(style: str, example: str) -> Rule:
    judged = f"self.matches(r'^{style}:')"
    if style == "fm":
        judged = f"({judged} || !self.matches(r'^[A-Za-z0-9]{{2}}:')) && !self.matches(r'{ALIEN}')"
    return Rule(
        f"!({judged}) || self.matches(r'{STRAIGHTENED}') || self.matches(r'{MAY_MATCH[style]}')",
        f"this pattern can never leave anything out: {_SPELLING}{example}",
    )


_RULES = (
    Rule(
        f"!self.matches(r'{ALIEN}') || self.matches(r'{STRAIGHTENED}')",
        "a pattern stands alone here, without '-', '!' or '#' of a pattern file and without a blank before it: "
        "write *.bak, or sh:**/.git",
    ),
    _rule("fm", "*/cache for folders of that name anywhere, *.bak for files (* matches slashes as well)"),
    _rule("sh", "sh:**/cache for folders of that name anywhere, sh:**/*.bak for files"),
    _rule("pp", "as pp:sources/data/cache; it knows no wildcards"),
    _rule("pf", "as pf:sources/data/cache; it knows no wildcards"),
    Rule(
        f"self.contains('|') || !self.matches(r'{CANNOT_MATCH_RE}')",
        f"this expression can never match: {_SPELLING}as re:^sources/data/cache, or re:/cache$ anywhere",
    ),
)

Pattern = Annotated[
    str,
    Schema(
        "One pattern; its style is fm (default), sh, re, pp or pf.",
        Rule(
            "!self.matches(r'^[A-Za-z0-9]{2}:') || self.matches(r'^(fm|sh|re|pp|pf):')",
            "borg knows the pattern styles fm:, sh:, re:, pp: and pf: only; write fm:*/ in front of a "
            "name whose third character is ':'",
        ),
        Rule(r"!self.matches(r'\x00')", "a pattern cannot contain a NUL character"),
        *_RULES,
        minLength=1,
        maxLength=1024,
    ),
]

Exclude = Annotated[
    tuple[Pattern, ...],
    Schema(
        "What is left out, as `borg create --exclude` patterns on the path in the archive, which begins with "
        "`sources/` and the source's name: `*.tmp`, `sources/data/cache`, `sh:**/cache`, "
        r"`re:\.bak$` (see `borg help patterns`). What left nothing out is named in the run's `unusedExcludes`.",
        maxItems=256,
    ),
]

"""Names that somebody chose to do harm with a page."""

from random import Random

PIECES = (
    "<",
    ">",
    "&",
    '"',
    "'",
    "`",
    "=",
    "{{",
    "}}",
    "{%",
    "%}",
    "</script>",
    "<!--",
    "]]>",
    "javascript:",
    "\u202e",
    "\u200f",
    "\x00",
    "\x1b[31m",
    "\n",
    "\r\n",
    "\t",
    "\u200b",
    "ﷺ",
    "\ud800",
    "\U0001f4a5",
    "a",
    "0",
    " onload=",
    "hx-get=",
    "&#x3c;",
    "\\",
    "/",
    "?",
    "#",
    "%3c",
    "\ufffe",
    "Ⅷ",
    "é",
    "e\u0301",
)


def make_hostile(random: Random) -> str:
    """Return a text that would be more than text wherever it is not escaped."""
    text = "".join(random.choice(PIECES) for _ in range(random.randint(1, 12)))
    return text.replace("\ud800", "") or "<"

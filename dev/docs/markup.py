"""Texts of a schema as Markdown that shows them as they are, in a cell of a table too."""

import json
import re
from collections.abc import Iterable
from typing import Any

_HEAD_LINES = 2
_MARKUP = re.compile(r"([\\*_\[\]<>|{}#~])")


def inline(text: str) -> str:
    """Return `text` on one line: what stands between backticks stays code, all else is literal."""
    parts = text.strip().split("`")
    if len(parts) % 2 == 0:  # a stray backtick: no code at all
        return _literal(text.strip())
    return "".join(f"`{part}`" if index % 2 else _literal(part) for index, part in enumerate(parts))


def code(value: Any) -> str:
    """Return `value` as code, as YAML and JSON both write it."""
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def anchor(title: str) -> str:
    """Return an anchor for a heading: what differs stays different."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table, "" without rows."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) if len(lines) > _HEAD_LINES else ""


def _literal(text: str) -> str:
    escaped = _MARKUP.sub(lambda match: f"&#{ord(match[1])};", text.replace("&", "&amp;"))
    return re.sub(r"\s*\n\s*", "<br>", escaped)

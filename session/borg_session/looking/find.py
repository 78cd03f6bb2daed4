"""Names that contain something, whatever their case, in the archive's order.

Of three characters and more the database knows where they are. Fewer are looked for in all names, some at a time: such
a page may be short, or empty, and yet have a next one.
"""

import os
import sqlite3
import time
from collections.abc import Iterator

from borg_contract.session.answers import Item, TreeAnswer
from borg_contract.session.request import ReadRequest
from borg_session.index.query import Paths, Progress, make_item, read_entry, read_progress
from borg_session.index.schema import ROOT
from borg_session.refusal import invalid

SECONDS = 0.25
"""So long a page may take."""

_TRIGRAM = 3
_MOST_TRIGRAMS = 24
_CHUNK = 500
_SCAN_CHUNK = 50_000
_BY_WORDS = """
SELECT e.id, e.parent, e.name FROM words AS w CROSS JOIN entries AS e ON e.id = w.rowid
WHERE w.words MATCH ? AND w.rowid > ? ORDER BY w.rowid LIMIT ?
"""
_BY_LOOKING = "SELECT id, parent, name FROM entries WHERE id > ? AND id <= ? AND holds(name)"
_Row = tuple[int, int, bytes]


def find_names(database: sqlite3.Connection, request: ReadRequest) -> TreeAnswer:
    """Return a page of what is found so far. Raises RefusedError."""
    progress = read_progress(database)
    wanted = request.q.casefold()
    inside = os.fsencode(request.path)
    last = _parse_after(request.after)
    until = time.monotonic() + SECONDS
    paths = Paths(database)
    items: list[Item] = []
    ended = True
    for id_, parent, name in _candidates(database, request.q, last, progress):
        if len(items) == request.limit or (time.monotonic() > until and id_ > last):
            ended = False
            break
        last = id_
        if parent and wanted in os.fsdecode(name).casefold():
            path = paths.below(parent, name)
            if not inside or path == inside or path.startswith(inside + b"/"):
                items.append(make_item(database, read_entry(database, id_), path))
    return TreeAnswer(
        items=tuple(items),
        next="" if ended and progress.listed else str(last),
        pending=not progress.listed,
        entries=progress.entries,
    )


def _candidates(database: sqlite3.Connection, q: str, after: int, progress: Progress) -> Iterator[_Row]:
    """Yield what may be meant, and now and then something else, that it be seen how far it is."""
    words = make_match(q.casefold()) if progress.searchable else ""
    if not words:
        yield from _scan(database, q, after)
        return
    while rows := database.execute(_BY_WORDS, (words, after, _CHUNK)).fetchall():
        yield from rows
        after = rows[-1][0]


def make_match(q: str) -> str:
    """Return the expression for what names that contain `q`, case folded, have; empty where that is too little."""
    grams = {q[at : at + _TRIGRAM] for at in range(len(q) - _TRIGRAM + 1)}
    whole = sorted(gram for gram in grams if not any("\ud800" <= character <= "\udfff" for character in gram))
    quoted = ('"' + gram.replace('"', '""') + '"' for gram in whole[:_MOST_TRIGRAMS])
    return " AND ".join(quoted)


def _scan(database: sqlite3.Connection, q: str, after: int) -> Iterator[_Row]:
    wanted = q.casefold()
    database.create_function("holds", 1, lambda name: wanted in os.fsdecode(name).casefold(), deterministic=True)
    [end] = database.execute("SELECT max(id) FROM entries").fetchone()
    while after < end:
        upto = min(after + _SCAN_CHUNK, end)
        yield from database.execute(_BY_LOOKING, (after, upto))
        after = upto
        yield upto, 0, b""


def _parse_after(after: str) -> int:
    if not after:
        return ROOT
    if not (after.isascii() and after.isdigit() and len(after) < 19):  # noqa: PLR2004 - an integer of SQLite
        raise invalid("`after` is not what a page ended with.")
    return int(after)

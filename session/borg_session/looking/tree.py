"""A page of a folder: folders first, each by name; the next one goes on behind the last name, not after so many."""

import os
import sqlite3

from borg_contract.session.answers import TreeAnswer
from borg_contract.session.request import ReadRequest
from borg_session.index.query import COLUMNS, FROM, Found, find_path, make_item, read_progress
from borg_session.index.schema import FOLDER, LEAF
from borg_session.refusal import StillReadingError, invalid, no_path

_PAGE = f"SELECT {COLUMNS} {FROM} WHERE e.parent = ? AND e.leaf = ? AND e.name > ? ORDER BY e.name LIMIT ?"


def list_folder(database: sqlite3.Connection, request: ReadRequest) -> TreeAnswer:
    """Return the page. Raises RefusedError, StillReadingError where the folder may still come."""
    path = os.fsencode(request.path)
    progress = read_progress(database)
    folder = find_path(database, path)
    if folder is None:
        raise no_path(request.path) if progress.listed else StillReadingError(progress.entries)
    if not folder.is_folder:
        raise invalid("The path is that of no folder.")
    leaf, after = parse_after(request.after)
    found: list[Found] = []
    for kind in range(leaf, LEAF + 1):
        rest = request.limit + 1 - len(found)
        found += (Found(*row) for row in database.execute(_PAGE, (folder.id, kind, after, rest)))
        after = b""
    page = found[: request.limit]
    return TreeAnswer(
        items=tuple(make_item(database, item, path + b"/" + item.name if path else item.name) for item in page),
        next=render_after(page[-1].leaf, page[-1].name) if len(found) > len(page) else "",
        total=folder.children if folder.done else None,
        pending=not (progress.listed or folder.done),
        entries=progress.entries,
    )


def render_after(leaf: int, name: bytes) -> str:
    """Return what `after` is behind that entry."""
    return f"{leaf}{os.fsdecode(name)}"


def parse_after(after: str) -> tuple[int, bytes]:
    """Return what `render_after` was given; the beginning for an empty one. Raises RefusedError."""
    if not after:
        return FOLDER, b""
    if after[0] not in (str(FOLDER), str(LEAF)):
        raise invalid("`after` is not what a page ended with.")
    return int(after[0]), os.fsencode(after[1:])

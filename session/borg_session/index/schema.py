"""The database of one archive. Names are bytes, as the archive has them; so they are sorted."""

import sqlite3
from pathlib import Path

ROOT = 1
"""The id of the folder in which all is."""

FOLDER = 0
LEAF = 1
"""The column `leaf`: folders are listed first."""

TABLES = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    parent INTEGER NOT NULL,
    leaf INTEGER NOT NULL,
    name BLOB NOT NULL,
    mode INTEGER NOT NULL,
    size INTEGER NOT NULL DEFAULT 0,       -- bytes; of a folder, of all that was counted below
    mtime INTEGER,                         -- nanoseconds; NULL: only the paths of others tell of this folder
    owner INTEGER NOT NULL DEFAULT 0,
    link BLOB NOT NULL DEFAULT x'',        -- of a symbolic link, or of a further hard link
    healthy INTEGER NOT NULL DEFAULT 1,
    content INTEGER NOT NULL DEFAULT 0,    -- digest of its content
    other INTEGER NOT NULL DEFAULT 0,      -- digest of all else that is compared
    below INTEGER NOT NULL DEFAULT 0,      -- of a folder: entries in it and below
    children INTEGER NOT NULL DEFAULT 0,   -- of a folder: entries in it
    tally INTEGER NOT NULL DEFAULT 0,      -- of a folder: sum of the digests of all below
    done INTEGER NOT NULL DEFAULT 0,       -- of a folder: nothing more is expected in it
    before INTEGER NOT NULL DEFAULT 0,     -- bytes of those of the same path that came before
    repeats INTEGER NOT NULL DEFAULT 0     -- how many these were
) STRICT;
CREATE UNIQUE INDEX children ON entries (parent, leaf, name);
CREATE TABLE owners (id INTEGER PRIMARY KEY, user BLOB NOT NULL, "group" BLOB NOT NULL) STRICT;
CREATE TABLE progress (entries INTEGER NOT NULL, listed INTEGER NOT NULL, searchable INTEGER NOT NULL) STRICT;
INSERT INTO progress VALUES (0, 0, 0);
INSERT INTO entries (id, parent, leaf, name, mode) VALUES (1, 0, 0, x'', 16877);
"""

WORDS = """
CREATE VIRTUAL TABLE words USING fts5 (
    name, content = '', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 0'
);
"""
"""Of each name, what three characters it has one after the other; which of them really match, the names themselves
tell."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Make a new database. Raises sqlite3.Error."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -24576;"
        "PRAGMA wal_autocheckpoint = 1000;"
    )
    database.executescript(f"BEGIN; {TABLES} COMMIT;")  # whoever looks sees all of it, or nothing
    return database


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open it for one question; a moment's state, whatever is written meanwhile. Raises sqlite3.Error."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA cache_size = -2048")
    database.execute("BEGIN")
    return database

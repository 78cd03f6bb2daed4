"""`python3 -m borg_session.index.build ITEMS DATABASE`: reads an archive's items into its database.

A process of its own, so that whoever turns pages meanwhile does not wait for it. Stdin: a line with the session's key
in hexadecimal digits; then `end` once borg has written all. Without that line it gives up: borg failed.
"""

import os
import sqlite3
import sys
import threading
from pathlib import Path

from borg_runner.borg.items import unpack
from borg_session.index.items import follow
from borg_session.index.writer import Writer

END = "end"


def main() -> int:
    """Return 0 when all of it is in the database, 1 when it is not: why is on stderr, in a line."""
    folder, path = map(Path, sys.argv[1:])
    key = bytes.fromhex(sys.stdin.readline())
    ended = threading.Event()
    failed = threading.Event()

    def wait() -> None:
        (ended if sys.stdin.readline().strip() == END else failed).set()
        if failed.is_set():
            os._exit(1)  # its reader has gone: nobody wants the rest

    threading.Thread(target=wait, daemon=True).start()
    try:
        writer = Writer(path, key)
        writer.write(unpack(follow(folder, ended.is_set)))
        writer.close()
    except (OSError, sqlite3.Error, ValueError, OverflowError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - for who started it
        return 1
    if writer.unsafe:
        print(f"{writer.unsafe} entries left out: their paths lead out of the archive", file=sys.stderr)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

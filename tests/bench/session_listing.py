"""How fast an archive of millions of entries can be looked into, and in how little memory.

    PYTHONPATH=tests .venv/bin/python tests/bench/session_listing.py [ENTRIES] [FOLDER]

Feeds the program that reads listings with items as borg writes them, as fast as it takes them, and looks meanwhile as a
reader does. Nothing else should run; what borg itself takes comes on top, see `session_real.py`.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgpack

from borg_contract.codec import encode
from borg_contract.session.request import ReadRequest, SessionOperation
from borg_session.index.query import read_progress
from borg_session.index.schema import open_for_reading
from borg_session.looking.find import find_names
from borg_session.looking.tree import list_folder
from borg_session.refusal import StillReadingError

PER_FOLDER = 500
PER_PART = 700
WORDS = ("invoice", "report", "photo", "backup", "session", "index", "cache", "module", "readme", "data")


def name_of(number: int) -> bytes:
    return b"%s-%s-%07d.%s" % (
        WORDS[number % 10].encode(),
        WORDS[number // 10 % 7].encode(),
        number,
        (b"txt", b"jpg", b"py", b"pdf")[number % 4],
    )


def items(count: int) -> Any:
    """Yield `count` items, a folder with each five hundred files, forty folders in one."""
    chunk = os.urandom(32)
    number = 0
    common = {b"uid": 1000, b"gid": 1000, b"user": b"someone", b"group": b"users", b"hardlink_master": False}
    top = above = b""
    while number < count:
        if number % (PER_FOLDER * 40) == 0:
            top = b"data/part-%04d" % (number // (PER_FOLDER * 40))
            yield {b"path": top, b"mode": 0o40755, b"mtime": number, b"ctime": number, **common}
        if number % PER_FOLDER == 0:
            above = top + b"/folder-%06d" % (number // PER_FOLDER)
            yield {b"path": above, b"mode": 0o40755, b"mtime": number, b"ctime": number, **common}
        yield {
            b"path": above + b"/" + name_of(number),
            b"mode": 0o100644,
            b"mtime": 10**18 + number,
            b"ctime": 10**18 + number,
            b"size": number,
            b"chunks": ((chunk, number, number),),
            **common,
        }
        number += 1


def feed(count: int, folder: Path) -> None:
    pack = msgpack.Packer().pack
    part, held = 0, []
    for item in items(count):
        held.append(pack(item))
        if len(held) == PER_PART:
            while part > 200 and sum(1 for _ in os.scandir(folder)) > 200:  # borg writes no faster than it is read
                time.sleep(0.01)
            (folder / f"{part:06d}_x.items").write_bytes(b"".join(held))
            part, held = part + 1, []
    (folder / f"{part:06d}_x.items").write_bytes(b"".join(held))


def timed(path: Path, look: Any, request: ReadRequest) -> tuple[tuple[float, float], Any]:
    """Return milliseconds, of all and of the processor alone, and the answer: of opening, asking and encoding."""
    began, processor = time.perf_counter(), time.process_time()
    with closing(open_for_reading(path)) as database:
        answer = look(database, request)
    encode(answer)
    return ((time.perf_counter() - began) * 1000, (time.process_time() - processor) * 1000), answer


def tree(path: str, **more: Any) -> ReadRequest:
    return ReadRequest(SessionOperation.TREE, archive="a", path=path, **more)


def find(q: str, **more: Any) -> ReadRequest:
    return ReadRequest(SessionOperation.FIND, archive="a", q=q, **more)


def describe(times: list[tuple[float, float]]) -> str:
    """Return figures of both: on a machine that does something else, the processor's alone mean much."""
    told = []
    for name, each in zip(("passed", "of processor time"), zip(*times, strict=True), strict=True):
        ordered = sorted(each)
        median, late = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
        told.append(f"{name} median {median:.1f} ms, 99 % {late:.1f} ms, most {ordered[-1]:.1f} ms")
    return "; ".join(told)


def count_seconds(pid: int) -> float:
    """Return the processor time that a process has taken, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(count: int, parent: str | None) -> None:  # noqa: C901, PLR0915 - one measurement after the other
    with tempfile.TemporaryDirectory(dir=parent) as root:
        folder, path = Path(root, "items"), Path(root, "x.sqlite")
        folder.mkdir()
        began = time.monotonic()
        builder = subprocess.Popen(
            [sys.executable, "-m", "borg_session.index.build", str(folder), str(path)], stdin=subprocess.PIPE, text=True
        )
        assert builder.stdin
        builder.stdin.write("00" * 32 + "\n")
        builder.stdin.flush()
        feeder = os.fork()
        if feeder == 0:
            feed(count, folder)
            os._exit(0)
        first = listed = processor = listed_processor = 0.0
        pages: list[tuple[float, float]] = []
        while builder.poll() is None:
            time.sleep(0.1)
            if feeder and os.waitpid(feeder, os.WNOHANG)[0]:
                feeder = 0
                builder.stdin.write("end\n")
                builder.stdin.flush()
            try:
                if not first:
                    _, page = timed(path, list_folder, tree("data/part-0000/folder-000000", limit=1000))
                    first = (time.monotonic() - began) if page.entries >= 1000 else 0.0
                both, _ = timed(path, list_folder, tree("data/part-0000/folder-000000"))
                pages.append(both)
                processor = count_seconds(builder.pid)
                with closing(open_for_reading(path)) as database:
                    if not listed and read_progress(database).listed:
                        listed, listed_processor = time.monotonic() - began, processor
            except (StillReadingError, OSError, Exception) as error:
                if (
                    not isinstance(error, StillReadingError)
                    and "no such" not in str(error)
                    and "unable" not in str(error)
                ):
                    raise
        took = time.monotonic() - began
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{count:,} files: the first thousand there after {first:.1f} s, all after {listed:.0f} s, ", end="")
        print(
            f"to be searched after {took:.0f} s (of the processor: {listed_processor:.0f} s, {processor:.0f} s); ",
            end="",
        )
        print(f"{memory:.0f} MiB at most; {path.stat().st_size / 2**20:,.0f} MiB on disk")
        print(f"a page of 200 while it is read: {describe(pages)}")
        later = []
        for number in range(200):
            where = number * (count // PER_FOLDER) // 200
            asked = tree(f"data/part-{where // 40:04d}/folder-{where:06d}", limit=200)
            for _ in range(3):
                both, page = timed(path, list_folder, asked)
                later.append(both)
                asked = tree(asked.path, limit=200, after=page.next)
        print(f"a page of 200 after that: {describe(later)}")
        for q in (f"{count - 5:07d}", "invoice-report", "REPORT", "no-such-name", "zz", "é", "9.pdf", "x"):
            print(f"search for {q!r}: ", end="")
            times, after, found = [], "", 0
            for _ in range(200):
                both, page = timed(path, find_names, find(q, after=after, limit=200))
                times.append(both)
                found += len(page.items)
                after = page.next
                if not after or found >= 200:
                    break
            print(f"{found} found in {len(times)} pages, {describe(times)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000, sys.argv[2] if len(sys.argv) > 2 else None)

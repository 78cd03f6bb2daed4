"""The database of an archive: what borg's items say is what its tree, search and comparison say."""

import os
import random
import sqlite3
import stat
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgpack
import pytest

from borg_contract.session.answers import Item, TreeAnswer
from borg_contract.session.request import ReadRequest, SessionOperation
from borg_runner.borg.items import unpack
from borg_session.index.items import follow
from borg_session.index.query import find_path, make_item
from borg_session.index.schema import open_for_reading
from borg_session.index.writer import Writer
from borg_session.looking.diff import compare
from borg_session.looking.find import find_names
from borg_session.looking.tree import list_folder
from borg_session.refusal import RefusedError, StillReadingError

KEY = bytes(32)
SECOND = 10**9
Raw = dict[bytes, Any]


def item(path: bytes, mode: int = stat.S_IFREG | 0o644, **more: Any) -> Raw:
    base = {"path": path, "mode": mode, "uid": 7, "gid": 8, "user": b"me", "group": b"us", "mtime": 5 * SECOND}
    return {key.encode(): value for key, value in {**base, **more}.items()}


def file(path: bytes, size: int = 1, content: bytes = b"", **more: Any) -> Raw:
    """Return a file of so many bytes; what is in it is another one if `content` is."""
    chunks = ((content.ljust(32, b"\0"), size, size),) if size else ()
    return item(path, chunks=chunks, size=size, **more)


def folder(path: bytes, **more: Any) -> Raw:
    return item(path, stat.S_IFDIR | 0o755, **more)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    opened: list[sqlite3.Connection] = []

    def make_database(*items: Raw) -> sqlite3.Connection:
        path = tmp_path / f"{len(opened)}.sqlite"
        with closing(Writer(path, KEY)) as writer:
            writer.write(items)
        opened.append(open_for_reading(path))
        return opened[-1]

    yield make_database
    for database in opened:
        database.close()


def request(operation: str = "tree", **more: Any) -> ReadRequest:
    return ReadRequest(SessionOperation(operation), archive="a", **more)


def pages(database: sqlite3.Connection, look: Any, **more: Any) -> list[Item]:
    found: list[Item] = []
    after = ""
    while True:
        page: TreeAnswer = look(database, request(after=after, **more))
        found += page.items
        if not page.next:
            return found
        after = page.next


def tree(database: sqlite3.Connection, path: bytes = b"", limit: int = 1000) -> list[Item]:
    return pages(database, list_folder, path=os.fsdecode(path), limit=limit)


def random_archive(seed: int, folders: int = 60, files: int = 600) -> list[Raw]:
    """Return items as borg tells them: depth first, each folder before what is in it."""
    rng = random.Random(seed)
    below: dict[bytes, list[bytes]] = defaultdict(list)
    known = [b"data"]
    for _ in range(folders):
        path = rng.choice(known) + b"/" + random_name(rng)
        if path not in known:
            known.append(path)
            below[path.rpartition(b"/")[0]].append(path)
    leaves: dict[bytes, list[bytes]] = defaultdict(list)
    for _ in range(files):
        above = rng.choice(known)
        path = above + b"/" + random_name(rng)
        if path not in known and path not in leaves[above]:
            leaves[above].append(path)

    def walk(path: bytes) -> Iterator[Raw]:
        yield folder(path)
        inside = [*below[path], *leaves[path]]
        rng.shuffle(inside)
        for each in inside:
            if each in below[path]:
                yield from walk(each)
            else:
                yield file(each, rng.randrange(10_000), bytes([rng.randrange(3)]))

    return list(walk(b"data"))


def random_name(rng: random.Random) -> bytes:
    """Return any name that Linux takes."""
    while True:
        name = bytes(rng.choice(range(1, 256)) for _ in range(rng.randrange(1, 12))).replace(b"/", b"_")
        if name not in (b".", b".."):
            return name


@pytest.mark.parametrize("seed", range(5))
def test_the_tree_is_what_the_items_say_page_by_page(make: Any, seed: int) -> None:
    items = random_archive(seed)
    database = make(*items)
    paths = {raw[b"path"]: raw for raw in items}
    inside: dict[bytes, set[bytes]] = defaultdict(set)
    for path in paths:
        inside[path.rpartition(b"/")[0]].add(path)
    for path, raw in paths.items():
        if not stat.S_ISDIR(raw[b"mode"]):
            continue
        found = tree(database, path, limit=7)
        assert {os.fsencode(each.path) for each in found} == inside[path]
        assert len(found) == len(inside[path]), "none comes twice"
        kinds = [(each.type != "directory", os.fsencode(each.name)) for each in found]
        assert kinds == sorted(kinds)
        below = {other: raw for other, raw in paths.items() if other.startswith(path + b"/")}
        entry = find_path(database, path)
        assert entry is not None
        assert entry.size == sum(raw.get(b"size", 0) for raw in below.values())
        assert (entry.below, entry.children) == (len(below), len(inside[path]))
        for each in found:
            told = paths[os.fsencode(each.path)]
            assert each.type == "directory" or each.size == told[b"size"]


def test_folders_that_only_paths_tell_of_are_there_and_their_own_item_may_come_later(make: Any) -> None:
    database = make(file(b"a/b/c", 3), file(b"x/y", 2), folder(b"a/b", mtime=9 * SECOND), file(b"a/b/d", 4))
    [a, x] = tree(database)
    assert (a.path, a.size, a.entries, a.mtime, a.mode) == ("a", 7, 3, None, "")
    assert (x.path, x.size, x.entries) == ("x", 2, 1)
    [b] = tree(database, b"a")
    assert (b.mtime, b.mode, b.size, b.entries) == ("1970-01-01T00:00:09Z", "drwxr-xr-x", 7, 2)


def test_the_root_is_a_folder_like_any_other_when_the_archive_has_it(make: Any) -> None:
    database = make(folder(b".", mtime=SECOND), file(b"x", 3))
    assert [each.path for each in tree(database)] == ["x"]
    root = find_path(database, b"")
    assert root is not None
    assert (root.size, root.below, root.mtime) == (3, 1, SECOND)


def test_of_a_path_that_comes_twice_the_last_is_meant_and_counted_once(make: Any) -> None:
    database = make(folder(b"d"), file(b"d/x", 10), file(b"d/y", 1), folder(b"d"), file(b"d/x", 3), file(b"d/x", 4))
    x = find_path(database, b"d/x")
    assert x is not None
    assert (x.size, x.before) == (4, 13), "so many bytes of borg's are passed over"
    [d] = tree(database)
    assert (d.size, d.entries) == (5, 2)
    assert list_folder(database, request(path="d")).total == 2


def test_a_file_of_overlapping_paths_that_is_its_own_link_stays_a_file(make: Any) -> None:
    database = make(file(b"x", 5, hardlink_master=True), item(b"x", source=b"x", hardlink_master=False))
    [x] = tree(database)
    assert (x.size, x.target) == (5, "")


def test_hard_links_have_the_size_of_their_file_and_are_counted_once(make: Any) -> None:
    database = make(folder(b"d"), file(b"d/x", 5, hardlink_master=True), item(b"d/y", source=b"d/x"))
    d = tree(database)[0]
    y = tree(database, b"d")[1]
    assert (d.size, d.entries, y.size, y.target) == (5, 2, 5, "d/x")


def test_types_owners_links_and_absurd_times_are_told(make: Any) -> None:
    database = make(
        item(b"a", stat.S_IFLNK | 0o777, source=b"to\xff"),
        item(b"b", stat.S_IFIFO | 0o600, user=None, group=b""),
        item(b"c", stat.S_IFBLK | 0o600, rdev=1),
        item(b"d", stat.S_IFCHR | 0o600, mtime=-(2**62)),
        file(b"e", 1, chunks_healthy=((b"x" * 32, 1, 1),), mtime=(2**63).to_bytes(9, "little")),
    )
    found = tree(database)
    assert [each.type for each in found] == ["symlink", "fifo", "block device", "character device", "file"]
    assert (found[0].target, found[0].user, found[0].group) == ("to\udcff", "me", "us")
    assert (found[1].user, found[1].group) == ("7", "8")
    assert [each.healthy for each in found] == [True, True, True, True, False]
    assert found[3].mtime is not None
    assert found[4].mtime is not None


def test_paths_that_lead_out_of_an_archive_are_left_out(make: Any) -> None:
    database = make(file(b"../x"), file(b"/etc/x"), file(b"a/../b"), file(b"a//b"), file(b""), file(b"good"))
    assert [each.path for each in tree(database)] == ["good"]


@pytest.mark.parametrize("after", ["2x", "x", "é"])
def test_what_is_no_end_of_a_page_is_refused(make: Any, after: str) -> None:
    with pytest.raises(RefusedError) as caught:
        list_folder(make(file(b"x")), request(after=after))
    assert caught.value.status == 422


def test_what_is_not_there_is_said_and_a_file_is_no_folder(make: Any) -> None:
    database = make(file(b"x"))
    for path, status in (("nothing", 404), ("x/y", 404), ("x", 422)):
        with pytest.raises(RefusedError) as caught:
            list_folder(database, request(path=path))
        assert caught.value.status == status


def test_names_are_found_whatever_their_case_and_wherever_they_are(make: Any) -> None:
    names = [
        "Report.PDF",
        "report-2.pdf",
        "re",
        "ÄRGER.txt",
        "ärger",
        "日本語.txt",
        "日本",
        "x\udcffy",
        'q"uote',
        "a%b_c",
        "Straße.txt",
        "STRASSE",
        "ﬁle",
    ]
    paths = [f"d{number % 3}/{name}" for number, name in enumerate(names)]
    database = make(*(file(os.fsencode(path)) for path in sorted(paths)))

    def found(q: str, path: str = "") -> list[str]:
        return sorted(each.name for each in pages(database, find_names, operation="find", q=q, path=path, limit=1))

    assert found("REPORT") == ["Report.PDF", "report-2.pdf"]
    assert found("re") == ["Report.PDF", "re", "report-2.pdf"]
    assert found("ärger") == ["ÄRGER.txt", "ärger"]
    assert found("Är") == ["ÄRGER.txt", "ärger"]
    assert found("日本") == ["日本", "日本語.txt"]
    assert found("日本語") == ["日本語.txt"]
    assert found("x\udcffy") == ["x\udcffy"]
    assert found("\udcff") == ["x\udcffy"]
    assert found("X\udcffY") == ["x\udcffy"]
    assert found("X\udcff") == ["x\udcffy"]
    assert found('q"u') == ['q"uote']
    assert found("%b_") == ["a%b_c"]
    assert found("%") == ["a%b_c"]
    assert found("_") == ["a%b_c"]
    assert found("straße") == found("strasse") == ["STRASSE", "Straße.txt"]
    assert found("ss") == ["STRASSE", "Straße.txt"]
    assert found("FILE") == ["ﬁle"]
    assert found("nothing at all") == []
    assert found("report", "d0") == ["Report.PDF"]
    assert found("d0") == ["d0"], "a folder's name too, and no path"


@pytest.mark.parametrize("seed", range(3))
def test_search_finds_what_looking_at_each_name_finds(make: Any, seed: int) -> None:
    items = random_archive(seed)
    database = make(*items)
    rng = random.Random(seed)
    names = [raw[b"path"].rpartition(b"/")[2] for raw in items]
    for _ in range(60):
        name = os.fsdecode(rng.choice(names))
        begin = rng.randrange(len(name))
        q = name[begin : begin + rng.randrange(1, 6)]
        wanted = sorted(
            raw[b"path"] for raw in items if q.casefold() in os.fsdecode(raw[b"path"].rpartition(b"/")[2]).casefold()
        )
        found = pages(database, find_names, operation="find", q=q, limit=13)
        assert sorted(os.fsencode(each.path) for each in found) == wanted


def changes(
    one: sqlite3.Connection, other: sqlite3.Connection, limit: int = 1000, path: str = ""
) -> list[tuple[bytes, str]]:
    found: list[tuple[bytes, str]] = []
    after = ""
    while True:
        page = compare(
            one, other, ReadRequest(SessionOperation.DIFF, a="a", b="b", path=path, limit=limit, after=after)
        )
        found += [(os.fsencode(change.path), change.change) for change in page.items]
        if not page.next:
            return found
        after = page.next


def test_what_changed_is_told_however_deep_it_lies(make: Any) -> None:
    deep = [b"/".join([b"d"] * depth) for depth in range(1, 1200)]
    one = make(*(folder(path) for path in deep), file(deep[-1] + b"/x", 1, b"1"))
    other = make(*(folder(path) for path in deep), file(deep[-1] + b"/x", 1, b"2"))
    assert changes(one, other) == [(deep[-1] + b"/x", "modified")]


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_what_changed_is_told_once_whatever_the_pages(make: Any, limit: int) -> None:
    before = make(
        folder(b"d"), folder(b"d/gone"), file(b"d/gone/x"), folder(b"d/same"), file(b"d/same/y"),
        file(b"d/a", 1, b"1"), file(b"d/b", 1, b"1"), file(b"d/c", 1, b"1"), file(b"d/e"), file(b"d/kind"),
    )  # fmt: skip
    after = make(
        folder(b"d", mtime=SECOND), folder(b"d/kind"), file(b"d/kind/z"), folder(b"d/new"), file(b"d/new/x"),
        folder(b"d/same"), file(b"d/same/y"),
        file(b"d/a", 1, b"2"), file(b"d/b", 2, b"1"), file(b"d/c", 1, b"1", uid=9), file(b"d/f"),
    )  # fmt: skip
    assert changes(before, after, limit) == [
        (b"d", "changed"),
        (b"d/gone", "removed"),
        (b"d/gone/x", "removed"),
        (b"d/kind", "added"),
        (b"d/kind/z", "added"),
        (b"d/new", "added"),
        (b"d/new/x", "added"),
        (b"d/a", "modified"),
        (b"d/b", "modified"),
        (b"d/c", "changed"),
        (b"d/e", "removed"),
        (b"d/f", "added"),
        (b"d/kind", "removed"),
    ]
    assert changes(before, after, limit, "d/gone") == [(b"d/gone", "removed"), (b"d/gone/x", "removed")]
    assert changes(before, after, limit, "d/same") == []
    assert changes(before, before, limit) == []


@pytest.mark.parametrize(("seed", "limit"), [(0, 1), (1, 5), (2, 50), (3, 1000)])
def test_of_random_archives_each_difference_is_found(make: Any, seed: int, limit: int) -> None:
    rng = random.Random(seed)
    items = random_archive(seed, 40, 300)
    other: list[Raw] = []
    for raw in items:
        chance = rng.random()
        if stat.S_ISDIR(raw[b"mode"]) or chance > 0.2:
            other.append(raw)
        elif chance > 0.13:
            other.append({**raw, b"chunks": ((b"new".ljust(32), 77, 77),), b"size": 77})
        elif chance > 0.08:
            other.append({**raw, b"mtime": 99 * SECOND})
        elif chance > 0.04:
            other += [raw, {**raw, b"path": raw[b"path"] + b"+"}]
    rng.shuffle(other)  # whatever the order in which borg tells them
    one, two = make(*items), make(*other)
    left = {raw[b"path"]: raw for raw in items}
    right = {raw[b"path"]: raw for raw in other}
    wanted: Mapping[bytes, str] = {
        path: "added" if path not in left else "removed" if path not in right
        else "modified" if left[path][b"chunks"] != right[path][b"chunks"] else "changed"
        for path in left.keys() | right.keys() if left.get(path) != right.get(path)
    }  # fmt: skip
    found = changes(one, two, limit)
    assert sorted(found) == sorted(wanted.items())


def test_which_of_its_hard_links_comes_first_is_no_change_of_a_file(make: Any) -> None:
    first = file(b"a", 5, b"1", hardlink_master=True)
    before = make(first, item(b"b", source=b"a"))
    after = make({**first, b"path": b"b"}, item(b"a", source=b"b"))
    assert changes(before, after) == []


def test_new_content_is_a_change_of_each_hard_link_wherever_the_first_one_is(make: Any) -> None:
    def linked(one: bytes, other: bytes) -> list[Raw]:
        first, second = file(b"A/x", 5, one, hardlink_master=True), file(b"A/y", 5, other, hardlink_master=True)
        return [first, second, item(b"B/x", source=b"A/x"), item(b"B/y", source=b"A/y"), item(b"C/z", source=b"D/no")]

    before, after, swapped = make(*linked(b"1", b"2")), make(*linked(b"3", b"2")), make(*linked(b"2", b"1"))
    assert changes(before, after, path="B") == [(b"B/x", "modified")]
    assert changes(before, after) == [(b"A/x", "modified"), (b"B/x", "modified")]
    assert len(changes(before, swapped)) == 4
    assert changes(before, before) == []


def test_while_it_is_read_what_came_so_far_is_there(tmp_path: Path) -> None:
    go_on = threading.Event()

    def slowly() -> Iterator[Raw]:
        yield folder(b"d")
        yield folder(b"d/first")
        yield from (file(b"d/first/%d" % number, 2) for number in range(5000))
        yield folder(b"d/second")
        time.sleep(0.7)
        yield from (file(b"d/second/%d" % number) for number in range(300))
        assert go_on.wait(30)
        yield from (file(b"d/second/x%d" % number) for number in range(10))

    def write() -> None:
        with closing(Writer(tmp_path / "x.sqlite", KEY)) as writer:
            writer.write(slowly())

    thread = threading.Thread(target=write)
    thread.start()
    try:
        page = TreeAnswer(())
        while not page.items or "d/second" not in [each.path for each in page.items]:
            time.sleep(0.02)
            try:
                with closing(open_for_reading(tmp_path / "x.sqlite")) as database:
                    page = list_folder(database, request(path="d"))
                    whole = list_folder(database, request(path="d/first", limit=10))
            except (sqlite3.OperationalError, StillReadingError):
                continue
        assert page.pending
        assert page.total is None
        assert not whole.pending, "that folder was left"
        assert (whole.total, page.items[0].size) == (5000, 10_000)
        with closing(open_for_reading(tmp_path / "x.sqlite")) as database:
            assert find_names(database, request("find", q="4999")).items[0].path == "d/first/4999", (
                "also before the words are"
            )
            with pytest.raises(StillReadingError):
                list_folder(database, request(path="e"))
    finally:
        go_on.set()
        thread.join()
    with closing(open_for_reading(tmp_path / "x.sqlite")) as database:
        assert not list_folder(database, request(path="d")).pending
        entry = find_path(database, b"d/second")
        assert entry is not None
        assert make_item(database, entry, b"d/second").entries == 310


def test_items_are_read_while_borg_writes_them_and_deleted(tmp_path: Path) -> None:
    items = [file(b"%d" % number) for number in range(100)]
    stream = b"".join(msgpack.packb(each) for each in items)
    cuts = [0, 10, 11, 2000, len(stream)]
    parts = [stream[begin:end] for begin, end in pairwise(cuts)]
    ended = threading.Event()

    def write() -> None:
        for number, part in enumerate(parts):
            (tmp_path / f"{number:06d}_x.items").write_bytes(part)
            time.sleep(0.05)
        ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    found = list(unpack(follow(tmp_path, ended.is_set)))
    thread.join()
    assert [each[b"path"] for each in found] == [each[b"path"] for each in items]
    assert list(tmp_path.iterdir()) == []


BROKEN: Sequence[bytes] = [b"\xc1", msgpack.packb({b"path": b"x"})[:-1], b"\x93\x01", b"\x91" * 5000]


@pytest.mark.parametrize("data", BROKEN, ids=["no value", "cut", "cut list", "nested"])
def test_what_is_no_stream_of_items_is_said(data: bytes) -> None:
    with pytest.raises(ValueError, match="item"):
        list(unpack(iter([data])))


@pytest.mark.parametrize("raw", [{}, {b"path": 3}, [1], 7, {b"path": b"x", b"mode": "x"}], ids=str)
def test_what_is_no_item_is_said(tmp_path: Path, raw: Any) -> None:
    with closing(Writer(tmp_path / "x.sqlite", KEY)) as writer, pytest.raises(ValueError):  # noqa: PT011 - its words vary
        writer.write([raw])

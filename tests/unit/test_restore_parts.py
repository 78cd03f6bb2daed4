"""The pure parts of restores: borg's own format, names for borg, which archive, what would change, what is said."""

import datetime as dt
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from borg_contract.codec import decode_result, encode
from borg_contract.ownership import (
    ArchiveOwner,
    UndoOf,
    derive_undo_name,
    is_undo_name,
    parse_comment,
    parse_undo_comment,
    render_comment,
    render_undo_comment,
)
from borg_contract.plan import RepositoryPlan, RunPlan
from borg_contract.restore.plan import LatestPlan, Mode, RestorePlan
from borg_contract.restore.progress import describe_progress
from borg_contract.restore.result import ResolvedArchive, RestorePreview, RestoreResult
from borg_contract.result import RepositoryResult, RunResult
from borg_contract.run import Operation, Phase
from borg_runner.borg.items import unpack
from borg_runner.fault import FaultError
from borg_runner.restore.archive import acl
from borg_runner.restore.archive.entry import Entry, parse_item
from borg_runner.restore.archive.patterns import Choice, choose, write_patterns
from borg_runner.restore.archive.resolve import choose_latest, find_nearest
from borg_runner.restore.archive.scope import Selection, derive_scope, is_own, is_safe, select
from borg_runner.restore.change import find_folders_above
from borg_runner.restore.extract import Work
from borg_runner.restore.journal import (
    Journal,
    read_journals,
    read_list_of,
    remove_former,
    remove_journal,
    set_aside,
    write_journal,
    write_list,
)
from borg_runner.restore.preview import room
from borg_runner.restore.preview.changes import Changes, count_bytes
from borg_runner.restore.preview.compare import Rules, compare
from borg_runner.restore.preview.room import check_flags, check_mounts, count_freed
from borg_runner.restore.preview.target import Target
from borg_runner.run.report import encode_result
from borg_runner.verbs.list import ListedArchive

FILE, FOLDER, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


def entry(path: str, mode: int = FILE, **more: Any) -> Entry:
    facts = {"size": 1, "least": 1, "mtime": 5, "ctime": 6, "uid": 0, "gid": 0, "has_content": stat.S_ISREG(mode)}
    return Entry(path, mode, **(facts | more))


def test_items_are_read_whatever_parts_they_come_in() -> None:
    data = bytes.fromhex("83a16101a162c0a163") + b"\xdc\x00\x02\xcd\x01\x00\xd3" + b"\xff" * 8 + b"\x81\xc4\x01x\xe0"
    wanted = [{b"a": 1, b"b": None, b"c": (256, -1)}, {b"x": -32}]
    assert list(unpack([data])) == wanted
    assert list(unpack(data[at : at + 1] for at in range(len(data)))) == wanted
    for cut in range(1, len(data)):
        if cut != data.index(b"\x81"):
            with pytest.raises(ValueError, match="in the middle of an item"):
                list(unpack([data[:cut]]))


def test_an_item_of_borgs_keeps_bytes_nanoseconds_and_large_numbers() -> None:
    chunks = [[b"zero", 100, 9], [b"zero", 100, 9], [b"one", 5, 5]]
    item = {b"path": b"a/\xff", b"mode": FILE, b"mtime": (-1).to_bytes(9, "little", signed=True), b"uid": 1, b"gid": 2}
    found = parse_item({**item, b"chunks": chunks, b"hardlink_master": True, b"xattrs": {b"user.a": None}})
    assert os.fsencode(found.path) == b"a/\xff"
    assert (found.size, found.least, found.mtime, found.ctime) == (205, 105, -1, None)
    assert (found.master, found.has_content, found.extra.xattrs) == (found.path, True, {b"user.a": b""})


def test_an_access_control_list_is_the_same_as_a_text_and_as_an_attribute() -> None:
    text = b"user::rw-\nuser:www-data:r--:33\ngroup::r--\ngroup:7:r-x\nmask::r-x\nother::---\n"
    entries = acl.parse_text(text)
    assert (0x02, 4, 33) in entries
    assert (0x08, 5, 7) in entries
    assert acl.parse_attribute(acl.render_attribute(entries)) == entries


@pytest.mark.parametrize(
    ("text", "says_more"),
    [
        (b"user::rwx\ngroup::r-x\nother::r-x\n", False),
        (b"", False),
        (b"user::rwx\nuser:1001:r--:1001\ngroup::r-x\nmask::r-x\nother::r-x\n", True),
        (b"user::rwx\ngroup::r-x\nmask::r-x\nother::r-x\n", True),
    ],
)
def test_a_list_that_says_no_more_than_the_mode_is_none(text: bytes, says_more: bool) -> None:
    assert bool(acl.without_mode(acl.parse_text(text))) is says_more


@pytest.mark.parametrize("path", ["/a", "a//b", "a/", "..", "a/../b", "./a", ""])
def test_paths_that_borg_never_writes_are_not_safe(path: str) -> None:
    assert not is_safe(path)


def test_names_with_dots_are_safe() -> None:
    assert all(map(is_safe, ("a", "a/..b", "...", ".hidden/a.b", ".")))


def test_what_is_meant_is_below_the_paths_without_what_is_left_out() -> None:
    found = [
        entry("sources/other/x"),
        entry("sources/data", FOLDER),
        entry("sources/data/etc", FOLDER),
        entry("sources/data/etc/a.tmp", FOLDER),
        entry("sources/data/etc/a.tmp/inner"),
        entry("sources/data/etc/app.conf"),
        entry("sources/data/etcetera"),
        entry("sources/data/.borg-restore.x.json"),
        entry("sources/data/.borg-restore.mine"),
    ]
    plan = RestorePlan("back", paths=("/etc/app.conf", "etc/a.tmp/"), exclude=("*.tmp",))
    selection = select(found, "sources/data", derive_scope(plan))
    assert list(selection.entries) == ["etc/app.conf"]
    assert list(selection.above) == ["etc"]
    assert not selection.is_alone
    whole = select(found[1:], "sources/data", derive_scope(RestorePlan("back")))
    assert set(whole.entries) == {
        "etc",
        "etc/a.tmp",
        "etc/a.tmp/inner",
        "etc/app.conf",
        "etcetera",
        ".borg-restore.mine",
    }
    assert whole.root is not None
    with pytest.raises(FaultError) as raised:
        select(found, "sources/data", derive_scope(RestorePlan("back", paths=("et",))))
    assert raised.value.fault.reason == "PathsNotFound"


def test_a_bad_expression_is_refused_and_leaves_nothing_out() -> None:
    with pytest.raises(FaultError, match="no regular expression"):
        derive_scope(RestorePlan("back", exclude=("re:(",)))


def test_what_lies_below_a_link_or_is_there_in_two_kinds_is_set_apart() -> None:
    found = [
        entry("door", LINK, link="/etc"),
        entry("door/passwd"),
        entry("turn", FOLDER),
        entry("turn/x"),
        entry("turn", LINK, link="/etc"),
        entry("hard", link="door/passwd", has_content=False),
        entry("/abs"),
        entry("good"),
    ]
    selection = select(found, "", derive_scope(RestorePlan("back")))
    assert set(selection.entries) == {"door", "good"}
    assert set(selection.unsafe) == {"door/passwd", "turn", "turn/x", "hard", "/abs"}


def test_nothing_is_said_to_borg_where_all_is_wanted_and_the_shorter_list_else(tmp_path: Path) -> None:
    selection = Selection("s/data", {name: entry(name) for name in "abc"})
    assert write_patterns(choose(selection, set("abc"), ()), selection, tmp_path / "p") == []
    assert choose(selection, {"a", "b"}, ["c"]) == Choice(frozenset({"s/data/c"}), is_only=False)
    assert choose(selection, {"a"}, ["b", "c"]) == Choice(frozenset({"s/data/a"}), is_only=True)


def test_odd_names_go_into_arguments_or_expressions(tmp_path: Path) -> None:
    choice = Choice(frozenset({"plain", "blank ", "new\nline", "bad\udcff"}), is_only=True)
    path = tmp_path / "p"
    words = write_patterns(choice, Selection(""), path)
    assert words == ["--pattern=+ pf:bad\udcff", "--pattern=+ pf:new\nline", f"--patterns-from={path}"]
    assert path.read_text() == "+ pf:blank /\n+ pf:plain\n- re:.\n"
    assert write_patterns(choice, Selection(""), path, creates=True) == [f"--patterns-from={path}"]
    assert "+ re:\\A(?:bad\\udcff|new\\u000aline)\\Z\n" in path.read_text()


class Tree:
    """A target of files that are given."""

    def __init__(self, files: Mapping[str, Entry]) -> None:
        self.files = {"": entry("", FOLDER), **files}

    def look(self, path: str) -> os.stat_result | None:
        found = self.files.get(path)
        if found is None:
            return None
        whole = (found.mode, hash(path), 1, 1, found.uid, found.gid, found.size, 0, 0, 0)
        times = {"st_mtime_ns": found.mtime, "st_ctime_ns": found.ctime, "st_rdev": 0}
        return os.stat_result(whole, times)

    def read_link(self, path: str) -> str:
        return self.files[path].link

    def walk(self, path: str, enters: Callable[[str], bool]) -> Iterator[str]:
        for inner in sorted(self.files):
            above = os.path.dirname(inner)  # noqa: PTH120
            if inner and above == path and enters(inner):
                yield inner
                if self.files[inner].is_folder:
                    yield from self.walk(inner, enters)


def reckon(archive: list[Entry], there: list[Entry], plan: RestorePlan, **rules: Any) -> Changes:
    scope = derive_scope(plan)
    tree = Tree({item.path: item for item in there})
    return compare(select(archive, "", scope), tree, scope, Rules(plan.mode, **rules))


MERGE, MISSING, MIRROR = (RestorePlan("back", mode=mode) for mode in (Mode.MERGE, Mode.ONLY_MISSING, Mode.MIRROR))


def test_what_somebody_touched_is_replaced_even_if_it_looks_the_same() -> None:
    changes = reckon([entry("a"), entry("b"), entry("c")], [entry("a"), entry("b", ctime=7)], MERGE)
    assert (changes.same, changes.overwrite, changes.create) == ({"a"}, {"b"}, {"c"})
    again = reckon([entry("b")], [entry("b", ctime=7)], MERGE, since=7)
    assert again.same == {"b"}
    assert reckon([entry("b")], [entry("b", ctime=7)], MISSING).keep == {"b"}


def test_another_kind_in_the_way_is_removed_with_all_it_holds_or_kept() -> None:
    archive = [entry("a"), entry("b", FOLDER), entry("b/x")]
    there = [entry("a", FOLDER), entry("a/y"), entry("b", LINK, link="/etc")]
    changes = reckon(archive, there, MERGE)
    assert (changes.clear, changes.delete, changes.create) == ({"a", "b"}, {"a/y"}, {"b/x"})
    changes = reckon(archive, there, MISSING)
    assert (changes.keep, changes.stuck, changes.delete) == ({"a", "b", "b/x"}, {"b/x"}, set())


def test_files_are_compared_however_deep_they_lie_below_folders_of_which_the_archive_tells_nothing() -> None:
    deep = "/".join("d" * 2000)
    assert reckon([entry(f"{deep}/x")], [], MERGE).create == {f"{deep}/x"}
    there = [entry("d", FOLDER), entry("d/d")]
    assert reckon([entry(f"{deep}/x")], there, MERGE).delete == {"d/d"}
    assert reckon([entry(f"{deep}/x")], there, MISSING).stuck == {f"{deep}/x"}


def test_a_mirror_deletes_the_rest_but_not_what_is_left_out_nor_what_holds_it() -> None:
    there = [
        entry("a"),
        entry("old", FOLDER),
        entry("old/x"),
        entry("mixed", FOLDER),
        entry("mixed/k.tmp"),
        entry("mixed/z"),
    ]
    plan = RestorePlan("back", mode=Mode.MIRROR, exclude=("*.tmp",))
    assert reckon([entry("a")], there, plan).delete == {"old", "old/x", "mixed/z"}
    assert reckon([entry("a")], there, MIRROR, only=frozenset({"old/x", "mixed"})).delete == {"old/x"}
    assert reckon([entry("a")], there, MERGE).delete == set()


def test_hard_links_are_written_together() -> None:
    archive = [entry("a", is_master=True), entry("b", link="a", size=0, has_content=False)]
    assert reckon(archive, [entry("a")], MERGE).written == {"a", "b"}
    assert reckon(archive, [entry("a")], MISSING).written == {"b"}


def test_a_digest_tells_changes_facts_and_names_apart() -> None:
    changes = Changes(create={"a"}, delete={"b"})
    digests = {
        changes.digest("id", "", "Merge"),
        changes.digest("id", "", "Mirror"),
        Changes(create={"b"}, delete={"a"}).digest("id", "", "Merge"),
        Changes(create={"a", "b"}).digest("id", "", "Merge"),
    }
    assert len(digests) == 4


OWNER = ArchiveOwner("team", "db", "main", "c1")
UNDO = UndoOf("team", "back", "main", "ab" * 32, "c1")


def test_an_undo_archive_says_so_and_is_no_schedules() -> None:
    comment = render_undo_comment(UNDO, "run-1")
    assert parse_undo_comment(comment) == UNDO
    assert parse_comment(comment) is None
    assert parse_undo_comment(render_comment(OWNER, "run-1")) is None
    name = derive_undo_name("back", dt.datetime(2026, 11, 24, 3, 0, 5, tzinfo=dt.UTC))
    assert name == "back-undo-2026-11-24T03:00:05Z"
    assert is_undo_name(name)
    assert not is_undo_name("nightly-2026-11-24T03:00:05")
    hidden = derive_undo_name("undo.checkpoint", dt.datetime(2026, 11, 24, 3, 0, 5, tzinfo=dt.UTC))
    assert hidden == "undo-checkpoint-undo-2026-11-24T03:00:05Z", "borg lists nothing that has .checkpoint in its name"


def listed(name: str, hour: int, comment: str) -> ListedArchive:
    return ListedArchive(name, name, comment, (), dt.datetime(2026, 11, 24, hour))  # noqa: DTZ001 - as borg has it


def test_the_latest_is_of_that_schedule_namespace_cluster_and_repository() -> None:
    run = RunPlan("team", Operation.PREVIEW, (RepositoryPlan("main", "/r", "none"),), cluster="c1")
    archives = [
        listed("own", 1, render_comment(OWNER, "r")),
        listed("own.checkpoint", 9, render_comment(OWNER, "r")),
        listed("other-cluster", 9, render_comment(ArchiveOwner("team", "db", "main", "c2"), "r")),
        listed("other-namespace", 9, render_comment(ArchiveOwner("teams", "db", "main", "c1"), "r")),
        listed("other-repository", 9, render_comment(ArchiveOwner("team", "db", "second", "c1"), "r")),
        listed("undo", 9, render_undo_comment(UNDO, "r")),
        listed("strange", 8, "by hand"),
    ]
    chosen = choose_latest(archives, run, LatestPlan("db"), before=None)
    assert chosen is archives[0]
    assert choose_latest(archives, run, LatestPlan("db"), before=archives[0].began) is None
    anybody = choose_latest(archives[-2:], run, LatestPlan(), before=None)
    assert anybody is archives[-1]


def test_the_nearest_names_come_first() -> None:
    assert find_nearest("nightly-2", ["weekly-1", "nightly-1", "a", "nightly-20"]) == [
        "nightly-20",
        "nightly-1",
        "weekly-1",
    ]


def test_progress_says_how_far_how_fast_and_how_long() -> None:
    far = Work(files=2931, size=3 * 1024**3).reckon(files=1204, size=round(1.2 * 1024**3), seconds=15.0)
    said = describe_progress(far)
    assert said == "restoring: 40 % (1,204 of 2,931 files, 1.2 GiB, 81.9 MiB/s, about 22 s left)"
    assert describe_progress(Work(files=3, size=0).reckon(files=None, size=10, seconds=0.0)) == (
        "restoring: 100 % (3 files, 0 B, 0 B/s, about 0 s left)"
    )


def test_a_result_too_long_loses_samples_first_and_never_what_the_operator_waits_for() -> None:
    sample = tuple(f"+ {'long/' * 100}{number}" for number in range(32))
    restore = RestoreResult(
        ResolvedArchive("night", "ab" * 32, "2026-11-24T03:00:00Z", "data"),
        size=5,
        preview=RestorePreview(create=32, overwrite=0, delete=0, digest="cd" * 32, sample=sample),
        undo_archive="back-undo-2026-11-24T03:00:05Z",
    )
    result = RunResult(Phase.FAILED, (RepositoryResult("main", Phase.FAILED, error="x" * 9000, restore=restore),))
    text = encode_result(result)
    assert len(text) <= 4096
    kept = decode_result(text).repositories[0]
    assert kept.restore is not None
    assert kept.restore.resolved == restore.resolved
    assert kept.restore.preview is not None
    assert kept.restore.preview.digest == "cd" * 32
    assert 0 < len(kept.restore.preview.sample) < 32
    assert len(kept.error or "") > 1000
    brief = decode_result(text[: len(encode_result(result, 1200))])
    assert brief.repositories[0].restore is not None
    assert encode(result) != text


def test_small_files_take_whole_blocks_and_hard_links_none_of_their_own() -> None:
    master = entry("a", is_master=True, size=1)
    entries = {"a": master, "b": entry("b", size=0, link="a"), "c": entry("c", size=4097), "d": entry("d", size=0)}
    selection = Selection("", entries, masters={"a": master})
    assert count_bytes(selection, set(entries)) == 4098
    assert count_bytes(selection, set(entries), block=4096) == 3 * 4096


def test_room_is_freed_by_what_goes_for_good_and_by_no_folder_that_stays(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("a", "alone", "other"):
        (tmp_path / name).write_bytes(b"x" * 100_000)
    for link in ("b", "c"):
        os.link(tmp_path / "a", tmp_path / link)
    os.link(tmp_path / "other", tmp_path / "kept")
    size = (tmp_path / "a").stat().st_blocks * 512
    target = Target(tmp_path, "")
    assert count_freed(Changes(overwrite={"folder", "kept"}), target) == 0
    assert count_freed(Changes(overwrite={"a", "b"}), target) == 0, "c holds it"
    assert count_freed(Changes(overwrite={"a", "b"}, delete={"c", "alone"}), target) == 2 * size
    assert count_freed(Changes(delete={"folder"}), target) == (tmp_path / "folder").stat().st_blocks * 512


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\x1c", "\r", "\f", r"\012"], ids=ascii)
def test_a_mount_is_found_whatever_its_path_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    table = tmp_path / "mountinfo"
    line = "36 35 98:0 / {} rw,noatime master:1 - ext4 /dev/root rw\n"
    table.write_bytes(os.fsencode(line.format("/") + line.format(f"{tmp_path}/a{end}b")))
    monkeypatch.setattr(room, "_MOUNTS", table)
    with pytest.raises(FaultError, match="something is mounted there"):
        check_mounts(Changes(delete={f"a{end}b".replace(r"\012", "\n")}), Target(tmp_path, ""))


def test_nothing_is_asked_through_a_link_that_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere/sub").mkdir(parents=True)
    (tmp_path / "target").mkdir()
    (tmp_path / "target/d").symlink_to(tmp_path / "elsewhere")
    target = Target(tmp_path / "target", "")
    changes = Changes(create={"d/sub/in"}, delete={"d"})
    monkeypatch.setattr(room, "is_held", lambda path, *_, **__: path.endswith("/d/sub"))
    assert find_folders_above(target, changes) == {""}
    check_flags(changes, target)
    (tmp_path / "target/d").unlink()
    (tmp_path / "target/d/sub").mkdir(parents=True)
    assert find_folders_above(target, Changes(create={"d/sub/in"})) == {"d/sub"}
    with pytest.raises(FaultError):
        check_flags(Changes(create={"d/sub/in"}), target)


def test_a_journal_that_is_set_aside_keeps_its_list_beside_those_of_another_one_of_its_name(tmp_path: Path) -> None:
    first = Journal("back", "night", "id", "digest", "undo", began=1, boot="boot", uid="first")
    second = replace(first, uid="second")
    write_list(tmp_path, "back", iter(["+ of-the-first"]))
    write_journal(tmp_path, first)
    for _ in range(2):
        set_aside(tmp_path, first)
        assert [journal.uid for journal in read_journals(tmp_path)] == ["first"]
    write_list(tmp_path, "back", iter(["+ of-the-second"]))
    write_journal(tmp_path, second)
    assert {journal.uid for journal in read_journals(tmp_path)} == {"first", "second"}
    assert read_list_of(tmp_path, first) == {"of-the-first": "+"}
    assert read_list_of(tmp_path, second) == {"of-the-second": "+"}
    assert all(is_own(path.name) for path in tmp_path.iterdir())
    remove_former(tmp_path, first)
    assert [journal.uid for journal in read_journals(tmp_path)] == ["second"]
    remove_journal(tmp_path, "back")
    assert not list(tmp_path.iterdir())


def test_a_list_that_was_set_aside_alone_goes_with_its_journal(tmp_path: Path) -> None:
    journal = Journal("back", "night", "id", "digest", "undo", began=1, boot="boot", uid="first")
    write_list(tmp_path, "back", iter(["+ a"]))
    write_journal(tmp_path, journal)
    written = (tmp_path / ".borg-restore.back.json").read_bytes()
    set_aside(tmp_path, journal)
    [aside] = tmp_path.glob("*.json")
    aside.unlink()
    (tmp_path / ".borg-restore.back.json").write_bytes(written)  # as if killed between the two renames
    assert read_list_of(tmp_path, journal) == {"a": "+"}
    remove_former(tmp_path, journal)
    assert not list(tmp_path.iterdir())

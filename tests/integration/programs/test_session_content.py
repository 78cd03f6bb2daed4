"""What a session shows of a real borg's archives: each name, each byte, each difference, whatever the names are."""

import io
import json
import os
import random
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan
from borg_contract.session.answers import Item
from borg_contract.session.request import ReadRequest, SessionOperation
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Pod
from runner_kit.session import Session, session_of
from runner_kit.trees import Gardener

HOSTILE = [
    b"b\xffd",
    b"\xed\xa0\x80half of a pair",
    b"new\nline",
    b"\x01\x1b[31mred\x7f",
    "\u200f\u05e2\u05d1\u05e8\u202efdp.exe".encode(),
    "日本語 中文 한국어".encode(),
    "Ä decomposed".encode(),
    b"\"quotes' & <script>alert(1)",
    b"%2e%2e%2f",
    b"{hostname} {{now}}",
    b"-rf --help",
    b"pp:x *?[a-z]",
    b" blanks ",
    b"a;b=c, d\\n",
    b"CON.txt",
    b"n" * 255,
]


@dataclass(frozen=True)
class World:
    """A repository with some archives of one tree, and a session that looks into it."""

    pod: Pod
    repository: RepositoryPlan
    session: Session

    @property
    def tree(self) -> Path:
        return self.pod.data


def back_up(pod: Pod, repository: RepositoryPlan, archive: str, *paths: str) -> None:
    pod.ask_borg(repository, "create", f"REPO::{archive}", *(paths or ("data",)), directory=pod.root / "sources")


def write(path: bytes, content: bytes) -> None:
    with open(path, "wb") as file:  # noqa: PTH123 - a name of bytes
        file.write(content)


def plant(root: Path) -> None:
    rng = random.Random(7)
    top = os.fsencode(root)
    os.mkdir(top + b"/hostile")  # noqa: PTH102
    for number, name in enumerate(HOSTILE):
        write(top + b"/hostile/" + name, b"content %d " % number + name)
        if number % 3 == 0:
            os.mkdir(top + b"/hostile/dir " + name[:200])  # noqa: PTH102
            write(top + b"/hostile/dir " + name[:200] + b"/inner", b"inner %d" % number)
    os.mkdir(top + b"/many")  # noqa: PTH102
    names: set[bytes] = set()
    while len(names) < 10_000:
        name = bytes(rng.choice(range(1, 256)) for _ in range(rng.randrange(1, 25))).replace(b"/", b"_")
        if name not in (b".", b".."):
            names.add(name)
    for name in names:
        write(top + b"/many/" + name, name)
    (root / "big").write_bytes(rng.randbytes(6_000_000))
    with (root / "sparse").open("wb") as sparse:
        sparse.truncate(30_000_000)
        sparse.seek(10_000_000)
        sparse.write(b"in the middle")
    (root / "empty").write_bytes(b"")
    os.link(root / "big", root / "hostile" / "linked")
    (root / "links").mkdir()
    os.link(root / "big", root / "links" / "one")
    os.link(root / "big", root / "links" / "two")
    (root / "links" / "to").symlink_to("../big")
    os.symlink(b"no\xffwhere", top + b"/links/b\xffd")  # noqa: PTH211
    os.mkfifo(root / "links" / "pipe")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    pod = Pod(tmp_path_factory.mktemp("pod"), find_borg())
    plant(pod.data)
    repository = pod.repository()
    pod.ask_borg(repository, "init", "--encryption=repokey-blake2", "REPO")
    back_up(pod, repository, "first")
    Gardener(random.Random(3)).plant(pod.data / "links", 30)
    (pod.data / "hello.txt").write_text("another hello\n")
    (pod.data / "many" / "added").write_text("new")
    os.utime(pod.data / "empty", (1, 1))
    (pod.data / "sparse").unlink()
    (pod.data / "big").chmod(0o600)
    back_up(pod, repository, "second")
    with session_of(pod, repository) as session:
        yield World(pod, repository, session)


def listed_by_borg(world: World, archive: str) -> dict[str, dict[str, object]]:
    """Return what borg says, by names as far as it can say them."""
    lines = world.pod.ask_borg(world.repository, "list", "--json-lines", f"REPO::{archive}").splitlines()
    return {item["path"]: item for item in map(json.loads, lines)}


def test_every_name_is_there_with_its_bytes(world: World) -> None:
    hostile = {os.fsencode(item.name) for item in world.session.folder("first", "data/hostile", limit=5)}
    directories = {b"dir " + name[:200] for name in HOSTILE[::3]}
    assert hostile == {*HOSTILE, *directories, b"linked"}
    many = world.session.folder("first", "data/many")
    assert sorted(os.fsencode(item.name) for item in many) == sorted(
        os.fsencode(path.name) for path in (world.tree / "many").iterdir() if path.name != "added"
    )
    assert len(many) == 10_000
    for item in many:
        assert os.fsencode(item.path) == b"data/many/" + os.fsencode(item.name)
        assert item.size == len(os.fsencode(item.name)), "its content is its name"


def test_what_is_told_of_each_entry_is_what_borg_tells(world: World) -> None:
    told = listed_by_borg(world, "second")
    compared = 0
    for item in world.session.walk("second", "data/links"):
        if "\udc80" <= max(item.path) <= "\udcff":
            continue
        of_borg = told[item.path]
        compared += 1
        assert (item.user, item.group) == (of_borg["user"], of_borg["group"])
        assert item.mode[1:] == str(of_borg["mode"])[1:]
        assert (item.mtime or "")[:19] == str(of_borg["mtime"])[:19]
        assert item.target == of_borg["linktarget"]
        if not item.target and item.type == "file":
            assert item.size == of_borg["size"]
    assert compared >= 20


def test_sizes_of_folders_are_those_of_all_below(world: World) -> None:
    told = world.pod.ask_borg(world.repository, "list", "--format={type} {size}{NL}", "REPO::first").splitlines()
    [data] = world.session.folder("first")
    # Of a symbolic link borg tells how long its target's name is.
    assert data.size == sum(int(size) for type_, size in map(str.split, told) if type_ != "l")
    assert (
        data.entries
        == world.pod.ask_borg(world.repository, "list", "--format={type}{NL}", "REPO::first").count("\n") - 1
    )


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_file_of_whatever_name_is_what_was_backed_up(world: World, number: int) -> None:
    path = "data/hostile/" + os.fsdecode(HOSTILE[number])
    answer = world.session.until_answered("file", archive="first", path=path)
    assert answer.status_code == 200, answer.text
    assert answer.content == b"content %d " % number + HOSTILE[number]
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["content-disposition"].isascii()
    assert answer.headers["content-disposition"].isprintable()


@pytest.mark.parametrize("path", ["big", "empty", "hostile/linked", "links/one", "links/two", "sparse"])
def test_large_empty_sparse_and_linked_files_are_what_was_backed_up(world: World, path: str) -> None:
    answer = world.session.until_answered("file", archive="first", path=f"data/{path}")
    wanted = b"" if path == "empty" else (world.tree / "big").read_bytes()
    if path == "sparse":
        wanted = b"".join((bytes(10_000_000), b"in the middle", bytes(20_000_000 - 13)))
    assert answer.content == wanted
    assert answer.headers["content-length"] == str(len(wanted))


def test_what_is_no_file_has_no_content(world: World) -> None:
    for path, status in (("data/links", 422), ("data/links/to", 422), ("data/links/pipe", 422), ("data/nothing", 404)):
        assert world.session.refusal("file", archive="first", path=path)[0] == status
    assert world.session.refusal("tar", archive="first", path="data/nothing")[:2] == (404, "PathsNotFound")
    assert world.session.refusal("file", archive="none", path="data/big")[:2] == (404, "ArchiveNotFound")


@pytest.mark.parametrize("path", ["", "data", "data/hostile", "data/links"])
def test_a_folder_as_tar_holds_all_of_it_under_its_own_name(world: World, path: str) -> None:
    answer = world.session.until_answered("tar", archive="first", path=path)
    assert answer.status_code == 200, answer.text
    above = path.rpartition("/")[0]
    items: dict[str, Item] = {item.path: item for item in world.session.walk("first", path)}
    with tarfile.open(fileobj=io.BytesIO(answer.content), encoding="utf-8", errors="surrogateescape") as tar:
        members = {f"{above}/{member.name}" if above else member.name: member for member in tar.getmembers()}
        assert members.keys() - {path} == items.keys()
        for name, member in members.items():
            if name == path:
                continue
            item = items[name]
            assert member.isdir() == (item.type == "directory")
            if member.isfile() and name.startswith("data/hostile/"):
                content = tar.extractfile(member)
                assert content is not None
                assert len(content.read()) == item.size
        for name in ("data/links/one", "data/links/two", "data/hostile/linked"):
            if name in members:
                linked = tar.extractfile(members[name])
                assert linked is not None
                assert linked.read() == (world.tree / "big").read_bytes()


def test_search_finds_by_parts_of_names_in_all_or_below_a_folder(world: World) -> None:
    names = [os.fsencode(item.name) for item in world.session.walk("first")]
    for q in ("quot", "ONE", "日本", "b\udcff", "\n", "linked"):
        wanted = sorted(name for name in names if q.casefold() in os.fsdecode(name).casefold())
        assert sorted(os.fsencode(item.name) for item in world.session.find("first", q)) == wanted
    assert [item.path for item in world.session.find("first", "one", "data/links")] == ["data/links/one"]


def test_what_changed_is_what_borg_says(world: World) -> None:
    lines = world.pod.ask_borg(world.repository, "diff", "--json-lines", "REPO::first", "second").splitlines()
    of_borg: dict[str, set[str]] = {}
    for line in lines:
        told = json.loads(line)
        of_borg[told["path"]] = {change["type"] for change in told["changes"]} - {"ctime"}
    of_borg = {path: kinds for path, kinds in of_borg.items() if kinds}
    ours = {change.path: change.change for change in world.session.diff("first", "second", limit=7)}
    readable = {path: kind for path, kind in ours.items() if path.isascii() or path in of_borg}
    assert {path for path in readable if path.isascii()} == {
        path for path in of_borg if path.isascii() and "?" not in path
    }
    for path, kind in readable.items():
        if path not in of_borg:
            continue
        kinds = of_borg[path]
        if kind in ("added", "removed"):
            assert any(each.startswith(kind) for each in kinds), (path, kinds)
        elif kind == "modified":
            assert kinds & {"modified", "changed link"}, (path, kinds)
        else:
            assert not kinds & {"modified", "added", "removed"}, (path, kinds)
    assert ours["data/hello.txt"] == "modified"
    assert ours["data/empty"] == "changed"
    assert ours["data/sparse"] == "removed"
    assert ours["data/many/added"] == "added"
    assert ours["data/big"] == "changed"


def test_one_file_is_followed_through_the_archives(world: World) -> None:
    answer = world.session.versions("data/hello.txt")
    assert [version.archive for version in answer.items] == ["second", "first"]
    assert [version.item.size for version in answer.items if version.item] == [14, 6]
    assert [version.same for version in answer.items] == [False, False]
    assert (answer.looked, answer.total, answer.next) == (2, 2, "")
    same = world.session.versions("data/hostile/b\udcffd")
    assert [version.same for version in same.items] == [True, False]
    gone = world.session.versions("data/sparse", limit=1)
    assert [version.item for version in gone.items] == [None]
    older = world.session.versions("data/sparse", limit=1, after=gone.next)
    assert [version.item.size for version in older.items if version.item] == [30_000_000]


def test_a_file_that_an_archive_has_twice_is_the_last_one(world: World) -> None:
    (world.tree / "twice").write_text("once and again")
    back_up(world.pod, world.repository, "overlap", "data/twice", "data/hello.txt", "data/twice")
    refreshed = world.session.until_answered("file", archive="overlap", path="data/twice")
    while refreshed.status_code == 404:
        world.session.archives()
        refreshed = world.session.until_answered("file", archive="overlap", path="data/twice")
    assert refreshed.content == b"once and again"


def test_twenty_look_at_once(world: World) -> None:
    asked = [ReadRequest(SessionOperation.TREE, archive="first", path="data/many", limit=50 + n) for n in range(60)]
    asked += [ReadRequest(SessionOperation.FIND, archive="first", q=chr(97 + n)) for n in range(20)]
    pairs = [(world.session.url(each), world.session.sign(each)) for each in asked]

    def get(pair: tuple[str, str]) -> int:
        return world.session.client.get(pair[0], headers={"authorization": f"Bearer {pair[1]}"}).status_code

    with ThreadPoolExecutor(20) as readers:
        assert set(readers.map(get, pairs)) == {200}

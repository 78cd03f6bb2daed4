"""Folders that lead to what is restored, and of which the archive tells nothing: whose they become."""

import errno
import os
import stat
from pathlib import Path

import pytest

from borg_runner.restore.archive.entry import Entry
from borg_runner.restore.archive.scope import Selection
from borg_runner.restore.preview.changes import Changes
from borg_runner.restore.preview.target import Target
from borg_runner.restore.untold import finish_above, make_untold

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")


def entry(path: str, mode: int, uid: int, gid: int | None = None) -> Entry:
    return Entry(path, mode, 0, 0, 0, None, uid, uid if gid is None else gid)


def make(target: Path, *entries: Entry, unfinished: frozenset[str] = frozenset()) -> None:
    """Make what leads to the entries."""
    selection = Selection("", {item.path: item for item in entries})
    above = {str(folder) for item in entries for folder in Path(item.path).parents} - {"."}
    changes = Changes(create=set(selection.entries), untold=above, unfinished=set(unfinished))
    make_untold(Target(target, ""), selection, changes, keeps_owner=True)


def see(path: Path) -> tuple[int, int]:
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid


FILE = entry("a/b/f", stat.S_IFREG | 0o640, 1000)


def test_what_lies_above_the_files_of_several_owners_is_nobodys_of_them(tmp_path: Path) -> None:
    docs = (entry(f"home/{name}/docs", stat.S_IFDIR | 0o700, uid) for name, uid in (("alice", 1001), ("bob", 1002)))
    make(tmp_path, *docs)
    assert see(tmp_path / "home") == (0o755, 0)
    assert see(tmp_path / "home/alice") == (0o700, 1001)
    assert see(tmp_path / "home/bob") == (0o700, 1002)


def test_an_owner_of_files_in_several_groups_may_write_above_them(tmp_path: Path) -> None:
    make(tmp_path, *(entry(f"a/{name}", stat.S_IFREG | 0o640, 1000, gid) for name, gid in (("f", 1000), ("g", 33))))
    assert see(tmp_path / "a") == (0o755, 1000)
    assert (tmp_path / "a").stat().st_gid == 0


def test_what_an_earlier_attempt_brought_back_counts_for_those_above_it(tmp_path: Path) -> None:
    both = (entry("a/b/f", stat.S_IFREG | 0o600, 1000), entry("a/b/g", stat.S_IFREG | 0o664, 1000))
    selection = Selection("", {item.path: item for item in both})
    changes = Changes(create={"a/b/g"}, same={"a/b/f"}, untold={"a", "a/b"}, begun={"a/b/f": "+"})
    make_untold(Target(tmp_path, ""), selection, changes, keeps_owner=True)
    assert see(tmp_path / "a/b") == (0o700, 1000)


def test_a_folder_that_somebody_made_meanwhile_stays_closed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(0o700)
    make(tmp_path, FILE)
    assert see(tmp_path / "a") == (0o700, 0)
    assert see(tmp_path / "a/b") == (0o750, 1000)


def test_a_folder_that_others_made_between_two_attempts_and_wrote_into_stays_closed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(0o700)
    (tmp_path / "a/secret").touch()
    make(tmp_path, FILE, unfinished=frozenset({"a"}))
    assert see(tmp_path / "a") == (0o700, 0)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EPERM])
def test_a_volume_that_gives_nothing_away_ends_no_restore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("borg_runner.restore.untold.os.fchown", refuse)
    make(tmp_path, FILE)
    assert see(tmp_path / "a/b") == (0o750, 0)


@pytest.mark.parametrize("uid", [0, 1000])
def test_what_an_attempt_made_and_did_not_finish_the_next_one_finishes(tmp_path: Path, uid: int) -> None:
    (tmp_path / "a").mkdir(0o700)
    os.chown(tmp_path / "a", uid, uid)
    selection, changes = Selection("", {FILE.path: FILE}), Changes(create={FILE.path}, untold={"a/b"})
    finish_above(Target(tmp_path, ""), selection, changes, {"a": "+", "a/b": "+", "a/b/f": "+"})
    make_untold(Target(tmp_path, ""), selection, changes, keeps_owner=True)
    assert see(tmp_path / "a") == (0o750, 1000)
    assert see(tmp_path / "a/b") == (0o750, 1000)


def test_a_folder_of_which_the_archive_tells_may_lie_above_one_of_which_it_does_not(tmp_path: Path) -> None:
    told, file = entry("a", stat.S_IFDIR | 0o755, 0), entry("a/b/f", stat.S_IFREG | 0o640, 1000)
    selection = Selection("", {item.path: item for item in (told, file)})
    changes = Changes(create={"a", "a/b/f"}, untold={"a/b"})
    make_untold(Target(tmp_path, ""), selection, changes, keeps_owner=True)
    assert see(tmp_path / "a") == (0o700, 0), "borg gives it what the archive tells"
    assert see(tmp_path / "a/b") == (0o750, 1000)

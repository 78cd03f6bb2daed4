"""What an interrupted `borg init` leaves is told from everything that may hold somebody's data."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from borg_runner.work.unfinished import is_unfinished

README = "This is a Borg Backup repository.\nSee https://borgbackup.readthedocs.io/\n"
PUT = b"BORG_SEG" + bytes(300)
COMMIT = b"BORG_SEG" + bytes.fromhex("40f43c250900000002")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give all that borg may have written before its first commit."""
    (tmp_path / "README").write_text(README)
    (tmp_path / "data/0").mkdir(parents=True)
    (tmp_path / "data/0/0").write_bytes(PUT)
    for name in ("config", "config-ab_1.tmp", "nonce", "lock.roster"):
        (tmp_path / name).touch()
    (tmp_path / "lock.exclusive").mkdir()
    return tmp_path


def test_what_borg_writes_before_its_first_commit_is_no_repository(folder: Path) -> None:
    assert is_unfinished(folder)


def test_a_readme_that_was_cut_is_one_of_borgs(tmp_path: Path) -> None:
    (tmp_path / "README").write_text(README[:10])
    assert is_unfinished(tmp_path)


def _link_data(folder: Path) -> None:
    (folder / "data").rename(folder.parent / "elsewhere")
    (folder / "data").symlink_to(folder.parent / "elsewhere")


def _make_folder_of(path: Path) -> None:
    """Let it be a folder of somebody else, whose README is empty."""
    path.unlink()
    path.mkdir()
    (path / "letters.txt").write_text("Dear …")
    (path.parent / "README").write_text("")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "data/0/1").write_bytes(COMMIT),
        lambda folder: (folder / "data/0/0").write_bytes(bytes(100_000)),
        lambda folder: (folder / "data/0/0").rename(folder / "data/0/x").parent.rename(folder / "data/1"),
        lambda folder: (folder / "config").unlink(),
        lambda folder: (folder / "index.1").touch(),
        lambda folder: (folder / "hints.1").touch(),
        lambda folder: (folder / "letters.txt").touch(),
        lambda folder: (folder / "README").write_text("Read me"),
        lambda folder: (folder / "README").unlink(),
        _link_data,
        lambda folder: os.utime(folder / "README", (1_000_000_000, 1_000_000_000)),
        lambda folder: _make_folder_of(folder / "config"),
        lambda folder: _make_folder_of(folder / "nonce"),
        lambda folder: (folder / "config").write_text("[server]\nport = 80\n"),
        lambda folder: (folder / "nonce").write_text("a word that nobody else knows"),
        lambda folder: (folder / "data/0/0").write_bytes(b"\x89PNG"),
        lambda folder: (folder / "config-ab_1.tmp").unlink() or (folder / "config-ab_1.tmp").symlink_to("/etc/hosts"),
    ],
    ids=[
        "commit",
        "much",
        "more",
        "no config",
        "index",
        "hints",
        "stranger",
        "readme",
        "no readme",
        "link",
        "used later",
        "folder config",
        "folder nonce",
        "config of others",
        "nonce of others",
        "data of others",
        "link to others",
    ],
)
def test_what_may_be_somebodys_data_is_not_taken_for_unfinished(folder: Path, change: Callable[[Path], object]) -> None:
    change(folder)
    assert not is_unfinished(folder)


@pytest.mark.parametrize("config", [b"", b"[repos", b"[repository]\nversion = 1\n", bytes(900)])
def test_a_config_that_was_cut_is_one_of_borgs(folder: Path, config: bytes) -> None:
    (folder / "config").write_bytes(config)
    (folder / "nonce").write_text("0000000010000017")
    (folder / "lock.roster").write_text('{"exclusive": []}')
    (folder / "lock.exclusive.12-34.tmp").mkdir()
    assert is_unfinished(folder)


def test_a_folder_that_is_not_there_or_empty_is_not_unfinished(tmp_path: Path) -> None:
    assert not is_unfinished(tmp_path)
    assert not is_unfinished(tmp_path / "nowhere")

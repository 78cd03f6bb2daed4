"""The folder of one run: nobody else's, and gone afterwards with all that scripts left in it."""

import stat
from pathlib import Path

import pytest

from borg_runner.scratch import make_unique_folder, scratch_folder


def test_it_is_new_and_private_and_gone_afterwards_whatever_is_in_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    parent = tmp_path / "tmp/deep"
    with scratch_folder(parent) as folder, scratch_folder(parent) as other:
        assert folder != other
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "a/b").mkdir(parents=True)
        (folder / "a/b/file").touch(mode=0)
        (folder / "a/link").symlink_to(kept)
        (folder / "dangling").symlink_to("nowhere")
    assert list(parent.iterdir()) == []
    assert (kept / "file").exists()


def test_it_goes_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch_folder(tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_it_is_never_one_that_somebody_else_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic_ns", lambda: 7)
    make_unique_folder(tmp_path, "run-", "")
    with pytest.raises(FileExistsError):
        make_unique_folder(tmp_path, "run-", "")

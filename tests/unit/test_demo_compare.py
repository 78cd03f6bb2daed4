"""The demo's comparison of what came back is only worth something if it notices each thing that can be lost."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "dev" / "demo.d" / "compare.py"


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_compare", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def make_tree(root: Path) -> Path:
    (root / "folder").mkdir(parents=True)
    (root / "lost+found").mkdir()
    (root / "folder" / "file").write_bytes(b"content")
    (root / "folder" / "twin").hardlink_to(root / "folder" / "file")
    (root / "folder" / "link").symlink_to("file")
    (root / os.fsdecode(b"odd \xff\n")).write_bytes(b"odd")
    (root / "mode").write_bytes(b"mode")
    with (root / "sparse").open("wb") as file:
        file.truncate(1 << 20)
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, ns=(1, 1_600_000_000_000_000_001), follow_symlinks=False)
    os.utime(root, ns=(1, 1_600_000_000_000_000_001))
    return root


def keep_times(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return `change` without what it does to the times, so that it is noticed for its own sake."""

    def changed(root: Path) -> None:
        change(root)
        for path in [root, *root.rglob("*")]:
            os.utime(path, ns=(1, 1_600_000_000_000_000_001), follow_symlinks=False)

    return changed


def break_hard_link(root: Path) -> None:
    (root / "folder" / "twin").unlink()
    (root / "folder" / "twin").write_bytes(b"content")


def retarget(root: Path) -> None:
    (root / "folder" / "link").unlink()
    (root / "folder" / "link").symlink_to("twin")


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "content": (keep_times(lambda root: _ignore((root / "mode").write_bytes(b"MODE"))), "content of 'mode'"),
    "a missing file": (keep_times(lambda root: (root / "mode").unlink()), "missing: 'mode'"),
    "a file too many": (keep_times(lambda root: (root / "more").touch()), "not in the source: 'more'"),
    "a mode": (lambda root: (root / "mode").chmod(0o4755), "mode of 'mode'"),
    "a time": (lambda root: os.utime(root / "mode", ns=(1, 1_600_000_000_000_000_000)), "mtime_ns of 'mode'"),
    "a folder's time": (lambda root: os.utime(root / "folder", ns=(1, 2)), "mtime_ns of 'folder'"),
    "a hard link": (keep_times(break_hard_link), "same_file_as of 'folder/twin'"),
    "a symbolic link": (keep_times(retarget), "target of 'folder/link'"),
    "a hole": (keep_times(lambda root: _ignore((root / "sparse").write_bytes(bytes(1 << 20)))), "holes of 'sparse'"),
    "an odd name": (keep_times(lambda root: (root / os.fsdecode(b"odd \xff\n")).unlink()), r"missing: 'odd \udcff\n'"),
}


def _ignore(_: int) -> None:
    """Take what a call returns out of the way of a lambda's type."""


def test_two_trees_that_are_alike_have_no_differences(compare: ModuleType, tmp_path: Path) -> None:
    source, restored = make_tree(tmp_path / "a"), make_tree(tmp_path / "b")
    (source / "lost+found" / "of the file system").touch()
    os.utime(source / "lost+found", ns=(1, 1_600_000_000_000_000_001))
    assert compare.find_differences(compare.read_tree(source), compare.read_tree(restored)) == []


@pytest.mark.parametrize("what", CHANGES)
def test_each_loss_is_noticed_and_named(compare: ModuleType, tmp_path: Path, what: str) -> None:
    source, restored = make_tree(tmp_path / "a"), make_tree(tmp_path / "b")
    change, expected = CHANGES[what]
    change(restored)
    (difference,) = compare.find_differences(compare.read_tree(source), compare.read_tree(restored))
    assert difference.startswith(expected)


def test_a_lost_attribute_is_noticed(compare: ModuleType, tmp_path: Path) -> None:
    source, restored = make_tree(tmp_path / "a"), make_tree(tmp_path / "b")
    try:
        os.setxattr(source / "mode", "user.tag", b"x")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    (difference,) = compare.find_differences(compare.read_tree(source), compare.read_tree(restored))
    assert difference.startswith("attributes of 'mode'")


def test_a_lost_owner_is_noticed(compare: ModuleType, tmp_path: Path) -> None:
    source, restored = make_tree(tmp_path / "a"), make_tree(tmp_path / "b")
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(restored / "mode", 12345, -1)
    (difference,) = compare.find_differences(compare.read_tree(source), compare.read_tree(restored))
    assert difference.startswith("uid of 'mode'")

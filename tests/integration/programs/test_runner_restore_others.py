"""What restores that never finished left in the target, as others that follow see it."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.restore.plan import Mode, RestorePlan
from borg_contract.run import Operation, Phase
from runner_kit.pod import Ended, Pod
from runner_kit.restoring import back_up, fail_after, restored, run

HALF = RestorePlan(name="half", uid="first", archive="night")
MISSING = replace(HALF, uid="second", mode=Mode.ONLY_MISSING)


@pytest.fixture
def target(pod: Pod) -> Path:
    folder = pod.root / "target"
    folder.mkdir()
    return folder


def named(ended: Ended) -> list[str]:
    """Return what is said to be left although it may be written in part."""
    told = (re.fullmatch(r"(.*): left as it is, .*", text) for text in ended.result.repositories[0].warnings)
    return [name for found in told if found for name in found[1].split(", ")]


def own_files(target: Path) -> list[str]:
    return [path.name for path in target.iterdir() if path.name.startswith(".borg-restore")]


def half_restore(pod: Pod, target: Path) -> None:
    """Leave files in each state of a restore that is killed: whole, begun, and not come to."""
    for name in ("replaced", "untouched", "made", "whole"):
        (pod.data / name).write_text(f"{name}, as in the archive")
    back_up(pod)
    for name in ("replaced", "untouched", "whole"):
        (target / name).write_text("of before")
    cut = "rm replaced whole; printf re >replaced; printf ma >made"
    fail_after(pod, HALF, f"cd {target}; {cut}; cp -a {pod.data}/whole whole")


@pytest.mark.parametrize("name", ["half", "other"])
@pytest.mark.parametrize("operation", [Operation.PREVIEW, Operation.RESTORE])
def test_all_that_one_began_to_write_is_named_where_only_what_is_missing_comes_back(
    pod: Pod, target: Path, name: str, operation: Operation
) -> None:
    half_restore(pod, target)
    ended = run(pod, operation, replace(MISSING, name=name))
    restored(ended)
    assert named(ended) == ["made", "replaced"]
    assert any("half restored by" in text for text in ended.result.repositories[0].warnings)
    assert not any("goes over" in text for text in ended.result.repositories[0].warnings)


def test_only_what_is_asked_for_is_named(pod: Pod, target: Path) -> None:
    half_restore(pod, target)
    assert named(run(pod, Operation.RESTORE, replace(MISSING, name="other", paths=("made", "whole")))) == ["made"]


def test_after_another_boot_nothing_that_was_touched_counts_as_whole(pod: Pod, target: Path) -> None:
    half_restore(pod, target)
    journal = target / ".borg-restore.half.json"
    journal.write_text(re.sub('"boot": "[^"]*"', '"boot": "another"', journal.read_text()))
    assert named(run(pod, Operation.RESTORE, MISSING)) == ["made", "replaced", "whole"]


def test_a_folder_that_was_half_emptied_is_named(pod: Pod, target: Path) -> None:
    (pod.data / "d").write_text("d is a file")
    back_up(pod)
    (target / "d/e").mkdir(parents=True)
    for name in "xy":
        (target / "d/e" / name).write_text(name)
    fail_after(pod, HALF, f"mkdir -p {target}/d/e; printf x >{target}/d/e/x")
    assert "d" in named(run(pod, Operation.RESTORE, MISSING))


def test_a_folder_that_has_neither_these_attributes_nor_those_is_named(pod: Pod, target: Path) -> None:
    pod.user = []  # the test made the folder, and it is stripped as its owner
    for folder, value in ((pod.data / "d", b"1"), (target / "d", b"2")):
        folder.mkdir()
        try:
            os.setxattr(folder, "user.a", value)
        except OSError:
            pytest.skip("the file system keeps no attributes")
    os.utime(target / "d", (0, 0))
    back_up(pod)
    fail_after(pod, HALF, "true")
    assert os.listxattr(target / "d") == []
    assert named(run(pod, Operation.RESTORE, MISSING)) == ["d"]


def leave_half(pod: Pod, target: Path) -> None:
    """Leave a file half restored that no later backup has."""
    (pod.data / "db").write_text("db, as in the archive")
    back_up(pod)
    (target / "db").write_text("of before")
    fail_after(pod, HALF, f"rm {target}/db; printf db >{target}/db")
    (pod.data / "db").unlink()
    back_up(pod, "later")


@pytest.mark.parametrize("name", ["half", "other"])
def test_one_of_an_archive_without_a_half_restored_file_does_not_make_up_for_it(
    pod: Pod, target: Path, name: str
) -> None:
    leave_half(pod, target)
    ended = run(pod, Operation.RESTORE, RestorePlan(name=name, uid="second", archive="later"))
    restored(ended)
    assert named(ended) == ["db"]
    for operation in (Operation.PREVIEW, Operation.RESTORE):
        assert named(run(pod, operation, replace(MISSING, name="third", uid="third"))) == ["db"]
    done = run(pod, Operation.RESTORE, replace(HALF, uid="fourth"))
    restored(done)
    assert named(done) == []
    assert own_files(target) == []


def test_one_that_deletes_it_makes_up_for_it(pod: Pod, target: Path) -> None:
    leave_half(pod, target)
    mirror = RestorePlan(name="other", uid="second", archive="later", mode=Mode.MIRROR)
    ended = run(pod, Operation.RESTORE, mirror)
    restored(ended)
    assert (named(ended), own_files(target)) == ([], [])
    assert run(pod, Operation.RESTORE, mirror).result.phase is Phase.COMPLETED


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.MIRROR])
def test_what_came_between_its_attempts_brings_no_half_restored_file_back(pod: Pod, target: Path, mode: Mode) -> None:
    (pod.data / "db").write_text("db, as in the archive")
    back_up(pod)
    (target / "db").write_text("of before")
    cut = f"rm -f {target}/db; printf db >{target}/db"
    fail_after(pod, HALF, cut)
    (target / "hello.txt").write_text("of the application")
    fail_after(pod, HALF, cut)
    [late] = json.loads((target / ".borg-restore.half.json").read_text())["late"]
    ended = run(pod, Operation.RESTORE, RestorePlan(name="again", uid="b", archive=late, mode=mode))
    restored(ended)
    assert (target / "hello.txt").read_text() == "of the application"
    assert "db" in named(ended)
    assert "db" in named(run(pod, Operation.RESTORE, replace(MISSING, name="third")))


def test_a_folder_above_that_is_half_restored_is_told(pod: Pod, target: Path) -> None:
    source = pod.root / "source"
    for folder in (pod.data / "sub", source, target / "sub"):
        folder.mkdir()
        (folder / "db").write_text("of before")
    back_up(pod)
    pod.ask_borg(pod.repository(), "create", "REPO::plain", "db", directory=source)
    fail_after(pod, HALF, f"rm {target}/sub/db; printf db >{target}/sub/db")
    plan = RestorePlan(name="other", archive="plain", mode=Mode.ONLY_MISSING, folder="sub")
    for operation in (Operation.PREVIEW, Operation.RESTORE):
        [text] = run(pod, operation, plan).result.repositories[0].warnings
        assert 'a folder above was half restored by BorgRestore "half"' in text

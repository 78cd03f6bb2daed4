"""What others write while a restore is half done, between an attempt that was killed and the next one."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.restore.plan import Mode, RestorePlan
from borg_contract.run import Operation
from runner_kit.pod import Pod
from runner_kit.restoring import back_up, fail_after, fail_in_a_file, restored, run


@pytest.fixture
def target(pod: Pod) -> Path:
    """Give a volume with something of its own, which the archive of `back_up` has otherwise."""
    (pod.data / "changed").write_text("as in the archive")
    (pod.data / "link").symlink_to("as-in-the-archive")
    folder = pod.root / "target"
    folder.mkdir()
    (folder / "changed").write_text("what was there")
    (folder / "surplus").write_text("what was there")
    return folder


def write_meanwhile(target: Path) -> dict[str, str]:
    """Write as an application that came back: where something is to be made, replaced and deleted."""
    (target / "link").unlink(missing_ok=True)
    (target / "link").symlink_to("of-the-application")
    written = {name: f"of the application: {name}" for name in ("hello.txt", "changed", "surplus")}
    for name, text in written.items():
        (target / name).write_text(text)
    return written


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.MIRROR])
def test_what_is_replaced_then_is_in_an_undo_archive_of_its_own_which_is_named(
    pod: Pod, target: Path, mode: Mode
) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod), mode=mode)
    fail_in_a_file(pod, plan, target / "hello.txt")
    written = write_meanwhile(target)
    ended = run(pod, Operation.RESTORE, plan)
    first = restored(ended).undo_archive
    assert first is not None
    assert (target / "hello.txt").read_text() == "hello\n"
    [told] = [text for text in ended.result.repositories[0].warnings if "written since the restore began" in text]
    assert "hello.txt" in told
    _, late, *_ = told.split('"')
    assert late != first

    restored(run(pod, Operation.RESTORE, RestorePlan(name="again", archive=late)))
    replaced = written if mode is Mode.MIRROR else {**written, "surplus": written["surplus"]}
    assert {name: (target / name).read_text() for name in replaced} == replaced
    assert (target / "link").readlink() == Path("of-the-application")
    restored(run(pod, Operation.RESTORE, RestorePlan(name="undo", archive=first, mode=Mode.MIRROR)))
    assert (target / "changed").read_text() == "what was there"
    assert not (target / "hello.txt").exists()


def test_it_is_named_by_every_attempt_that_follows(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod))
    fail_in_a_file(pod, plan, target / "hello.txt")
    (target / "changed").write_text("of the application")
    fail_in_a_file(pod, plan, target / "hello.txt")
    (target / "changed").write_text("of the application, later")
    warnings = run(pod, Operation.RESTORE, plan).result.repositories[0].warnings
    assert any("What was written between its attempts" in text for text in warnings)
    assert any("written since the restore began" in text for text in warnings)


def test_without_undo_it_is_told(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod), undo=False)
    fail_in_a_file(pod, plan, target / "hello.txt")
    write_meanwhile(target)
    ended = run(pod, Operation.RESTORE, plan)
    assert restored(ended).undo_archive is None
    assert any(
        "with `undo: false` nothing has what that held" in text for text in ended.result.repositories[0].warnings
    )


def test_what_is_there_by_then_is_left_alone_where_only_what_is_missing_comes_back(pod: Pod, target: Path) -> None:
    (pod.data / "begun").write_text("helium")
    plan = RestorePlan(name="back", archive=back_up(pod), mode=Mode.ONLY_MISSING)
    fail_in_a_file(pod, plan, target / "begun")
    written = write_meanwhile(target)
    ended = run(pod, Operation.RESTORE, plan)
    restored(ended)
    assert {name: (target / name).read_text() for name in written} == written
    assert (target / "link").readlink() == Path("of-the-application")
    assert (target / "begun").read_text() == "helium", "that was the restore's own"
    assert any("hello.txt" in text and "so left alone" in text for text in ended.result.repositories[0].warnings)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_file_that_was_merely_begun_is_nobody_elses(pod: Pod, target: Path, mode: Mode) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod), mode=mode)
    fail_in_a_file(pod, plan, target / "hello.txt")
    ended = run(pod, Operation.RESTORE, plan)
    restored(ended)
    assert (target / "hello.txt").read_text() == "hello\n"
    assert ended.result.repositories[0].warnings == ()


@pytest.mark.parametrize("mode", list(Mode))
def test_figures_are_of_all_attempts(pod: Pod, target: Path, mode: Mode) -> None:
    (pod.data / "more").write_text("of the archive")
    plan = RestorePlan(name="back", archive=back_up(pod), mode=mode)
    meant = restored(run(pod, Operation.PREVIEW, plan)).preview
    assert meant is not None
    as_it_was = f"cp -p {pod.data}/more {target}/more"
    fail_after(pod, plan, f"{as_it_was}; printf he >{target}/hello.txt")
    found = restored(run(pod, Operation.RESTORE, plan))
    assert found.preview == replace(meant, digest=found.preview.digest if found.preview else "")
    assert (found.files, found.deleted) == (meant.create + meant.overwrite, meant.delete)
    assert found.bytes == meant.bytes


def forget_the_boot(target: Path) -> None:
    """Let the next attempt find that the node was started anew since."""
    [journal] = target.glob(".borg-restore.*.json")
    journal.write_text(re.sub('"boot": "[^"]*"', '"boot": "another"', journal.read_text()))


@pytest.mark.parametrize("boots", [False, True], ids=["same boot", "another boot"])
@pytest.mark.parametrize("mode", list(Mode))
def test_nothing_that_the_restore_itself_had_made_is_anybody_elses(
    pod: Pod, target: Path, mode: Mode, *, boots: bool
) -> None:
    sub = pod.data / "sub"
    sub.mkdir(mode=0o755)
    (sub / "in").write_text("helium")
    (pod.data / "a").write_text("linked")
    os.link(pod.data / "a", pod.data / "b")
    os.mkfifo(pod.data / "pipe")
    plan = RestorePlan(name="back", archive=back_up(pod), mode=mode)
    made = f"cd {pod.data} && cp -a a b link pipe {target}/; mkdir -m 700 {target}/sub; printf he >{target}/sub/in"
    fail_after(pod, plan, made)
    if boots:
        forget_the_boot(target)
    ended = run(pod, Operation.RESTORE, plan)
    restored(ended)
    assert ended.result.repositories[0].warnings == ()
    assert (target / "sub").stat().st_mode == sub.stat().st_mode
    assert (target / "sub/in").read_text() == "helium"
    assert (target / "a").samefile(target / "b")
    assert (target / "pipe").is_fifo()


def test_what_is_moved_there_with_times_of_before_is_of_others_too(pod: Pod, target: Path) -> None:
    aside = pod.root / "aside"
    aside.mkdir()
    (aside / "hello.txt").write_text("older than the restore")
    plan = RestorePlan(name="back", archive=back_up(pod))
    fail_after(pod, plan, "true")
    (aside / "hello.txt").rename(target / "hello.txt")
    ended = run(pod, Operation.RESTORE, plan)
    assert any("hello.txt: written since the restore began" in text for text in ended.result.repositories[0].warnings)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
@pytest.mark.parametrize("name", [".borg-restore.x.json", ".borg-restore.back.json", ".borg-restore.back.list"])
def test_what_is_called_like_a_journal_and_is_none_holds_nothing_up(
    pod: Pod, target: Path, name: str, make: object
) -> None:
    assert callable(make)
    make(target / name)
    plan = RestorePlan(name="back", archive=back_up(pod))
    restored(run(pod, Operation.RESTORE, replace(plan, name="other")))
    assert run(pod, Operation.RESTORE, plan).result.phase.finished, "it may fail, where its own name is taken"


def test_a_forged_journal_is_none(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod))
    (target / ".borg-restore.x.json").write_text('{"restore": "x", "earlier": null}')
    restored(run(pod, Operation.RESTORE, plan))

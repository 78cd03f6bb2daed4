"""What others write while a restore is under way: beside its undo archive, and between two of its attempts."""

import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.restore.plan import Mode, RestorePlan
from borg_contract.result import RepositoryResult
from borg_contract.run import Operation
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Ended, Pod, during
from runner_kit.restoring import back_up, fail_after, fail_in_a_file, failed, restored, run


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
    assert any("What others wrote since it began" in text for text in warnings)
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


def test_without_undo_a_crash_of_the_node_gives_nobody_elses_file_away(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod), mode=Mode.ONLY_MISSING, undo=False)
    fail_after(pod, plan, f"printf he >{target}/hello.txt")
    forget_the_boot(target)
    restored(run(pod, Operation.RESTORE, plan))
    assert (target / "hello.txt").read_text() == "hello\n", "that was the restore's own"
    (target / "hello.txt").unlink()
    fail_after(pod, plan, "true")
    (target / "hello.txt").write_text("of the application")
    forget_the_boot(target)
    ended = run(pod, Operation.RESTORE, plan)
    restored(ended)
    assert (target / "hello.txt").read_text() == "of the application"
    assert any("hello.txt: not as in the archive, and left" in text for text in ended.result.repositories[0].warnings)


def test_what_was_there_before_is_named_also_when_the_archive_is_gone_by_then(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    plan = RestorePlan(name="back", uid="u1", archive=archive)
    resolved = restored(run(pod, Operation.PREVIEW, plan)).resolved
    assert resolved is not None
    plan = replace(plan, archive_id=resolved.id)
    fail_in_a_file(pod, plan, target / "hello.txt")
    pod.ask_borg(pod.repository(), "delete", f"REPO::{archive}")
    told = failed(run(pod, Operation.RESTORE, plan))
    assert told.reason == "ArchiveNotFound"
    assert told.restore is not None
    assert told.restore.undo_archive is not None
    assert told.restore.undo_archive in (told.error or "")
    assert "This attempt changed nothing" in (told.error or "")
    assert "Nothing was changed" not in (told.error or "")


def test_what_the_restore_touched_itself_by_a_hard_link_is_not_called_written(pod: Pod, target: Path) -> None:
    for name in "ab":
        (pod.data / name).write_text(f"{name} of the archive")
    (target / "a").write_text("old")
    os.link(target / "a", target / "b")
    plan = RestorePlan(name="back", archive=back_up(pod))
    fail_after(pod, plan, f"rm {target}/a; cp -p {pod.data}/a {target}/a")
    ended = run(pod, Operation.RESTORE, plan)
    restored(ended)
    [told] = ended.result.repositories[0].warnings
    assert "b: touched since the restore began" in told
    assert "Merge" not in told


def in_place(pod: Pod, archive: str) -> RestorePlan:
    """Return a restore into what was backed up."""
    (pod.root / "target").symlink_to(pod.root / "sources")
    return RestorePlan(name="back", archive=archive, folder="data")


def test_nothing_is_made_below_what_others_put_in_a_folders_place(pod: Pod) -> None:
    (pod.data / "shared").mkdir()
    for name in "xy":
        (pod.data / "shared" / name).write_text("of the archive")
    archive = back_up(pod)
    target = pod.data
    with (target / "shared/x").open("w") as file:
        file.write("of today")
    plan = in_place(pod, archive)
    fail_after(pod, plan, "true")
    elsewhere = pod.root / "elsewhere"
    (target / "shared").rename(elsewhere)
    (target / "shared").symlink_to(elsewhere)
    ended = run(pod, Operation.RESTORE, plan)
    restored(ended)
    assert (target / "shared").is_symlink()
    assert (elsewhere / "x").read_text() == "of today"
    assert any("shared/x" in text and "left alone" in text for text in ended.result.repositories[0].warnings)


def test_what_an_archive_has_twice_is_not_called_anybody_elses(pod: Pod, target: Path) -> None:
    (pod.data / "sub").mkdir()
    (pod.data / "sub/f").write_text("whole content")
    back_up(pod)
    pod.ask_borg(pod.repository(), "create", "REPO::twice", "sources/data", "sources/data/sub", directory=pod.root)
    plan = RestorePlan(name="back", archive="twice", mode=Mode.ONLY_MISSING)
    file = target / "sources/data/sub/f"
    fail_after(pod, plan, f"mkdir -p {file.parent}; printf whole >{file}")
    ended = run(pod, Operation.RESTORE, plan)
    restored(ended)
    assert any("f: not as in the archive, and left alone" in text for text in ended.result.repositories[0].warnings)
    assert not any("written since the restore began" in text for text in ended.result.repositories[0].warnings)


def test_a_folder_that_an_attempt_touched_is_not_among_the_figures(pod: Pod) -> None:
    folder = pod.data / "d"
    folder.mkdir()
    for name in "xy":
        (folder / name).write_text("of the archive")
    archive = back_up(pod)
    (folder / "x").write_text("of today")
    plan = in_place(pod, archive)
    meant = restored(run(pod, Operation.PREVIEW, plan)).preview
    assert meant is not None
    assert meant.same == 3, "hello.txt, the folder, and y in it"
    fail_after(pod, plan, f"rm {folder}/x; printf of >{folder}/x")
    found = restored(run(pod, Operation.RESTORE, plan))
    assert found.preview is not None
    assert (found.preview.overwrite, found.preview.same) == (meant.overwrite, meant.same)
    assert found.preview.sample == meant.sample
    assert found.files == meant.create + meant.overwrite


def test_a_journal_that_names_another_restore_than_its_own_is_none(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod))
    fail_after(pod, plan, "true")
    [journal] = target.glob(".borg-restore.*.json")
    forged = journal.read_text().replace('"restore": "back"', '"restore": "x/../../outside"')
    assert forged != journal.read_text()
    (target / ".borg-restore.x").mkdir()
    (target / ".borg-restore.x.json").write_text(forged)
    outside = target.parent / "outside.json"
    outside.write_text("somebody's")
    run(pod, Operation.RESTORE, replace(plan, mode=Mode.MIRROR))
    assert outside.read_text() == "somebody's"


def test_only_the_undo_archive_of_before_makes_up_for_a_half_done_restore(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="half", archive=back_up(pod))
    fail_in_a_file(pod, plan, target / "hello.txt")
    (target / "hello.txt").write_text("of the application")
    fail_in_a_file(pod, plan, target / "hello.txt")
    [journal] = target.glob(".borg-restore.half.json")
    [late] = json.loads(journal.read_text())["late"]
    restored(
        run(pod, Operation.RESTORE, RestorePlan(name="of-late", archive=late, mode=Mode.MIRROR, paths=("hello.txt",)))
    )
    assert journal.exists()


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


def restore_beside(pod: Pod, plan: RestorePlan, script: str) -> Ended:
    """Restore, and let a shell do what the script says once the undo archive has read the target."""
    during(
        pod,
        "extract",
        f'case "$*" in *--dry-run*) [ -e {pod.root}/did ] || {{ {script}; touch {pod.root}/did; }} ;; esac',
    )
    ended = run(pod, Operation.RESTORE, plan)
    pod.borg = find_borg()
    return ended


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.MIRROR])
def test_what_is_written_once_the_undo_archive_has_read_it_is_archived_too(pod: Pod, target: Path, mode: Mode) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod), mode=mode)
    names = ["hello.txt", "changed", *(["surplus"] if mode is Mode.MIRROR else [])]
    ended = restore_beside(pod, plan, "; ".join(f"echo precious >{target}/{name}" for name in names))
    first = restored(ended).undo_archive
    assert (target / "hello.txt").read_text() == "hello\n"
    [told] = ended.result.repositories[0].warnings
    assert "written since the restore began, and replaced now" in told
    _, late, *_ = told.split('"')
    assert late != first
    restored(run(pod, Operation.RESTORE, RestorePlan(name="again", archive=late)))
    assert {(target / name).read_text() for name in names} == {"precious\n"}


def test_only_missing_leaves_alone_what_came_while_the_undo_archive_was_made(pod: Pod, target: Path) -> None:
    (pod.data / "sub").mkdir()
    (pod.data / "sub/in").write_text("of the archive")
    plan = RestorePlan(name="back", archive=back_up(pod), mode=Mode.ONLY_MISSING)
    ended = restore_beside(pod, plan, f"echo precious >{target}/hello.txt; echo precious >{target}/sub")
    restored(ended)
    assert (target / "hello.txt").read_text() == (target / "sub").read_text() == "precious\n"
    assert (target / "link").is_symlink()
    assert any("so left alone, as OnlyMissing does" in text for text in ended.result.repositories[0].warnings)


def test_nothing_more_is_archived_where_nobody_writes(pod: Pod, target: Path) -> None:
    os.utime(target / "changed", (2_000_000_000, 2_000_000_000))  # as caches do that keep there until when it is good
    ended = run(pod, Operation.RESTORE, RestorePlan(name="back", archive=back_up(pod), mode=Mode.MIRROR))
    restored(ended)
    assert ended.result.repositories[0].warnings == ()
    assert len(pod.archives(pod.repository())) == 2


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.MIRROR])
def test_what_a_link_leads_to_is_not_what_is_replaced(pod: Pod, target: Path, mode: Mode) -> None:
    (pod.data / "d").mkdir()
    (pod.data / "d/in").write_text("of the archive")
    elsewhere = pod.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "in").write_text("of the pod")
    (target / "d").symlink_to(elsewhere)
    ended = run(pod, Operation.RESTORE, RestorePlan(name="back", archive=back_up(pod), mode=mode))
    restored(ended)
    assert ended.result.repositories[0].warnings == ()
    assert (target / "d/in").read_text() == "of the archive"
    assert (elsewhere / "in").read_text() == "of the pod"
    assert len(pod.archives(pod.repository())) == 2


@pytest.mark.parametrize("link", ["d", "d/sub"])
def test_what_is_above_is_not_asked_for_through_a_link_that_goes(pod: Pod, link: str) -> None:
    back_up(pod)
    source, target, elsewhere = pod.root / "source", pod.root / "target", pod.root / "elsewhere"
    (source / "d/sub/deep").mkdir(parents=True)
    (source / "d/sub/deep/in").write_text("of the archive")
    pod.ask_borg(pod.repository(), "create", "REPO::other", "d/sub/deep/in", directory=source)
    for folder in (elsewhere / "sub/deep", elsewhere / "deep"):
        folder.mkdir(parents=True)
        os.utime(folder, (1_000_000_000, 1_000_000_000))
    (target / link).parent.mkdir(parents=True)
    (target / link).symlink_to(elsewhere)
    undo = restored(run(pod, Operation.RESTORE, RestorePlan(name="back", archive="other"))).undo_archive
    assert undo is not None
    assert (target / "d/sub/deep/in").read_text() == "of the archive"
    assert (target / "d/sub/deep").stat().st_mtime > 1_000_000_000, "that is the time of another folder"
    ended = run(pod, Operation.RESTORE, RestorePlan(name="undo", archive=undo, mode=Mode.MIRROR))
    restored(ended)
    assert ended.result.repositories[0].warnings == ()
    assert (target / link).is_symlink()


def fail_to_archive_what_came(pod: Pod, plan: RestorePlan, script: str) -> RepositoryResult:
    """Let a shell do what the script says once the undo archive has read the target, and no other archive be made."""
    did = pod.root / "did"
    during(
        pod,
        "create|extract",
        f'case "$*" in create*) [ ! -e {did} ] || exit 2 ;; *--dry-run*) {script}; touch {did} ;; esac',
    )
    result = failed(run(pod, Operation.RESTORE, plan))
    pod.borg = find_borg()
    return result


def test_nothing_is_called_half_restored_where_what_came_meanwhile_cannot_be_archived(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod))
    told = fail_to_archive_what_came(pod, plan, f"echo precious >{target}/hello.txt")
    assert (pod.root / "did").exists()
    assert "Nothing was changed" in (told.error or "")
    assert "half restored" not in (told.error or "")
    assert (target / "hello.txt").read_text() == "precious\n"
    assert [path.name for path in target.iterdir() if path.name.startswith(".borg-restore")] == []


def kill_at(pod: Pod, plan: RestorePlan, verb: str) -> None:
    """Kill the runner once it starts borg for that, but not to read back."""
    during(pod, verb, 'case "$*" in *--dry-run*|*--stdout*) ;; *) kill -9 $PPID; exit 2 ;; esac')
    with pod.running(pod.plan(operation=Operation.RESTORE, restore=plan)) as process:
        assert process.wait(60) == -signal.SIGKILL
    pod.borg = find_borg()


@pytest.mark.parametrize(
    "how", ["undo fails", "late undo fails", "journal fails", "killed at undo", "killed and again"]
)
def test_what_an_earlier_one_half_restored_is_told_however_the_next_one_of_its_name_ended(
    pod: Pod, target: Path, how: str
) -> None:
    plan = RestorePlan(name="back", uid="first", archive=back_up(pod))
    fail_in_a_file(pod, plan, target / "hello.txt")
    [journal] = target.glob(".borg-restore.*.json")
    undo = json.loads(journal.read_text())["undo_archive"]
    second, third = (replace(plan, uid=uid, mode=Mode.ONLY_MISSING) for uid in ("second", "third"))
    match how:
        case "undo fails":
            during(pod, "create", "exit 2")
            failed(run(pod, Operation.RESTORE, second))
            pod.borg = find_borg()
        case "late undo fails":
            replaces = replace(second, mode=Mode.MERGE)
            told = fail_to_archive_what_came(pod, replaces, f"echo precious >{target}/changed")
            assert "Nothing was changed" in (told.error or "")
        case "journal fails":
            in_the_way = target / ".borg-restore.back.json.new"
            in_the_way.mkdir()
            failed(run(pod, Operation.RESTORE, second))
            in_the_way.rmdir()
        case "killed at undo":
            kill_at(pod, second, "create")
        case _:
            kill_at(pod, second, "extract")
            restored(run(pod, Operation.RESTORE, second))
    ended = run(pod, Operation.RESTORE, third)
    restored(ended)
    assert (target / "hello.txt").read_text() == "he"
    warnings = ended.result.repositories[0].warnings
    assert any("hello.txt" in text and "left as it is" in text for text in warnings)
    assert any(f'"{undo}"' in text for text in warnings)
    restored(run(pod, Operation.RESTORE, replace(plan, uid="fourth")))
    assert [path.name for path in target.iterdir() if path.name.startswith(".borg-restore")] == []

"""Restores with a real borg: which archive, into what, with what pod, and what is said of it."""

import os
import shlex
import shutil
import socket
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from borg_contract.plan import SourcePlan
from borg_contract.restore.plan import LatestPlan, Mode, Ownership, RestorePlan
from borg_contract.restore.proof import DrillPlan
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from borg_runner.restore.archive import acl
from runner_kit.borg_binary import find_borg
from runner_kit.pod import PASSPHRASE, Pod, during
from runner_kit.restoring import back_up, fail_in_a_file, failed, restored, run
from runner_kit.trees import snapshot

DIES = 'case "$*" in *--dry-run*) ;; *) exit 2 ;; esac'
"""In the extraction; the undo archive is read back before."""

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")


@pytest.fixture
def target(pod: Pod) -> Path:
    folder = pod.root / "target"
    folder.mkdir()
    return folder


def test_a_volume_that_was_lost_comes_back(pod: Pod, target: Path) -> None:
    (pod.data / "sub").mkdir()
    (pod.data / "sub/file").write_text("x" * 1000)
    pod.data.chmod(0o700)
    archive = back_up(pod)
    plan = RestorePlan(name="back", archive=archive)
    told = restored(run(pod, Operation.PREVIEW, plan))
    assert told.preview is not None
    assert (told.preview.create, told.preview.overwrite, told.preview.delete) == (3, 0, 0)
    assert told.preview.sample == ("+ hello.txt", "+ sub", "+ sub/file")
    assert (told.size, told.preview.bytes) == (1006, 1006)
    assert not list(target.iterdir())
    done = restored(run(pod, Operation.RESTORE, replace(plan, digest=told.preview.digest)))
    assert (done.files, done.bytes, done.deleted, done.undo_archive) == (3, 1006, 0, None)
    assert done.verified is not None
    assert (done.verified.files, done.verified.mismatches) == (2, 0)
    assert snapshot(target) == snapshot(pod.data)


def test_without_a_target_a_preview_has_the_digest_of_an_empty_one(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod), has_target=False)
    shutil.move(target, pod.root / "elsewhere")
    told = restored(run(pod, Operation.PREVIEW, plan))
    target.mkdir()
    (target / "lost+found").mkdir()
    seen = restored(run(pod, Operation.PREVIEW, replace(plan, has_target=True)))
    assert told.preview == seen.preview


@only_root
def test_root_brings_everything_back_that_borg_keeps(pod: Pod, target: Path) -> None:
    data = pod.data
    pod.user = []
    (data / "owned").write_text("x")
    os.chown(data / "owned", 1234, 5678)
    (data / "suid").write_text("x")
    os.chown(data / "suid", 1234, 5678)
    (data / "suid").chmod(0o6755)
    (data / "capable").write_text("x")
    os.setxattr(data / "capable", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.mknod(data / "null", 0o020666, os.makedev(1, 3))
    os.mkfifo(data / "fifo")
    (data / "sparse").write_bytes(b"")
    os.truncate(data / "sparse", 64 * 1024 * 1024)
    (data / "empty").mkdir(mode=0o711)
    (data / "shared").mkdir()
    entries = acl.parse_text(b"user::rwx\nuser:nobody:r-x:65534\ngroup::r-x\nmask::r-x\nother::---\n")
    for name in (acl.ACCESS, acl.DEFAULT):
        os.setxattr(data / "shared", name, acl.render_attribute(entries))
    os.setxattr(data, acl.ACCESS, acl.render_attribute(entries))
    (data / "shared/plain").write_text("x")
    os.removexattr(data / "shared/plain", acl.ACCESS)
    for number in range(50):
        os.link(data / "owned", data / f"link{number}")
    for path in (data / "owned", data / "fifo", data / "empty", data):
        os.utime(path, ns=(0, 123_456_789))
    plan = RestorePlan(name="back", archive=back_up(pod))
    done = restored(run(pod, Operation.RESTORE, plan))
    assert done.verified is not None
    assert done.verified.mismatches == 0
    assert snapshot(target) == snapshot(data)
    assert (target / "null").stat().st_rdev == os.makedev(1, 3)
    assert (target / "sparse").stat().st_blocks < 1000


@only_root
def test_what_a_pod_cannot_bring_back_is_a_warning_with_paths(pod: Pod, target: Path) -> None:
    os.mknod(pod.data / "null", 0o020666, os.makedev(1, 3))
    plan = RestorePlan(name="back", archive=back_up(pod))
    ended = run(pod, Operation.RESTORE, plan)
    assert restored(ended).verified is not None
    assert any("1 files (null): device nodes, not made" in text for text in ended.result.repositories[0].warnings)
    assert not (target / "null").exists()
    assert (target / "hello.txt").exists()


@only_root
def test_owners_that_cannot_be_given_change_nothing_and_run_as_takes_them(pod: Pod, target: Path) -> None:
    for number in range(5):
        (pod.data / f"file{number}").write_text("x")
        os.chown(pod.data / f"file{number}", 1000 + number // 3, 1000)
    plan = RestorePlan(name="back", archive=back_up(pod))
    for operation in (Operation.PREVIEW, Operation.RESTORE):
        result = failed(run(pod, operation, plan))
        assert result.reason == "OwnershipNotPossible"
        assert "5 of 6 files" in (result.error or "")
        assert "1000:1000 (3), 1001:1000 (2)" in (result.error or "")
    assert not list(target.iterdir())
    done = restored(run(pod, Operation.RESTORE, replace(plan, ownership=Ownership.RUN_AS)))
    assert done.verified is not None
    assert (target / "file0").stat().st_uid == 0


@only_root
@pytest.mark.parametrize("mode", list(Mode))
def test_a_volumes_root_that_is_somebody_elses_stays_as_it_is_for_run_as(pod: Pod, target: Path, mode: Mode) -> None:
    """As every volume is that Kubernetes gives to the pod's group."""
    archive, stranger = back_up(pod), 10777
    read_all = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]  # borg may lie below root's home
    pod.user = ["setpriv", f"--reuid={stranger}", f"--regid={stranger}", "--clear-groups", *read_all]
    (pod.root / "dev/termination-log").touch()
    (target / "surplus").write_text("of before")
    for path in (pod.root, *pod.root.rglob("*")):
        os.chown(path, stranger, stranger)
    os.chown(target, 0, stranger)
    target.chmod(0o2775)
    plan = RestorePlan(name="back", archive=archive, mode=mode, ownership=Ownership.RUN_AS)
    done = restored(run(pod, Operation.RESTORE, plan))
    assert (target / "hello.txt").read_text() == "hello\n"
    assert (target / "hello.txt").stat().st_uid == stranger
    assert (target.stat().st_uid, target.stat().st_mode & 0o7777) == (0, 0o2775)
    assert not list(target.glob(".borg-restore.*"))
    if mode is Mode.MIRROR:
        assert done.undo_archive is not None
        undo = replace(plan, name="undo", archive=done.undo_archive)
        restored(run(pod, Operation.RESTORE, undo))
        assert [path.name for path in target.iterdir()] == ["surplus"]


@only_root
def test_what_root_writes_into_a_repository_stays_usable_for_its_owner(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    location = Path(pod.repository().location)
    for path in (location, *location.rglob("*")):
        os.chown(path, 10001, 10001)
    (target / "hello.txt").write_text("another")
    pod.user = []
    plan = RestorePlan(name="back", archive=archive)
    assert restored(run(pod, Operation.RESTORE, plan)).undo_archive
    assert {path.stat().st_uid for path in (location, *location.rglob("*"))} == {10001}


def test_an_archive_that_is_not_there_is_told_with_the_nearest(pod: Pod, target: Path) -> None:
    for name in ("nightly-1", "nightly-2", "weekly-1", "other"):
        back_up(pod, name)
    result = failed(run(pod, Operation.PREVIEW, RestorePlan(name="back", archive="nightly-3")))
    assert result.reason == "ArchiveNotFound"
    assert '"nightly-1", "nightly-2", "weekly-1"' in (result.error or "")
    known = restored(run(pod, Operation.PREVIEW, RestorePlan(name="back", archive="nightly-1"))).resolved
    assert known is not None
    pod.ask_borg(pod.repository(), "delete", "REPO::nightly-1")
    pod.ask_borg(pod.repository(), "rename", "REPO::nightly-2", "nightly-1")
    pinned = RestorePlan(name="back", archive="nightly-1", archive_id=known.id)
    result = failed(run(pod, Operation.RESTORE, pinned))
    assert result.reason == "ArchiveNotFound"
    assert "deleted or pruned meanwhile. Another one has that name now" in (result.error or "")
    assert not list(target.iterdir())


def test_the_latest_is_the_schedules_own_and_never_an_undo_archive_or_too_old(pod: Pod, target: Path) -> None:
    back_up(pod, "first")
    back_up(pod, "of-another", schedule="other")
    # Times of archives are whole seconds to whoever lists them: the newest is to be the newest.
    pod.ask_borg(
        pod.repository(),
        "create",
        f"--timestamp={datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}+00:00",
        "REPO::by-hand",
        str(pod.data),
    )
    (target / "hello.txt").write_text("changed")
    latest = RestorePlan(name="back", latest=LatestPlan(schedule="db"))
    done = restored(run(pod, Operation.RESTORE, latest))
    assert done.resolved is not None
    assert done.resolved.archive == "first"
    assert done.undo_archive is not None
    assert done.undo_archive.startswith("back-undo-")
    anybody = restored(run(pod, Operation.PREVIEW, replace(latest, latest=LatestPlan())))
    assert anybody.resolved is not None
    assert anybody.resolved.archive == "by-hand"
    for fits_none in (
        LatestPlan("db", before="2020-01-01T00:00:00Z"),
        LatestPlan("db", max_age_seconds=0),
        LatestPlan("no"),
    ):
        assert failed(run(pod, Operation.PREVIEW, replace(latest, latest=fits_none))).reason == "ArchiveNotFound"


def test_an_archive_without_a_file_is_not_the_latest_that_was_meant(pod: Pod, target: Path) -> None:
    """As a schedule makes them that goes on after a claim was lost and made anew."""
    latest = RestorePlan(name="back", latest=LatestPlan(schedule="db"))
    back_up(pod, "night-1")
    left_out = failed(run(pod, Operation.PREVIEW, replace(latest, exclude=("*",))))
    assert left_out.reason == "ArchiveEmpty"
    assert "of the 1 files that it has of the source, `paths` and `exclude` leave nothing" in (left_out.error or "")
    (pod.data / "hello.txt").unlink()
    (pod.data / "folder").mkdir()
    back_up(pod, "night-2")
    told = failed(run(pod, Operation.PREVIEW, latest))
    assert told.reason == "ArchiveEmpty"
    assert 'archive "night-2" has no file' in (told.error or "")
    assert "`latest.before`" in (told.error or "")
    assert '"night-1": `archive: night-1`' in (told.error or "")
    by_name = run(pod, Operation.RESTORE, RestorePlan(name="back", archive="night-2"))
    assert restored(by_name).files == 1
    assert by_name.result.repositories[0].warnings == ('Archive "night-2" has no file of what is to be restored.',)
    assert [path.name for path in target.iterdir()] == ["folder"]


def test_what_a_restore_adds_to_the_repository_is_counted(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    (target / "hello.txt").write_text("of before")
    ended = run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive))
    assert restored(ended).undo_archive is not None
    totals = ended.result.repositories[0].totals
    assert totals is not None
    assert totals.archives == 2
    again = run(pod, Operation.RESTORE, RestorePlan(name="again", archive=archive, undo=False))
    assert again.result.repositories[0].totals is None, "it added nothing"


def others_add(pod: Pod) -> str:
    """Return the command by which a person adds an archive."""
    person = f"env -u BORG_PASSPHRASE_FD BORG_PASSPHRASE={shlex.quote(PASSPHRASE)}"
    return f"{person} {pod.borg} create {pod.repository().location}::other {pod.data} >/dev/null"


def during_extraction(pod: Pod, command: str) -> None:
    """Let this happen when the restore itself extracts, not when it looks or an undo archive is read back."""
    during(pod, "extract", f'case "$*" in *--dry-run*|*--stdout*) ;; *) {command} ;; esac')


def test_what_others_add_while_it_extracts_is_counted_too(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    (target / "hello.txt").write_text("of before")
    during_extraction(pod, others_add(pod))
    ended = run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive))
    assert restored(ended).undo_archive is not None
    totals = ended.result.repositories[0].totals
    assert totals is not None
    assert totals.archives == 3


def test_it_is_counted_as_of_its_end_though_it_failed(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    (target / "hello.txt").write_text("of before")
    during_extraction(pod, f"{others_add(pod)}; exit 2")
    result = failed(run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive)))
    assert result.totals
    assert result.totals.archives == 3


def test_an_undo_archive_is_counted_though_its_journal_cannot_be_written(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    (target / "hello.txt").write_text("of before")
    (target / ".borg-restore.back.json").mkdir()
    result = failed(run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive)))
    assert result.totals is not None
    assert result.totals.archives == 2
    assert (target / "hello.txt").read_text() == "of before"


def test_a_file_that_is_called_like_a_restores_own_is_told(pod: Pod, target: Path) -> None:
    (pod.data / ".borg-restore.mine.json").write_text("{}")
    (pod.data / ".borg-restore").write_text("somebody's")
    archive = back_up(pod)
    ended = run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive))
    restored(ended)
    assert (target / ".borg-restore").exists()
    [told] = ended.result.repositories[0].warnings
    assert told.startswith(".borg-restore.mine.json left out")
    without = RestorePlan(name="again", archive=archive, exclude=(".borg-restore.*",))
    assert run(pod, Operation.RESTORE, without).result.repositories[0].warnings == ()


def test_undo_archives_are_in_no_prunes_way(pod: Pod, target: Path) -> None:
    template = "db-undo-{now}Z"  # as undo archives of a restore of that name are called
    (target / "hello.txt").write_text("changed")
    for _ in range(2):
        back_up(pod, template)
    first, second = pod.archives(pod.repository())
    undo = restored(run(pod, Operation.RESTORE, RestorePlan(name="db", archive=first))).undo_archive
    assert undo is not None
    plan = pod.plan(operation=Operation.PRUNE, archive_name_template=template, prune=Retention.only(keep_yearly=1))
    pruned = pod.run(plan)
    assert pruned.result.phase is Phase.COMPLETED, pruned.log
    assert set(pod.archives(pod.repository())) == {second, undo}


def test_which_source_is_asked_for_where_there_are_several(pod: Pod, target: Path) -> None:
    (pod.root / "sources/logs").mkdir()
    (pod.root / "sources/logs/today").write_text("x")
    repository = pod.repository(sources=(SourcePlan("data"), SourcePlan("logs")))
    assert pod.run(pod.plan(repository, archive_name_template="both")).code == 0
    plan = RestorePlan(name="back", archive="both")
    result = failed(run(pod, Operation.PREVIEW, plan))
    assert (result.reason, "data, logs" in (result.error or "")) == ("SourceNotFound", True)
    result = failed(run(pod, Operation.PREVIEW, replace(plan, source="log")))
    assert (result.reason, "data, logs" in (result.error or "")) == ("SourceNotFound", True)
    restored(run(pod, Operation.RESTORE, replace(plan, source="logs")))
    assert snapshot(target) == snapshot(pod.root / "sources/logs")


def test_an_archive_of_somebody_elses_is_restored_from_its_root(pod: Pod, target: Path) -> None:
    back_up(pod)
    (pod.data / "deep/er").mkdir(parents=True)
    (pod.data / "deep/er/file").write_text("x")
    os.link(pod.data / "hello.txt", pod.data / "deep/er/link")
    pod.ask_borg(pod.repository(), "create", "REPO::by-hand", ".", directory=pod.data)
    plan = RestorePlan(name="back", archive="by-hand", paths=("deep/er/link", "/deep/er/file/"), folder="in/here")
    restored(run(pod, Operation.RESTORE, plan))
    assert (target / "in/here/deep/er/link").read_text() == "hello\n"
    assert (target / "in/here/deep/er/file").read_text() == "x"
    result = failed(run(pod, Operation.PREVIEW, replace(plan, paths=("deep", "dep"))))
    assert (result.reason, '"dep"' in (result.error or "")) == ("PathsNotFound", True)


def test_a_target_that_changed_since_its_preview_is_left_alone(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod), mode=Mode.MIRROR)
    (target / "surplus").write_text("x")
    told = restored(run(pod, Operation.PREVIEW, plan))
    assert told.preview is not None
    (target / "new").write_text("x")
    before = snapshot(target)
    result = failed(run(pod, Operation.RESTORE, replace(plan, digest=told.preview.digest)))
    assert result.reason == "PreviewOutdated"
    assert snapshot(target) == before
    assert pod.archives(pod.repository()) == ["night"]


@only_root
def test_an_undo_archive_that_would_lack_something_changes_nothing(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod))
    (target / "hello.txt").write_text("secret")
    (target / "hello.txt").chmod(0)
    os.chown(target / "hello.txt", 4321, 4321)
    before = snapshot(target)
    result = failed(run(pod, Operation.RESTORE, plan))
    assert result.reason == "UndoFailed"
    assert "hello.txt" in (result.error or "")
    assert snapshot(target) == before


def test_a_restore_whose_borg_was_killed_at_the_undo_archive_may_be_tried_again(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    (target / "hello.txt").write_text("old")
    killing = pod.root / "bin/borg"
    killing.parent.mkdir(exist_ok=True)
    killing.write_text(f'#!/bin/sh\n[ "$1" != create ] || kill -9 $$\nexec {pod.borg} "$@"\n')
    killing.chmod(0o755)
    pod.borg = killing
    told = failed(run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive)))
    assert told.reason == "Killed", "by which the operator knows that it may be tried again"
    assert (target / "hello.txt").read_text() == "old"


def damage_data(pod: Pod) -> None:
    segment = max((pod.root / "repositories/main/data/0").iterdir(), key=lambda path: path.stat().st_size)
    with segment.open("r+b") as file:
        file.seek(segment.stat().st_size // 2)
        file.write(bytes(64))


def test_what_could_not_be_undone_as_the_repository_is_damaged_is_not_overwritten(pod: Pod, target: Path) -> None:
    """An undo archive shares the data of older archives, and with it their damage."""
    content = os.urandom(2_000_000)
    (pod.data / "big").write_bytes(content)
    archive = back_up(pod)
    damage_data(pod)
    (target / "big").write_bytes(content)
    (target / "big").chmod(0o600)
    before = snapshot(target)
    told = failed(run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive)))
    assert told.reason == "RepositoryDamaged", "all that finds damage marks the repository as damaged"
    assert "Nothing was changed, as the undo archive could not be made" in (told.error or "")
    assert 'file "big" of archive "back-undo-' in (told.error or "")
    assert snapshot(target) == before


@pytest.mark.parametrize("operation", [Operation.RESTORE, Operation.DRILL])
def test_the_file_and_the_archive_in_which_damage_was_found_are_named(
    pod: Pod, target: Path, operation: Operation
) -> None:
    assert not list(target.iterdir())
    for number in range(5):
        (pod.data / f"small-{number}").write_bytes(os.urandom(1000))
    (pod.data / "big").write_bytes(os.urandom(2_000_000))
    archive = back_up(pod)
    damage_data(pod)
    if operation is Operation.DRILL:
        plan = pod.plan(operation=operation, schedule="", drill=DrillPlan(schedules=("db",), sample=100))
        told = failed(pod.run(plan))
    else:
        told = failed(run(pod, operation, RestorePlan(name="back", archive=archive)))
    assert told.reason == "RepositoryDamaged"
    assert f'big" of archive "{archive}"' in (told.error or "")
    assert "small" not in (told.error or "")


def test_an_archive_whose_list_of_files_is_damaged_is_named(pod: Pod, target: Path) -> None:
    for _ in range(500):
        (pod.data / os.urandom(120).hex()).touch()
    archive = back_up(pod)
    damage_data(pod)
    told = failed(run(pod, Operation.PREVIEW, RestorePlan(name="back", archive=archive)))
    assert told.reason == "RepositoryDamaged"
    assert f'In archive "{archive}": ' in (told.error or "")
    assert not list(target.iterdir())


def test_what_would_be_lost_for_good_is_part_of_what_is_approved(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    (target / "hello.txt").write_text("old")
    plan = RestorePlan(name="back", archive=archive, undo=False)
    seen = restored(run(pod, Operation.PREVIEW, plan)).preview
    assert seen is not None
    (target / "hello.txt").write_text("precious")
    told = failed(run(pod, Operation.RESTORE, replace(plan, digest=seen.digest)))
    assert told.reason == "PreviewOutdated"
    assert (target / "hello.txt").read_text() == "precious"


@pytest.mark.parametrize("undo", [False, True])
def test_nothing_is_left_of_a_half_done_restore_by_what_covers_it(pod: Pod, target: Path, *, undo: bool) -> None:
    archive = back_up(pod)
    (target / "hello.txt").write_text("old")
    before = snapshot(target)
    during(pod, "extract", '[ -z "$(ls -A ' + str(target) + ' | grep json)" ] || exit 2')
    half = failed(run(pod, Operation.RESTORE, RestorePlan(name="half", archive=archive)))
    assert half.restore is not None
    pod.borg = find_borg()
    left = {path.name for path in target.iterdir()}
    assert left > {".borg-restore.half.json"}
    name = half.restore.undo_archive if undo else archive
    assert name is not None
    restored(run(pod, Operation.RESTORE, RestorePlan(name="whole", archive=name, mode=Mode.MIRROR, undo=False)))
    assert snapshot(target) == (before if undo else snapshot(pod.data))


def test_a_file_that_changes_while_it_is_restored_fails_the_reading_back(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod))
    file = target / "hello.txt"
    meddle = f'[ "$(echo "$@" | grep -c -- --stdout)" = 0 ] || printf HELLO > {file}'
    during(pod, "extract", meddle)
    result = failed(run(pod, Operation.RESTORE, plan))
    assert result.reason == "VerificationFailed"
    assert "hello.txt (content)" in (result.error or "")
    assert result.restore is not None
    assert result.restore.verified is not None
    assert result.restore.verified.mismatches == 1
    left = {path.name for path in target.iterdir() if "borg" in path.name}
    assert left == {".borg-restore.back.json", ".borg-restore.back.list"}


def test_the_half_restored_target_of_another_restore_is_told_and_gone_over(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    (target / "hello.txt").write_text("what was there")
    during(pod, "extract", DIES)
    result = failed(run(pod, Operation.RESTORE, RestorePlan(name="first", archive=archive)))
    assert result.restore is not None
    undo = result.restore.undo_archive
    assert undo is not None
    assert "The target may be half restored" in (result.error or "")
    assert undo in (result.error or "")
    pod.borg.write_text(pod.borg.read_text().replace("exit 2", ":"))
    ended = run(pod, Operation.RESTORE, RestorePlan(name="second", archive=archive))
    assert restored(ended)
    assert any('BorgRestore "first"' in text and undo in text for text in ended.result.repositories[0].warnings)
    assert (target / "hello.txt").read_text() == "hello\n"


FIRST, ANEW = "uid-of-the-first", "uid-of-the-one-made-anew"


def fail_half_way(pod: Pod, plan: RestorePlan) -> None:
    """Let the restore end once its journal is there, and borg be good again."""
    during(pod, "extract", DIES)
    assert "The target may be half restored" in (failed(run(pod, Operation.RESTORE, plan)).error or "")
    pod.borg.write_text(pod.borg.read_text().replace("exit 2", ":"))


@pytest.mark.parametrize("undo_before", [True, False])
def test_what_was_written_since_a_restore_failed_is_archived_by_the_one_that_is_made_anew(
    pod: Pod, target: Path, *, undo_before: bool
) -> None:
    plan = RestorePlan(name="back", uid=FIRST, archive=back_up(pod), undo=undo_before)
    (target / "hello.txt").write_text("what was there")
    fail_half_way(pod, plan)
    (target / "hello.txt").write_text("days of work")
    ended = run(pod, Operation.RESTORE, replace(plan, uid=ANEW, undo=True))
    archive = restored(ended).undo_archive
    assert archive is not None
    assert any("an earlier BorgRestore" in text for text in ended.result.repositories[0].warnings)
    restored(run(pod, Operation.RESTORE, RestorePlan(name="undo", archive=archive, mode=Mode.MIRROR, undo=False)))
    assert (target / "hello.txt").read_text() == "days of work"
    assert not [path.name for path in target.iterdir() if path.name.startswith(".borg-restore")]


def test_what_was_approved_of_a_restore_is_not_approved_of_the_one_that_is_made_anew(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", uid=FIRST, archive=back_up(pod), mode=Mode.MIRROR, undo=False)
    (target / "hello.txt").write_text("old")
    seen = restored(run(pod, Operation.PREVIEW, plan)).preview
    assert seen is not None
    fail_half_way(pod, replace(plan, digest=seen.digest))
    (target / "precious").write_text("new")
    told = failed(run(pod, Operation.RESTORE, replace(plan, uid=ANEW, digest=seen.digest)))
    assert told.reason == "PreviewOutdated"
    assert (target / "precious").exists()
    now = restored(run(pod, Operation.PREVIEW, replace(plan, uid=ANEW))).preview
    assert now is not None
    restored(run(pod, Operation.RESTORE, replace(plan, uid=ANEW, digest=now.digest)))
    assert not (target / "precious").exists()


def test_another_attempt_deletes_no_more_than_the_first_was_to_though_nothing_can_be_undone(
    pod: Pod, target: Path
) -> None:
    plan = RestorePlan(name="back", uid=FIRST, archive=back_up(pod), mode=Mode.MIRROR, undo=False)
    (target / "surplus").write_text("seen")
    fail_half_way(pod, plan)
    (target / "order").write_text("made meanwhile")
    ended = run(pod, Operation.RESTORE, plan)
    assert restored(ended)
    assert any("order: changed since the restore began" in text for text in ended.result.repositories[0].warnings)
    assert {path.name for path in target.iterdir()} == {"hello.txt", "order"}


def test_undo_archives_of_all_that_went_before_are_named(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", uid=FIRST, archive=back_up(pod))
    (target / "hello.txt").write_text("what was there")
    during(pod, "extract", DIES)
    first = failed(run(pod, Operation.RESTORE, plan)).restore
    (target / "hello.txt").write_text("days of work")
    second = failed(run(pod, Operation.RESTORE, replace(plan, uid=ANEW)))
    assert first is not None
    assert first.undo_archive is not None
    assert second.restore is not None
    assert second.restore.undo_archive not in (None, first.undo_archive)
    assert f'in this order: "{first.undo_archive}"' in (second.error or "")


@only_root
@pytest.mark.parametrize(
    ("held", "flag"),
    [("hello.txt", "i"), ("surplus", "a"), ("sub", "i"), ("sub/in", "i"), (".", "i"), ("sub", "a"), (".", "a")],
)
def test_what_nobody_may_change_is_told_before_anything_is_changed(
    pod: Pod, target: Path, *, held: str, flag: str
) -> None:
    (pod.data / "sub").mkdir()
    plan = RestorePlan(name="back", archive=back_up(pod), mode=Mode.MIRROR)
    (target / "hello.txt").write_text("old")
    (target / "surplus").write_text("more")
    (target / "sub").mkdir()
    (target / "sub/in").write_text("more")
    if subprocess.run(["chattr", f"+{flag}", target / held], check=False, capture_output=True).returncode:
        pytest.skip("this file system has no flags")
    try:
        before = snapshot(target)
        for operation in (Operation.PREVIEW, Operation.RESTORE):
            told = failed(run(pod, operation, plan))
            assert told.reason == "PermissionDenied", told
            assert f"{held} in the target: immutable or append-only" in (told.error or "")
            assert snapshot(target) == before
    finally:
        subprocess.run(["chattr", f"-{flag}", target / held], check=True)
    restored(run(pod, Operation.RESTORE, plan))
    assert {path.name for path in target.iterdir()} == {"hello.txt", "sub"}


def test_sockets_that_no_undo_brings_back_are_named(pod: Pod, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = RestorePlan(name="back", archive=back_up(pod), mode=Mode.MIRROR)
    with socket.socket(socket.AF_UNIX) as made:
        monkeypatch.chdir(target)  # the address of a socket is short
        made.bind("sock")
    ended = run(pod, Operation.RESTORE, plan)
    assert restored(ended).undo_archive is not None
    [warning] = ended.result.repositories[0].warnings
    assert warning.startswith("sock: of sockets archives hold nothing")
    assert not (target / "sock").exists()


@pytest.mark.parametrize("beside", [True, False])
def test_a_file_that_was_begun_is_finished_also_where_what_is_there_is_left_alone(
    pod: Pod, target: Path, *, beside: bool
) -> None:
    plan = RestorePlan(name="back", uid=FIRST, archive=back_up(pod), mode=Mode.ONLY_MISSING)
    if beside:
        (target / "mine").write_text("there")
    fail_in_a_file(pod, plan, target / "hello.txt")
    (target / "late").write_text("made meanwhile")
    restored(run(pod, Operation.RESTORE, plan))
    assert (target / "hello.txt").read_text() == "hello\n"
    assert {path.name for path in target.iterdir()} == {"hello.txt", "late", *(["mine"] if beside else [])}


def test_one_made_anew_that_leaves_alone_what_is_there_tells_what_the_first_one_had_begun(
    pod: Pod, target: Path
) -> None:
    plan = RestorePlan(name="back", uid=FIRST, archive=back_up(pod), mode=Mode.ONLY_MISSING)
    fail_in_a_file(pod, plan, target / "hello.txt")
    ended = run(pod, Operation.RESTORE, replace(plan, uid=ANEW))
    assert restored(ended)
    assert any("hello.txt: left as it is" in text for text in ended.result.repositories[0].warnings)
    assert list(target.glob(".borg-restore.back.*.json")), "it is half restored still"
    restored(run(pod, Operation.RESTORE, replace(plan, uid="a third", mode=Mode.MERGE)))
    assert (target / "hello.txt").read_text() == "hello\n"
    assert not list(target.glob(".borg-restore.*"))


@pytest.mark.parametrize("paths", [("sub",), ("sub", "hello.txt")])
def test_what_was_half_restored_is_told_of_until_all_of_it_was_gone_over(
    pod: Pod, target: Path, *, paths: tuple[str, ...]
) -> None:
    (pod.data / "sub").mkdir()
    (pod.data / "sub/in").write_text("in")
    plan = RestorePlan(name="back", uid=FIRST, archive=back_up(pod), paths=("sub", "hello.txt"))
    fail_in_a_file(pod, plan, target / "hello.txt")
    restored(run(pod, Operation.RESTORE, replace(plan, uid=ANEW, paths=paths)))
    covered = paths == plan.paths
    assert bool(list(target.glob(".borg-restore.*"))) is not covered
    assert ((target / "hello.txt").read_text() == "hello\n") is covered


def test_what_others_wrote_into_what_a_deleted_restore_had_brought_back_is_seen(pod: Pod, target: Path) -> None:
    (pod.data / "other").write_text("other")
    plan = RestorePlan(name="back", uid=FIRST, archive=back_up(pod), verify=False)
    meddle = f'case "$*" in *--dry-run*) ;; *) cp -p {pod.data}/other {target}/; exit 2 ;; esac'
    during(pod, "extract", meddle)
    failed(run(pod, Operation.RESTORE, plan))
    pod.borg = find_borg()
    found = (target / "other").stat()
    (target / "other").write_text("OTHER")
    os.utime(target / "other", ns=(found.st_atime_ns, found.st_mtime_ns))
    seen = restored(run(pod, Operation.PREVIEW, replace(plan, uid=ANEW))).preview
    assert seen is not None
    assert seen.sample == ("~ other", "+ hello.txt")
    restored(run(pod, Operation.RESTORE, replace(plan, uid=ANEW)))
    assert (target / "other").read_text() == "other"


def test_an_attempt_after_a_kill_names_the_undo_archives_of_earlier_ones(pod: Pod, target: Path) -> None:
    plan = RestorePlan(name="back", uid=FIRST, archive=back_up(pod))
    (target / "hello.txt").write_text("what was there")
    during(pod, "extract", DIES)
    first = failed(run(pod, Operation.RESTORE, plan)).restore
    failed(run(pod, Operation.RESTORE, replace(plan, uid=ANEW)))
    pod.borg = find_borg()
    ended = run(pod, Operation.RESTORE, replace(plan, uid=ANEW))
    assert restored(ended)
    assert first is not None
    assert any(f'"{first.undo_archive}"' in text for text in ended.result.repositories[0].warnings)

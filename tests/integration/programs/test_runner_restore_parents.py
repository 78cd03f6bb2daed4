"""Folders that lead to what is restored, of which the archive tells nothing: it was made of paths below them."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import SourcePlan
from borg_contract.restore.plan import Mode, RestorePlan
from borg_contract.run import Operation
from runner_kit.pod import Ended, Pod
from runner_kit.restoring import back_up, fail_after, restored, run
from runner_kit.trees import snapshot

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")

FILE = "usr/local/bin/app.db"
FOLDERS = ("usr", "usr/local", "usr/local/bin")


@pytest.fixture
def target(pod: Pod) -> Path:
    """Give an empty volume; what is backed up belongs to an application, with all that leads to it."""
    pod.user = []
    inner = pod.data / FILE
    inner.parent.mkdir(parents=True)
    inner.write_text("x")
    inner.chmod(0o640)
    for path in (FILE, *FOLDERS):
        os.chown(pod.data / path, 1234, 5678)
    for path in FOLDERS:
        (pod.data / path).chmod(0o2751)
    folder = pod.root / "target"
    folder.mkdir()
    return folder


def back_up_a_part(pod: Pod, path: str) -> str:
    return back_up(pod, "part", repositories=(pod.repository(sources=(SourcePlan("data", paths=(path,)),)),))


def see(target: Path, path: str) -> tuple[int, int, int]:
    found = (target / path).stat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def warned(ended: Ended) -> list[str]:
    return [text for text in ended.result.repositories[0].warnings if "the archive tells nothing of" in text]


@pytest.mark.parametrize(("path", "mode"), [(FILE, 0o750), ("usr/local/bin", 0o2751)])
def test_they_are_made_like_what_comes_first_below_them_and_named(pod: Pod, target: Path, path: str, mode: int) -> None:
    plan = RestorePlan(name="back", archive=back_up_a_part(pod, path))
    above = [folder for folder in FOLDERS if folder != path]
    seen = run(pod, Operation.PREVIEW, plan)
    preview = restored(seen).preview
    assert preview is not None
    assert {f"+ {folder}" for folder in above} <= set(preview.sample)
    assert preview.create == len(preview.sample)
    ended = run(pod, Operation.RESTORE, plan)
    for told in (seen, ended):
        [text] = warned(told)
        assert ", ".join(above) in text
    assert restored(ended).files == preview.create
    assert [see(target, folder) for folder in above] == [(mode, 1234, 5678)] * len(above)
    assert see(target, FILE) == (0o640, 1234, 5678)


def test_one_that_is_there_stays_as_it_is_and_undo_takes_away_the_others(pod: Pod, target: Path) -> None:
    archive = back_up_a_part(pod, FILE)
    (target / "usr").mkdir(0o711)
    (target / "usr/other").write_text("of before")
    for path in ("usr", "."):
        os.utime(target / path, ns=(0, 5 * 10**9))
    before = snapshot(target)
    done = restored(run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive)))
    assert see(target, "usr") == (0o711, 0, 0)
    assert see(target, "usr/local") == (0o750, 1234, 5678)
    assert (target / "usr").stat().st_mtime_ns == 5 * 10**9
    assert done.undo_archive is not None
    restored(run(pod, Operation.RESTORE, RestorePlan(name="undo", archive=done.undo_archive, mode=Mode.MIRROR)))
    assert snapshot(target) == before


@pytest.mark.parametrize("path", [FILE, "."])
def test_a_restore_that_goes_on_finishes_them(pod: Pod, target: Path, path: str) -> None:
    """Of an archive of all of it, the folders above have what the archive tells of them."""
    plan = RestorePlan(name="back", archive=back_up_a_part(pod, path), paths=(FILE,))
    made = FOLDERS[0] if path == FILE else FOLDERS[-1]  # those of which it tells nothing are made one after the other
    fail_after(pod, plan, f"cd {target}; rm -rf usr; umask 077; mkdir -p {made}")
    ended = run(pod, Operation.RESTORE, plan)
    restored(ended)
    mode = 0o750 if path == FILE else 0o2751
    assert [see(target, folder) for folder in FOLDERS] == [(mode, 1234, 5678)] * 3
    assert len(warned(ended)) == (path == FILE)
    if path == ".":
        assert snapshot(target / "usr") == snapshot(pod.data / "usr")


def test_an_archive_may_tell_of_a_folder_and_not_of_one_in_it(pod: Pod, target: Path) -> None:
    """As undo archives do: a folder that stays the same is not in them."""
    back_up(pod)
    for path in (FILE, *FOLDERS):
        (pod.data / path).chmod(0o755)
    pod.ask_borg(
        pod.repository(),
        "create",
        "--paths-from-command",
        "REPO::odd",
        "--",
        "printf",
        f"{FOLDERS[0]}\\n{FILE}\\n",
        directory=pod.data,
    )
    restored(run(pod, Operation.RESTORE, RestorePlan(name="back", archive="odd")))
    assert [see(target, folder) for folder in FOLDERS] == [(0o755, 1234, 5678)] * 3
    assert (target / FILE).read_text() == "x"


@pytest.mark.parametrize(("mode", "seen"), [(Mode.MERGE, (0o750, 1234, 5678)), (Mode.ONLY_MISSING, (0o644, 0, 0))])
def test_what_is_in_their_place_goes_or_stays_as_always(
    pod: Pod, target: Path, mode: Mode, seen: tuple[int, int, int]
) -> None:
    archive = back_up_a_part(pod, FILE)
    (target / "usr").write_text("of before")
    (target / "usr").chmod(0o644)
    before = snapshot(target)
    done = restored(run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive, mode=mode)))
    assert see(target, "usr") == seen
    if done.undo_archive:
        assert (done.deleted, (target / FILE).read_text()) == (1, "x")
        restored(run(pod, Operation.RESTORE, RestorePlan(name="undo", archive=done.undo_archive, mode=Mode.MIRROR)))
    assert snapshot(target) == before


@pytest.mark.parametrize("mode", [Mode.MERGE, Mode.ONLY_MISSING])
@pytest.mark.parametrize("path", [FILE, "."])
def test_one_that_is_made_anew_finishes_them_too_or_names_them(pod: Pod, target: Path, path: str, mode: Mode) -> None:
    """Borg gives folders what they had when it leaves them; those of which the archive tells nothing come before."""
    plan = RestorePlan(name="back", uid="first", archive=back_up_a_part(pod, path), paths=(FILE,), mode=mode)
    begun = f"mkdir -p {FOLDERS[-1]}; printf y >{FILE}" if path == "." else "rm -r usr; mkdir usr"
    fail_after(pod, plan, f"cd {target}; umask 077; {begun}")
    for operation in (Operation.PREVIEW, Operation.RESTORE):
        ended = run(pod, operation, replace(plan, uid="second"))
        left = [text for text in ended.result.repositories[0].warnings if ": left as it is" in text]
        assert [text.startswith("usr") for text in left] == [True] * (mode is Mode.ONLY_MISSING and path == ".")
    restored(ended)
    if mode is Mode.MERGE or path == FILE:
        wanted = 0o750 if path == FILE else 0o2751
        assert [see(target, folder) for folder in FOLDERS] == [(wanted, 1234, 5678)] * 3
    assert (len(list(target.iterdir())) == 1) == (mode is Mode.MERGE), "only that goes over all of it"

"""What is said of the claim that is restored into: it is not the repository's."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from borg_contract.restore.plan import Mode, Ownership, RestorePlan
from borg_contract.run import Operation
from runner_kit.pod import Pod
from runner_kit.restoring import back_up, failed, restored, run

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount, and give files away")
STRANGER = 1234


@pytest.fixture
def target(pod: Pod) -> Path:
    folder = pod.root / "target"
    folder.mkdir()
    (folder / "hello.txt").write_text("old")
    return folder


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", *words, str(folder)], check=True)
    try:
        folder.chmod(0o777)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def is_of_the_target(text: str | None) -> bool:
    return "claim that is restored into" in (text or "") and "epository" not in (text or "")


@only_root
@pytest.mark.parametrize("folder", ["", "sub"])
def test_who_may_not_write_there_hears_of_the_target(pod: Pod, target: Path, folder: str) -> None:
    archive = back_up(pod)
    os.chown(target, STRANGER, STRANGER)
    told = failed(
        run(
            pod, Operation.RESTORE, RestorePlan(name="back", archive=archive, folder=folder, ownership=Ownership.RUN_AS)
        )
    )
    assert told.reason == "PermissionDenied"
    assert is_of_the_target(told.error), told.error


@only_root
def test_who_may_not_look_there_hears_of_the_target(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    (target / "closed").mkdir(mode=0o700)
    os.chown(target / "closed", STRANGER, STRANGER)
    told = failed(run(pod, Operation.PREVIEW, RestorePlan(name="back", archive=archive, mode=Mode.MIRROR)))
    assert told.reason == "PermissionDenied"
    assert is_of_the_target(told.error), told.error


@only_root
def test_what_is_mounted_read_only_is_the_target(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    with mounted(target, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        (target / "hello.txt").write_text("old")
        subprocess.run(["mount", "-o", "remount,ro", str(target)], check=True)
        told = failed(run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive)))
    assert told.reason == "VolumeFailed"
    assert is_of_the_target(told.error), told.error


@only_root
def test_a_mount_in_a_folder_that_is_to_go_is_seen_before_anything_is_changed(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    (target / "zz").write_text("surplus")
    with mounted(target / "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        (target / "mount/in").write_text("surplus")
        plan = RestorePlan(name="back", archive=archive, mode=Mode.MIRROR)
        told = failed(run(pod, Operation.RESTORE, plan))
        assert told.reason == "InvalidArgument"
        assert (told.error or "").startswith("mount in the target: something is mounted there")
        assert (target / "zz").exists()
        restored(
            run(
                pod, Operation.RESTORE, RestorePlan(name="apart", archive=archive, mode=Mode.MIRROR, exclude=("mount",))
            )
        )
        assert (target / "mount/in").exists()


@only_root
@pytest.mark.skipif(shutil.which("mkfs.ext4") is None, reason="needs e2fsprogs")
def test_a_file_system_that_keeps_whole_seconds_is_no_difference(pod: Pod, target: Path) -> None:
    archive = back_up(pod)
    image = pod.root / "image"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-I", "128", str(image)], check=True, capture_output=True)
    with mounted(target, "-o", "loop", str(image)):
        shutil.rmtree(target / "lost+found")
        ended = run(pod, Operation.RESTORE, RestorePlan(name="back", archive=archive))
        restored(ended)
        [told] = ended.result.repositories[0].warnings
        assert told == "The target keeps times to 1 s: what comes back has no more exact ones"
        assert {path.name for path in target.iterdir()} == {"hello.txt"}

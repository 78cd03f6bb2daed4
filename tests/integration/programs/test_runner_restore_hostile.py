"""Links in a target and forged archives: nothing is written outside of the target."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from borg_contract.restore.plan import Mode, RestorePlan
from borg_contract.run import Operation
from runner_kit.pod import Pod
from runner_kit.restoring import back_up, restored, run
from runner_kit.trees import snapshot


@pytest.fixture
def target(pod: Pod) -> Path:
    folder = pod.root / "target"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(pod: Pod) -> Iterator[Path]:
    folder = pod.root / "outside"
    folder.mkdir()
    (folder / "victim").write_text("untouched")
    before = snapshot(folder)
    yield folder
    assert snapshot(folder) == before


@pytest.mark.parametrize("mode", sorted(Mode))
def test_links_in_the_target_lead_nothing_out_of_it(pod: Pod, target: Path, outside: Path, mode: Mode) -> None:
    (pod.data / "folder").mkdir()
    (pod.data / "folder/victim").write_text("from the archive")
    (pod.data / "deep/folder").mkdir(parents=True)
    (pod.data / "deep/folder/victim").write_text("from the archive")
    archive = back_up(pod)
    (target / "folder").symlink_to(outside)
    (target / "deep").symlink_to(outside)
    (target / "surplus").symlink_to(outside)
    plan = RestorePlan(name="back", archive=archive, mode=mode, paths=("folder/victim", "deep/folder"))
    ended = run(pod, Operation.RESTORE, plan)
    assert restored(ended)
    assert (target / "folder").is_symlink() is (mode is Mode.ONLY_MISSING)
    assert (target / "surplus").is_symlink()


HOSTILE = """
import sys
from borg.item import Item
from borg.archive import Archive
from borg.archiver import main
take = Archive.add_item
def add_item(self, item, *arguments, **keywords):
    take(self, item, *arguments, **keywords)
    name = item.path.rsplit("/", 1)[-1]
    if name != "zz-last":
        return
    begin = item.path.rsplit("/", 1)[0]
    facts = dict(uid=0, gid=0, user="", group="", mtime=0)
    out = {outside!r}
    for path, mode, more in [
        (begin + "/../../../outside/victim", 0o100644, dict(chunks=item.chunks)),
        ("/" + out.lstrip("/") + "/absolute", 0o100644, dict(chunks=item.chunks)),
        ("/" + item.path, 0o100644, dict(chunks=item.chunks)),
        (begin + "/door", 0o120777, dict(source=out)),
        (begin + "/door/victim", 0o100644, dict(chunks=item.chunks)),
        (begin + "/late", 0o040755, dict()),
        (begin + "/late/victim", 0o100644, dict(chunks=item.chunks)),
        (begin + "/late", 0o120777, dict(source=out)),
        (begin + "/revolving", 0o120777, dict(source=out)),
        (begin + "/revolving", 0o040700, dict()),
        (begin + "/revolving/victim", 0o100644, dict(chunks=item.chunks)),
        (begin + "/hard", 0o100644, dict(source=begin + "/door/victim")),
    ]:
        take(self, Item(path=path, mode=mode, **facts, **more), *arguments, **keywords)
Archive.add_item = add_item
sys.argv[0] = "borg"
main()
"""


@pytest.mark.parametrize("exclude", [(), ("*.none",)])
def test_a_hostile_archive_writes_nothing_outside(
    pod: Pod, target: Path, outside: Path, exclude: tuple[str, ...]
) -> None:
    (pod.data / "zz-last").write_text("from the archive")
    back_up(pod, "good")
    forger = pod.root / "forger"
    python = pod.borg.resolve().parent / "python3"
    forger.write_text(HOSTILE.format(outside=str(outside)))
    environment = {"BORG_BASE_DIR": str(pod.root / "tmp/other"), "BORG_PASSPHRASE": "", "PATH": os.environ["PATH"]}
    environment["BORG_PASSPHRASE"] = (pod.root / "secrets/borg-main.passphrase").read_text()
    comment = "borgoperator.io team/db db-1 repository=main files=data:2"
    command = [str(python), str(forger), "create", f"--comment={comment}", f"{pod.repository().location}::forged"]
    command.append(str(pod.data))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    plan = RestorePlan(name="back", archive="forged", mode=Mode.MIRROR, exclude=exclude)
    ended = run(pod, Operation.RESTORE, plan)
    print(ended.log)  # noqa: T201 - shown when the test fails
    assert (target / "hello.txt").read_text() == "hello\n"
    assert any("left out: borg never archives such paths" in text for text in ended.result.repositories[0].warnings)
    assert sorted(path.name for path in target.iterdir() if "borg" not in path.name) == ["door", "hello.txt"]

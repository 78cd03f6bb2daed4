"""Paths and sources that overlap: all is in the archive, once by each name. Borg itself passes over some of it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from borg_contract.plan import SourcePlan
from borg_contract.restore.plan import RestorePlan
from borg_contract.restore.proof import DrillPlan
from borg_contract.result import RepositoryResult
from borg_contract.run import Operation, Phase
from runner_kit.pod import Pod
from runner_kit.restoring import failed, restored, run

WHOLE = {"": 0, "hello.txt": 1, "hard": 2, "mail": 0, "mail/1": 2, "mail/2": 1}
"""By path how many links a file has."""


@pytest.fixture
def mail(pod: Pod) -> Path:
    """Make a folder with a file that has a hard link outside of it."""
    folder = pod.data / "mail"
    folder.mkdir()
    (folder / "1").write_text("one")
    (folder / "2").write_text("two")
    os.link(folder / "1", pod.data / "hard")
    return folder


def back_up(pod: Pod, *sources: SourcePlan) -> RepositoryResult:
    ended = pod.run(pod.plan(pod.repository(sources=sources), archive_name_template="night"))
    return ended.result.repositories[0]


def held(pod: Pod, name: str = "data") -> list[str]:
    """Return the paths of a source in the archive, as often as they are there."""
    paths = pod.ask_borg(pod.repository(), "list", "--format={path}{NL}", "REPO::night").splitlines()
    begin = f"{pod.root}/sources/{name}".lstrip("/")
    return sorted(path[len(begin) + 1 :] for path in paths if path == begin or path.startswith(f"{begin}/"))


@pytest.mark.parametrize(
    "paths", [(".", "mail"), ("mail", "."), ("hard", "."), (".", "mail/1", "mail"), ("mail/1", ".")]
)
@pytest.mark.usefixtures("mail")
def test_paths_that_overlap_are_archived_once_and_come_back(pod: Pod, paths: tuple[str, ...]) -> None:
    result = back_up(pod, SourcePlan("data", paths))
    assert (result.phase, result.warnings) == (Phase.COMPLETED, ())
    assert "files=data:4" in (result.comment or "")
    assert held(pod) == sorted(WHOLE)
    (pod.root / "target").mkdir()
    back = restored(run(pod, Operation.RESTORE, RestorePlan("back", archive="night")))
    assert back.verified is not None
    assert (back.verified.files, back.verified.mismatches) == (3, 0)  # hard links are one
    for path, links in WHOLE.items():
        assert not links or (pod.root / "target" / path).stat().st_nlink == links


@pytest.mark.usefixtures("mail")
def test_a_file_before_a_folder_that_holds_it_by_another_name_leaves_nothing_out(pod: Pod) -> None:
    assert back_up(pod, SourcePlan("data", ("hard", "mail"))).phase is Phase.COMPLETED
    assert held(pod) == ["hard", "mail", "mail/1", "mail/2"]


@pytest.fixture
def home(pod: Pod) -> Iterator[Path]:
    """Make another source of the same volume."""
    folder = pod.root / "sources/home"
    folder.mkdir()
    subprocess.run(["mount", "--bind", str(pod.data), str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.usefixtures("mail", "home")
def test_of_two_sources_of_one_volume_each_has_all_that_it_asks_for(pod: Pod) -> None:
    result = back_up(pod, SourcePlan("data", ("mail",)), SourcePlan("home"))
    assert (result.phase, result.warnings) == (Phase.COMPLETED, ())
    assert held(pod, "data") == ["mail", "mail/1", "mail/2"]
    assert held(pod, "home") == sorted(WHOLE)


@pytest.mark.usefixtures("mail", "home")
def test_two_sources_that_are_the_same_are_a_failure_that_says_so(pod: Pod) -> None:
    result = back_up(pod, SourcePlan("data"), SourcePlan("home"))
    assert (result.phase, result.reason) == (Phase.FAILED, "SourceUnreadable")
    assert f"{pod.root}/sources/home is the same as {pod.data} by its device and inode" in (result.error or "")


@pytest.fixture
def knotted(pod: Pod, mail: Path) -> Pod:
    """Make `night` as earlier versions did."""
    result = back_up(pod, SourcePlan("data"))
    pod.ask_borg(pod.repository(), "delete", "REPO::night")
    pod.ask_borg(pod.repository(), "create", "--comment", result.comment or "", "REPO::night", str(pod.data), str(mail))
    return pod


def test_an_archive_that_borg_made_of_paths_that_overlap_is_refused_before_anything_goes(knotted: Pod) -> None:
    target = knotted.root / "target"
    (target / "mail").mkdir(parents=True)
    (target / "mail/1").write_text("live")
    error = failed(run(knotted, Operation.RESTORE, RestorePlan("back", archive="night"))).error or ""
    assert "has mail/1 twice, the second time as hard links to themselves" in error
    assert "Nothing was changed." in error
    assert [path.name for path in target.rglob("*")] == ["mail", "1"]
    assert (target / "mail/1").read_text() == "live"
    restored(run(knotted, Operation.RESTORE, RestorePlan("back", archive="night", exclude=("mail/1",))))
    assert (target / "hard").read_text() == "one"
    assert (target / "mail/1").read_text() == "live"


def test_a_drill_of_such_an_archive_fails(knotted: Pod) -> None:
    plan = DrillPlan(schedules=("db",), sample=100, max_bytes=1 << 30)
    ended = knotted.run(knotted.plan(operation=Operation.DRILL, drill=plan))
    assert "twice, the second time as hard links to themselves" in (failed(ended).error or "")

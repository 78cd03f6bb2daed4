"""Checks and drills with a real borg: what they cover, what they find, and what damage withholds."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan
from borg_contract.restore.proof import CheckPlan, CheckResult, Drilled, DrillPlan
from borg_contract.result import RepositoryResult
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from runner_kit.pod import Ended, Pod, wait_until

FILES = 40
GONE = Drilled("another", "another-1", "2026-03-01T00:00:00Z", 0, 1, "2026-03-01T00:00:00Z")


def fill(pod: Pod, count: int = FILES, size: int = 20_000) -> None:
    folder = pod.data / "many"
    folder.mkdir()
    for number in range(count):
        (folder / f"file-{number}").write_bytes(os.urandom(size))
    (folder / "link").symlink_to("file-0")
    os.link(folder / "file-1", folder / "again")


def let_the_second_pass(pod: Pod) -> None:
    """Return when what is made from now on is not of the second in which the newest file was made.

    An archive's time has whole seconds, and a file of the same second counts as changed after it.
    """
    newest = max(path.lstat().st_ctime for path in pod.data.rglob("*"))
    wait_until(lambda: int(time.time()) > int(newest))


def drill(pod: Pod, *drilled: Drilled, **changes: object) -> Ended:
    plan = DrillPlan(schedules=("db",), sample=25, drilled=drilled)
    asked = replace(plan, **changes)  # type: ignore[arg-type]
    return pod.run(pod.plan(operation=Operation.DRILL, schedule="", drill=asked))


def only(ended: Ended) -> RepositoryResult:
    [result] = ended.result.repositories
    return result


def back_up(pod: Pod, number: int, **changes: object) -> RepositoryResult:
    ended = pod.run(pod.plan(archive_name_template=f"{{job_name}}-{number:010}", **changes))
    assert ended.result.phase.succeeded, ended.log
    return only(ended)


def segments(repository: RepositoryPlan) -> list[Path]:
    return sorted(Path(repository.location).glob("data/*/*"), key=lambda path: path.stat().st_size)


def flip_a_bit(repository: RepositoryPlan) -> None:
    segment = segments(repository)[-1]
    segment.chmod(0o600)
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)


def lose_a_segment(repository: RepositoryPlan) -> None:
    segments(repository)[-1].unlink()


def test_all_of_an_archive_is_drilled_once_its_rounds_are_over(pod: Pod) -> None:
    fill(pod)
    backup = back_up(pod, 1)
    states: list[Drilled] = []
    files = size = 0
    while not states or states[-1].covered < states[-1].files:
        ended = drill(pod, *states[-1:])
        assert ended.result.phase is Phase.COMPLETED, ended.log
        told = only(ended).drill
        assert told
        [state] = told.archives
        states.append(state)
        files, size = files + told.files, size + told.bytes
        assert told.seconds > 0
    assert [state.round for state in states] == sorted({state.round for state in states})
    assert len(states) <= states[-1].rounds == 4
    assert [state.covered for state in states] == sorted(state.covered for state in states)
    assert files == states[-1].files == FILES + 3, "each file once: hello.txt, a symbolic and a hard link too"
    assert size == states[-1].size == backup.original_size
    assert not list((pod.root / "tmp").glob("run-*")), "nothing stays"


def test_what_changed_since_is_drilled_anew_before_it_counts(pod: Pod) -> None:
    fill(pod)
    let_the_second_pass(pod)
    back_up(pod, 1)
    state: Drilled | None = None
    while state is None or state.covered < state.files:
        state = _drilled(drill(pod, *([state] if state else [])))
    for number in range(10):
        (pod.data / f"many/file-{number}").write_bytes(os.urandom(20_000))
    back_up(pod, 2)
    after = _drilled(drill(pod, state))
    assert after.archive == "db-0000000002"
    assert after.round == 0
    assert after.before == state.since
    assert after.files - 11 <= after.covered < after.files, "those that are as they were still count"
    bounded = _drilled(drill(pod, after, max_bytes=60_000))
    assert (bounded.rounds, bounded.round, bounded.before) > (4, 0, "")


def test_what_an_application_needs_is_restored_with_the_sample_and_stays(pod: Pod) -> None:
    fill(pod)
    dump = pod.data / "dump"
    dump.mkdir()
    (dump / "db.sql").write_text("select 1;\n")
    os.link(dump / "db.sql", pod.data / "latest.sql")
    back_up(pod, 1)
    (pod.root / "restored").mkdir()
    inside = str(pod.data).lstrip("/")  # in a real pod: sources/data
    ended = drill(pod, for_app=True, app_paths=(f"{inside}/dump", f"{inside}/many/file-7"))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    told = only(ended).drill
    assert told
    root = pod.root / "restored/db" / inside
    assert (root / "dump/db.sql").read_text() == "select 1;\n"
    assert (root / "many/file-7").read_bytes() == (pod.data / "many/file-7").read_bytes()
    assert (root / "latest.sql").exists(), "a hard link goes with the file"
    there = [path for path in root.rglob("*") if path.is_symlink() or path.is_file()]
    assert len(there) == told.files < FILES, "a part of the archive, and no more than was compared"
    assert not list((pod.root / "tmp").rglob("file-7")), "once"


@pytest.mark.parametrize(
    ("paths", "changes", "reason", "says"),
    [
        (("many", "not/there"), {}, "PathsNotFound", "not/there"),
        (("../../../../../../../../etc",), {}, "InvalidArgument", "leads out"),
        (("many",), {"max_bytes": 60_000}, "NotEnoughSpace", "drill.maxBytes"),
    ],
    ids=["missing", "outside", "too much"],
)
def test_what_an_application_cannot_be_given_fails_the_drill(
    pod: Pod, paths: tuple[str, ...], changes: dict[str, object], reason: str, says: str
) -> None:
    fill(pod)
    back_up(pod, 1)
    (pod.root / "restored").mkdir()
    asked = tuple(f"{pod.data}/{path}" for path in paths)
    result = only(drill(pod, for_app=True, app_paths=asked, **changes))
    assert (result.phase, result.reason) == (Phase.FAILED, reason)
    assert says in (result.error or "")


def _drilled(ended: Ended) -> Drilled:
    assert ended.result.phase is Phase.COMPLETED, ended.log
    told = only(ended).drill
    assert told
    [state] = told.archives
    return state


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"max_age_seconds": 0}, "ArchiveTooOld"),
        ({"min_files": FILES + 4}, "TooFewFiles"),
        ({"schedules": ()}, "ArchiveNotFound"),
        ({"schedules": ("another",)}, "ArchiveNotFound"),
        ({"max_bytes": 1}, "ArchiveNotFound"),
        ({"schedules": ("another", "db"), "drilled": (GONE,)}, "ArchiveNotFound"),
    ],
    ids=[
        "too old",
        "too few files",
        "no schedule",
        "another schedule",
        "nothing small enough",
        "archives that are gone",
    ],
)
def test_a_drill_that_proves_nothing_fails(pod: Pod, changes: dict[str, object], reason: str) -> None:
    fill(pod)
    (pod.data / "many/link").unlink()
    (pod.data / "many/link").write_text("xx")
    back_up(pod, 1)
    ended = drill(pod, **changes)
    assert (ended.result.phase, only(ended).reason) == (Phase.FAILED, reason), ended.log


@pytest.mark.parametrize("damage", [flip_a_bit, lose_a_segment], ids=["a flipped bit", "a missing segment"])
def test_damage_is_found_by_a_check_and_by_drills(pod: Pod, damage: Callable[[RepositoryPlan], None]) -> None:
    repository = pod.repository()
    fill(pod)
    back_up(pod, 1)
    state = _drilled(drill(pod))
    damage(repository)
    found = []
    for number in range(state.rounds):
        at = replace(state, round=(state.round + number) % state.rounds)
        ended = drill(pod, at)
        found.append(only(ended).reason)
        if ended.result.phase is Phase.FAILED:
            assert only(ended).drill is None, "nothing of it counts"
    assert set(found) - {None} <= {"RepositoryDamaged", "VerificationFailed"}
    assert set(found) - {None}, "one of the rounds needs what is gone"
    checked = pod.run(pod.plan(repository, operation=Operation.CHECK))
    assert only(checked).reason in ("CheckFailed", "RepositoryDamaged"), checked.log
    assert only(checked).check is None
    every = replace(repository, check=CheckPlan(slice_seconds=3600, data_every_seconds=3600))
    assert only(pod.run(pod.plan(every, operation=Operation.CHECK))).reason in ("CheckFailed", "RepositoryDamaged")


def test_what_a_repair_left_is_told(pod: Pod) -> None:
    repository = pod.repository()
    fill(pod)
    back_up(pod, 1)
    flip_a_bit(repository)
    pod.repair(repository)
    ended = drill(pod, sample=100)
    assert ended.result.phase is Phase.COMPLETED_WITH_WARNINGS, ended.log
    assert "zeros in their place" in only(ended).warnings[0]


def test_nothing_is_pruned_or_compacted_until_a_check_passes(pod: Pod) -> None:
    repository = replace(pod.repository(), damage='BorgRun "main-check-7": borg check found damage.')
    rules = {"prune": Retention.only(keep_daily=1), "compact_threshold": 0}
    back_up(pod, 1)
    ended = pod.run(pod.plan(repository, archive_name_template="{job_name}-0000000002", **rules))
    assert ended.result.phase is Phase.COMPLETED_WITH_WARNINGS, ended.log
    result = only(ended)
    assert (result.archive, result.prune, result.compact) == ("db-0000000002", None, None)
    assert 'Nothing was pruned or compacted, as the repository is damaged: BorgRun "main-check-7"' in result.warnings[0]
    for operation in (Operation.PRUNE, Operation.COMPACT):
        ended = pod.run(pod.plan(repository, operation=operation, **rules))
        assert (ended.result.phase, only(ended).warning_count) == (Phase.COMPLETED_WITH_WARNINGS, 1), ended.log
        assert (only(ended).prune, only(ended).compact) == (None, None)
    assert pod.archives(repository) == ["db-0000000001", "db-0000000002"]
    checked = only(pod.run(pod.plan(repository, operation=Operation.CHECK)))
    assert checked.check == CheckResult(complete=True, data=True), "what was found by reading data is looked for so"
    pruned = only(pod.run(pod.plan(pod.repository(), operation=Operation.PRUNE, **rules)))
    assert pruned.prune
    assert pod.archives(repository) == ["db-0000000002"]


def test_a_check_in_slices_goes_on_where_it_stopped_and_ends_with_the_archives(pod: Pod) -> None:
    repository = replace(pod.repository(), check=CheckPlan(slice_seconds=1))
    back_up(pod, 1)
    config = Path(repository.location) / "config"
    once = pod.run(pod.plan(repository, operation=Operation.CHECK))
    assert only(once).check == CheckResult(complete=True), once.log
    assert "Starting archive consistency check" in once.log
    # Where borg left off after a slice, as it writes it down itself.
    pod.ask_borg(repository, "config", "REPO", "last_segment_checked", "0")
    again = pod.run(pod.plan(repository, operation=Operation.CHECK))
    assert "skipping to segments >= 1" in again.log
    assert only(again).check == CheckResult(complete=True)
    assert "last_segment_checked" not in config.read_text()


@pytest.mark.parametrize(
    ("data_time", "data"),
    [("", True), ("2020-01-01T00:00:00Z", True), ("2999-01-01T00:00:00Z", False)],
    ids=["never", "long ago", "of late"],
)
def test_data_are_verified_now_and_then(pod: Pod, data_time: str, data: bool) -> None:
    plan = CheckPlan(slice_seconds=60, data_every_seconds=30 * 86400, data_time=data_time)
    back_up(pod, 1)
    checked = pod.run(pod.plan(replace(pod.repository(), check=plan), operation=Operation.CHECK))
    assert only(checked).check == CheckResult(complete=True, data=data), checked.log

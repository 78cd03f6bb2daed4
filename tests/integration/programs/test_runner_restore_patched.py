"""Files of an archive in which a repair of the repository put zeros where parts were lost."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from borg_contract.restore.plan import RestorePlan
from borg_contract.result import RepositoryResult
from borg_contract.run import Operation
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Pod, during

Go = Callable[..., RepositoryResult]


@pytest.fixture
def go(pod: Pod) -> Go:
    """Repair a repository with a damaged file; return what previews and restores of it."""
    (pod.root / "target").mkdir()
    (pod.data / "big").write_bytes(os.urandom(3_000_000))
    repository = pod.repository(encryption="none", passphrase=None)
    assert pod.run(pod.plan(repository, archive_name_template="night")).code == 0
    segment = max(Path(repository.location).glob("data/*/*"), key=lambda path: path.stat().st_size)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 255
    segment.write_bytes(data)
    pod.repair(repository)

    def run(operation: Operation, **changes: object) -> RepositoryResult:
        plan = RestorePlan(name="back", uid="first", archive="night", **changes)  # type: ignore[arg-type]
        ended = pod.run(pod.plan(repository, operation=operation, restore=plan))
        [result] = ended.result.repositories
        return result

    return run


def is_told(result: RepositoryResult) -> bool:
    return any("big: parts are lost" in text for text in result.warnings)


def test_they_are_named_before_they_replace_something_and_not_called_read_back(pod: Pod, go: Go) -> None:
    (pod.root / "target/big").write_bytes(b"good")
    assert is_told(go(Operation.PREVIEW))
    result = go(Operation.RESTORE)
    assert is_told(result)
    assert result.restore is not None
    assert result.restore.verified is not None
    assert result.restore.verified.files == 1, "hello.txt"


def test_an_attempt_that_goes_on_does_not_take_them_for_whole(pod: Pod, go: Go) -> None:
    borg = find_borg()
    during(pod, "extract", f'case "$*" in *--dry-run*|*--stdout*) ;; *) {borg} "$@" || true; exit 2 ;; esac')
    go(Operation.RESTORE, verify=False)
    pod.borg = borg
    assert is_told(go(Operation.RESTORE, verify=False))


def test_a_whole_one_that_is_still_in_its_place_stays_and_nobody_is_blamed(pod: Pod, go: Go) -> None:
    (pod.root / "target").rmdir()
    (pod.root / "target").symlink_to(pod.root / "sources")
    before = (pod.data / "big").read_bytes()
    result = go(Operation.RESTORE, folder="data")
    assert result.error is None
    assert not is_told(result)
    assert (pod.data / "big").read_bytes() == before

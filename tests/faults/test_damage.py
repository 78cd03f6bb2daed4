"""Repositories damaged between two nights: what the run says is true, it spoils nothing, and what it advises helps."""

import configparser
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from faults.ledger import read_tree
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Ended, Pod

Change = Callable[[Path], object]

KEPT = ("data/0/", "config")
"""What a failing run must leave as it is: it may add segments, and renew what borg derives from them."""


@dataclass(frozen=True)
class Damage:
    """`reason` and `words` of the next night, None when it succeeds; `remedy`: what it says is to be done."""

    name: str
    do: Change
    reason: str | None = None
    words: str = ""
    remedy: Change | None = None
    found_by_check: bool = False


def segments(repository: Path) -> list[Path]:
    return sorted(repository.glob("data/*/*"), key=lambda path: int(path.name))


def largest(repository: Path) -> Path:
    return max(segments(repository), key=lambda path: path.stat().st_size)


def flip_a_bit(repository: Path) -> None:
    content = bytearray(largest(repository).read_bytes())
    content[len(content) // 2] ^= 1
    largest(repository).write_bytes(content)


def cut(*patterns: str) -> Change:
    def do(repository: Path) -> None:
        for pattern in patterns:
            for path in repository.glob(pattern):
                os.truncate(path, path.stat().st_size // 2)

    return do


def remove(*patterns: str) -> Change:
    def do(repository: Path) -> None:
        for pattern in patterns:
            for path in repository.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return do


def bring_back(name: str) -> Change:
    def do(repository: Path) -> None:
        copy = repository.parent.parent / "copy" / name
        shutil.rmtree(repository / name) if (repository / name).is_dir() else (repository / name).unlink(
            missing_ok=True
        )
        (shutil.copytree if copy.is_dir() else shutil.copy2)(copy, repository / name)

    return do


def lose_key(repository: Path) -> None:
    config = (repository / "config").read_text().splitlines(keepends=True)
    (repository / "config").write_text("".join(line for line in config if not line.startswith(("key", "\t"))))


def interrupt_another(repository: Path) -> None:
    """Leave what the creation of another one leaves if it is killed at once."""
    remove("*")(repository)
    (repository / "README").write_text("This is a Borg Backup repository.\n")
    (repository / "config").write_text(f"[repository]\nversion = 1\nid = {'5' * 64}\n")


LOSSES = [
    pytest.param(shutil.rmtree, id="the folder"),
    pytest.param(remove("*"), id="all in it"),
    pytest.param(lambda folder: shutil.rmtree(folder.parent), id="the volume"),
    pytest.param(interrupt_another, id="all in it, and another one was begun"),
]


def known_ids(pod: Pod) -> tuple[str, ...]:
    """Return what the operator has learned from the first nights."""
    config = configparser.ConfigParser()
    config.read(pod.root / "copy/config")
    return (config["repository"]["id"],) if "repository" in config else ()


DAMAGES = [
    Damage("index cut", cut("index.*")),
    Damage("segment missing", remove("data/0/2"), "RepositoryDamaged", "bring it back", bring_back("data/0/2")),
    Damage("config missing", remove("config"), "RepositoryDamaged", "from a copy", bring_back("config")),
    Damage("index missing", remove("index.*")),
    Damage("hints cut", cut("hints.*")),
    Damage("integrity cut", cut("integrity.*"), "RepositoryDamaged", "`integrity.*`", remove("integrity.*")),
    Damage("nonce missing", remove("nonce")),
    Damage("nonce empty", lambda r: (r / "nonce").write_text(""), "RepositoryDamaged", "`nonce`", remove("nonce")),
    Damage("config empty", lambda r: (r / "config").write_text(""), "NotARepository", "`config`", bring_back("config")),
    Damage("key missing", lose_key, "RepositoryKeyMissing", "borg key import", bring_back("config")),
    Damage("all segments missing", remove("data"), "RepositoryDamaged", "bring it back", bring_back("data")),
    Damage("segment cut", cut("data/0/2"), "RepositoryDamaged", "operation Check", bring_back("data/0/2")),
    Damage("bit flipped", flip_a_bit, found_by_check=True),
]  # fmt: skip


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Pod:
    """Give a pod after two good nights, with a copy of its repository."""
    pod = Pod(tmp_path_factory.mktemp("before"), find_borg())
    for night in (1, 2):
        (pod.data / f"file {night}").write_bytes(random.Random(night).randbytes(400_000))
        assert tonight(pod, night).code == 0
    shutil.copytree(pod.repository().location, pod.root / "copy")
    return pod


@pytest.fixture
def pod(before: Pod) -> Iterator[Pod]:
    """Give that pod with its repository as it was, on the third night."""
    shutil.copytree(before.root / "var", before.root / "var as it was")
    yield before
    for folder, copy in (("repositories/main", "copy"), ("var", "var as it was")):
        shutil.rmtree(before.root / folder)
        shutil.copytree(before.root / copy, before.root / folder)
    shutil.rmtree(before.root / "var as it was")


def tonight(pod: Pod, night: int, operation: Operation = Operation.BACKUP) -> Ended:
    plan = pod.plan(
        pod.repository(repository_ids=known_ids(pod)),
        archive_name_template=f"{{job_name}}-{night}",
        operation=operation,
        prune=Retention.only(keep_daily=7),
        compact_threshold=10,
    )
    return pod.run(plan)


def compare(pod: Pod, archive: str) -> None:
    folder = pod.root / "extracted"
    folder.mkdir()
    pod.ask_borg(pod.repository(), "extract", f"REPO::{archive}", directory=folder)
    assert read_tree(folder / str(pod.data).lstrip("/")) == read_tree(pod.data)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "damage",
    [*DAMAGES[:3], *(pytest.param(damage, marks=pytest.mark.long) for damage in DAMAGES[3:])],
    ids=lambda damage: damage.name,
)
def test_a_damaged_repository_is_named_not_made_worse_and_mended_as_told(pod: Pod, damage: Damage) -> None:
    repository = Path(pod.repository().location)
    damage.do(repository)
    hurt = read_tree(repository)

    ended = tonight(pod, 3)

    print(ended.log)  # noqa: T201 - shown when the test fails
    [result] = ended.result.repositories
    assert result.reason == damage.reason
    if damage.reason is not None:
        assert damage.words in (result.error or "")
        after = read_tree(repository)
        assert {path: after.get(path) for path in hurt if path.startswith(KEPT)} == {
            path: hurt[path] for path in hurt if path.startswith(KEPT)
        }, "the run changed what was there"
        assert damage.remedy is not None
        damage.remedy(repository)
        # Borg may have found the damage only once the archive was there.
        assert result.archive is None or result.archive in pod.archives(pod.repository())
        ended = tonight(pod, 4)
    assert ended.result.phase is Phase.COMPLETED, ended.log
    if not damage.found_by_check:
        compare(pod, str(ended.result.repositories[0].archive))
    else:
        assert_check_and_its_advice_help(pod)
    pod.ask_borg(pod.repository(), "check", "--verify-data", "REPO")
    assert pod.archives(pod.repository())[:2] == ["db-1", "db-2"]


def assert_check_and_its_advice_help(pod: Pod) -> None:
    [result] = tonight(pod, 5, Operation.CHECK).result.repositories
    assert (result.reason, "Copy the repository" in (result.error or "")) == ("CheckFailed", True)
    pod.repair(pod.repository())
    again = tonight(pod, 5)
    assert again.result.phase is Phase.COMPLETED, again.log
    compare(pod, "db-5")


@pytest.mark.parametrize("lose", [LOSSES[0], *(pytest.param(lose, marks=pytest.mark.long) for lose in LOSSES[1:])])
def test_a_repository_that_had_archives_and_is_gone_is_not_made_anew_in_silence(pod: Pod, lose: Change) -> None:
    folder = Path(pod.repository().location)
    lose(folder)
    left = read_tree(pod.root / "repositories")
    for _ in range(2):
        ended = tonight(pod, 3)
        [result] = ended.result.repositories
        assert (result.phase, result.reason, result.archive) == (Phase.FAILED, "RepositoryMissing", None), ended.log
        assert f"borgoperator.io/lost-repository-id={known_ids(pod)[0]}" in (result.error or "")
        assert read_tree(pod.root / "repositories") == left
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(pod.root / "copy", folder)
    assert tonight(pod, 4).result.phase is Phase.COMPLETED
    assert pod.archives(pod.repository()) == ["db-1", "db-2", "db-4"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small volume")
def test_a_repository_volume_that_is_full_fails_the_run_and_loses_nothing(before: Pod, tmp_path: Path) -> None:
    pod = Pod(tmp_path, before.borg)
    volume = tmp_path / "repositories"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(volume)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"this machine lets nobody mount: {mounted.stderr.decode()}")
    try:
        none = replace(pod.repository(encryption="none"), passphrase=None)
        (pod.data / "file").write_bytes(random.Random(1).randbytes(20_000_000))
        assert pod.run(pod.plan(none, archive_name_template="{job_name}-1")).code == 0
        first = read_tree(pod.data)
        (pod.data / "more").write_bytes(random.Random(2).randbytes(60_000_000))
        [result] = pod.run(pod.plan(none, archive_name_template="{job_name}-2")).result.repositories
        assert (result.phase, result.reason, result.archive) == (Phase.FAILED, "DiskFull", None)
        assert "Enlarge the" in (result.error or "")
        subprocess.run(["mount", "-o", "remount,size=200m", str(volume)], check=True)
        ended = pod.run(pod.plan(none, archive_name_template="{job_name}-3"))
        assert ended.result.phase is Phase.COMPLETED, ended.log
        pod.ask_borg(none, "check", "--verify-data", "REPO")
        assert pod.archives(none) == ["db-1", "db-3"]
        (pod.data / "more").unlink()
        folder = pod.root / "extracted"
        folder.mkdir()
        pod.ask_borg(none, "extract", "REPO::db-1", directory=folder)
        found = read_tree(folder / str(pod.data).lstrip("/"))
        assert found == first
    finally:
        subprocess.run(["umount", str(volume)], check=True)

"""Whose lock may go: entries of Jobs proven dead, and of nobody else."""

import functools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from borg_contract.pod import lock_holder
from borg_runner.locks.holder import Holder, parse_entry_name
from borg_runner.locks.reading import find_lock_folders, read_holders
from borg_runner.locks.removal import remove_dead_locks
from runner_kit.pod import wait_until

DEAD = lock_holder("team", "db-1", "0a1b-dead")
ALIVE = lock_holder("team", "db-2", "0a1b-alive")
FOREIGN = "host.example.org@1234"


OURSELVES = lock_holder("team", "db-3", "0a1b-we")


def release_dead(folder: Path, dead_holders: set[str]) -> list[Holder]:
    return remove_dead_locks(folder, dead_holders, host_id=OURSELVES, patience=0.2)


def take_exclusive(folder: Path, host: str, pid: int = 7) -> None:
    (folder / "lock.exclusive").mkdir(exist_ok=True)
    (folder / "lock.exclusive" / f"{host}.{pid}-0").touch()


def take_shared(folder: Path, *hosts: str) -> None:
    (folder / "lock.roster").write_text(json.dumps({"shared": [[host, 7, 0] for host in hosts]}))


def test_an_unlocked_repository_has_no_holders(tmp_path: Path) -> None:
    assert read_holders(tmp_path) == []
    assert release_dead(tmp_path, {DEAD}) == []


@pytest.mark.parametrize("host", [DEAD, FOREIGN, "with.dots-and-dashes@0"])
def test_a_holder_is_read_from_an_exclusive_lock(tmp_path: Path, host: str) -> None:
    take_exclusive(tmp_path, host, 4711)
    assert read_holders(tmp_path) == [Holder(host, 4711, 0, exclusive=True)]


def test_a_dead_jobs_exclusive_lock_is_removed(tmp_path: Path) -> None:
    take_exclusive(tmp_path, DEAD)
    (tmp_path / "lock.roster").write_text(json.dumps({"exclusive": [[DEAD, 7, 0]]}))
    assert next(holder.host for holder in release_dead(tmp_path, {DEAD})) == DEAD
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", [ALIVE, FOREIGN])
def test_nobody_elses_exclusive_lock_is_removed(tmp_path: Path, host: str) -> None:
    take_exclusive(tmp_path, host)
    assert release_dead(tmp_path, {DEAD}) == []
    assert [holder.host for holder in read_holders(tmp_path)] == [host]


def test_a_dead_reader_leaves_the_roster_and_the_living_stay(tmp_path: Path) -> None:
    take_shared(tmp_path, DEAD, ALIVE, FOREIGN)
    assert [holder.host for holder in release_dead(tmp_path, {DEAD})] == [DEAD]
    assert [holder.host for holder in read_holders(tmp_path)] == [ALIVE, FOREIGN]
    assert [path.name for path in tmp_path.iterdir()] == ["lock.roster"]


def test_the_roster_is_left_alone_while_somebody_holds_the_exclusive_lock(tmp_path: Path) -> None:
    take_shared(tmp_path, DEAD)
    take_exclusive(tmp_path, FOREIGN)
    assert release_dead(tmp_path, {DEAD}) == []
    assert {holder.host for holder in read_holders(tmp_path)} == {DEAD, FOREIGN}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock.exclusive", "lock.roster"]


def test_the_roster_is_rewritten_under_a_lock_that_names_our_own_job(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    take_shared(tmp_path, DEAD, ALIVE)
    take_exclusive(tmp_path, FOREIGN)  # so that our entry waits where it can be seen
    remove = functools.partial(remove_dead_locks, tmp_path, {DEAD}, host_id=OURSELVES, patience=30)
    with ThreadPoolExecutor() as pool:
        removed = pool.submit(remove)
        wait_until(lambda: any(tmp_path.glob("lock.exclusive.*.tmp/*")))
        entries = [parse_entry_name(path.name) for path in tmp_path.glob("lock.exclusive.*.tmp/*")]
        # At once: emptied first, it could be taken before it is gone.
        (tmp_path / "lock.exclusive").rename(tmp_path_factory.mktemp("released") / "lock.exclusive")
        assert [holder.host for holder in removed.result(30)] == [DEAD]
    assert [entry and entry.host for entry in entries] == [OURSELVES]
    assert [holder.host for holder in read_holders(tmp_path)] == [ALIVE]
    assert [path.name for path in tmp_path.iterdir()] == ["lock.roster"]


def test_without_a_name_that_can_be_proven_dead_no_lock_is_taken_and_the_roster_stays(tmp_path: Path) -> None:
    take_shared(tmp_path, DEAD)
    assert remove_dead_locks(tmp_path, {DEAD}, host_id=None) == []
    assert [holder.host for holder in read_holders(tmp_path)] == [DEAD]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"shared": []}', '{"shared": [[1]]}', '{"shared": 5}', '{"shared": [["h", "x", 0]]}'],
)
def test_a_damaged_roster_holds_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock.roster").write_text(text)
    assert read_holders(tmp_path) == []


def test_a_malformed_entry_is_nobodys_we_know(tmp_path: Path) -> None:
    (tmp_path / "lock.exclusive").mkdir()
    (tmp_path / "lock.exclusive" / "strange").touch()
    assert read_holders(tmp_path) == []
    release_dead(tmp_path, {DEAD})
    assert (tmp_path / "lock.exclusive" / "strange").exists()


def test_locks_are_looked_for_in_a_local_repository_and_its_caches(tmp_path: Path) -> None:
    cache = tmp_path / ".cache/borg/0123"
    cache.mkdir(parents=True)
    assert find_lock_folders("/repositories/main", tmp_path) == [Path("/repositories/main"), cache]
    assert find_lock_folders("ssh://u@h/./main", tmp_path) == [cache]


def test_people_are_told_which_run_holds_a_lock() -> None:
    assert Holder(DEAD, 7, 0, exclusive=True).describe() == 'run "db-1" in namespace "team"'
    assert Holder(FOREIGN, 7, 0, exclusive=True).describe() == f'process 7 on host "{FOREIGN}"'

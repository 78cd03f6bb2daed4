"""Whose lock may go: entries of Jobs proven dead, and of nobody else."""

import functools
import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from borg_contract.plan import RepositoryPlan
from borg_contract.pod import lock_holder
from borg_runner.borg.client import Borg
from borg_runner.borg.exit_codes import LOCK_TIMEOUT
from borg_runner.borg.message import BorgMessage
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.interruption import Interruption
from borg_runner.locks import wait
from borg_runner.locks.holder import Holder, parse_entry_name
from borg_runner.locks.reading import find_lock_folders, read_holders
from borg_runner.locks.removal import remove_dead_locks
from borg_runner.locks.wait import LockWait
from borg_runner.log import Log
from borg_runner.notice import Notice
from borg_runner.verbs.repository import Repository
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


@dataclass(frozen=True, kw_only=True)
class LockedOut(Borg):
    """A borg that others keep waiting until then, by a clock that goes on only while it waits."""

    free_at: float
    now: list[float]

    def run(
        self,
        arguments: Sequence[str],
        *,
        on_note: Callable[[BorgMessage], None] | None = None,  # noqa: ARG002 - a stand-in takes what Borg takes
        asks_why: bool = True,  # noqa: ARG002
        keeps_notes: bool = True,  # noqa: ARG002
    ) -> BorgOutcome:
        if self.now[0] >= self.free_at:
            return BorgOutcome(exit_code=0, output="listed")
        self.now[0] = min(self.now[0] + max(1, int(arguments[0])), max(self.free_at, self.now[0] + 1))
        return BorgOutcome(exit_code=LOCK_TIMEOUT)


@pytest.mark.parametrize(
    ("patient", "busy", "expected"),
    [(False, 50, "listed"), (False, 300, None), (True, 300, "listed"), (True, 2000, None)],
)
def test_what_matters_is_waited_for_as_long_as_others_are_at_work_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, patient: bool, busy: float, expected: str | None
) -> None:
    said, now = io.StringIO(), [0.0]
    monkeypatch.setattr(wait, "time", SimpleNamespace(monotonic=lambda: now[0]))
    log = Log(said)
    locks = LockWait(location="/r", base_dir=tmp_path, seconds=1800, host_id=None, dead_holders=frozenset(), log=log)
    borg = LockedOut(environment={}, passphrase=None, log=log, interruption=Interruption(1.0), free_at=busy, now=now)
    repository = Repository(plan=RepositoryPlan("main", "/r", "none"), borg=borg, locks=locks, log=log)
    assert repository.ask_borg(lambda lock_wait: [str(lock_wait)], patient=patient) == expected
    assert "locked by" in said.getvalue()
    if expected is None:
        assert "borg could not be asked: The repository is locked" in said.getvalue()


def test_people_are_told_which_run_holds_a_lock() -> None:
    assert Holder(DEAD, 7, 0, exclusive=True).describe() == 'run "db-1" in namespace "team"'
    assert Holder(FOREIGN, 7, 0, exclusive=True).describe() == f'process 7 on host "{FOREIGN}"'


@pytest.mark.parametrize(
    ("host", "named"),
    [
        (DEAD, f'Locked by run "db-1" in namespace "team" ({DEAD}): waits until'),
        (FOREIGN, f'Locked by process 7 on host "{FOREIGN}": waits until'),
    ],
    ids=["ours, by which the operator knows the pod", "another's"],
)
def test_who_is_waited_for_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, named: str
) -> None:
    now, posted = [0.0], list[str]()
    monkeypatch.setattr(wait, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(Notice, "post", lambda _, words: posted.append(words))
    take_exclusive(tmp_path, host)
    log = Log(io.StringIO())
    locks = LockWait(
        location=str(tmp_path),
        base_dir=tmp_path,
        seconds=1800,
        host_id=None,
        dead_holders=frozenset(),
        log=log,
        notice=Notice(tmp_path / "notice", log),
    )
    borg = LockedOut(environment={}, passphrase=None, log=log, interruption=Interruption(1.0), free_at=50, now=now)
    assert locks.run(borg, lambda lock_wait: [str(lock_wait)]).succeeded
    assert posted
    assert posted[0].startswith(named)

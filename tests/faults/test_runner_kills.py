"""A run is killed at a random moment of each of its steps; the next one succeeds without a human, and nothing is lost.

Real borg, real repositories, real sshd. BORG_FAULTS=all makes it hundreds of kills instead of a dozen; BORG_FAULTS_SEED
chooses others. A failure names its round: `BORG_FAULTS_ROUND=<number>` with that lane's test does that one alone.
"""

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan, SshPlan
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from faults.form import ALL, SEED
from faults.ledger import KEEP, Ledger, read_tree
from runner_kit.borg_binary import find_borg
from runner_kit.killer import RUNNER, Death, Killer, Moment, Victim
from runner_kit.pod import Pod
from runner_kit.ssh_server import SshServer, serve_ssh

INIT, CHECK = "init.1", "check.1"
STEPS = ("create.1", "delete.1", INIT, "prune.1", RUNNER, "list.1", "compact.1", CHECK, "info.1")
SERVER_STEPS = ("serve.1", "serve.4", "serve.5")
"""Those that create, delete and compact."""


@dataclass(frozen=True)
class Lane:
    """Rounds, one after the other, on repositories of one sort."""

    place: str
    encryption: str
    cache: str
    rounds: int
    steps: tuple[str, ...]
    good_nights: int = KEEP + 1
    """Before the first kill; so many that there is something to prune."""

    def __str__(self) -> str:
        return f"{self.place}-{self.encryption}-{self.cache}"


LANES = (
    [
        Lane(place, encryption, cache, rounds, steps)
        for place, rounds, steps in (("local", 45, STEPS), ("ssh", 31, (*SERVER_STEPS, *STEPS)))
        for encryption in ("repokey-blake2", "none")
        for cache in ("kept", "fresh")
    ]
    if ALL
    else [
        Lane("local", "repokey-blake2", "kept", len(STEPS), STEPS),
        Lane("ssh", "none", "fresh", 2, ("serve.1", "create.1"), good_nights=1),
    ]
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with serve_ssh(tmp_path_factory.mktemp("ssh") / "server") as running:
        yield running


class Nights:
    """One schedule's runs into one repository after the other."""

    repository: RepositoryPlan
    ledger: Ledger

    def __init__(self, root: Path, lane: Lane, server: SshServer) -> None:
        self.lane, self.server = lane, server
        self.pod = Pod(root, find_borg())
        self.killer = Killer(self.pod)
        self.jobs = self.places = 0
        self._second = 0
        for number in range(6):
            folder = self.pod.data / f"folder {number}"
            folder.mkdir()
            (folder / "file").write_bytes(random.Random(number).randbytes(60_000 * number))
            (folder / "link").symlink_to("file")
        (self.pod.data / "folder 1/file").chmod(0o600)

    def begin_anew(self) -> None:
        """Take a new place for the repository, in which nothing is, and look at all of the old one."""
        if self.places:
            self.ledger.compare_all()
            shutil.rmtree(self.ledger.repository.location)
        self.places += 1
        name = f"place-{self.places}"
        path = self.pod.root / "repositories" / name
        local = self.pod.repository(encryption=self.lane.encryption, location=str(path))
        if self.lane.encryption == "none":
            local = replace(local, passphrase=None)
        self.repository = self._reach(local) if self.lane.place == "ssh" else local
        self.ledger = Ledger(self.pod, local)
        shutil.rmtree(self.pod.root / "var/cache/borg/main", ignore_errors=True)

    def _reach(self, local: RepositoryPlan) -> RepositoryPlan:
        keys = {"id": self.server.user_key, "known_hosts": self.server.known_hosts}
        ssh = SshPlan(*(self.pod.secret("borg-ssh", key, value) for key, value in keys.items()))
        location = self.server.url(Path(local.location))
        return replace(local, location=location, ssh=ssh, remote_path=str(self.pod.borg))

    def work(self, moment: Moment | None = None, **changes: object) -> Death:
        """Make a pod of a new Job, which has nothing of the last one but the volumes."""
        self.jobs += 1
        self.pod.job_uid, self.pod.job_name = f"uid-{self.jobs}", f"db-{self.jobs}"
        for folder in (self.pod.root / "tmp").glob("run-*"):
            shutil.rmtree(folder)
        if self.lane.cache == "fresh":
            shutil.rmtree(self.pod.root / "var/cache/borg/main", ignore_errors=True)
        while int(time.time()) <= self._second:  # archives are named by the second
            time.sleep(0.02)
        plan = self.pod.plan(self.repository, **{"lock_wait_seconds": 20, **self._nightly(), **changes})
        death = self.killer.run(plan, moment)
        self._second = int(time.time())
        return death

    def _nightly(self) -> dict[str, object]:
        return {"prune": Retention.only(keep_daily=KEEP), "compact_threshold": 0}

    def change_data(self, chance: random.Random) -> None:
        """Let the data be other data tonight."""
        folder = self.pod.data / f"folder {chance.randrange(6)}"
        (folder / "file").write_bytes(chance.randbytes(chance.randrange(300_000)))
        (folder / f"of night {self.jobs}").write_text("x")

    def prepare(self, chance: random.Random) -> None:
        """Let some nights go well, so that there is something to prune, and the length of each step is known."""
        self.begin_anew()
        for number in range(self.lane.good_nights):
            self.change_data(chance)
            good = self.work()
            assert good.result is not None
            self.ledger.settle(good.result, thorough=number == 0)
            if number == 0:
                self.ledger.add_archive_of_others()
        if CHECK in self.lane.steps:
            assert self.work(operation=Operation.CHECK).code == 0


def draw(chance: random.Random, step: str, *, by_write: bool) -> Moment:
    """Return a moment of `step`: at one of its writes if `by_write`, which never misses the step; else mostly."""
    if step.startswith("serve"):
        return Moment(step, chance.random(), Victim.SERVER)
    if step == RUNNER:
        return Moment(step, chance.random(), chance.choice([Victim.POD, Victim.TERM]))
    victim = chance.choice([Victim.POD, Victim.POD, Victim.BORG, Victim.TERM])
    return Moment(step, chance.random(), victim, by_write=by_write or chance.random() < 0.5)


def live_through(nights: Nights, moment: Moment, chance: random.Random) -> str:
    """Let the run die, do what the operator does, and look at everything after the next run. Return what was hit."""
    if moment.step == INIT:
        nights.begin_anew()
    nights.change_data(chance)
    tree = read_tree(nights.pod.data)
    operation = Operation.CHECK if moment.step == CHECK else Operation.BACKUP
    death = nights.work(moment, operation=operation)
    hurt = nights.pod.holder(nights.pod.job_name, nights.pod.job_uid)
    print(f"{moment}: {death.hit or 'missed'}\n{death.log}\n{death.result}")  # noqa: T201 - shown when the test fails
    if moment.victim in (Victim.TERM, Victim.BORG):
        assert death.result is not None
    if death.result is None or death.result.provisional:
        unlock = nights.work(operation=Operation.BREAK_LOCK, dead_holders=(hurt,))
        assert (unlock.code, unlock.result and unlock.result.phase) == (0, Phase.COMPLETED), unlock.log
    if chance.random() < 0.5:
        nights.change_data(chance)
    good = nights.work()
    if nights.lane.place == "ssh" and needs_a_human(good):
        print(good.log)  # noqa: T201
        shutil.rmtree(nights.ledger.repository.location)
        good = nights.work()
    print(good.log)  # noqa: T201
    assert good.result is not None
    nights.ledger.settle(good.result, hurt=death.result, hurt_tree=tree if operation is Operation.BACKUP else None)
    return death.hit


def needs_a_human(good: Death) -> bool:
    """Tell whether a repository was made by half and cannot be told from others: over SSH nobody can look at it."""
    assert good.result is not None
    return "its creation was interrupted: delete the folder" in (good.result.repositories[0].error or "")


@pytest.mark.parametrize("lane", LANES, ids=str)
def test_after_a_kill_at_any_moment_the_next_run_succeeds_and_nothing_is_lost(
    tmp_path: Path, lane: Lane, server: SshServer
) -> None:
    nights = Nights(tmp_path, lane, server)
    nights.prepare(random.Random(SEED))
    hits: Counter[str] = Counter()
    only = os.environ.get("BORG_FAULTS_ROUND")
    for number in [int(only)] if only else range(lane.rounds):
        chance = random.Random(f"{SEED} {lane} {number}")
        moment = draw(chance, lane.steps[number % len(lane.steps)], by_write=number < len(lane.steps))
        print(f"\nBORG_FAULTS_SEED={SEED} BORG_FAULTS_ROUND={number} of {lane}")  # noqa: T201
        hit = live_through(nights, moment, chance)
        while not hit:  # it was over before: an earlier moment
            moment = replace(moment, at=moment.at * 0.7)
            hit = live_through(nights, moment, chance)
        hits[hit.split()[0]] += 1
    nights.ledger.compare_all()
    print(f"kills by step: {dict(hits)}")  # noqa: T201
    if not only:
        assert sum(hits.values()) == lane.rounds
        assert set(hits) >= set(lane.steps), f"never hit: {set(lane.steps) - set(hits)}"

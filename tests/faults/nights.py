"""One schedule's nights: its runs into one repository after the other, each in a pod of its own."""

import random
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from borg_contract.plan import RepositoryPlan, SshPlan
from borg_contract.retention import Retention
from borg_contract.run import Operation
from faults.ledger import KEEP, Ledger
from runner_kit.borg_binary import find_borg
from runner_kit.killer import Death, Killer, Moment
from runner_kit.pod import Pod
from runner_kit.ssh_server import SshServer

INIT, CHECK = "init.1", "check.1"


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
        return f"{self.place}-{self.encryption}-{self.cache}-{self.rounds}"


class Nights:
    """One schedule's runs into one repository after the other."""

    repository: RepositoryPlan
    ledger: Ledger

    def __init__(self, root: Path, lane: Lane, server: SshServer) -> None:
        self.lane, self.server = lane, server
        self.pod = Pod(root, find_borg())
        self.killer = Killer(self.pod)
        self.jobs = self.places = 0
        self.holder = ""
        """As whom the newest Job takes locks."""
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
        self.holder = self.pod.holder(self.pod.job_name, self.pod.job_uid)
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


def needs_a_human(good: Death) -> bool:
    """Tell whether a repository was made by half and cannot be told from others: over SSH nobody can look at it."""
    assert good.result is not None
    return "its creation was interrupted: delete the folder" in (good.result.repositories[0].error or "")

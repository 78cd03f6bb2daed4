"""How much longer a backup takes with the runner than with borg alone, on one tree and with the same options.

Usage: python tests/bench/runner_overhead.py [rounds]      (no cluster needed)

Prints, for a first backup, for one of which nothing changed, and for that with prune and compact after it, the
median seconds of borg's commands alone and of the whole runner process that does the same, and what lies between. Both
take turns, each on a repository of its own with a cache of its own.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from borg_contract.plan import RunPlan
from borg_contract.retention import Retention
from runner_kit.borg_binary import find_borg
from runner_kit.pod import PASSPHRASE, Pod

FILES = 5_000
FILE_BYTES = 80_000


@dataclass(frozen=True)
class Bare:
    """Borg's own commands, as a crontab would have them."""

    pod: Pod

    def init(self) -> None:
        self._borg("init", "--encryption=repokey-blake2", self._repository)

    def back_up(self) -> None:
        name = f"{self._repository}::db-{time.time_ns()}"
        self._borg("create", "--json", "--progress", "--log-json", name, str(self.pod.data))

    def back_up_and_prune(self) -> None:
        self.back_up()
        self._borg("prune", "--list", "--log-json", "--keep-last=3", "--glob-archives=db-*", self._repository)
        self._borg("compact", "--log-json", "--verbose", self._repository)

    @property
    def _repository(self) -> str:
        return self.pod.repository().location

    def _borg(self, *arguments: str) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "BORG_BASE_DIR": str(self.pod.root / "var/cache/borg/main"),
            "BORG_PASSPHRASE": PASSPHRASE,
            "BORG_EXIT_CODES": "modern",
        }
        subprocess.run([str(self.pod.borg), *arguments], env=environment, capture_output=True, check=True)


@dataclass(frozen=True)
class Runner:
    """The runner's process, as a backup pod has it."""

    pod: Pod

    def back_up(self) -> None:
        self._run(self._plan())

    def back_up_and_prune(self) -> None:
        self._run(self._plan(prune=Retention.only(keep_within="1H"), compact_threshold=10))

    def _plan(self, **changes: object) -> RunPlan:
        template = f"{{job_name}}-{time.time_ns()}"
        return self.pod.plan(self.pod.repository(initialize=False), archive_name_template=template, **changes)

    def _run(self, plan: RunPlan) -> None:
        ended = self.pod.run(plan)
        assert ended.code == 0, ended.log
        assert ended.result.repositories[0].files == FILES + 1  # and the pod's own greeting


def main(rounds: int) -> None:
    """Measure in a folder of its own, which is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        bare, runner = (Pod(Path(folder) / name, find_borg(), user=[]) for name in ("bare", "runner"))
        _fill(bare.data)
        shutil.rmtree(runner.data)
        shutil.copytree(bare.data, runner.data, copy_function=os.link)  # the very same files
        print(f"{FILES} files, {FILES * FILE_BYTES / 1e6:.0f} MB, {rounds} rounds; median seconds")
        print(f"{'':32}{'borg':>8}{'runner':>8}{'more':>8}")
        alone, whole = Bare(bare), Runner(runner)
        _compare("first backup", rounds, alone.back_up, whole.back_up, before=lambda: _renew(alone, Bare(runner)))
        _compare("nothing changed", rounds, alone.back_up, whole.back_up)
        _compare("and prune and compact", rounds, alone.back_up_and_prune, whole.back_up_and_prune)


def _fill(folder: Path) -> None:
    for number in range(FILES):
        path = folder / f"{number // 100:03}" / f"{number:05}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(FILE_BYTES))


def _renew(*owners: Bare) -> None:
    """Begin with new repositories and empty caches."""
    for owner in owners:
        for name in ("repositories", "var/cache/borg"):
            shutil.rmtree(owner.pod.root / name)
            (owner.pod.root / name).mkdir()
        owner.init()


def _compare(
    what: str,
    rounds: int,
    bare: Callable[[], None],
    runner: Callable[[], None],
    before: Callable[[], None] = lambda: None,
) -> None:
    taken: dict[Callable[[], None], list[float]] = {bare: [], runner: []}
    for number in range(rounds):
        before()
        for work in (bare, runner) if number % 2 == 0 else (runner, bare):
            began = time.monotonic()
            work()
            taken[work].append(time.monotonic() - began)
    alone, whole = (statistics.median(taken[work]) for work in (bare, runner))
    print(f"{what:32}{alone:8.2f}{whole:8.2f}{whole - alone:+8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)

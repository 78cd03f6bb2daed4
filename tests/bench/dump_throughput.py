"""How much longer a dump takes into borg by the runner than by `command | borg create -` by hand.

Usage: python tests/bench/dump_throughput.py [megabytes] [rounds]      (no cluster needed)

Prints the median seconds of both, for so many megabytes (1,074: a GiB) that a process writes as fast as it can; of the
runner the whole process. With PostgreSQL on this machine, the same of a real `pg_dump`.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runner_kit.borg_binary import find_borg
from runner_kit.databases import postgresql
from runner_kit.pod import PASSPHRASE, Pod
from runner_kit.streams import container, dump

_ROW = 1000


def main(megabytes: int, rounds: int) -> None:
    """Measure in folders of its own, which are removed afterwards."""
    print(f"{megabytes:,} MB, {rounds} rounds; median seconds")
    print(f"{'':20}{'by hand':>10}{'runner':>10}{'more':>8}")
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder) / "content"
        with content.open("wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(500_000) + bytes(500_000))
        _measure("a file", ["cat", str(content)], dict(os.environ), rounds)
    if any(Path("/usr/lib/postgresql").glob("*/bin")):
        with postgresql() as database:
            rows = megabytes * 1_000_000 // _ROW
            filled = f"SELECT n, repeat(md5(n::text), {_ROW // 32}) FROM generate_series(1, {rows}) n"
            database.ask(f"CREATE TABLE t AS {filled}")
            command = [str(database.programs / "pg_dump"), "--format=custom", "--compress=0"]
            _measure("pg_dump", command, database.environment, rounds)


def _measure(what: str, command: list[str], environment: dict[str, str], rounds: int) -> None:
    by_hand, by_runner = [], []
    for _ in range(rounds):
        by_hand.append(_in_pod(lambda pod: _pipe(pod, command, environment)))
        by_runner.append(_in_pod(lambda pod: _run(pod, command, environment)))
    hand, runner = statistics.median(by_hand), statistics.median(by_runner)
    print(f"{what:20}{hand:10.2f}{runner:10.2f}{(runner / hand - 1) * 100:7.1f}%")


def _in_pod(work: Callable[[Pod], None]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        pod = Pod(Path(folder), find_borg(), user=[])
        began = time.monotonic()
        work(pod)
        return time.monotonic() - began


def _pipe(pod: Pod, command: list[str], environment: dict[str, str]) -> None:
    borg = {"PATH": os.environ["PATH"], "BORG_BASE_DIR": str(pod.root / "base"), "BORG_PASSPHRASE": PASSPHRASE}
    repository = pod.repository().location
    subprocess.run([str(pod.borg), "init", "--encryption=repokey-blake2", repository], env=borg, check=True,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as source:
        create = [str(pod.borg), "create", "--compression=zstd,3", f"{repository}::by-hand", "-"]
        subprocess.run(create, env=borg, stdin=source.stdout, check=True)


def _run(pod: Pod, command: list[str], environment: dict[str, str]) -> None:
    repository = pod.repository(sources=(dump(),), compression="zstd,3")
    with container(pod, "db", *command, environment=environment):
        ended = pod.run(pod.plan(repository))
    if ended.code:
        sys.exit(ended.log)


if __name__ == "__main__":
    if shutil.which("gcc") is None:
        sys.exit("gcc is needed, for the helper")
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(1074, 3)[len(given) :])

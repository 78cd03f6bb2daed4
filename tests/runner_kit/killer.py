"""Ends a run at a moment: at one of the writes of one of its steps, or some time after that step began.

A step is one borg process, `<verb>.<how many of this verb so far>`, or `runner`, which is the runner itself. Over SSH,
the server's borg is `serve.<number>`.
"""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from borg_contract.codec import decode_result
from borg_contract.plan import RunPlan
from borg_contract.result import RunResult
from runner_kit.pod import Pod, children_of

RUNNER = "runner"
_TRAP = Path(__file__).parent / "trap"
_WRAPPER = """#!/bin/sh
[ -e {folder}/on ] || exec {borg} "$@"
step="$1.$(($(grep -c "^$1\\." {folder}/steps) + 1))"
echo "$step $$" >> {folder}/steps
[ "$1" != create ] || {{ shift; set -- create --timestamp "$(cat {folder}/night)" "$@"; }}
PYTHONPATH={trap} PYTHONDONTWRITEBYTECODE=1 BORG_TRAP={folder} BORG_TRAP_STEP="$step" exec {borg} "$@"
"""


class Victim(StrEnum):
    """Who gets which signal: all but TERM end without a word."""

    BORG = "borg"
    POD = "pod"
    TERM = "term"
    SERVER = "server"


@dataclass(frozen=True)
class Moment:
    """`at`: which part of the step's writes is done, or of its time if not `by_write`."""

    step: str
    at: float
    victim: Victim
    by_write: bool = True


@dataclass(frozen=True)
class Death:
    """A run after which something was ended; `result` is None where it left none.

    `hit`: the step in which that happened, and what it was about to do; empty when the run was over before.
    """

    code: int
    log: str
    result: RunResult | None
    hit: str


@dataclass(frozen=True)
class _Length:
    writes: int
    seconds: float


class Killer:
    """Stands between the pod's runner and its borg; `pod.borg` is a wrapper from here on.

    Each run is on a night of its own, as prune counts nights: so the archives' times say.
    """

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.folder = pod.root / "trap"
        self.folder.mkdir()
        self._lengths: dict[str, _Length] = {}
        self._night = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - as borg wants it
        wrapper = self.folder / "borg"
        wrapper.write_text(_WRAPPER.format(folder=self.folder, borg=pod.borg, trap=_TRAP))
        wrapper.chmod(0o755)
        pod.borg = wrapper
        pod.variables = {
            "PYTHONPATH": os.pathsep.join((str(_TRAP), *sys.path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "BORG_TRAP": str(self.folder),
            "BORG_TRAP_STEP": RUNNER,
        }

    @property
    def steps(self) -> list[str]:
        """Return the steps that the last run began, in order."""
        return [step for step, _ in self._begun()]

    def run(self, plan: RunPlan, moment: Moment | None = None) -> Death:
        """Let the pod work on `plan`, and end what `moment` says. Raises KeyError for a step never seen before."""
        for name in ("trap", "hit", "steps"):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / "steps").touch()
        (self.folder / "on").touch()
        self._night += dt.timedelta(days=1)
        (self.folder / "night").write_text(self._night.isoformat())
        if moment is not None and moment.by_write:
            number = 1 + int(moment.at * self._lengths[moment.step].writes)
            (self.folder / "trap").write_text(f"{moment.step} {number} {moment.victim}")
        try:
            with self.pod.running(plan) as process:
                hit = "" if moment is None or moment.by_write else self._strike(process, moment)
                log, _ = process.communicate(timeout=120)
        finally:
            (self.folder / "on").unlink()
        if moment is None:
            self._measure()
        message = (self.pod.root / "dev/termination-log").read_text()
        with suppress(FileNotFoundError):
            hit = (self.folder / "hit").read_text().strip()
        return Death(process.returncode, log, decode_result(message) if message else None, hit)

    def _measure(self) -> None:
        for path in self.folder.glob("events.*"):
            writes, seconds = path.read_text().split()
            self._lengths[path.name.removeprefix("events.")] = _Length(int(writes), float(seconds))
            path.unlink()

    def _strike(self, process: "subprocess.Popen[str]", moment: Moment) -> str:
        """Wait for the moment; return what was hit, nothing when the run was over before."""
        while moment.step not in self.steps:
            if process.poll() is not None:
                return ""
            time.sleep(0.005)
        time.sleep(moment.at * self._lengths[moment.step].seconds)
        step, pid = [(step, pid) for step, pid in self._begun() if not step.startswith("serve.")][-1]
        alive = pid in children_of_living(process)
        if process.poll() is not None or (moment.victim is Victim.BORG and not alive):
            return ""
        with suppress(ProcessLookupError):
            match moment.victim:
                case Victim.TERM:
                    process.send_signal(signal.SIGTERM)
                case Victim.POD:
                    kill_tree(process.pid)
                case Victim.BORG:
                    os.kill(pid, signal.SIGKILL)
        return f"{step if alive else RUNNER} after {moment.at:.0%} of {moment.step}"

    def _begun(self) -> list[tuple[str, int]]:
        lines = (self.folder / "steps").read_text().splitlines(keepends=True)
        return [(words[0], int(words[1])) for line in lines if line.endswith("\n") and (words := line.split())]


def children_of_living(process: "subprocess.Popen[str]") -> list[int]:
    """Return the pids of its children; none when it has ended."""
    try:
        return children_of(process.pid)
    except OSError:
        return []


def kill_tree(pid: int) -> None:
    """End a process with all below it at once, as the kernel does when a container's first process is killed."""
    os.kill(pid, signal.SIGSTOP)
    try:
        for child in children_of(pid):
            with suppress(ProcessLookupError):
                kill_tree(child)
    finally:
        os.kill(pid, signal.SIGKILL)

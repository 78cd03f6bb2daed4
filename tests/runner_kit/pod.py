"""A pod without a cluster: the folders that a backup pod has, below one of the test's, and the runner as a process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from borg_contract.codec import decode_result, encode
from borg_contract.plan import HookPlan, RepositoryPlan, RunPlan, SecretFile, SourcePlan
from borg_contract.pod import digest_node, lock_holder
from borg_contract.result import RunResult
from borg_contract.run import Operation

PASSPHRASE = "correct horse 'battery' \"staple\""


@dataclass(frozen=True)
class Ended:
    """A runner that ended."""

    code: int
    log: str
    result: RunResult
    message: bytes


@dataclass
class Pod:
    """Folders of one pod."""

    root: Path
    borg: Path
    job_uid: str = "uid-1"
    """Of the next run: each is of a Job of its own, unless the test gives it another uid."""
    job_name: str = "db-1"
    node: str = "node-1"
    user: Sequence[str] | None = None
    """The words that make a command run as who the pod is; by default as somebody without root's power."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """More of the runner's environment."""

    def __post_init__(self) -> None:
        for folder in ("sources/data", "secrets", "repositories", "var/cache/borg", "tmp", "dev"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "sources/data/hello.txt").write_text("hello\n")

    @property
    def data(self) -> Path:
        return self.root / "sources/data"

    def secret(self, name: str, key: str, value: bytes | str | None = None) -> SecretFile:
        path = self.root / "secrets" / f"{name}.{key}"
        if value is not None:
            # Exchanged as a whole, as the kubelet does: a runner that is at work reads it too.
            fresh = path.with_name(f"{path.name}.fresh")
            fresh.write_bytes(value if isinstance(value, bytes) else value.encode())
            fresh.replace(path)
        return SecretFile(str(path), name, key)

    def repository(self, name: str = "main", **changes: object) -> RepositoryPlan:
        repository = RepositoryPlan(
            name=name,
            location=str(self.root / "repositories" / name),
            encryption="repokey-blake2",
            sources=(SourcePlan("data"),),
            passphrase=self.secret(f"borg-{name}", "passphrase", PASSPHRASE),
        )
        return replace(repository, **changes)  # type: ignore[arg-type]

    def plan(self, *repositories: RepositoryPlan, **changes: object) -> RunPlan:
        plan = RunPlan(
            namespace="team",
            schedule="db",
            operation=Operation.BACKUP,
            repositories=repositories or (self.repository(),),
            archive_name_template="{job_name}-{timestamp}",
            lock_wait_seconds=5,
        )
        return replace(plan, **changes)  # type: ignore[arg-type]

    def run(self, plan: RunPlan) -> Ended:
        with self.running(plan) as process:
            return self.wait(process)

    @contextmanager
    def running(self, plan: RunPlan) -> Iterator["subprocess.Popen[str]"]:
        message = self.root / "dev/termination-log"
        message.write_bytes(b"")
        message.chmod(0o666)
        process = subprocess.Popen(
            [*(powerless() if self.user is None else self.user), sys.executable, "-m", "borg_runner"],
            env=self._environment(plan),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()
            prefix, _, number = self.job_uid.rpartition("uid-")
            if not prefix and number.isdigit():
                self.job_uid = f"uid-{int(number) + 1}"

    def wait(self, process: "subprocess.Popen[str]") -> Ended:
        log, _ = process.communicate(timeout=120)
        message = (self.root / "dev/termination-log").read_bytes()
        return Ended(process.returncode, log, decode_result(message.decode()), message)

    def repair(self, repository: RepositoryPlan) -> None:
        """Let borg repair the repository, as a person does by hand elsewhere, whatever it says."""
        subprocess.run(
            [str(self.borg), "check", "--repair", repository.location],
            env={
                "PATH": os.environ["PATH"],
                "BORG_BASE_DIR": str(self.root / "tmp/other-base"),
                "BORG_PASSPHRASE": PASSPHRASE,
                "BORG_CHECK_I_KNOW_WHAT_I_AM_DOING": "YES",
            },
            capture_output=True,
            check=False,
        )

    def ask_borg(self, repository: RepositoryPlan, *arguments: str, directory: Path | None = None) -> str:
        """Return what borg itself prints about the repository, under another cache than the pod's."""
        environment = {
            "PATH": os.environ["PATH"],
            "BORG_BASE_DIR": str(self.root / "tmp/other-base"),
            "BORG_PASSPHRASE": PASSPHRASE,
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "BORG_EXIT_CODES": "modern",
            "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING": "YES",
        }
        done = subprocess.run(
            [*powerless(), str(self.borg), *(part.replace("REPO", repository.location) for part in arguments)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=directory,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def archives(self, repository: RepositoryPlan) -> list[str]:
        return self.ask_borg(repository, "list", "--short", "REPO").split()

    def written_bytes(self, repository: RepositoryPlan) -> int:
        """Return how much data the repository's segments hold."""
        return sum(path.stat().st_size for path in Path(repository.location).glob("data/*/*"))

    def holder(self, job_name: str, job_uid: str, node: str | None = None) -> str:
        return lock_holder("team", job_name, job_uid, digest_node("", self.node if node is None else node))

    def notice(self) -> str:
        """Return what the run says that it waits for, empty when it does not wait."""
        path = self.root / "tmp/borg-waits"
        return path.read_text() if path.exists() else ""

    def _environment(self, plan: RunPlan) -> dict[str, str]:
        return {
            "PATH": f"{self.borg.parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONUNBUFFERED": "1",
            "BORG_RUNNER_ROOT": str(self.root),
            "BORG_RUN_PLAN": encode(plan),
            "BORG_JOB_NAME": self.job_name,
            "BORG_JOB_UID": self.job_uid,
            "BORG_NODE": self.node,
            **self.variables,
        }


def hook(content: str, *, script: str = "script", timeout: int = 30, **changes: object) -> HookPlan:
    return replace(HookPlan(script, content, timeout), **changes)  # type: ignore[arg-type]


def powerless() -> list[str]:
    """Return the words that run a command without root's power to read everything, when we are root."""
    if os.getuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    assert setpriv is not None, "as root, these tests need setpriv (util-linux)"
    return [setpriv, "--bounding-set=-all", "--inh-caps=-all"]


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return once `condition()` is true. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {condition}")
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    """Return the pids of the process's children."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def process_arguments() -> Iterator[tuple[int, Mapping[str, bytes]]]:
    """Yield pid, arguments and environment of each process that can be seen."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield (
                int(folder.name),
                {"cmdline": (folder / "cmdline").read_bytes(), "environ": (folder / "environ").read_bytes()},
            )
        except OSError:
            continue


def during(pod: Pod, verb: str, command: str) -> None:
    """Let the pod's borg do `command` before `verb`, or instead of it if that ends the shell."""
    wrapper = pod.root / "bin/borg"
    wrapper.parent.mkdir(exist_ok=True)
    wrapper.write_text(f'#!/bin/sh -e\ncase "$1" in {verb}) {command} ;; esac\nexec {pod.borg} "$@"\n')
    wrapper.chmod(0o755)
    pod.borg = wrapper

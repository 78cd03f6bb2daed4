"""Containers beside the runner's, without a cluster: the image's helper as a process, with its command."""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from borg_contract.plan import SecretFile, SourcePlan, StreamPlan
from borg_contract.pod import HELPER, STREAM_SOCKET, STREAMS_DIR
from runner_kit.pod import Pod

_SOURCE = Path(__file__).parents[2] / "runner/helper/borg-stream.c"
FLAGS = ("-O2", "-static", "-s", "-Wall", "-Wextra", "-Werror", "-std=c11")
"""As in the Dockerfile."""


def find_helper() -> Path:
    """Return the helper, built of the checkout's source where that has changed. Raises CalledProcessError."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "borg-operator"
    cache.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(_SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    helper = cache / f"{HELPER}-{digest}"
    with (cache / f"{HELPER}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes side by side make it once
        if not helper.exists():
            draft = helper.with_suffix(".new")
            subprocess.run(["gcc", *FLAGS, "-o", str(draft), str(_SOURCE)], check=True)
            draft.rename(helper)
    return helper


def dump(name: str = "db", path: str = "app.dump", *, secrets: Mapping[str, SecretFile] | None = None) -> SourcePlan:
    """Return a source that a command writes; `secrets`: by the names of the command's variables."""
    return SourcePlan(name, (path,), StreamPlan(name, "dump-it", dict(secrets or {})))


@contextmanager
def container(
    pod: Pod, name: str, *command: str, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Let a container be there with that command, until the block ends."""
    folder = pod.root / STREAMS_DIR.lstrip("/") / name
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [str(find_helper()), STREAM_SOCKET, *command],
        cwd=folder,  # a socket's address is short, and a test's folder may have a long path
        env={"PATH": os.environ["PATH"], **(environment or {})},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def shell(pod: Pod, name: str, script: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Let a container be there whose command is a shell's script."""
    with container(pod, name, "sh", "-c", script, environment=environment) as process:
        yield process


def prepare(pod: Pod, names: Sequence[str]) -> None:
    """Make the folders that the pod shares with its other containers."""
    for name in names:
        (pod.root / STREAMS_DIR.lstrip("/") / name).mkdir(parents=True, exist_ok=True)

"""The processes of the local cluster's node, as this machine sees them: to be killed, or stopped for a while."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.cluster import REPOSITORY
from support.waiting import wait_for

_STATE = REPOSITORY / "dev/.state"


def is_made_of_processes() -> bool:
    """Tell whether the cluster is the one that `make up` makes of processes, and not of kind's containers."""
    return (_STATE / "driver").exists() and (_STATE / "driver").read_text().strip() == "local"


def daemons(*names: str) -> list[int]:
    """Return the ids of the node's own processes that run these programs: etcd, kubelet and the like."""
    return [pid for pid in _descendants(_first()) if _programs(pid)[0] in names and not _pod_of(pid)]


def in_pod(uid: str, program: str) -> list[int]:
    """Return the ids of a pod's processes that run the program, itself or through an interpreter."""
    return [pid for pid in _processes() if _pod_of(pid) == uid and program in _programs(pid)]


def kill(pids: list[int], sign: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal to each that still is; return to how many."""
    count = 0
    for pid in pids:
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            continue
        count += 1
    return count


@contextmanager
def wanting_disk(spare: int) -> Iterator[None]:
    """Let the kubelet find that its disk is full once `spare` bytes less are free than now, until the end."""
    path = _STATE / "config" / "kubelet.yaml"
    usual, least = path.read_text(), shutil.disk_usage(_STATE).free - spare
    try:
        _configure(path, usual.replace("nodefs.available: 1%", f"nodefs.available: {least // 2**20}Mi"))
        yield
    finally:
        _configure(path, usual)


@contextmanager
def ballast(size: int) -> Iterator[None]:
    """Take so many bytes of the node's disk away, until the end."""
    path = _STATE / "ballast"
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
        yield
    finally:
        path.unlink()


def _configure(path: Path, text: str) -> None:
    """Give the kubelet another configuration, and return when it has begun anew; its pods go on."""
    path.write_text(text)
    before = daemons("kubelet")
    kill(before)
    wait_for(lambda: set(daemons("kubelet")) - set(before), bool, 60, "there is another kubelet")


def _first() -> int:
    return int((_STATE / "node.pid").read_text().split()[0])


def _processes() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _descendants(ancestor: int) -> set[int]:
    parents = {pid: int(fields[1]) for pid in _processes() if (fields := _status(pid))}
    found, new = {ancestor}, {ancestor}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


def _status(pid: int) -> list[str]:
    """Return the fields of the process after its name: state, parent and so on."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _command(pid: int) -> list[str]:
    return _read(pid, "cmdline").split("\0")


def _programs(pid: int) -> list[str]:
    """Return the names of the program and of what it interprets, if it does: a file, or a module after `-m`."""
    return [Path(part).name for part in _command(pid)[:3]]


def _pod_of(pid: int) -> str:
    """Return the uid of the pod in which the process runs, empty for none."""
    _, found, rest = _read(pid, "cgroup").partition("/pod")
    return rest[:36].replace("_", "-") if found else ""


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""

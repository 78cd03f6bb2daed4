"""A facade of one process on this machine, to be measured or cut off; all other tests ask the one in the cluster."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_START_SECONDS = 30.0


@dataclass(frozen=True)
class LocalFacade:
    url: str
    pid: int

    def memory(self) -> int:
        """Return the bytes of memory that the process has in use."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024


@contextmanager
def run_facade(namespace: str, environment: dict[str, str] | None = None) -> Iterator[LocalFacade]:
    """Start the facade with the credentials of KUBECONFIG, give it when it is ready, end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"BORG_API_PORT": str(port), "BORG_API_DEFAULT_NAMESPACE": namespace}
    command = [sys.executable, "-m", "borg_api"]
    process = subprocess.Popen(command, env={**os.environ, **settings, **(environment or {})})
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process)
        yield LocalFacade(url, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the facade ended with {process.returncode} before it was ready")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"the facade was not ready within {_START_SECONDS} s")

"""The operator and the facade as processes of their own, which can be killed and begun again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Process:
    """`module` with `settings` in its environment; what it logs goes into `log`, across all its lives."""

    module: str
    settings: dict[str, str]
    log: Path
    lives: int = 0
    began: float | None = None
    """When its present life did, in seconds since 1970; None before the first."""
    ends: list[int] = field(default_factory=list)
    """The exit codes of those lives that ended without having been asked to."""
    _process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        with self.log.open("ab") as log:
            log.write(f"--- life {self.lives}\n".encode())
            log.flush()
            command = [sys.executable, "-m", self.module]
            self._process = subprocess.Popen(command, env={**kept, **self.settings}, stdout=log, stderr=log)
        self.lives, self.began = self.lives + 1, time.time()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as the kernel does where memory runs out."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(timeout=10)

    def restart(self) -> None:
        self.kill()
        self.begin()

    async def keep(self) -> None:
        """Begin it again a second after it ended by itself, as the kubelet does, for ever."""
        while True:
            await asyncio.sleep(0.2)
            if self._process and (code := self._process.poll()) is not None and code != -signal.SIGKILL:
                self.ends.append(code)
                await asyncio.sleep(1)
                self.begin()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()

    def said(self) -> str:
        return self.log.read_text(errors="replace")


def operator(kubeconfig: Path, folder: Path, **settings: str) -> Process:
    more = {"RUNNER_IMAGE": "runner:test", "RESYNC_SECONDS": "300", "HEALTH_PORT": "0", "METRICS_PORT": "0", **settings}
    environment = {f"BORG_OPERATOR_{name}": value for name, value in more.items()}
    return Process("borg_operator", {"KUBECONFIG": str(kubeconfig), **environment}, folder / "operator.log")


def facade(kubeconfig: Path, folder: Path, port: int, namespace: str) -> Process:
    """`namespace`: of what it shows, and of the Secret `key`."""
    settings = {
        "BORG_API_PORT": str(port),
        "BORG_API_DEFAULT_NAMESPACE": namespace,
        "BORG_API_KEY_SECRET": f"{namespace}/key",
        "BORG_API_SESSIONS": "true",
    }
    return Process("borg_api", {**settings, "KUBECONFIG": str(kubeconfig)}, folder / "facade.log")

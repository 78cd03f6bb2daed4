"""Debian's Prometheus as a process of its own, which reads the running system through the API server's proxy."""

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.cluster import Kubectl

_START_SECONDS = 20.0


@dataclass(frozen=True)
class Target:
    """Something to be read: its path at the API server, and the labels that a ServiceMonitor would give it."""

    path: str
    job: str
    instance: str
    namespace: str = ""


@dataclass(frozen=True)
class Prometheus:
    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that the expression gives now. Fails the test when Prometheus does not take it."""
        return list(self._ask("query", query=expression)["result"])

    def firing(self, alert: str, labels: dict[str, str]) -> bool:
        """Tell whether the alert fires with these labels."""
        return any(
            found["state"] == "firing" and {"alertname": alert, **labels}.items() <= found["labels"].items()
            for found in self._ask("alerts")["alerts"]
        )

    def _ask(self, what: str, **parameters: str) -> dict[str, Any]:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                data: dict[str, Any] = json.load(response)["data"]
        except urllib.error.HTTPError as error:
            pytest.fail(f"{what} {parameters}: {error.read().decode()}")
        return data


@contextmanager
def run_prometheus(
    kubectl: Kubectl, folder: Path, targets: list[Target], rules: dict[str, Any]
) -> Iterator[Prometheus]:
    """Start it with the rules, let it read the targets every second, give it when it answers, end it."""
    with _proxy(kubectl) as proxy, reading(folder, proxy, targets, rules) as prometheus:
        yield prometheus


@contextmanager
def reading(folder: Path, address: str, targets: list[Target], rules: dict[str, Any]) -> Iterator[Prometheus]:
    """As `run_prometheus`, with targets at the address."""
    if not shutil.which("prometheus"):
        pytest.fail("prometheus is not installed: run dev/packages tests")
    (folder / "rules.json").write_text(json.dumps(rules))  # JSON is YAML
    (folder / "prometheus.json").write_text(json.dumps(_configuration(address, targets)))
    with _free_port() as port:
        own = f"127.0.0.1:{port}"
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.json'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={own}",
        "--log.level=warn",
    ]
    process = subprocess.Popen(command)
    try:
        _wait_until_ready(f"http://{own}", process)
        yield Prometheus(f"http://{own}")
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def _proxy(kubectl: Kubectl) -> Iterator[str]:
    """Give the address of a `kubectl proxy`, which adds the credentials of KUBECONFIG."""
    command = ["kubectl", "proxy", "--port=0", "--address=127.0.0.1"]
    with subprocess.Popen(command, env=kubectl.environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line.startswith("Starting to serve on "), line
            yield line.removeprefix("Starting to serve on ").strip()
        finally:
            process.terminate()


def _configuration(address: str, targets: list[Target]) -> dict[str, Any]:
    def labels(target: Target) -> dict[str, str]:
        given = {"job": target.job, "instance": target.instance, "__metrics_path__": target.path}
        return {**given, **({"namespace": target.namespace} if target.namespace else {})}

    static = [{"targets": [address], "labels": labels(target)} for target in targets]
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.json"],
        "scrape_configs": [{"job_name": "all", "honor_labels": True, "static_configs": static}],
    }


@contextmanager
def _free_port() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield free.getsockname()[1]


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"prometheus ended with {process.returncode} before it was ready")
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"prometheus was not ready within {_START_SECONDS} s")

"""A control plane without a node, of processes of its own: etcd, API server, and the controllers that runs depend on.

As `dev/local` starts them, in a folder and on ports that nobody else has. Nodes are played by `support.node`.
"""

import asyncio
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from kubernetes.aio import client, config

from borg_cluster.client import ApiServer
from borg_cluster.connection import _client
from borg_cluster.errors import ApiError
from support.cluster import REPOSITORY

_LOCAL = REPOSITORY / "dev" / "local"
_CONTROLLERS = ("cronjob", "job", "garbage-collector", "namespace", "serviceaccount")
_FLAGS: dict[str, tuple[str, ...]] = {
    "etcd": (),
    # A service of one address in all the cluster is for those who live in it.
    "apiserver": ("--bind-address=127.0.0.1", "--endpoint-reconciler-type=none", "--shutdown-delay-duration=0s"),
    "controller-manager": (
        "--secure-port=0",
        "--controllers=" + ",".join(f"{name}-controller" for name in _CONTROLLERS),
    ),
}
_START_SECONDS = 90.0


def find_missing() -> str:
    """Return why no control plane can be started here, empty when one can."""
    source = f'source "{REPOSITORY}/dev/lib/settings.sh" && echo "$TOOLS"'
    tools = Path(subprocess.run(["bash", "-c", source], capture_output=True, text=True, check=True).stdout.strip())
    missing = [name for name in ("kube-apiserver", "kube-controller-manager") if not (tools / name).exists()]
    missing += [] if shutil.which("etcd") else ["etcd"]
    if not missing:
        return ""
    return f"there is no {', '.join(missing)}: `make up` with the local driver (BORG_DEV_CLUSTER=local) brings them"


def _free_ports() -> tuple[int, int, int]:
    sockets = [socket.socket() for _ in range(3)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    first, second, third = (each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return first, second, third


@dataclass
class ControlPlane:
    folder: Path
    ports: tuple[int, int, int] = field(default_factory=_free_ports)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports[0]}"

    @property
    def kubeconfig(self) -> Path:
        """Of a cluster admin, past every proxy."""
        return self.folder / "kubeconfig"

    @property
    def token(self) -> str:
        found: str = yaml.safe_load(self.kubeconfig.read_text())["users"][0]["user"]["token"]
        return found

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "pki" / "ca.crt"))

    def kubeconfig_for(self, url: str, name: str) -> Path:
        """Write one that leads to `url`, with the admin's token; return its path."""
        found = yaml.safe_load(self.kubeconfig.read_text())
        found["clusters"][0]["cluster"] = {"server": url}
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(yaml.safe_dump(found))
        path.chmod(0o600)
        return path

    async def connect(self, kubeconfig: Path | None = None) -> ApiServer:
        """Return a client of the test's own. It is to be closed."""
        configuration = client.Configuration()
        path = str(kubeconfig or self.kubeconfig)
        await config.load_kube_config(config_file=path, client_configuration=configuration)  # type: ignore[no-untyped-call]
        return ApiServer(_client(configuration, 30, "person"))

    def start(self) -> None:
        """Start all, and return when the API server serves our kinds. Raises RuntimeError."""
        (self.folder / "log").mkdir(parents=True)
        subprocess.run([str(_LOCAL / "identities")], env=self._environment, check=True)
        for name in ("etcd", "apiserver"):
            self.begin(name)
        self._await("get", "--raw", "/readyz")
        self.begin("controller-manager")
        self._kubectl("apply", "-f", str(REPOSITORY / "crds"))
        self._kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(REPOSITORY / "crds"))
        self._await("get", "serviceaccount", "default")

    def begin(self, name: str) -> None:
        """Start a daemon."""
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            command = [str(_LOCAL / "daemon"), name, *_FLAGS[name]]
            self._running[name] = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def end(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End a daemon."""
        process = self._running.pop(name)
        process.send_signal(how)
        process.wait(timeout=30)

    def stop(self) -> None:
        for name in list(self._running):
            self.end(name)

    async def await_api(self, api: ApiServer) -> None:
        """Return when the API server answers again."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                await api.ping()
            except ApiError:
                await asyncio.sleep(0.2)
            else:
                return
        raise RuntimeError("the API server does not answer")

    @property
    def _environment(self) -> dict[str, str]:
        api, etcd, peer = (str(port) for port in self.ports)
        settings = {"STATE": str(self.folder), "NODE_IP": "127.0.0.1", "API_PORT": api, "ETCD_PORT": etcd}
        return {
            **os.environ,
            **{f"BORG_DEV_{name}": value for name, value in {**settings, "ETCD_PEER_PORT": peer}.items()},
        }

    def _kubectl(self, *arguments: str) -> None:
        done = self._run_kubectl(*arguments)
        if done.returncode:
            raise RuntimeError(done.stderr)

    def _await(self, *arguments: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while (done := self._run_kubectl(*arguments)).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr}; see {self.folder}/log")
            time.sleep(0.2)

    def _run_kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        source = f'source "{REPOSITORY}/dev/lib/settings.sh"; exec "$TOOLS/kubectl" "$@"'
        command = ["bash", "-c", source, "kubectl", "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)

"""A real sshd on a loopback port, with host keys of its own, for whoever runs the tests. Needs openssh-server."""

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner_kit.pod import wait_until

HOST = "127.0.0.1"


@dataclass(frozen=True)
class SshServer:
    """`known_hosts` is the line that pins its key; `user_key` the private key that it lets in."""

    folder: Path
    port: int
    known_hosts: str
    user_key: str

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@{HOST}:{self.port}{path}"


def make_key(path: Path) -> tuple[str, str]:
    """Return a new key's private text and public line."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)
    return path.read_text(), path.with_suffix(".pub").read_text().strip()


@contextmanager
def serve_ssh(folder: Path, *settings: str, options: str = "") -> Iterator[SshServer]:
    """Give an sshd with these lines in its configuration too, and these options before the key that it lets in."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert sshd is not None, "these tests need sshd: apt-get install openssh-server"
    folder.mkdir()
    _, host_public = make_key(folder / "host")
    user_private, user_public = make_key(folder / "user")
    (folder / "authorized_keys").write_text(f"{options} {user_public}\n".lstrip())
    port = find_free_port()
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress {HOST}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized_keys\n"
        + "".join(f"{line}\n" for line in settings)
        + "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd's privilege separation insists on it
    log = (folder / "log").open("wb")
    with log, subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log) as process:
        try:
            wait_until(lambda: _answers(port))
            known_hosts = f"[{HOST}]:{port} {' '.join(host_public.split()[:2])}\n"
            yield SshServer(folder, port, known_hosts, user_private)
        finally:
            process.terminate()


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), 1):
            return True
    except OSError:
        return False

"""A server for repositories in the team's namespace: a real sshd with borg, on the disk of the claim `borg-repo`."""

import subprocess
from pathlib import Path

from e2e.team import RUNNER_UID, Team

SERVER = "offsite"
SSH = {
    "url": f"ssh://borg@{SERVER}:2222/backups/main",
    "privateKeySecretRef": {"name": "borg-ssh", "key": "id_ed25519"},
    "knownHostsSecretRef": {"name": "borg-ssh", "key": "known_hosts"},
}


def make_keys(folder: Path, *names: str) -> None:
    """Make a key pair for each name."""
    for name in names:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)


def serve_ssh(team: Team, keys: Path) -> None:
    """Run the server at `offsite`, port 2222: its key is `host`, and `client` is let in."""
    team.secret(
        "server-keys",
        ssh_host_ed25519_key=(keys / "host").read_text(),
        authorized_keys=(keys / "client.pub").read_text(),
    )
    container = {
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "readinessProbe": {"tcpSocket": {"port": 2222}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "keys", "mountPath": "/keys", "readOnly": True},
            {"name": "disk", "mountPath": "/backups"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    security = {"runAsNonRoot": True, "fsGroup": RUNNER_UID, "seccompProfile": {"type": "RuntimeDefault"}}
    volumes = [
        {"name": "keys", "secret": {"secretName": "server-keys", "defaultMode": 0o440}},
        {"name": "disk", "persistentVolumeClaim": {"claimName": "borg-repo"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    team.pod(SERVER, "sshd", container, {"securityContext": security, "volumes": volumes})
    spec = {"selector": {"app": SERVER}, "ports": [{"port": 2222}]}
    team.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVER}, "spec": spec})
    # A ready pod is not yet a service that leads to it: until kube-proxy has heard of it, connections are refused.
    connect = f"python3 -c 'import socket; socket.create_connection((\"{SERVER}\", 2222), 2)'"
    team.eventually(
        lambda: team.work(f"{connect} 2>/dev/null && echo connected || true"), "the service leads to the server"
    )


def pin(team: Team, keys: Path, whose: str) -> None:
    """Give the team the key `client`, and the host key by which it is to know the server."""
    public = (keys / f"{whose}.pub").read_text()
    team.secret("borg-ssh", id_ed25519=(keys / "client").read_text(), known_hosts=f"[{SERVER}]:2222 {public}")

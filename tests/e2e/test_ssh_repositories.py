"""A repository on another machine: a real sshd with borg, whose host key is pinned and never learned."""

import subprocess
from pathlib import Path

import pytest

from e2e.team import RUNNER_UID, Team, condition

SERVER = "offsite"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make three key pairs: of the client, of the server, and of someone who is not the server."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("client", "host", "impostor"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
    return folder


@pytest.fixture(scope="module")
def offsite(team: Team, keys: Path) -> Team:
    """Run the server at `offsite`, port 2222, with the team's key in it; its disk is the claim `borg-repo`."""
    team.prepare()
    team.work("head -c 2000000 /dev/urandom > /data/random")
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
    _pin(team, keys, "host")
    ssh = {
        "url": f"ssh://borg@{SERVER}:2222/backups/main",
        "privateKeySecretRef": {"name": "borg-ssh", "key": "id_ed25519"},
        "knownHostsSecretRef": {"name": "borg-ssh", "key": "known_hosts"},
    }
    team.repository("offsite", ssh=ssh)
    team.schedule("night", "offsite", compact={"enabled": True})
    return team


def test_a_backup_over_ssh_creates_the_repository_on_the_server_and_completes(offsite: Team) -> None:
    status = offsite.completed("good", "night")

    (repository,) = status["repositories"]
    assert repository["files"] == 1
    assert repository["originalSize"] > 2_000_000
    assert repository["totals"]["archives"] == 1
    assert offsite("exec", SERVER, "--", "ls", "/backups/main").stdout.split().count("config") == 1
    assert offsite.get("brepo", "offsite")["spec"]["ssh"]["url"].startswith("ssh://")


def test_another_host_key_than_the_pinned_one_fails_the_run_with_a_sentence_that_says_so(
    offsite: Team, keys: Path
) -> None:
    _pin(offsite, keys, "impostor")

    status = offsite.run("mistrusted", "night")

    assert status["phase"] == "Failed"
    assert "offsite (HostKeyMismatch)" in status["message"]
    (repository,) = status["repositories"]
    assert repository["reason"] == "HostKeyMismatch"
    assert "The server shows another host key than the pinned one" in repository["error"]
    assert 'Secret "borg-ssh", key "known_hosts"' in repository["error"]
    assert condition(offsite.get("bsched", "night"), "LastRunSucceeded")["status"] == "False"

    _pin(offsite, keys, "host")
    offsite.completed("trusted-again", "night")


def _pin(team: Team, keys: Path, whose: str) -> None:
    public = (keys / f"{whose}.pub").read_text()
    team.secret("borg-ssh", id_ed25519=(keys / "client").read_text(), known_hosts=f"[{SERVER}]:2222 {public}")

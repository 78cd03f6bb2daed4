"""A repository on another machine: a real sshd with borg, whose host key is pinned and never learned."""

from pathlib import Path

import pytest

from e2e.offsite import SERVER, SSH, make_keys, pin, serve_ssh
from e2e.team import Team, condition


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make three key pairs: of the client, of the server, and of someone who is not the server."""
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder, "client", "host", "impostor")
    return folder


@pytest.fixture(scope="module")
def offsite(team: Team, keys: Path) -> Team:
    """Run the server at `offsite`, port 2222, with the team's key in it; its disk is the claim `borg-repo`."""
    team.prepare()
    team.work("head -c 2000000 /dev/urandom > /data/random")
    serve_ssh(team, keys)
    pin(team, keys, "host")
    team.repository("offsite", ssh=SSH)
    team.schedule("night", "offsite", compact={"enabled": True})
    return team


def test_a_backup_over_ssh_creates_the_repository_on_the_server_and_completes(offsite: Team) -> None:
    status = offsite.completed("good", "night")

    (repository,) = status["repositories"]
    assert repository["files"] == 1
    assert repository["originalSize"] >= 2_000_000
    assert repository["totals"]["archives"] == 1
    assert offsite("exec", SERVER, "--", "ls", "/backups/main").stdout.split().count("config") == 1
    assert offsite.get("brepo", "offsite")["spec"]["ssh"]["url"].startswith("ssh://")


def test_another_host_key_than_the_pinned_one_fails_the_run_with_a_sentence_that_says_so(
    offsite: Team, keys: Path
) -> None:
    pin(offsite, keys, "impostor")

    status = offsite.run("mistrusted", "night")

    assert status["phase"] == "Failed"
    assert "offsite (HostKeyMismatch)" in status["message"]
    (repository,) = status["repositories"]
    assert repository["reason"] == "HostKeyMismatch"
    assert "The server shows another host key than the pinned one" in repository["error"]
    assert 'Secret "borg-ssh", key "known_hosts"' in repository["error"]
    assert condition(offsite.get("bsched", "night"), "LastRunSucceeded")["status"] == "False"

    pin(offsite, keys, "host")
    offsite.completed("trusted-again", "night")

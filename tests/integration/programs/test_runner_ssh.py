"""A repository behind a real sshd: pinned host keys, and each way in which a connection fails told apart."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan, SshPlan
from borg_contract.result import RepositoryResult
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from borg_runner.ssh.key import find_key_fault
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Pod, children_of, wait_until
from runner_kit.ssh_server import HOST, SshServer, find_free_port, make_key, serve_ssh

STRANGER = 54321


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with serve_ssh(tmp_path_factory.mktemp("ssh") / "server") as running:
        yield running


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path, find_borg())


@pytest.fixture
def remote(pod: Pod, server: SshServer) -> RepositoryPlan:
    return remote_at(pod, server)


def remote_at(pod: Pod, server: SshServer) -> RepositoryPlan:
    return pod.repository(
        location=server.url(pod.root / "repositories/main"),
        ssh=SshPlan(
            pod.secret("borg-ssh", "id", server.user_key), pod.secret("borg-ssh", "known_hosts", server.known_hosts)
        ),
        remote_path=str(pod.borg),
    )


def result_of(pod: Pod, repository: RepositoryPlan) -> RepositoryResult:
    ended = pod.run(pod.plan(repository))
    print(ended.log)  # noqa: T201 - shown when the test fails
    return ended.result.repositories[0]


def test_a_remote_repository_is_created_backed_up_into_pruned_compacted_checked_and_unlocked(
    pod: Pod, remote: RepositoryPlan
) -> None:
    (pod.data / "big").write_bytes(os.urandom(1_000_000))
    plan = pod.plan(remote, prune=Retention.only(keep_daily=1), compact_threshold=10)
    first = pod.run(plan)
    assert first.code == 0, first.log
    (pod.data / "big").write_bytes(os.urandom(1_000_000))
    second = pod.run(plan)
    assert second.code == 0, second.log
    [result] = second.result.repositories
    assert result.prune is not None
    assert (result.prune.kept, result.prune.deleted) == (1, 1)
    assert result.compact is not None
    assert result.compact.freed_bytes > 900_000
    assert result.totals is not None
    assert result.totals.archives == 1
    for operation in (Operation.CHECK, Operation.BREAK_LOCK):
        assert pod.run(pod.plan(remote, operation=operation)).result.phase is Phase.COMPLETED


def test_a_key_from_a_secret_without_its_last_newline_works(
    pod: Pod, server: SshServer, remote: RepositoryPlan
) -> None:
    pod.secret("borg-ssh", "id", server.user_key.rstrip("\n").replace("\n", "\r\n"))
    assert result_of(pod, remote).phase is Phase.COMPLETED


def test_a_remote_repository_is_not_created_unasked(pod: Pod, remote: RepositoryPlan) -> None:
    result = result_of(pod, replace(remote, initialize=False))
    assert result.reason == "RepositoryMissing"
    assert not (pod.root / "repositories/main").exists()


def test_a_remote_folder_of_something_else_is_never_made_a_repository(pod: Pod, remote: RepositoryPlan) -> None:
    (pod.root / "repositories/main").mkdir()
    (pod.root / "repositories/main/precious").touch()
    assert result_of(pod, remote).reason == "NotARepository"


def test_another_host_key_than_the_pinned_one_is_refused(pod: Pod, server: SshServer, remote: RepositoryPlan) -> None:
    _, other = make_key(pod.root / "other")
    pod.secret("borg-ssh", "known_hosts", f"[{HOST}]:{server.port} {' '.join(other.split()[:2])}\n")
    result = result_of(pod, remote)
    assert result.reason == "HostKeyMismatch"
    assert 'Secret "borg-ssh", key "known_hosts"' in (result.error or "")


def test_a_host_without_a_pinned_key_is_refused(pod: Pod, remote: RepositoryPlan) -> None:
    pod.secret("borg-ssh", "known_hosts", "")
    result = result_of(pod, remote)
    assert result.reason == "HostKeyUnknown"
    assert "ssh-keyscan" in (result.error or "")


def test_a_key_that_the_server_does_not_know_is_told_apart(pod: Pod, remote: RepositoryPlan) -> None:
    private, _ = make_key(pod.root / "other")
    pod.secret("borg-ssh", "id", private)
    result = result_of(pod, remote)
    assert result.reason == "SshPermissionDenied"
    assert "authorized_keys" in (result.error or "")


def test_a_key_that_is_none_is_told_apart(pod: Pod, remote: RepositoryPlan) -> None:
    pod.secret("borg-ssh", "id", "not a key")
    assert result_of(pod, remote).reason == "SshKeyUnusable"


def test_a_missing_key_is_named_at_once(pod: Pod, remote: RepositoryPlan) -> None:
    (pod.root / "secrets/borg-ssh.id").unlink()
    result = result_of(pod, remote)
    assert result.reason == "SecretMissing"
    assert '"borg-ssh" has no key "id"' in (result.error or "")


def test_a_port_where_nobody_listens_is_told_apart(pod: Pod, server: SshServer, remote: RepositoryPlan) -> None:
    location = remote.location.replace(f":{server.port}/", f":{find_free_port()}/")
    assert result_of(pod, replace(remote, location=location)).reason == "HostUnreachable"


def test_a_host_that_no_dns_knows_is_told_apart(pod: Pod, remote: RepositoryPlan) -> None:
    location = remote.location.replace(HOST, "no-such-host.invalid")
    assert result_of(pod, replace(remote, location=location)).reason == "HostUnresolved"


def test_a_server_without_borg_is_told_apart(pod: Pod, remote: RepositoryPlan) -> None:
    result = result_of(pod, replace(remote, remote_path="borg-that-is-not-there"))
    assert result.reason == "RemoteBorgMissing"
    assert "`ssh.remotePath`" in (result.error or "")


def test_a_wrong_passphrase_is_told_apart_over_ssh_too(pod: Pod, remote: RepositoryPlan) -> None:
    assert result_of(pod, remote).phase is Phase.COMPLETED
    pod.secret("borg-main", "passphrase", "another")
    assert result_of(pod, remote).reason == "PassphraseWrong"


@pytest.mark.parametrize(
    ("settings", "options", "reason", "said"),
    [
        (("Subsystem sftp internal-sftp", "ForceCommand internal-sftp"), "", "SshCommandRefused", "file transfer only"),
        (("ForceCommand /usr/sbin/nologin",), "", "SshCommandRefused", "usermod --shell"),
        (('ForceCommand rbash -c "$SSH_ORIGINAL_COMMAND"',), "", "SshCommandRefused", "restricted shell"),
        ((), "command=\"echo 'Only rsync here' >&2; exit 1\"", "SshCommandRefused", "Only rsync here"),
        ((), "command=\"printf 'ERROR:\\nonly rsync here\\n'; exit 1\"", "SshCommandRefused", "only rsync here"),
        (("ForceCommand /bin/false",), "", "SshCommandRefused", "It says nothing"),
        (
            ("ForceCommand printf '\\033[1mWelcome\\033[0m\\nto the NAS\\n'; exec $SSH_ORIGINAL_COMMAND",),
            "",
            "SshCommandRefused",
            # Its first line at least: borg gives up at once, and the rest may come too late.
            "On the server, something writes before borg answers",
        ),
        (("PubkeyAcceptedAlgorithms rsa-sha2-512",), "", "SshPermissionDenied", "PubkeyAcceptedAlgorithms"),
        (("StrictModes yes",), "", "SshPermissionDenied", "chmod go-w"),
        (("MaxSessions 0",), "", "ServerRefusesLogins", "MaxSessions"),
        (("KexAlgorithms diffie-hellman-group1-sha1",), "", "SshIncompatible", "no algorithm in common"),
    ],
    ids=[
        "sftp only",
        "no login shell",
        "restricted shell",
        "a filter on stderr",
        "a filter on stdout",
        "a silent filter",
        "a banner",
        "type of key",
        "modes",
        "no sessions",
        "old algorithms",
    ],
)
def test_a_server_that_is_not_plain_sshd_gets_advice_of_its_own_on_one_line(
    pod: Pod, settings: tuple[str, ...], options: str, reason: str, said: str
) -> None:
    with serve_ssh(pod.root / "server", *settings, options=options) as server:
        (pod.root / "server").chmod(0o777)  # which only strict modes mind
        result = result_of(pod, remote_at(pod, server))
    assert (result.reason, said in (result.error or "")) == (reason, True), result.error
    assert "\\x" not in (result.error or "")
    assert "look at the network" not in (result.error or "")


def test_a_server_that_shuts_the_door_to_all_is_told_apart_from_a_network_that_fails(pod: Pod) -> None:
    with serve_ssh(pod.root / "server", "MaxStartups 1:100:1") as server, ExitStack() as held:

        def begin_to_log_in() -> bool:
            connection = held.enter_context(socket.create_connection((HOST, server.port)))
            return connection.recv(8) == b"SSH-2.0-"  # else the door is shut already, by the connection before

        wait_until(begin_to_log_in)
        result = result_of(pod, remote_at(pod, server))
    assert result.reason == "ServerRefusesLogins", result.error
    assert "fail2ban" in (result.error or "")
    assert "look at the network" not in (result.error or "")


def test_a_banner_on_stderr_is_in_nobodys_way(pod: Pod, tmp_path: Path) -> None:
    with serve_ssh(tmp_path / "server", "ForceCommand echo Welcome >&2; exec $SSH_ORIGINAL_COMMAND") as server:
        assert result_of(pod, remote_at(pod, server)).phase is Phase.COMPLETED


@pytest.mark.parametrize(
    ("arguments", "public", "said"),
    [
        (["-t", "ed25519", "-N", "secret"], False, "passphrase"),
        (["-t", "rsa", "-m", "PEM", "-N", "secret"], False, "passphrase"),
        (["-t", "rsa", "-m", "PKCS8", "-N", "secret"], False, "passphrase"),
        (["-t", "ed25519", "-N", ""], True, "public half"),
    ],
    ids=["OpenSSH", "PEM", "PKCS8", "public"],
)
def test_a_key_that_ssh_cannot_use_unasked_is_named_before_any_login_fails(
    pod: Pod, remote: RepositoryPlan, arguments: list[str], public: bool, said: str
) -> None:
    path = pod.root / "k"
    subprocess.run(["ssh-keygen", "-q", *arguments, "-f", str(path)], check=True)
    pod.secret("borg-ssh", "id", path.with_suffix(".pub" if public else "").read_text())
    result = result_of(pod, remote)
    assert (result.reason, said in (result.error or "")) == ("SshKeyUnusable", True), result.error


@pytest.mark.parametrize("arguments", [["-t", "ed25519"], ["-t", "rsa", "-m", "PEM"], ["-t", "ecdsa", "-m", "PKCS8"]])
def test_keys_without_a_passphrase_are_taken_whatever_their_format(pod: Pod, arguments: list[str]) -> None:
    path = pod.root / "k"
    subprocess.run(["ssh-keygen", "-q", *arguments, "-N", "", "-f", str(path)], check=True)
    assert find_key_fault(path.read_bytes()) is None


def test_a_locked_remote_repository_says_how_to_find_out_by_whom(pod: Pod, remote: RepositoryPlan) -> None:
    assert result_of(pod, remote).phase is Phase.COMPLETED
    folder = pod.root / "repositories/main/lock.exclusive"
    folder.mkdir()
    (folder / "elsewhere@1.1-0").touch()
    result = pod.run(pod.plan(remote, lock_wait_seconds=1)).result.repositories[0]
    assert (result.reason, result.locked_by) == ("Locked", None)
    assert "Look on the server" in (result.error or "")


def test_a_server_with_a_host_id_of_its_own_clears_the_lock_of_a_borg_serve_that_died_with_its_container(
    pod: Pod, tmp_path: Path
) -> None:
    with serve_ssh(tmp_path / "server", "SetEnv BORG_HOST_ID=backup-server") as server:
        remote = remote_at(pod, server)
        assert result_of(pod, remote).phase is Phase.COMPLETED
        folder = pod.root / "repositories/main/lock.exclusive"
        folder.mkdir()
        (folder / f"backup-server.{dead_pid()}-0").touch()
        assert pod.run(pod.plan(remote, lock_wait_seconds=5)).result.phase is Phase.COMPLETED


def test_a_client_that_vanishes_keeps_its_lock_no_longer_than_the_server_waits_for_a_sign_of_life(
    pod: Pod, tmp_path: Path
) -> None:
    (pod.data / "slow").write_bytes(os.urandom(16_000_000))
    with serve_ssh(tmp_path / "server", "ClientAliveInterval 1", "ClientAliveCountMax 3") as server:
        remote = replace(remote_at(pod, server), compression="lzma,9")
        lock = pod.root / "repositories/main/lock.exclusive"
        written = pod.repository()
        with pod.running(pod.plan(remote)) as process:
            wait_until(lambda: pod.written_bytes(written) > 1_000_000, 60)
            [borg] = children_of(process.pid)
            [ssh] = children_of(borg)
            for pid in (borg, ssh):
                os.kill(pid, signal.SIGSTOP)  # as a node that is cut off: the connection stays, and nobody answers
            began = time.monotonic()
            wait_until(lambda: not lock.exists(), 60)
            assert time.monotonic() - began < 30
            for pid in (borg, ssh):
                os.kill(pid, signal.SIGKILL)


def dead_pid() -> int:
    """Return the pid of a process that has just ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a uid without a passwd entry")
def test_a_uid_without_a_passwd_entry_can_use_ssh(pod: Pod, remote: RepositoryPlan) -> None:
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    read_all = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]  # borg may lie below root's home
    pod.user = [setpriv, f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", *read_all]
    (pod.root / "dev/termination-log").touch()
    for path in (pod.root, *pod.root.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    assert result_of(pod, remote).phase is Phase.COMPLETED

"""A repository behind a real sshd: pinned host keys, and each way in which a connection fails told apart."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.operations import Operation
from borg_contract.phases import Phase
from borg_contract.plan import RepositoryPlan, SshPlan
from borg_contract.result import RepositoryResult
from borg_contract.retention import Retention
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Pod
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


def test_a_locked_remote_repository_does_not_say_by_whom(pod: Pod, remote: RepositoryPlan) -> None:
    assert result_of(pod, remote).phase is Phase.COMPLETED
    folder = pod.root / "repositories/main/lock.exclusive"
    folder.mkdir()
    (folder / "elsewhere@1.1-0").touch()
    result = pod.run(pod.plan(remote, lock_wait_seconds=1)).result.repositories[0]
    assert (result.reason, result.locked_by) == ("Locked", None)


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

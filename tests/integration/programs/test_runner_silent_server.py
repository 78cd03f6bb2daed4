"""A server whose sshd gives signs of life, and whose borg does not answer: real ones, with shorter bounds."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan, SshPlan
from borg_contract.reasons import Reason
from borg_runner.borg.client import Borg
from borg_runner.borg.failure import explain_failure
from borg_runner.borg.invocation import make_borg_environment
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.interruption import Interruption
from borg_runner.locks.reading import read_exclusive
from borg_runner.log import Log
from borg_runner.ssh.command import make_rsh
from borg_runner.ssh.probe import make_probe_arguments
from borg_runner.ssh.silence import Bound, Patience
from runner_kit.borg_binary import find_borg
from runner_kit.pod import PASSPHRASE, Pod, process_arguments, wait_until
from runner_kit.ssh_server import SshServer, serve_ssh
from runner_kit.told import Told

NEVER = Bound(600, 600)
SOON = Bound(2, 6)
TOLD = Bound(2, 600)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    pod = Pod(tmp_path, find_borg())
    (pod.data / "much").write_bytes(os.urandom(4_000_000))
    return pod


class Client:
    """A borg of ours on a repository at `server`."""

    def __init__(self, pod: Pod, server: SshServer, patience: Patience) -> None:
        self.pod, self.server = pod, server
        key, hosts = (pod.secret("borg-ssh", name, text) for name, text in self._secrets().items())
        Path(key.path).chmod(0o600)
        self.repository: RepositoryPlan = pod.repository(
            location=server.url(pod.root / "repositories/main"), ssh=SshPlan(key, hosts), remote_path=str(pod.borg)
        )
        rsh = make_rsh(key_path=key.path, known_hosts_path=hosts.path)
        self.told: list[str] = []
        self.borg = Borg(
            environment={
                "PATH": os.environ["PATH"],
                **make_borg_environment(
                    self.repository, base_dir=str(pod.root / "tmp"), schedule="db", host_id=None, rsh=rsh
                ),
            },
            passphrase=PASSPHRASE,
            log=Log(),
            interruption=Interruption(1.0),
            probe=make_probe_arguments(self.repository, rsh),
            executable=str(pod.borg),
            notice=Told(pod.root / "tmp/borg-waits", Log(), self.told),
            patience=patience,
        )

    def _secrets(self) -> dict[str, str]:
        return {"id": self.server.user_key, "known_hosts": self.server.known_hosts}

    def run(self, verb: str, *arguments: str) -> BorgOutcome:
        return self.borg.run([verb, "--log-json", "--remote-path", str(self.pod.borg), *arguments])

    def init(self) -> None:
        assert self.run("init", "--encryption=repokey-blake2", self.repository.location).succeeded

    def create(self, name: str) -> BorgOutcome:
        slow = ("--progress", "--compression=lzma,9", "--files-cache=disabled")
        return self.run("create", *slow, f"{self.repository.location}::{name}", str(self.pod.data))

    @property
    def logins(self) -> int:
        return (self.server.folder / "log").read_text().count("Accepted publickey")


def lock_of(pod: Pod) -> Path:
    return pod.root / "repositories/main"


@contextmanager
def stopping_serve(pod: Pod, *, go_on_when_told: list[str] | None = None) -> Iterator[list[int]]:
    """Let the server's borg hang in the middle of a backup; `go_on_when_told`: until something is told."""
    stopped: list[int] = []

    def stop() -> None:
        wait_until(lambda: pod.written_bytes(pod.repository()) > 1_000_000, 60)
        stopped.append(read_exclusive(lock_of(pod))[0].pid)
        os.kill(stopped[0], signal.SIGSTOP)
        if go_on_when_told is not None:
            wait_until(lambda: go_on_when_told, 60)
            os.kill(stopped[0], signal.SIGCONT)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield stopped
    finally:
        thread.join()
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_a_server_that_takes_the_key_and_never_says_a_word_is_given_up(pod: Pod, tmp_path: Path) -> None:
    with serve_ssh(tmp_path / "server", "Banner /etc/hostname", "ForceCommand sleep 600") as server:
        client = Client(pod, server, Patience(greeting=SOON, reading=NEVER, working=NEVER, look=2))
        outcome = client.run("list", client.repository.location)
        assert client.logins == 1, "nobody else is to be asked: it might be kept waiting as well"
    fault = explain_failure(outcome, client.repository)
    assert (outcome.unanswered, fault.reason) == (True, Reason.SERVER_SILENT)
    assert "says nothing for half an hour" in fault.text
    assert ["has not answered borg since" in words for words in client.told] == [True]
    assert pod.notice() == ""


def test_a_borg_serve_that_hangs_in_the_middle_of_a_backup_is_given_up_and_keeps_its_lock_until_it_ends(
    pod: Pod, tmp_path: Path
) -> None:
    with serve_ssh(tmp_path / "server") as server:
        client = Client(pod, server, Patience(greeting=NEVER, reading=SOON, working=NEVER, look=2))
        client.init()
        with stopping_serve(pod):
            outcome = client.create("first")
            fault = explain_failure(outcome, client.repository)
            assert (outcome.unanswered, fault.reason) == (True, Reason.SERVER_SILENT)
            assert "it keeps the lock" in fault.text
            assert read_exclusive(lock_of(pod)), "it should still be there"
            port = f"\0{server.port}\0".encode()
            # It ends by itself, once borg's ends of the pipes are closed.
            wait_until(lambda: not any(port in seen["cmdline"] for _, seen in process_arguments()))
        wait_until(lambda: not read_exclusive(lock_of(pod)))
        assert client.create("second").succeeded
    assert pod.archives(pod.repository()) == ["second"]


def test_a_server_that_works_in_silence_and_serves_one_client_at_a_time_is_not_given_up(
    pod: Pod, tmp_path: Path
) -> None:
    one_at_a_time = f'ForceCommand flock {tmp_path}/turn sh -c "$SSH_ORIGINAL_COMMAND"'
    with serve_ssh(tmp_path / "server", one_at_a_time) as server:
        client = Client(pod, server, Patience(greeting=NEVER, reading=TOLD, working=NEVER, look=2))
        client.init()
        with stopping_serve(pod, go_on_when_told=client.told):
            outcome = client.create("first")
        assert outcome.succeeded, outcome
        assert client.logins == 2
    assert len(client.told) == 1
    assert pod.notice() == ""


def test_whoever_has_to_wait_for_another_client_says_so_and_gets_its_turn(pod: Pod, tmp_path: Path) -> None:
    turn = tmp_path / "turn"
    with serve_ssh(tmp_path / "server", f'ForceCommand flock {turn} sh -c "$SSH_ORIGINAL_COMMAND"') as server:
        client = Client(pod, server, Patience(greeting=TOLD, reading=NEVER, working=NEVER, look=2))
        client.init()
        with stopping_serve(pod, go_on_when_told=client.told):
            first = threading.Thread(target=client.create, args=("first",))
            first.start()
            wait_until(lambda: read_exclusive(lock_of(pod)))
            listed = client.run("list", "--lock-wait=60", client.repository.location)
            first.join()
    assert listed.succeeded, listed
    assert any("has not answered borg since" in words for words in client.told)

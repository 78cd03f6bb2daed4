"""A session's pod from its beginning to its end: who is let in, locks, deaths, what is gone, and when it is over."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest

from borg_contract.plan import RepositoryPlan, SshPlan
from borg_contract.pod import session_lock_holder
from borg_contract.session.request import ReadRequest, SessionOperation
from borg_runner.locks.reading import read_holders
from borg_session.borgs import CONTENTS
from runner_kit.locking import locked
from runner_kit.pod import PASSPHRASE, Pod, during, wait_until
from runner_kit.session import UID, Session, session_of
from runner_kit.ssh_server import HOST, SshServer, make_key, serve_ssh

SIZE = 24_000_000
ARCHIVES = ReadRequest(SessionOperation.ARCHIVES)


@pytest.fixture
def repository(pod: Pod) -> RepositoryPlan:
    repository = pod.repository()
    (pod.data / "big").write_bytes(random.Random(1).randbytes(SIZE))
    pod.ask_borg(repository, "init", "--encryption=repokey-blake2", "REPO")
    pod.ask_borg(repository, "create", "REPO::one", "data", directory=pod.root / "sources")
    return repository


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with serve_ssh(tmp_path_factory.mktemp("ssh") / "server") as running:
        yield running


def over_ssh(pod: Pod, server: SshServer) -> RepositoryPlan:
    secrets = SshPlan(
        pod.secret("borg-ssh", "id", server.user_key), pod.secret("borg-ssh", "known_hosts", server.known_hosts)
    )
    return pod.repository(location=server.url(pod.root / "repositories/main"), ssh=secrets, remote_path=str(pod.borg))


@contextmanager
def reading(session: Session) -> Iterator[httpx.Response]:
    """Give the answer that brings the big file, while borg is at work for it."""
    session.folder("one")
    request = ReadRequest(SessionOperation.FILE, archive="one", path="data/big")
    headers = {"authorization": f"Bearer {session.sign(request)}"}
    with session.client.stream("GET", session.url(request), headers=headers) as answer:
        yield answer


def borgs_of(session: Session) -> list[int]:
    """Return the pids of its borgs, which are children of its threads."""
    found = []
    children = (path.read_text().split() for path in Path(f"/proc/{session.process.pid}/task").glob("*/children"))
    for pid in map(int, chain.from_iterable(children)):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.endswith(b"/borg") for word in words):
            found.append(pid)
    return found


def test_nothing_is_told_to_whoever_is_not_sent_by_the_facade(pod: Pod, repository: RepositoryPlan) -> None:
    with session_of(pod, repository) as session:
        url = session.url(ARCHIVES)
        good = session.sign(ARCHIVES)
        for header in (None, "Bearer x.y.z", f"Bearer {session.sign(ARCHIVES, aud='another')}", f"Basic {good}"):
            answer = session.client.get(url, headers={"authorization": header} if header else {})
            assert (answer.status_code, answer.json()["reason"]) == (401, "NotSigned")
            assert set(answer.json()) == {"reason", "message"}
        authorized = {"authorization": f"Bearer {good}"}
        for method, path, status in (
            ("GET", "/tree?archive=one", 403),
            ("GET", "/archives?x=1", 403),
            ("GET", "/archives?x=1&x=1", 403),
            ("GET", "//archives", 403),
            ("POST", "/archives", 403),
            ("GET", "/archives", 200),
            ("GET", "/archives", 401),
        ):
            answer = session.client.request(method, f"http://127.0.0.1:{session.port}{path}", headers=authorized)
            while answer.status_code == 202:
                answer = session.get("archives")
            assert answer.status_code == status, (method, path, answer.text)
        assert session.client.get(f"http://127.0.0.1:{session.port}/").status_code == 401
        assert session.client.get(f"http://127.0.0.1:{session.port}/readyz").content == b""
        assert session.refusal("tree", archive="one", after="x")[:2] == (422, "InvalidArgument")
        assert session.get("find", archive="one").status_code == 422
        long = session.until_answered("tree", archive="one", path="\udcff" * 8000)
        assert long.status_code == 404, "the longest path comes through, three characters a byte, twice"
        assert PASSPHRASE not in session.log
        assert good not in session.log


def test_it_ends_by_itself_when_nobody_asks_and_a_download_keeps_it(pod: Pod, repository: RepositoryPlan) -> None:
    with session_of(pod, repository, idle_seconds=4) as session:
        request = ReadRequest(SessionOperation.FILE, archive="one", path="data/big")
        while session.get("tree", archive="one").status_code == 202:
            pass
        with session.client.stream(
            "GET", session.url(request), headers={"authorization": f"Bearer {session.sign(request)}"}
        ) as answer:
            received = 0
            pieces = answer.iter_bytes(1 << 20)
            received += len(next(pieces))
            time.sleep(6)  # longer than it may be idle
            assert session.process.poll() is None
            received += sum(map(len, pieces))
        assert received == SIZE
        assert session.ended(60) == 0
    assert "nobody has asked for 4 s" in session.log
    assert session.message_path.read_text() == ""


def test_it_ends_when_it_was_open_for_long_enough(pod: Pod, repository: RepositoryPlan) -> None:
    with session_of(pod, repository, ready=False, max_seconds=1) as session:
        assert session.ended(60) == 0
    assert "it has been open for 1 s" in session.log
    assert read_holders(Path(repository.location)) == []


def test_told_to_end_it_ends_its_borgs_and_leaves_no_lock(pod: Pod, repository: RepositoryPlan) -> None:
    with session_of(pod, repository) as session, reading(session) as answer:
        pieces = answer.iter_bytes(1 << 16)
        next(pieces)
        [borg] = borgs_of(session)
        session.process.send_signal(signal.SIGTERM)
        assert session.ended(60) == 0
        with pytest.raises(httpx.TransportError):
            list(pieces)
    assert not Path(f"/proc/{borg}").exists()
    assert read_holders(Path(repository.location)) == []
    assert list((pod.root / "tmp").glob("run-*")) == []


def test_what_it_starts_leaves_no_core_in_which_secrets_are(pod: Pod, repository: RepositoryPlan) -> None:
    with session_of(pod, repository) as session, reading(session) as answer:
        next(answer.iter_bytes(1 << 16))
        for pid in (session.process.pid, *borgs_of(session)):
            limits = Path(f"/proc/{pid}/limits").read_text().split("\n")
            [line] = [line for line in limits if "Max core file size" in line]
            assert line.split()[-3:] == ["1", "1", "bytes"]


def test_a_download_that_is_broken_off_ends_its_borg(pod: Pod, repository: RepositoryPlan) -> None:
    with session_of(pod, repository) as session:
        session.folder("one")
        for operation in (SessionOperation.FILE, SessionOperation.TAR):
            request = ReadRequest(
                operation, archive="one", path="data/big" if operation is SessionOperation.FILE else "data"
            )
            with session.client.stream(
                "GET", session.url(request), headers={"authorization": f"Bearer {session.sign(request)}"}
            ) as answer:
                next(answer.iter_bytes(1 << 16))
                assert len(borgs_of(session)) == 1
            wait_until(lambda: borgs_of(session) == [])
        assert session.until_answered("file", archive="one", path="data/big").status_code == 200
        wait_until(lambda: borgs_of(session) == [])  # it has answered, and puts its lock away
        assert read_holders(Path(repository.location)) == []


def test_while_somebody_writes_it_is_said_who_and_what_was_read_is_shown(pod: Pod, repository: RepositoryPlan) -> None:
    pod.ask_borg(repository, "create", "REPO::two", "data", directory=pod.root / "sources")
    with session_of(pod, repository) as session:
        shown = session.folder("one", "data")
        with locked(pod, repository, pod.holder("db-7", "uid-7")) as holder:
            assert session.folder("one", "data") == shown
            assert [item.path for item in session.find("one", "big")] == ["data/big"]
            status, reason, message = session.refusal("tree", archive="two")
            assert (status, reason) == (409, "RepositoryLocked")
            assert 'locked by run "db-7" in namespace "team" since ' in message
            assert session.refusal("file", archive="one", path="data/big")[:2] == (409, "RepositoryLocked")
            os.killpg(holder.pid, signal.SIGTERM)
            holder.wait()
        assert [item.name for item in session.folder("two", "data")] == [item.name for item in shown]


def test_a_repository_that_is_locked_at_first_is_opened_later(pod: Pod, repository: RepositoryPlan) -> None:
    with locked(pod, repository, pod.holder("db-7", "uid-7")) as holder, session_of(pod, repository) as session:
        assert session.refusal("archives")[:2] == (409, "RepositoryLocked")
        os.killpg(holder.pid, signal.SIGTERM)
        holder.wait()
        wait_until(lambda: "it is open: 1 archives" in session.log)


def test_a_borg_that_is_killed_while_it_lists_leaves_no_lock_and_is_begun_anew(
    pod: Pod, repository: RepositoryPlan
) -> None:
    once = pod.root / "tmp/once"
    roster = Path(repository.location) / "lock.roster"
    kill = (
        f'[ -e {once} ] || {{ touch {once}; {pod.borg} "$@" & while [ ! -s {roster} ]; do :; done; '
        f"cp {roster} {once}; kill -9 $!; kill -9 $$; }}"
    )
    during(pod, "debug", kill)
    with session_of(pod, repository) as session:
        assert session.refusal("tree", archive="one")[:2] == (503, "Killed")
        holder = session_lock_holder("team", "look", UID)
        assert any(entry[0].startswith(holder) for entry in json.loads(once.read_text())["shared"])
        assert read_holders(Path(repository.location)) == []
        assert [item.name for item in session.folder("one", "data")] == ["big", "hello.txt"]


def test_an_archive_that_is_pruned_while_it_is_looked_at_is_told_gone(pod: Pod, repository: RepositoryPlan) -> None:
    with session_of(pod, repository) as session:
        session.folder("one")
        pod.ask_borg(repository, "create", "REPO::two", "data", directory=pod.root / "sources")
        pod.ask_borg(repository, "delete", "REPO::one")
        assert session.refusal("file", archive="one", path="data/big")[:2] == (404, "ArchiveGone")
        assert session.refusal("file", archive="one", path="data/big")[:2] == (404, "ArchiveGone")
        assert session.refusal("tree", archive="one")[:2] == (404, "ArchiveGone")
        assert session.refusal("tree", archive="never")[:2] == (404, "ArchiveNotFound")
        assert [archive.name for archive in session.archives().items] == ["two"]
        assert [item.name for item in session.folder("two", "data")] == ["big", "hello.txt"]


@pytest.mark.usefixtures("repository")
def test_over_ssh_it_looks_as_on_a_volume(pod: Pod, server: SshServer) -> None:
    with session_of(pod, over_ssh(pod, server)) as session:
        assert [item.name for item in session.folder("one", "data")] == ["big", "hello.txt"]
        assert session.until_answered("file", archive="one", path="data/big").content == (pod.data / "big").read_bytes()
        request = ReadRequest(SessionOperation.FILE, archive="one", path="data/big")
        with session.client.stream(
            "GET", session.url(request), headers={"authorization": f"Bearer {session.sign(request)}"}
        ) as answer:
            next(answer.iter_bytes(1 << 16))
        wait_until(lambda: borgs_of(session) == [])
        wait_until(lambda: read_holders(pod.root / "repositories/main") == [])


@pytest.mark.parametrize(
    "what", ["another host key", "another repository", "no plan", "no repository", "no Secret", "wrong passphrase"]
)
def test_what_cannot_be_opened_ends_it_with_the_reason_that_a_run_has(
    pod: Pod, repository: RepositoryPlan, server: SshServer, what: str
) -> None:
    code, reason = 1, ""
    changes: dict[str, Any] = {}
    match what:
        case "another host key":
            repository, reason = over_ssh(pod, server), "HostKeyMismatch"
            _, other = make_key(pod.root / "other")
            pod.secret("borg-ssh", "known_hosts", f"[{HOST}]:{server.port} {' '.join(other.split()[:2])}\n")
        case "another repository":
            repository, reason = replace(repository, repository_ids=("0" * 64,)), "RepositoryReplaced"
        case "no plan":
            changes, code, reason = {"public_keys": ()}, 2, "InvalidPlan"
        case "no repository":
            shutil.rmtree(repository.location)
            reason = "RepositoryMissing"
        case "no Secret":
            repository, reason = replace(repository, passphrase=pod.secret("none", "x")), "SecretMissing"
        case "wrong passphrase":
            pod.secret("borg-main", "passphrase", "another one")
            reason = "PassphraseWrong"
    with session_of(pod, repository, ready=False, **changes) as session:
        assert session.ended(90) == code, session.log
        assert session.message()["reason"] == reason
        assert len(session.message()["message"]) > 20
        assert PASSPHRASE not in session.log


def test_more_than_there_is_room_for_load_one_after_the_other(pod: Pod, repository: RepositoryPlan) -> None:
    with session_of(pod, repository) as session, ThreadPoolExecutor(5) as readers:
        session.folder("one", "data")

        def load(_: int) -> bytes:
            return session.get("file", archive="one", path="data/hello.txt").content

        loading = [readers.submit(load, number) for number in range(5)]
        most = 0
        while not all(each.done() for each in loading):
            most = max(most, len(borgs_of(session)))
        assert [each.result() for each in loading] == [b"hello\n"] * 5
        assert most == CONTENTS

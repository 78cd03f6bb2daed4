"""A volume that hangs while the sources are read: it is told of, and holds up no shutdown."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from borg_contract.plan import RepositoryPlan
from borg_contract.reasons import Reason
from borg_runner.borg.client import Borg
from borg_runner.fault import FaultError
from borg_runner.interruption import Interruption
from borg_runner.locks.wait import LockWait
from borg_runner.log import Log
from borg_runner.notice import Notice
from borg_runner.verbs.repository import Repository
from borg_runner.work.sources.reading import read_watched
from borg_runner.work.sources.survey import Survey

SURVEY = Survey(())


@pytest.fixture
def answers() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()  # no test leaves a thread


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    log = Log(io.StringIO())
    location = str(tmp_path)
    return Repository(
        plan=RepositoryPlan("main", location, "none"),
        borg=Borg(
            environment={},
            passphrase=None,
            log=log,
            interruption=Interruption(grace_seconds=60),
            notice=Notice(tmp_path / "notice", log),
        ),
        locks=LockWait(
            location=location,
            base_dir=tmp_path,
            seconds=1,
            host_id=None,
            dead_holders=frozenset(),
            log=log,
            notice=None,
        ),
        log=log,
    )


def test_a_volume_that_hangs_is_told_of_until_it_answers(
    repository: Repository, answers: threading.Event, tmp_path: Path
) -> None:
    seen: list[str] = []

    def see() -> None:
        deadline = time.monotonic() + 20
        while not (tmp_path / "notice").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        seen.append((tmp_path / "notice").read_text())
        answers.set()

    def hang(on_folder: Callable[[], None], _: Callable[[str], bool]) -> Survey:
        on_folder()
        answers.wait()
        return SURVEY

    watcher = threading.Thread(target=see)
    watcher.start()
    assert read_watched(repository, hang, patience=0.1) is SURVEY
    watcher.join()
    assert seen[0].startswith("No answer from a volume: reading the sources has not gone on since ")
    assert not (tmp_path / "notice").exists()


def test_a_folder_of_which_much_is_asked_is_none_that_hangs(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("borg_runner.work.sources.reading.time", SimpleNamespace(monotonic=lambda: now))
    told: list[str] = []
    monkeypatch.setattr(Notice, "post", lambda _, words: told.append(words))

    def ask(on_folder: Callable[[], None], leaves_out: Callable[[str], bool]) -> Survey:
        nonlocal now
        on_folder()
        for number in range(9):
            assert leaves_out(str(number))
            now += 40
        return SURVEY

    assert read_watched(repository, ask, leaves_out=lambda _: True, patience=60) is SURVEY
    assert told == []


def test_a_shutdown_ends_a_run_whose_volume_hangs(repository: Repository, answers: threading.Event) -> None:
    def hang(*_: object) -> Survey:
        repository.borg.interruption.request()
        answers.wait()
        return SURVEY

    with pytest.raises(FaultError) as raised:
        read_watched(repository, hang)
    assert raised.value.fault.reason is Reason.INTERRUPTED


def test_patterns_are_tried_where_signals_are_heard(repository: Repository) -> None:
    asked: list[tuple[str, bool]] = []

    def ask(_: Callable[[], None], leaves_out: Callable[[str], bool]) -> Survey:
        assert threading.current_thread() is not threading.main_thread()
        assert [leaves_out(path) for path in ("a", "b", "a")] == [True, False, True]
        return SURVEY

    def leaves_out(path: str) -> bool:
        asked.append((path, threading.current_thread() is threading.main_thread()))
        return path == "a"

    assert read_watched(repository, ask, leaves_out=leaves_out) is SURVEY
    assert asked == [("a", True), ("b", True), ("a", True)]


def test_what_reading_raises_is_raised(repository: Repository) -> None:
    def fail(on_folder: Callable[[], None], _: Callable[[str], bool]) -> Survey:
        on_folder()
        raise PermissionError("the root of it")

    with pytest.raises(PermissionError, match="the root of it"):
        read_watched(repository, fail)

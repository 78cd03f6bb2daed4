"""What is kept of borg's words: of very many, the first and the last, and how many there were."""

import io
import json

import pytest

from borg_runner.borg.listener import (
    KEPT_ERROR_CHARACTERS,
    KEPT_REMOTE_CHARACTERS,
    LAST_ERRORS,
    LAST_REMOTE,
    LOGGED_ERRORS,
    LOGGED_REMOTE,
    Listener,
)
from borg_runner.log import Log
from borg_runner.process import Exit, Stream


def error(text: str, msgid: str = "") -> str:
    return json.dumps({"type": "log_message", "levelname": "ERROR", "message": text, "msgid": msgid, "name": "borg"})


def test_of_a_flood_of_errors_the_first_and_the_last_are_kept_and_all_counted() -> None:
    log = io.StringIO()
    listener = Listener(log=Log(log))
    size, count = 10_000, 3 * KEPT_ERROR_CHARACTERS // 10_000
    for number in range(count):
        listener.hear(Stream.ERROR, error(f"{number:06} {'x' * size}"))
    listener.hear(Stream.ERROR, error("no room", "InsufficientFreeSpaceError"))
    listener.close()
    outcome = listener.outcome(Exit(2))
    assert outcome.exit_code == 14
    assert outcome.errors[0].text.startswith("000000")
    assert outcome.errors[-1].text == "no room"
    assert sum(len(message.text) for message in outcome.errors) < KEPT_ERROR_CHARACTERS + LAST_ERRORS * 2 * size
    assert outcome.errors_not_kept + len(outcome.errors) == count + 1
    assert log.getvalue().count("  error: ") == LOGGED_ERRORS
    assert f"of {count + 1:,} errors" in log.getvalue()


def test_of_a_server_that_prints_without_end_the_first_and_the_last_lines_are_kept() -> None:
    log = io.StringIO()
    listener = Listener(log=Log(log))
    size, count = 1000, 3 * KEPT_REMOTE_CHARACTERS // 1000
    for number in range(count):
        line = {"type": "log_message", "levelname": "WARNING", "name": "root"}
        listener.hear(Stream.ERROR, json.dumps({**line, "message": f"Remote: {number:06} {'x' * size}"}))
    listener.close()
    remote = listener.outcome(Exit(2)).remote
    assert (remote[0][:6], remote[-1][:6]) == ("000000", f"{count - 1:06}")
    assert sum(map(len, remote)) < KEPT_REMOTE_CHARACTERS + LAST_REMOTE * 2 * size
    assert log.getvalue().count("Remote: ") == LOGGED_REMOTE
    assert f"of {count:,} lines of the server" in log.getvalue()


def test_of_few_errors_all_are_kept() -> None:
    listener = Listener(log=Log(io.StringIO()))
    for number in range(LAST_ERRORS * 2):
        listener.hear(Stream.ERROR, error(str(number)))
    outcome = listener.outcome(Exit(2))
    assert [message.text for message in outcome.errors] == [str(number) for number in range(LAST_ERRORS * 2)]
    assert outcome.errors_not_kept == 0


@pytest.mark.parametrize(
    ("stream", "line", "at_work"),
    [
        (Stream.ERROR, error("Failed to create/acquire the lock", "LockTimeout"), False),
        (Stream.ERROR, "Remote: a banner of the server", False),
        (Stream.ERROR, '{"type": "archive_progress", "nfiles": 1}', True),
        (Stream.ERROR, '{"type": "progress_percent", "message": "Checking segments 1%"}', True),
        (Stream.ERROR, '{"type": "log_message", "name": "borg.output.list", "message": "Keeping archive"}', True),
        (Stream.OUTPUT, '{"archives": []}', True),
    ],
    ids=["no lock", "the server's words", "a backup", "a check", "what is kept", "an answer"],
)
def test_once_borg_is_at_work_that_is_told_once(stream: Stream, line: str, at_work: bool) -> None:
    told: list[str] = []
    listener = Listener(log=Log(io.StringIO()), on_work=lambda: told.append("at work"))
    listener.hear(stream, line)
    listener.hear(stream, line)
    assert told == (["at work"] if at_work else [])

"""The line of a restore's log that tells how far it has come: written by the runner, read by the facade."""

import io

import pytest

from borg_contract.restore.progress import Progress, describe_progress, parse_progress
from borg_runner.log import Log
from borg_runner.restore import verify
from borg_runner.restore.extract import Work
from borg_runner.restore.verify import HowFar

MIB = 1024**2
GIB = 1024**3

STATES = {
    "usual": Progress(41, 2931, GIB, 85 * MIB, 1204, 40),
    "large": Progress(7, 20_000_931, 12 * 1024 * GIB, GIB, 10_000_204, 18_000),
    "nothing yet": Progress(0, 3, 0, 0, 0),
    "nobody counts files": Progress(12, 2931, 512, 0, None, 0),
    "done": Progress(100, 3, 0, 0, 3, 0),
    "reading back": Progress(41, 2931, GIB, 85 * MIB, 1204, 40, "etc/app.conf", reads_back=True),
    "at a file": Progress(1, 3, 0, 0, 1, 119, "etc/app.conf"),
    "at a hostile file": Progress(1, 3, 0, 0, 1, 9, 'a") \\ at "b\nrestoring: 99 % (1 files, 1 B, 1 B/s)\u2028\x1b[2J'),
}


@pytest.mark.parametrize("name", sorted(STATES))
def test_what_the_runner_says_the_facade_reads(name: str) -> None:
    stream = io.StringIO()
    Log(stream).say(describe_progress(STATES[name]))
    [line] = stream.getvalue().splitlines()
    assert parse_progress(line) == STATES[name]


def test_a_name_that_is_no_text_is_told_as_well_as_it_can_be() -> None:
    read = parse_progress(describe_progress(Progress(1, 3, 0, 0, current="caf\udce9")))
    assert read
    assert read.current == "caf?"


def test_what_is_rounded_for_people_stays_as_it_was_said() -> None:
    said = describe_progress(Progress(33, 2931, 1_234_567_890, 98_765_432, 1204, 4321, "a" * 2000))
    assert said == "restoring: 33 % (1,204 of 2,931 files, 1.1 GiB, 94.2 MiB/s, about 72 min left)"
    read = parse_progress(said)
    assert read
    assert describe_progress(read) == said


HOSTILE = [
    "restoring: 99 % (1 files, 1 B, 1 B/s)",
    "x\nrestoring: 99 % (1 of 2 files, 1 B, 1 B/s)\ny",
    "x\r\n  restoring: 99 % (1 of 2 files, 1 B, 1 B/s)",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_of_a_file_is_taken_for_progress(name: str) -> None:
    stream = io.StringIO()
    log = Log(stream)
    log.say(f"{name}: Permission denied", "  ")  # as borg's lines are shown
    log.say(name, "  ")
    log.say(describe_progress(Progress(5, 2, 0, 0, current=name)))
    found = [progress for line in stream.getvalue().split("\n") if (progress := parse_progress(line))]
    assert [progress.percent for progress in found] == [5]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "restoring",
        "restoring: much",
        "restoring: 41 % (1,2",
        "+ etc/restoring: 41",
        "restoring: x % (1 of 2 files)",
        'restoring: 1 % (1 files, 1 B, 1 B/s) at "x',
        'restoring: 1 % (1 files, 1 B, 1 B/s) at "\\"',
        "restoring: 1 % (" + "1," * 100_000,
    ],
    ids=lambda line: line[:45],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert parse_progress(line) is None


def test_reading_back_tells_how_far_it_is_each_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    far = HowFar(Work(files=2, size=4 * MIB), Log(stream))
    far.add(MIB, files=0, current="a")
    assert not stream.getvalue()
    monkeypatch.setattr(verify, "PROGRESS_SECONDS", 0.0)
    far.add(MIB, files=1, current="b")
    read = parse_progress(stream.getvalue())
    assert read
    assert (read.reads_back, read.files, read.bytes, read.current) == (True, 1, 2 * MIB, "b")
    assert 50 <= read.percent < 60

"""The line of a restore's log that tells how far it has come: what is written is read."""

import pytest

from borg_contract.restore.progress import RestoreProgress, parse_progress

GIB = 1024**3
MIB = 1024**2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "restoring: 41 % (1,204 of 2,931 files, 1.2 GiB, 85 MiB/s, about 40 s left)",
            RestoreProgress(41, 1204, 2931, round(1.2 * GIB), 85.0 * MIB, 40),
        ),
        (
            "restoring: 7 % (10,000,204 of 20,000,931 files, 12 TiB, 1.5 GiB/s, about 3 min left)",
            RestoreProgress(7, 10_000_204, 20_000_931, 12 * 1024 * GIB, 1.5 * GIB, 180),
        ),
        (
            "2026-11-24T03:00:02Z main: restoring: 0 % (0 of 3 files, 812 B, about 2 h 10 min left)",
            RestoreProgress(0, 0, 3, 812, 0.0, 7800),
        ),
        ("restoring: 100 % (3 of 3 files)", RestoreProgress(100, 3, 3)),
    ],
)
def test_what_the_line_tells_is_read(line: str, told: RestoreProgress) -> None:
    assert parse_progress(line) == told


@pytest.mark.parametrize(
    "line",
    [
        "",
        "restoring",
        "restoring: much",
        "restoring: 41 % (1,2",
        "+ etc/restoring: 41",
        "restoring: x % (1 of 2 files)",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert parse_progress(line) is None


@pytest.mark.parametrize(
    "progress",
    [
        RestoreProgress(0, 0, 0),
        RestoreProgress(41, 1204, 2931, 1200 * MIB, 85.0 * MIB, 40),
        RestoreProgress(99, 999_999_999, 1_000_000_000, 2**50, 1023.0, 0),
        RestoreProgress(1, 2, 3, 1024, 10.0, 4 * 3600),
    ],
)
def test_what_is_written_is_read(progress: RestoreProgress) -> None:
    line = progress.render()
    found = parse_progress(line)
    assert found is not None
    assert found.render() == line
    assert (found.percent, found.files, found.seconds_left) == (
        progress.percent,
        progress.files,
        progress.seconds_left,
    )


def test_a_line_made_to_take_long_is_read_at_once() -> None:
    assert parse_progress("restoring: 1 % (" + "1," * 100_000) is None

"""The line of a restore's log that tells how far it has come."""

import pytest

from borg_api.resources.restores.progress import Progress, parse_progress

GIB = 1024**3
MIB = 1024**2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "restoring: 41 % (1,204 of 2,931 files, 1.2 GiB, 85 MiB/s, about 40 s left)",
            Progress(41, 1204, 85.0 * MIB, 40),
        ),
        (
            "restoring: 7 % (10,000,204 of 20,000,931 files, 12.0 TiB, 1.5 GiB/s, about 300 min left)",
            Progress(7, 10_000_204, 1.5 * GIB, 18_000),
        ),
        (
            "2026-11-24T03:00:02Z main: restoring: 0 % (0 of 3 files, 812 B, 0 B/s, about 2 h 10 min left)",
            Progress(0, 0, 0.0, 7800),
        ),
        ("restoring: 12 % (2,931 files, 1.2 GiB, 85.0 MiB/s, about 0 s left)", Progress(12, 0, 85.0 * MIB, 0)),
        ("restoring: 100 % (3 of 3 files)", Progress(100, 3)),
    ],
)
def test_what_the_line_tells_is_read(line: str, told: Progress) -> None:
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
        "restoring: 1 % (" + "1," * 100_000,
    ],
    ids=lambda line: line[:30],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert parse_progress(line) is None

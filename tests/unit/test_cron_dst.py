"""Warnings of runs that a change of the clock loses, doubles or moves."""

from datetime import UTC, datetime, timedelta

import pytest

from borg_core.clock import CronSchedule, dst_warnings

JANUARY = datetime(2026, 1, 5, tzinfo=UTC)
BERLIN_SPRING = "because the clock in Europe/Berlin goes forward from 02:00 to 03:00"
BERLIN_AUTUMN = "because the clock in Europe/Berlin goes back from 03:00 to 02:00"
BEIRUT = "because the clock in Asia/Beirut goes forward from 00:00 to 01:00"
SANTIAGO = "because the clock in America/Santiago goes forward from 00:00 to 01:00"
LORD_HOWE_AUTUMN = "because the clock in Australia/Lord_Howe goes back from 02:00 to 01:30"
LORD_HOWE_SPRING = "because the clock in Australia/Lord_Howe goes forward from 02:00 to 02:30"

WARNED: tuple[tuple[str, str, list[str]], ...] = (
    (
        "30 2 * * *",
        "Europe/Berlin",
        [
            f"on 2026-03-29 the run at 02:30 is skipped, {BERLIN_SPRING}",
            f"on 2026-10-25 the run at 02:30 happens twice, {BERLIN_AUTUMN}",
        ],
    ),
    (
        "0,30 1-3 * * SUN",
        "Europe/Berlin",
        [
            f"on 2026-03-29 the runs at 02:00 and 02:30 are skipped, {BERLIN_SPRING}",
            f"on 2026-10-25 the runs at 02:00 and 02:30 happen twice, {BERLIN_AUTUMN}",
        ],
    ),
    (
        "*/5 0-22 * * *",
        "Europe/Berlin",
        [
            f"on 2026-03-29 the 12 runs from 02:00 to 02:55 are skipped, {BERLIN_SPRING}",
            f"on 2026-10-25 the 12 runs from 02:00 to 02:55 happen twice, {BERLIN_AUTUMN}",
        ],
    ),
    ("30 2 29 3 *", "Europe/Berlin", [f"on 2026-03-29 the run at 02:30 is skipped, {BERLIN_SPRING}"]),
    # A skipped midnight costs robfig/cron the day, or makes it run into the next.
    (
        "0 12 * * SUN",
        "Asia/Beirut",
        [f"on 2026-03-29 the run at 12:00 is skipped, {BEIRUT}"],
    ),
    (
        "0 * * * SUN",
        "Asia/Beirut",
        [f"on 2026-03-29 the 23 runs from 01:00 to 23:00 are skipped, {BEIRUT}"],
    ),
    (
        "0 5 * * SAT",
        "America/Santiago",
        [f"on 2026-09-06 the run at 05:00 is not asked for but happens, {SANTIAGO}"],
    ),
    # Thirty minutes back from 02:00, and hour by hour over it.
    (
        "0 2 * * *",
        "Australia/Lord_Howe",
        [
            f"on 2026-04-05 the run at 02:00 is skipped, {LORD_HOWE_AUTUMN}",
            f"on 2026-10-04 the run at 02:00 is skipped, {LORD_HOWE_SPRING}",
        ],
    ),
    ("0 0 30 2 *", "Europe/Berlin", ['"0 0 30 2 *" never runs: no time within five years matches it']),
    (", 2 * * *", "Etc/UTC", ['", 2 * * *" never runs: no time within five years matches it']),
    # Nothing is lost of these.
    ("* * * * *", "Europe/Berlin", []),
    ("15 * * * *", "Europe/Berlin", []),
    ("*/15 * * * MON-FRI", "Europe/Berlin", []),
    ("0 * * * SUN", "Europe/Berlin", []),
    ("0 3 * * *", "Europe/Berlin", []),
    ("30 2 * * MON", "Europe/Berlin", []),
    ("30 2 * * *", "Etc/UTC", []),
    ("30 2 * * *", "Asia/Tokyo", []),
    ("@every 90m", "Europe/Berlin", []),
    ("@daily", "Europe/Berlin", []),
)


@pytest.mark.parametrize(("expression", "zone", "warnings"), WARNED)
def test_each_date_with_lost_or_doubled_runs_gets_a_sentence(expression: str, zone: str, warnings: list[str]) -> None:
    assert dst_warnings(CronSchedule.parse(expression, zone), JANUARY) == warnings


def test_only_dates_within_the_horizon_are_warned_of() -> None:
    schedule = CronSchedule.parse("30 2 * * *", "Europe/Berlin")

    assert dst_warnings(schedule, JANUARY, timedelta(days=60)) == []
    assert len(dst_warnings(schedule, JANUARY, timedelta(days=90))) == 1
    assert len(dst_warnings(schedule, datetime(2026, 4, 1, tzinfo=UTC))) == 2

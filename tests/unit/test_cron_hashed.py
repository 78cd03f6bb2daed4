"""`H` in schedules: what is chosen stays for ever, is spread evenly, and is what a CronJob takes."""

import math
from collections import Counter

import pytest

from borg_core.clock import CronError, CronSchedule
from borg_core.clock.hashed import is_hashed, resolve
from support import builders

# Never to be changed: schedules that exist would move to another time. What breaks it is to be left out: pin croniter.
FIXED = (
    ("H H * * *", "team", "nightly", "12 11 * * *"),
    ("H H * * *", "team", "nightly-2", "15 3 * * *"),
    ("H H * * *", "other", "nightly", "3 6 * * *"),
    ("H H(1-5) * * *", "team", "nightly", "12 4 * * *"),
    ("H/15 * * * *", "team", "nightly", "12-59/15 * * * *"),
    ("H(0-29)/10 * * * *", "team", "nightly", "2-29/10 * * * *"),
    ("H H H * *", "team", "monthly", "47 8 24 * *"),
    ("H H * * H", "team", "weekly", "3 2 * * 3"),
    ("H H H H *", "team", "yearly", "35 13 16 9 *"),
    ("H H H/7 H/3 *", "team", "often", "57 9 4-28/7 2-12/3 *"),
    ("0,H(30-40) H * * MON-FRI", "team", "db", "0,31 23 * * MON-FRI"),
    ("H/59 H/23 * * H(1-5)", "team", "db", "30 6 * * 1"),
    ("H(5-5) H(0-1) H(27-28) H(11-12) H(0-6)", "borg-demo", "a", "5 0 28 12 0"),
)
NAMES = [
    f"{kind}-{number}" for kind in ("db", "web", "mail", "a-rather-long-name-of-a-volume") for number in range(250)
]


@pytest.mark.parametrize(("written", "namespace", "name", "plain"), FIXED)
def test_what_is_chosen_stays_the_same_for_ever(written: str, namespace: str, name: str, plain: str) -> None:
    assert resolve(written, namespace, name) == plain
    assert CronSchedule.parse(plain)


@pytest.mark.parametrize(
    ("written", "field", "low", "high"),
    [
        ("H * * * *", 0, 0, 59),
        ("H(10-29) * * * *", 0, 10, 29),
        ("H/15 * * * *", 0, 0, 14),
        ("0 H * * *", 1, 0, 23),
        ("0 0 H * *", 2, 1, 28),
        ("0 0 1 H *", 3, 1, 12),
        ("0 0 * * H", 4, 0, 6),
    ],
)
def test_a_thousand_names_are_spread_evenly(written: str, field: int, low: int, high: int) -> None:
    found = Counter(int(resolve(written, "team", name).split()[field].split("-")[0]) for name in NAMES)
    assert set(found) <= set(range(low, high + 1))
    assert _chi_square([found[value] for value in range(low, high + 1)]) < _limit(high - low)


def test_minute_and_hour_do_not_depend_on_each_other() -> None:
    found = Counter(tuple(map(int, resolve("H H * * *", "team", name).split()[:2])) for name in NAMES)
    blocks = Counter((minute // 10, hour // 4) for (minute, hour), times in found.items() for _ in range(times))
    assert _chi_square([blocks[minute, hour] for minute in range(6) for hour in range(6)]) < _limit(35)
    assert max(found.values()) < 6


def test_each_form_means_what_it_does_in_jenkins() -> None:
    for name in NAMES[::20]:
        minutes = _minutes(resolve("H/15 * * * *", "team", name))
        assert len(minutes) == 4
        assert {minute % 15 for minute in minutes} == {minutes[0]}
        minutes = _minutes(resolve("H(0-29)/10 * * * *", "team", name))
        assert [minute - minutes[0] for minute in minutes] == [0, 10, 20]
        assert minutes[-1] <= 29


@pytest.mark.parametrize(
    "line", ["0 2 * * *", "  0 2\t* * *", "0 2 * * THU", "@hourly", "@every 90m", "", "0 2 *", "nonsense", "@H"]
)
def test_a_line_without_h_stays_as_it_is(line: str) -> None:
    assert resolve(line, "team", "nightly") == line
    assert not is_hashed(line)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("H5 * * * *", 'no form of H: write "H", "H(0-29)", "H/15" or "H(0-29)/10"'),
        ("H(5) * * * *", "no form of H"),
        ("H(0-29 * * * *", "no form of H"),
        ("H-5 * * * *", "no form of H"),
        ("H(0-99) * * * *", "out of range for the minute: write a range within 0 to 59"),
        ("H(9-3) * * * *", "the lower number first"),
        ("0 H(0-24) * * *", "out of range for the hour"),
        ("0 0 H(0-5) * *", "out of range for the day of month"),
        ("0 0 H(1-31) * *", 'a day that some months do not have: write "H(1-28)" at most'),
        ("0 0 * H(1-13) *", "out of range for the month"),
        ("0 0 * * H(1-7)", "out of range for the weekday: write a range within 0 to 6"),
        ("H/0 * * * *", "leaves nothing to choose"),
        ("H/1 * * * *", "leaves nothing to choose"),
        ("0 2 * * *\n", "on one line"),
        ("0 2 *\r\n* *", "on one line"),
        ("H\x852 * * *", "on one line"),
    ],
)
def test_other_forms_are_refused_with_what_to_write_instead(line: str, told: str) -> None:
    with pytest.raises(CronError) as refused:
        resolve(line, "team", "nightly")
    assert told in str(refused.value)


def test_what_is_beside_h_is_left_to_the_cron_jobs_own_dialect() -> None:
    """Croniter would take weekday 7, L and #, as it speaks another dialect there."""
    for line in ("H 2 * * 7", "H 2 L * *", "H 2 * * MON#2", "H 2 * *", "H 2 * * * 2026"):
        with pytest.raises(CronError):
            CronSchedule.parse(resolve(line, "team", "nightly"))


def test_the_name_of_the_resource_counts_and_not_the_title() -> None:
    def line(name: str, title: str) -> str:
        return builders.schedule(name=name, schedule="H H * * *", title=title).effective_schedule

    assert line("db", "one") == line("db", "another")
    assert len({line(f"db-{number}", "one") for number in range(20)}) > 15


def test_what_cannot_be_resolved_is_shown_as_it_is_written() -> None:
    assert builders.schedule(schedule="H5 * * * *").effective_schedule == "H5 * * * *"


def _minutes(line: str) -> list[int]:
    bits = CronSchedule.parse(line).rule.minutes  # type: ignore[union-attr]
    return [minute for minute in range(60) if bits >> minute & 1]


def _chi_square(counts: list[int]) -> float:
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


def _limit(freedom: int) -> float:
    """Return what a fair choice stays below in 999 of 1000 cases (Wilson and Hilferty)."""
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + 3.0902 * math.sqrt(spread)) ** 3

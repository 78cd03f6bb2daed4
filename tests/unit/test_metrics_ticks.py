"""Which ticks were missed, and how far apart ticks are meant to be."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from borg_core.clock import CronSchedule
from borg_core.clock.controller import COUNT_LIMIT
from borg_core.clock.rhythm import derive_interval
from borg_core.native.cron_job import ObservedCronJob
from borg_core.readings.ticks import derive_tick_clock
from support import builders

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def cron_job(schedule: str = "0 2 * * *", last: datetime | None = None, **more: Any) -> ObservedCronJob:
    return builders.cron_job(schedule, created=MIDNIGHT - 30 * DAY, last_scheduled=last, **more)


@pytest.mark.parametrize(
    ("expression", "hours"),
    [
        ("* * * * *", 1 / 60),
        ("*/15 * * * *", 0.25),
        ("0 2 * * *", 24),
        ("0 2,8 * * *", 18),
        ("* 2 * * *", 23 + 1 / 60),
        ("0 9 * * 1-5", 72),
        ("*/5 8-18 * * 1-5", 61 + 5 / 60),
        ("0 0 * * 0", 168),
        ("0 0 1 * *", 31 * 24),
        ("0 0 13 * 5", 168),
        ("0 0 29 2 *", 1461 * 24),
        ("@every 90m", 1.5),
        ("0 0 30 2 *", None),
        (", * * * *", None),
    ],
)
def test_the_interval_is_the_longest_gap_that_the_expression_leaves(expression: str, hours: float | None) -> None:
    interval = derive_interval(CronSchedule.parse(expression).rule)
    assert interval == (None if hours is None else pytest.approx(hours * 3600))


@pytest.mark.parametrize("expression", ["17 3 * * *", "0 9 * * 1-5", "0 */6 * * *", "5 4 1,15 * *", "30 1 * * 2,3,6"])
def test_the_interval_is_what_a_year_of_ticks_shows(expression: str) -> None:
    timing = CronSchedule.parse(expression)
    ticks = list(timing.runs_between(MIDNIGHT, MIDNIGHT + 366 * DAY))
    longest = max(after - before for before, after in pairwise(ticks))
    assert derive_interval(timing.rule) == longest.total_seconds()


@pytest.mark.parametrize(
    ("after_midnight", "missed"),
    [
        (2 * HOUR, 0),  # due this second
        (3 * HOUR, 1),  # an hour late is too late
        (3 * HOUR - timedelta(seconds=1), 0),
        (DAY + 3 * HOUR, 2),
    ],
)
def test_a_tick_is_missed_once_it_is_too_late_to_begin(after_midnight: timedelta, missed: int) -> None:
    clock = derive_tick_clock(builders.schedule(), cron_job(last=MIDNIGHT - 22 * HOUR))
    assert clock
    assert clock.count_missed(MIDNIGHT + after_midnight) == missed


def test_a_short_deadline_leaves_the_controller_a_minute() -> None:
    clock = derive_tick_clock(
        builders.schedule(startingDeadlineSeconds=10), cron_job(last=MIDNIGHT - 22 * HOUR, deadline_seconds=10)
    )
    assert clock
    due = MIDNIGHT + 2 * HOUR
    assert [clock.count_missed(due + timedelta(seconds=late)) for late in (59, 60)] == [0, 1]


def test_a_run_that_begins_clears_what_was_missed() -> None:
    now = MIDNIGHT + 3 * DAY
    before = derive_tick_clock(builders.schedule(), cron_job(last=MIDNIGHT - 22 * HOUR))
    after = derive_tick_clock(builders.schedule(), cron_job(last=MIDNIGHT + 2 * DAY + 2 * HOUR))
    assert before
    assert after
    assert (before.count_missed(now), after.count_missed(now)) == (3, 0)


def test_a_cron_job_that_never_fired_is_reckoned_from_its_creation() -> None:
    clock = derive_tick_clock(builders.schedule(), cron_job())
    assert clock
    assert clock.count_missed(MIDNIGHT - 25 * DAY) == 5


def test_a_schedule_without_a_cron_job_of_its_own_misses_its_own_times() -> None:
    made = datetime(2026, 3, 1, tzinfo=UTC)  # the builders' creation time
    for other in (None, cron_job("* * * * *", owner_uid="somebody")):
        clock = derive_tick_clock(builders.schedule(), other)
        assert clock
        assert clock.count_missed(made + 2 * DAY) == 2


def test_nothing_is_due_while_a_schedule_is_suspended() -> None:
    assert derive_tick_clock(builders.schedule(suspend=True), cron_job(suspend=True)) is None


def test_a_schedule_that_is_held_back_against_its_will_misses_its_ticks() -> None:
    clock = derive_tick_clock(builders.schedule(), cron_job(last=MIDNIGHT, suspend=True))
    assert clock
    assert clock.count_missed(MIDNIGHT + DAY) == 1


def test_the_cron_jobs_times_count_while_an_edit_of_the_schedule_is_not_valid() -> None:
    clock = derive_tick_clock(builders.schedule(schedule="every day"), cron_job(last=MIDNIGHT))
    assert clock
    assert clock.count_missed(MIDNIGHT + DAY) == 1
    assert derive_tick_clock(builders.schedule(schedule="every day"), None) is None


def test_counting_ends_somewhere() -> None:
    clock = derive_tick_clock(builders.schedule(), cron_job("* * * * *", last=MIDNIGHT))
    assert clock
    assert clock.count_missed(MIDNIGHT + 365 * DAY) == COUNT_LIMIT

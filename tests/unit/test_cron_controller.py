"""What the CronJob controller makes of a schedule.

`tests/integration/programs/test_controller_oracle.py` asks the real one.
"""

from datetime import UTC, datetime, timedelta

import pytest

from borg_core.clock import Clock, CronSchedule, derive_deadline

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def clock(expression: str, deadline: timedelta | None = HOUR, since: datetime = MIDNIGHT) -> Clock:
    return Clock(CronSchedule.parse(expression), since, deadline)


@pytest.mark.parametrize(
    ("expression", "deadline", "after", "due"),
    [
        ("0 2 * * *", HOUR, 2 * HOUR - MINUTE, None),
        ("0 2 * * *", HOUR, 2 * HOUR, 2 * HOUR),
        ("0 2 * * *", HOUR, 3 * HOUR - MINUTE, 2 * HOUR),
        ("0 2 * * *", HOUR, 3 * HOUR, None),
        ("0 2 * * *", None, 20 * DAY, 19 * DAY + 2 * HOUR),
        ("*/5 * * * *", None, 20 * DAY + MINUTE, 20 * DAY),
        ("0 0 30 2 *", None, 20 * DAY, None),
        # The controller guesses from the first two ticks it missed how many there were, and looks no further back.
        ("0,1 16 * * *", 12 * HOUR, 16 * HOUR + 5 * MINUTE, None),
        ("0,1 16 * * *", 12 * HOUR, 16 * HOUR + 90 * timedelta(seconds=1), 16 * HOUR + MINUTE),
        # With the deadline that a user asks for, `@every` would never come if that is shorter than the interval.
        ("@every 90m", HOUR, 90 * MINUTE, None),
        ("@every 90m", HOUR + 90 * MINUTE, 90 * MINUTE, 90 * MINUTE),
        ("@every 90m", HOUR + 90 * MINUTE, 10 * HOUR, 9 * HOUR),
    ],
)
def test_what_is_due(expression: str, deadline: timedelta | None, after: timedelta, due: timedelta | None) -> None:
    assert clock(expression, deadline).due_at(MIDNIGHT + after) == (None if due is None else MIDNIGHT + due)


@pytest.mark.parametrize(
    ("expression", "deadline", "after", "following"),
    [
        ("0 2 * * *", HOUR, HOUR, 2 * HOUR),
        ("0 2 * * *", HOUR, 2 * HOUR, 26 * HOUR),
        ("@every 90m", None, 80 * MINUTE, 90 * MINUTE),
        ("@every 90m", None, 90 * MINUTE, 180 * MINUTE),
        ("@every 90m", 10 * MINUTE, 80 * MINUTE, None),
        ("@every 90m", None, -HOUR, 90 * MINUTE),
        ("0 0 30 2 *", HOUR, HOUR, None),
    ],
)
def test_the_next_tick(
    expression: str, deadline: timedelta | None, after: timedelta, following: timedelta | None
) -> None:
    found = clock(expression, deadline).next_after(MIDNIGHT + after)
    assert found == (None if following is None else MIDNIGHT + following)


@pytest.mark.parametrize("expression", ["@every 90m", "@every 10m", "@every 168h", "0 2 * * *"])
def test_with_the_deadline_that_is_derived_a_run_may_begin_as_late_as_was_asked_for(expression: str) -> None:
    times = CronSchedule.parse(expression)
    ticking = Clock(times, MIDNIGHT, derive_deadline(times, HOUR))
    tick = ticking.next_after(MIDNIGHT)
    assert tick
    assert ticking.patience == HOUR
    assert ticking.due_at(tick + HOUR - timedelta(seconds=1)) is not None
    assert ticking.next_ticks(MIDNIGHT, 3) == times.next_runs(MIDNIGHT, 3)


@pytest.mark.parametrize(
    ("expression", "after", "missed"),
    [
        ("0 2 * * *", 2 * HOUR + 59 * MINUTE, 0),
        ("0 2 * * *", 3 * HOUR, 1),
        ("*/5 * * * *", 30 * MINUTE, 0),  # the newest one makes up for them
        ("*/5 * * * *", 90 * MINUTE, 6),
        ("0,1 16 * * *", 16 * HOUR + 5 * MINUTE, 2),  # within the deadline, and lost all the same
        ("* * * * *", 30 * DAY, 20),
    ],
)
def test_what_was_missed(expression: str, after: timedelta, missed: int) -> None:
    assert clock(expression).count_missed(MIDNIGHT + after) == missed


def test_a_tick_is_foretold_if_the_times_name_it_in_their_zone() -> None:
    berlin = CronSchedule.parse("0 2 * * *", "Europe/Berlin")
    assert berlin.foretells(datetime(2026, 3, 2, 1, tzinfo=UTC))
    assert not berlin.foretells(datetime(2026, 3, 2, 0, tzinfo=UTC))  # summer time would have begun already
    assert berlin.foretells(datetime(2026, 4, 2, 0, tzinfo=UTC))


def test_every_is_foretold_unless_it_comes_too_soon() -> None:
    every = CronSchedule.parse("@every 90m")
    assert every.foretells(MIDNIGHT)
    assert every.foretells(MIDNIGHT + 95 * MINUTE, MIDNIGHT)
    assert not every.foretells(MIDNIGHT + 89 * MINUTE, MIDNIGHT)

"""When schedules fire and which are refused, held against facts that robfig/cron itself has confirmed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from borg_core.clock import CronError, CronSchedule
from oracle.facts import ACCEPTED, FACTS, REFUSED, REFUSED_ZONES, Fact


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.expr} in {fact.tz}: {fact.why}")
def test_the_next_runs_are_those_of_the_controller(fact: Fact) -> None:
    schedule = CronSchedule.parse(fact.expr, fact.tz)

    runs = schedule.next_runs(fact.after_instant, max(2, len(fact.runs)))

    assert runs == fact.run_instants
    assert all(run.tzinfo is UTC for run in runs)


@pytest.mark.parametrize("expression", ACCEPTED)
def test_what_a_cron_job_takes_is_taken(expression: str) -> None:
    assert CronSchedule.parse(expression).expression == expression


@pytest.mark.parametrize(("expression", "said"), REFUSED)
def test_what_a_cron_job_refuses_is_refused_with_what_to_write_instead(expression: str, said: str) -> None:
    with pytest.raises(CronError) as refusal:
        CronSchedule.parse(expression)

    assert said in str(refusal.value)


@pytest.mark.parametrize(("zone", "said"), REFUSED_ZONES)
def test_an_unknown_zone_is_refused_with_what_to_write_instead(zone: str, said: str) -> None:
    with pytest.raises(CronError) as refusal:
        CronSchedule.parse("0 2 * * *", zone)

    assert said in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["\ud800 2 * * *", "\x00 2 * * *", "9" * 100_000 + " 2 * * *", "@every " + "9" * 100_000]
)
def test_a_refusal_is_short_and_printable_whatever_was_sent(text: str) -> None:
    with pytest.raises(CronError) as refusal:
        CronSchedule.parse(text)

    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 300


def test_a_refusal_is_a_value_error() -> None:
    assert issubclass(CronError, ValueError)


def test_the_runs_between_two_instants_exclude_the_first_and_include_the_last() -> None:
    schedule = CronSchedule.parse("0 */6 * * *")
    start = datetime(2026, 1, 1, tzinfo=UTC)

    runs = list(schedule.runs_between(start, start + timedelta(hours=18)))

    assert runs == [start + timedelta(hours=6), start + timedelta(hours=12), start + timedelta(hours=18)]


def test_an_instant_may_be_given_in_any_zone() -> None:
    schedule = CronSchedule.parse("0 2 * * *")
    eastern = timezone(timedelta(hours=-5))

    assert schedule.next_after(datetime(2026, 1, 1, 20, tzinfo=eastern)) == datetime(2026, 1, 2, 2, tzinfo=UTC)


def test_an_instant_without_a_zone_is_an_error() -> None:
    for expression in ("0 2 * * *", "@every 5m"):
        with pytest.raises(TypeError):
            CronSchedule.parse(expression).next_after(datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_search_that_never_ends_in_the_library_ends_here() -> None:
    schedule = CronSchedule.parse("0 12 10 * *", "Pacific/Apia")

    assert schedule.next_after(datetime(2011, 12, 20, tzinfo=UTC)) is None


@pytest.mark.parametrize("expression", ["* * * * *", "0 0 30 2 *", "@every 2562047h"])
def test_the_end_of_the_calendar_is_no_error(expression: str) -> None:
    assert CronSchedule.parse(expression).next_after(datetime(9999, 12, 31, 23, 59, tzinfo=UTC)) is None


def test_runs_go_on_in_order_where_a_zone_lived_one_day_twice() -> None:
    schedule = CronSchedule.parse("0 12 * * *", "Pacific/Kwajalein")

    runs = schedule.next_runs(datetime(1969, 9, 28, tzinfo=UTC), 6)

    assert runs == sorted(set(runs))

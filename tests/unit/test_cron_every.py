"""`@every`: the CronJob controller reckons from the last run, within the deadline; so must what we render and show."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from borg_core.actions import CreateCronJob
from borg_core.clock import CronSchedule, dst_warnings
from support import builders
from support.builders import planned, settled

BEGAN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LOOKS_EVERY = timedelta(seconds=10)


def find_tick(rule: timedelta, earliest: datetime, now: datetime, deadline: timedelta) -> datetime | None:
    """Return what `mostRecentScheduleTime` of the CronJob controller (utils.go, 1.34) finds to be due."""
    earliest = max(earliest, now - deadline)
    first = earliest + rule
    if now < first:
        return None
    return first + (now - first) // rule * rule


def deadline_of(expression: str, seconds: int) -> timedelta:
    schedule = builders.schedule(schedule=expression, startingDeadlineSeconds=seconds)
    (made,) = planned(builders.world(builders.bundle(schedule)), CreateCronJob)
    return timedelta(seconds=made.manifest["spec"]["startingDeadlineSeconds"])


@pytest.mark.parametrize("every", ["1m", "59m", "1h", "90m", "7h", "168h"])
@pytest.mark.parametrize("seconds", [10, 3600, 86400])
def test_it_fires_however_short_the_deadline_is(every: str, seconds: int) -> None:
    rule = CronSchedule.parse(f"@every {every}").every
    deadline = deadline_of(f"@every {every}", seconds)
    last = BEGAN
    fired: list[datetime] = []
    now = BEGAN
    while len(fired) < 3 and now < BEGAN + 4 * rule:
        if tick := find_tick(rule, last, now, deadline):
            fired.append(tick)
            last = tick
        now += min(LOOKS_EVERY, rule)
    assert fired == [BEGAN + number * rule for number in (1, 2, 3)]


@pytest.mark.parametrize(("expression", "seconds"), [("0 2 * * *", 3600), ("*/5 * * * *", 10)])
def test_a_deadline_of_other_times_stays_as_it_was_asked_for(expression: str, seconds: int) -> None:
    assert deadline_of(expression, seconds) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("last", "minutes", "runs_after"),
    [(None, 0, 90), (None, 89, 90), (None, 90, 180), (None, 100, 180), (45, 50, 135), (45, 400, 405)],
)
def test_the_next_run_is_reckoned_from_the_last_one_and_not_from_the_look(
    last: int | None, minutes: int, runs_after: int
) -> None:
    world = settled(builders.world(builders.bundle(builders.schedule(schedule="@every 90m"))))
    assert world.cron_job
    assert world.bundle
    before = world.bundle.schedule.status.next_run_time
    scheduled = BEGAN + timedelta(minutes=last) if last is not None else None
    world = replace(world, cron_job=replace(world.cron_job, created=BEGAN, last_scheduled=scheduled))
    now = BEGAN + timedelta(minutes=minutes)
    status = builders.plan(world, now).actions
    said = [getattr(action, "status", {}).get("nextRunTime") for action in status]
    shown = next(filter(None, said), before)
    assert shown == (BEGAN + timedelta(minutes=runs_after)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_a_cron_job_cannot_make_is_warned_of() -> None:
    def warnings(expression: str) -> list[str]:
        return dst_warnings(CronSchedule.parse(expression), datetime(2026, 3, 1, tzinfo=UTC))

    assert "at most one Job in a minute" in warnings("@every 45s")[0]
    assert warnings("@every 1m") == []

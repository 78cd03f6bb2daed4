"""The time by the API server, where this machine's clock is wrong."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from borg_cluster.clock import ServerClock
from borg_cluster.errors import ApiError
from borg_core.native.pod import PODS
from support.http_server import connected, text

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Machine:
    """Its clock, that may be set, and how long it runs."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self.ahead = ahead
        self.up = 1000.0
        self.clock = ServerClock(lambda: self.right + self.ahead, lambda: self.up)

    @property
    def right(self) -> datetime:
        return NOW + timedelta(seconds=self.up - 1000.0)

    def hear(self, off: timedelta = timedelta(0)) -> None:
        """Take an answer of an API server whose clock is so far off."""
        self.clock.hear(format_datetime(self.right + off, usegmt=True))


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=50), -timedelta(seconds=50)], ids=str)
def test_a_clock_that_is_nearly_right_is_gone_by(ahead: timedelta) -> None:
    machine = Machine(ahead)
    assert machine.clock.now() == NOW + ahead
    machine.hear()
    assert machine.clock.now() == NOW + ahead


@pytest.mark.parametrize("ahead", [timedelta(minutes=7), -timedelta(days=1)], ids=str)
def test_of_a_wrong_one_the_servers_is_gone_by_until_it_is_set_right(
    ahead: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(ahead)
    machine.hear()
    machine.up += 30
    assert machine.clock.now() == machine.right
    machine.hear()
    assert machine.clock.now() == machine.right
    assert [record.getMessage() for record in caplog.records] == [
        f"this machine's clock is {ahead.total_seconds():.0f} s off the API server's, which is gone by"
    ]
    machine.ahead = timedelta(0)
    assert machine.clock.now() == machine.right
    machine.up += 600  # and no answer comes for long
    machine.ahead = -timedelta(hours=1)
    assert machine.clock.now() == machine.right


def test_of_servers_that_disagree_none_is_gone_by(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    for number in range(6):
        machine.up += 1
        machine.hear(timedelta(minutes=7) * (number % 2))
        assert machine.clock.now() == machine.right
    assert not caplog.records


def test_a_server_that_is_set_right_makes_no_leap_of_a_clock_that_was_right() -> None:
    machine = Machine()
    machine.hear(-timedelta(seconds=50))
    machine.up += 2
    machine.hear(timedelta(seconds=50))
    assert machine.clock.now() == machine.right


@pytest.mark.parametrize("odd", [timedelta(minutes=2), -timedelta(days=1)], ids=str)
def test_one_odd_answer_does_not_bring_back_a_clock_that_has_been_wrong_for_long(odd: timedelta) -> None:
    machine = Machine(-timedelta(hours=2))
    for number in range(40):
        machine.up += 60
        machine.hear(odd if number in (15, 20) else timedelta(0))
        assert machine.clock.now() == machine.right
    machine.ahead = timedelta(0)
    machine.hear(odd)
    assert machine.clock.now() == machine.right


def test_what_was_agreed_before_a_server_was_set_is_gone_by_no_more() -> None:
    machine = Machine()
    for number in range(30):
        machine.up += 60
        machine.hear(timedelta(hours=1) if number < 15 else timedelta(0))
    machine.hear(timedelta(minutes=7))
    assert machine.clock.now() == machine.right


def test_a_server_that_goes_on_to_say_so_is_gone_by_in_the_end() -> None:
    machine = Machine()
    machine.hear()
    for _ in range(12):
        machine.up += 60
        machine.hear(timedelta(hours=1))
    assert machine.clock.now() == machine.right + timedelta(hours=1)


def test_a_zone_does_not_matter() -> None:
    machine = Machine(timedelta(hours=1))
    machine.clock.hear("Sun, 01 Mar 2026 21:00:00 +0900")
    assert machine.clock.now().isoformat() == "2026-03-01T12:00:00+00:00"


BEYOND = "Sun, 01 Mar 2026 12:00:00 +99999999999999999999"


@pytest.mark.parametrize(
    "date", [None, "", "now", "Sun, 99 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:00 -0000", BEYOND]
)
def test_what_is_no_time_says_nothing(date: str | None) -> None:
    machine = Machine(timedelta(hours=1))
    machine.clock.hear(date)
    assert machine.clock.now() == NOW + machine.ahead


@pytest.mark.parametrize(
    ("content", "status", "is_heard"),
    [('{"kind": "Pod", "metadata": {"name": "x"}}', 200, True), ("<html>", 200, False), ("<html>", 503, False)],
    ids=["the API server", "something in between", "something in between, that fails"],
)
def test_it_is_told_with_each_answer_of_the_api_server(content: str, status: int, is_heard: bool) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=3)

    async def ask() -> datetime:
        headers = {"Date": format_datetime(ahead, usegmt=True)}
        async with connected(text(content, status, headers)) as api:
            assert api.clock.now() < ahead - timedelta(hours=2)
            with contextlib.suppress(ApiError):
                await api.acting_as("somebody's token").get(PODS, "team", "x")
            return api.clock.now()

    assert (abs(asyncio.run(ask()) - ahead) < timedelta(minutes=1)) == is_heard

"""The time by the API server, where this machine's clock is wrong."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from borg_cluster.clock import ServerClock
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

    def hear(self) -> None:
        self.clock.hear(format_datetime(self.right, usegmt=True))


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
    assert [record.getMessage() for record in caplog.records] == [
        f"this machine's clock is {ahead.total_seconds():.0f} s off the API server's, which is gone by"
    ]
    machine.ahead = timedelta(0)
    assert machine.clock.now() == machine.right
    machine.up += 600  # and no answer comes for long
    machine.ahead = -timedelta(hours=1)
    assert machine.clock.now() == machine.right


@pytest.mark.parametrize("date", [None, "", "now", "Sun, 99 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:00 -0000"])
def test_what_is_no_time_says_nothing(date: str | None) -> None:
    machine = Machine(timedelta(hours=1))
    machine.clock.hear(date)
    assert machine.clock.now() == NOW + machine.ahead


def test_it_is_told_with_every_answer() -> None:
    async def ask() -> None:
        ahead = datetime.now(UTC) + timedelta(hours=3)
        async with connected(text("ok", headers={"Date": format_datetime(ahead, usegmt=True)})) as api:
            assert api.clock.now() < ahead - timedelta(hours=2)
            await api.ping()
            assert abs(api.clock.now() - ahead) < timedelta(minutes=1)

    asyncio.run(ask())

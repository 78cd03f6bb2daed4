"""By whose clock prune counts days: the schedule's time zone, as a rule that any C library takes."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from borg_contract.run import Operation
from borg_core.clock import posix_rule
from borg_core.workload.plan import render_plan
from support import builders

PRUNE = {"enabled": True, "keepDaily": 7}
TIMES = [datetime(2026, month, 1, 12, tzinfo=UTC) for month in range(1, 13)]


@pytest.fixture
def _own_clock() -> Iterator[None]:
    before = os.environ.get("TZ")
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


@pytest.mark.usefixtures("_own_clock")
@pytest.mark.parametrize(
    "zone",
    ["Europe/Berlin", "America/Los_Angeles", "US/Pacific", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"],
)
def test_the_rule_is_what_the_c_library_makes_local_time_of(zone: str) -> None:
    os.environ["TZ"] = posix_rule(zone)
    time.tzset()
    offsets = [time.localtime(moment.timestamp()).tm_gmtoff for moment in TIMES]
    told = [moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in TIMES]
    assert offsets == [offset.total_seconds() for offset in told if offset is not None]


@pytest.mark.parametrize("zone", ["Etc/UTC", "", "Europe/Atlantis"])
def test_utc_needs_no_rule_and_a_zone_that_does_not_exist_has_none(zone: str) -> None:
    assert posix_rule(zone) == ""


@pytest.mark.parametrize(
    ("spec", "operation", "expected"),
    [
        ({"timeZone": "Europe/Berlin", "prune": PRUNE}, Operation.BACKUP, "CET-1CEST,M3.5.0,M10.5.0/3"),
        ({"timeZone": "Europe/Berlin"}, Operation.PRUNE, "CET-1CEST,M3.5.0,M10.5.0/3"),
        ({"timeZone": "Europe/Berlin"}, Operation.BACKUP, ""),
        ({"prune": PRUNE}, Operation.BACKUP, ""),
    ],
    ids=["prunes after backups", "prunes by hand", "does not prune", "in UTC"],
)
def test_a_plan_that_prunes_names_the_local_time_of_its_schedule(
    spec: dict[str, Any], operation: Operation, expected: str
) -> None:
    workload = builders.bundle(builders.schedule(**spec)).workload(operation)
    assert render_plan(workload, cluster="").local_time == expected

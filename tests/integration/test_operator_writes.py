"""What the operator costs the API server: three writes for a new schedule, none when nothing happens."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from integration import resources
from support.audit import audit_log, operator_writes
from support.cluster import Kubectl, fresh_namespace
from support.waiting import condition, wait_for

SCHEDULES = 200
IDLE_SECONDS = 300.0


@dataclass(frozen=True)
class Fleet:
    """200 schedules, all settled at `settled` (monotonic seconds), when the audit log had `log_size` bytes."""

    namespace: str
    seconds: float
    settled: float
    log_size: int


@pytest.fixture(scope="session")
def fleet(kubectl: Kubectl) -> Iterator[Fleet]:
    audit_log()
    names = [f"fleet-{number:03}" for number in range(SCHEDULES)]
    with fresh_namespace(kubectl) as namespace:
        first = [*resources.claims(), resources.repository()]
        kubectl("-n", namespace, "apply", "-f", "-", stdin=_list(first))
        began = time.monotonic()
        schedules = [resources.schedule(name) for name in names]
        kubectl("-n", namespace, "create", "-f", "-", stdin=_list(schedules))
        wait_for(
            lambda: sum(
                condition(item, "Ready").get("status") == "True"
                for item in kubectl.get("-n", namespace, "borgschedules")["items"]
            ),
            lambda ready: ready == SCHEDULES,
            60,
            "200 schedules ready",
        )
        seconds = time.monotonic() - began
        wait_for(
            lambda: kubectl.get("-n", namespace, "borgrepository", "main"),
            lambda found: found.get("status", {}).get("schedules") == SCHEDULES,
            10,
            "the repository counts its schedules",
        )
        yield Fleet(namespace, seconds, time.monotonic(), audit_log().stat().st_size)


@pytest.mark.fleet_first
def test_a_new_schedule_costs_two_writes(fleet: Fleet) -> None:
    print(f"{SCHEDULES} schedules ready after {fleet.seconds:.1f} s")  # noqa: T201 - a figure for people
    costs = Counter(write.name for write in operator_writes(fleet.namespace) if write.resource != "borgrepositories")
    assert len(costs) == SCHEDULES
    assert set(costs.values()) == {2}, "its CronJob and its status"


@pytest.mark.fleet_last
def test_an_idle_operator_writes_nothing_in_five_minutes(fleet: Fleet) -> None:
    # No wait for something to happen: the time itself is what is tested, and a resync falls into it.
    time.sleep(max(0.0, fleet.settled + IDLE_SECONDS - time.monotonic()))
    assert list(operator_writes(fleet.namespace, fleet.log_size)) == []


def _list(items: list[dict[str, object]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

"""What the operator costs the API server: three writes for a new schedule, none when nothing happens."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from integration import resources
from support.audit import audit_log, operator_writes
from support.cluster import Kubectl, fresh_namespace
from support.waiting import condition, wait_for

SCHEDULES = 200
IDLE = timedelta(minutes=5)
SETTLING = timedelta(seconds=10)
"""Until the last status is written of what went before."""


@dataclass(frozen=True)
class Fleet:
    """200 schedules, all Ready after so many seconds."""

    namespace: str
    seconds: float


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
        yield Fleet(namespace, seconds)


@pytest.mark.fleet_first
def test_a_new_schedule_costs_two_writes(fleet: Fleet) -> None:
    print(f"{SCHEDULES} schedules ready after {fleet.seconds:.1f} s")  # noqa: T201 - a figure for people
    costs = Counter(write.name for write in operator_writes(fleet.namespace) if write.resource != "borgrepositories")
    assert len(costs) == SCHEDULES
    assert set(costs.values()) == {2}, "its CronJob and its status"


@pytest.mark.fleet_last
def test_an_idle_operator_writes_nothing_in_five_minutes(kubectl: Kubectl, fleet: Fleet) -> None:
    listed, _ = wait_for(
        lambda: condition(kubectl.get("-n", fleet.namespace, "brepo", "main"), "ArchivesListed"),
        lambda seen: seen.get("status") == "True",
        180,
        "the archives of the new repository are listed",
    )
    settled = datetime.fromisoformat(listed["lastTransitionTime"]) + SETTLING
    # No wait for something to happen: the time itself is what is tested, and a resync falls into it.
    time.sleep(max(0.0, (settled + IDLE - datetime.now(UTC)).total_seconds()))
    assert [write for write in operator_writes(fleet.namespace) if datetime.fromisoformat(write.time) > settled] == []


def _list(items: list[dict[str, object]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

"""The loop beside a cluster that fails: at each single request, in each way, and for as long as it likes.

Whatever was interrupted, the end is the same as without; nothing is made twice, and nobody is told twice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from borg_cluster.errors import Conflict, Forbidden, Unreachable, WebhookFailed
from support import builders
from support.recorder import CrashError, Fault, Request
from support.restoring import Application, answer, restore
from support.running import Cluster, claims, run_by_hand
from support.virtual_time import run_virtually

Scenario = Callable[[Cluster], Awaitable[None]]

SOON = "51 11 * * *"
"""Some seconds after the cluster begins to live."""
QUOTA = 'pods "x" is forbidden: exceeded quota: q'
WEBHOOK = 'Internal error occurred: failed calling webhook "x": no service'


def prepare(cluster: Cluster, schedule: str = "0 2 * * *", **repository: Any) -> None:
    for claim in claims():
        cluster.recorder.add("PersistentVolumeClaim", claim)
    cluster.add(builders.local_repository(**repository))
    if schedule:
        cluster.add(builders.schedule(schedule=schedule))


async def new_schedule(cluster: Cluster) -> None:
    prepare(cluster)
    await cluster.begin()
    await cluster.live(3)


async def run_now(cluster: Cluster) -> None:
    await new_schedule(cluster)
    cluster.add(run_by_hand(at=cluster.recorder.now))
    await cluster.live(10)


async def tick(cluster: Cluster) -> None:
    prepare(cluster, SOON)
    await cluster.begin()
    await cluster.live(20)


async def cancelled(cluster: Cluster) -> None:
    cluster.endless = True
    await new_schedule(cluster)
    cluster.add(run_by_hand(at=cluster.recorder.now))
    await cluster.live(10, lambda: bool(cluster.node.at_work()))
    cluster.recorder.edit("BorgRun", "now", {"spec": {"cancel": True}})
    await cluster.live(10)


async def deleted(cluster: Cluster) -> None:
    await tick(cluster)
    for run in cluster.runs:
        cluster.recorder.remove("BorgRun", run.metadata.name)
    await cluster.live(3)


async def repository_check(cluster: Cluster) -> None:
    prepare(cluster, "", verification={"check": {"schedule": SOON}})
    await cluster.begin()
    await cluster.live(20)


async def edited_by_somebody(cluster: Cluster) -> None:
    await new_schedule(cluster)
    if cluster.recorder.names("CronJob"):
        cluster.recorder.edit("CronJob", "db", {"spec": {"schedule": "* * * * *"}}, manager="kubectl-edit")
    await cluster.live(3)


SCENARIOS: dict[str, Scenario] = {
    "a new schedule": new_schedule,
    "a run by hand": run_now,
    "a tick's Job ends": tick,
    "a run is cancelled": cancelled,
    "a run is deleted": deleted,
    "a repository is checked": repository_check,
    "a CronJob is edited by somebody": edited_by_somebody,
}

ANY = {
    "no answer": Fault(Unreachable("no route")),
    "the answer is lost": Fault(Unreachable("reset"), after=True),
    "dies before": Fault(CrashError()),
    "dies after": Fault(CrashError(), after=True),
}
WRITES = {
    "a conflict": Fault(Conflict("changed meanwhile")),
    "a quota": Fault(Forbidden(QUOTA)),
    "a webhook": Fault(WebhookFailed(WEBHOOK)),
}


@dataclass
class Story:
    """What came of a scenario."""

    state: dict[str, Any]
    requests: list[Request]
    events: dict[str, int]


def play(scenario: Scenario, faults: dict[int, Fault] | None = None, seconds: float = 8) -> Story:
    async def work() -> Story:
        cluster = Cluster()
        cluster.recorder.faults = faults or {}

        def watch(_: Request) -> None:
            fault = cluster.recorder.faults.get(len(cluster.recorder.requests) - 1)
            if fault and isinstance(fault.error, CrashError):
                cluster.die()

        cluster.recorder.on_request = watch
        await scenario(cluster)
        await cluster.live(seconds)
        await cluster.stop()
        return Story(cluster.state(), cluster.recorder.requests, dict(cluster.events))

    return run_virtually(work())


async def restore_into_a_claim_in_use(cluster: Cluster) -> None:
    await new_schedule(cluster)
    cluster.answer = answer
    cluster.application = Application(cluster.recorder)
    cluster.add(restore(writers="ScaleDown"))
    await cluster.live(60, lambda: bool(cluster.restore.status.completion_time))
    await cluster.live(30)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_fault_at_any_request_changes_nothing_in_the_end(scenario: str) -> None:
    assert find_differences(SCENARIOS[scenario]) == []


@pytest.mark.parametrize(
    ("first", "step"), [pytest.param(1, 6, id="some"), pytest.param(1, 1, id="all", marks=pytest.mark.long)]
)
def test_a_fault_at_any_request_of_a_restore_changes_nothing_in_the_end(first: int, step: int) -> None:
    assert find_differences(restore_into_a_claim_in_use, first, step) == []


def find_differences(scenario: Scenario, first: int = 0, step: int = 1) -> list[str]:
    """Return what is not as without a fault, of faults at each `step`-th request."""
    clean = play(scenario)
    wrong: list[str] = []
    for number, request in list(enumerate(clean.requests))[first::step]:
        for name, fault in {**ANY, **(WRITES if request.writes and request.verb != "delete" else {})}.items():
            story = play(scenario, {number: fault})
            what = f"{number} {request}: {name}"
            if story.state != clean.state:
                wrong.append(f"{what}: {differences(clean.state, story.state)}")
            twice = [said for said, times in story.events.items() if times > 1]
            if twice:
                wrong.append(f"{what}: told twice: {twice}")
            writes, usual = (sum(each.writes for each in told.requests) for told in (story, clean))
            if writes > usual + 12:
                wrong.append(f"{what}: {writes} writes instead of {usual}")
    return wrong


def differences(expected: dict[str, Any], found: dict[str, Any]) -> str:
    return "; ".join(
        f"{key}: {found[key]} instead of {value}" for key, value in expected.items() if found[key] != value
    )

"""Whether two pods of one schedule ever were at work at once, with ticks and runs by hand that meet, again and again.

Usage: PYTHONPATH=tests python tests/bench/one_at_a_time.py [rounds of each kind, 50] [schedules, 10] [--kill]

Needs the cluster of `make up`. Each minute is a round for each schedule: in one kind a run by hand begins in the 8 s
before the tick and is at work, or about to be, when it comes; in the other one it begins in the 6 s after it. With
`--kill`, the operator's pod is deleted without grace every 5 to 20 s. Prints a table; exits with 1 if two pods ever
overlapped, a tick was lost or a run did not complete.
"""

import argparse
import asyncio
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from borg_cluster.client import ApiServer
from borg_cluster.connection import connect
from borg_cluster.errors import ApiError
from borg_cluster.transport import Request
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES
from borg_core.kinds.script import SCRIPTS
from borg_core.native.claim import CLAIMS
from borg_core.native.job import JOBS
from borg_core.native.pod import PODS
from borg_core.registry import ResourceType
from integration import resources
from support.pods import SCHEDULE, find_overlaps

NAMESPACES = ResourceType("Namespace", "", "v1", "namespaces")
OPERATOR = ("borg-system", "app.kubernetes.io/name=borg-operator,app.kubernetes.io/component=operator")
TICK = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MINUTE = 60
SETTLING_SECONDS = 180

_WORK = "sleep 8"
_KINDS = ("tick during a run by hand", "run by hand during a tick")

Object = dict[str, Any]


@dataclass
class Round:
    kind: str
    schedule: str
    tick: int
    run: str
    begun: float = 0.0


@dataclass
class Seen:
    """All that the watches told."""

    pods: list[Object] = field(default_factory=list)
    runs: dict[str, Object] = field(default_factory=dict)
    ticks: set[tuple[str, int]] = field(default_factory=set)

    def record_pod(self, event: Object) -> None:
        self.pods.append(event)

    def record_run(self, event: Object) -> None:
        if event["type"] != "DELETED":  # what was seen of it before is the last word
            self.runs[event["object"]["metadata"]["name"]] = event["object"]

    def record_job(self, event: Object) -> None:
        metadata = event["object"]["metadata"]
        if time_of_tick := metadata.get("annotations", {}).get(TICK):
            tick = int(datetime.fromisoformat(time_of_tick).timestamp())
            self.ticks.add((metadata["labels"][SCHEDULE], tick))

    def phase(self, run: str) -> str:
        found: str = self.runs.get(run, {}).get("status", {}).get("phase", "not seen")
        return found


async def main(rounds: int, schedules: int, kill: bool) -> int:
    """Run the rounds in a namespace of its own, print the table, return the exit code."""
    api = ApiServer(await connect(16))
    seen = Seen()
    killed: list[float] = []
    try:
        async with _namespace(api) as namespace, asyncio.TaskGroup() as tasks:
            names = [f"s{number:02}" for number in range(schedules)]
            await _prepare(api, namespace, names)
            watches = [
                tasks.create_task(_follow(api, kind, namespace, record))
                for kind, record in ((PODS, seen.record_pod), (RUNS, seen.record_run), (JOBS, seen.record_job))
            ]
            if kill:
                watches.append(tasks.create_task(_kill_again_and_again(api, killed)))
            played = await _play(api, namespace, names, rounds)
            await _settle(api, namespace, names, seen, played)
            for watch in watches:
                watch.cancel()
    finally:
        await api.close()
    return _report(played, seen, len(killed))


async def _play(api: ApiServer, namespace: str, names: list[str], rounds: int) -> list[Round]:
    """Play the rounds, those of all schedules at once; return them all."""
    played: list[Round] = []
    tick = (int(time.time()) // MINUTE + 2) * MINUTE
    for number in range(-(-2 * rounds // len(names))):
        now = [
            Round(_KINDS[(number + at) % 2], name, tick + number * MINUTE, f"{name}-by-hand-{number}")
            for at, name in enumerate(names)
        ]
        await asyncio.gather(*(_begin(api, namespace, each) for each in now))
        played += now
        print(f"minute {number + 1}: {len(played)} rounds begun", flush=True)
    return played


async def _begin(api: ApiServer, namespace: str, each: Round) -> None:
    # The spread is to meet the controllers at every moment.
    spread = random.uniform(-8, -0.05) if each.kind == _KINDS[0] else random.uniform(0.05, 6)
    await asyncio.sleep(max(0.0, each.tick + spread - time.time()))
    each.begun = time.time() - each.tick
    await api.create(RUNS, _in(namespace, resources.run(each.run, each.schedule)))


async def _settle(api: ApiServer, namespace: str, names: list[str], seen: Seen, played: list[Round]) -> None:
    """Return when all has come to its end, or when it is clear that it will not."""
    deadline = time.monotonic() + SETTLING_SECONDS
    while time.monotonic() < deadline:
        late = [each for each in played if _is_open(each, seen)]
        if not late and time.time() > played[-1].tick + MINUTE / 2:
            break
        await asyncio.sleep(1)
    for name in names:
        await api.merge(SCHEDULES, namespace, name, {"spec": {"suspend": True}})


def _is_open(each: Round, seen: Seen) -> bool:
    return seen.phase(each.run) in ("not seen", "Pending", "Running") or (each.schedule, each.tick) not in seen.ticks


def _report(played: list[Round], seen: Seen, killed: int) -> int:
    overlaps = list(find_overlaps(seen.pods))
    worst = 0
    print(f"{'':30} rounds  begun after the tick (s)  not completed  ticks lost")
    for kind in _KINDS:
        of_kind = [each for each in played if each.kind == kind]
        begun = [each.begun for each in of_kind]
        failed = [f"{each.run}: {seen.phase(each.run)}" for each in of_kind if seen.phase(each.run) != "Completed"]
        lost = [each for each in of_kind if (each.schedule, each.tick) not in seen.ticks]
        span = f"{min(begun):.2f} … {max(begun):.2f}"
        print(f"{kind:30} {len(of_kind):6}  {span:>24}  {len(failed):13}  {len(lost):10}")
        for line in [*failed, *(f"lost: {each.schedule} at {datetime.fromtimestamp(each.tick)}" for each in lost)]:  # noqa: DTZ006 - for people
            print(f"    {line}")
        worst += len(failed) + len(lost)
    pods = len({event["object"]["metadata"]["uid"] for event in seen.pods})
    print(f"{pods} pods, operator killed {killed} times, overlaps: {len(overlaps)}")
    for line in overlaps:
        print(f"    {line}")
    return 1 if overlaps or worst else 0


async def _follow(api: ApiServer, kind: ResourceType, namespace: str, record: Any) -> None:
    """Record every event of the kind in the namespace, without a gap between two watches."""
    page = await api.list_page(kind, namespace)
    version = page["metadata"]["resourceVersion"]
    for item in page["items"]:
        record({"type": "ADDED", "object": item})
    while True:
        async with api.watch(kind, namespace, version) as events:
            async for event in events:
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK" and SCHEDULE in event["object"]["metadata"].get("labels", {}):
                    record(event)


async def _kill_again_and_again(api: ApiServer, killed: list[float]) -> None:
    namespace, selector = OPERATOR
    while True:
        await asyncio.sleep(random.uniform(5, 20))
        for pod in await api.list_labelled(PODS, namespace, selector):
            with suppress(ApiError):  # the ReplicaSet may have been quicker
                path = PODS.path(namespace, pod["metadata"]["name"])
                await api._transport.exchange(Request("DELETE", path, body={"gracePeriodSeconds": 0}))
                killed.append(time.time())


async def _prepare(api: ApiServer, namespace: str, names: list[str]) -> None:
    """Make the schedules, each with a repository of its own so that no lock makes one wait for another."""
    for claim in resources.claims():
        await api.create(CLAIMS, _in(namespace, claim))
    await api.create(SCRIPTS, _in(namespace, resources.script("work", content=_WORK)))
    for name in names:
        local = {"volume": {"persistentVolumeClaim": {"claimName": "borg-repo"}}, "path": name}
        await api.create(REPOSITORIES, _in(namespace, resources.repository(name, local=local)))
        hooks = {"preBackup": {"scriptRef": {"name": "work"}}}
        more = {"repositoryRefs": [{"name": name}], "schedule": "* * * * *", "hooks": hooks, "runHistoryLimit": 100}
        await api.create(SCHEDULES, _in(namespace, resources.schedule(name, **more)))


@asynccontextmanager
async def _namespace(api: ApiServer) -> AsyncIterator[str]:
    name = f"bench-{secrets.token_hex(3)}"
    await api.create(NAMESPACES, {"metadata": {"name": name}})
    try:
        yield name
    finally:
        await api._transport.exchange(Request("DELETE", NAMESPACES.path(None, name)))


def _in(namespace: str, manifest: Object) -> Object:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Whether two pods of one schedule ever were at work at once.")
    parser.add_argument("rounds", nargs="?", type=int, default=50)
    parser.add_argument("schedules", nargs="?", type=int, default=10)
    parser.add_argument("--kill", action="store_true")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.rounds, given.schedules, given.kill)))

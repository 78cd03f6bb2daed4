"""Claims that come and go under a selector, played through in virtual time: the CronJob follows, and not too often."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from borg_contract.run import Phase
from support import builders
from support.recorder import Request
from support.running import BEGIN, Cluster, run_by_hand
from support.virtual_time import run_virtually

CHOSEN = {"name": "chosen", "claimSelector": {"matchLabels": {"backup": "nightly"}}}
CLAIM = "PersistentVolumeClaim"
PACE_SECONDS = 1.0
LOOK_SECONDS = 0.01
"""How often the tests look."""


def body(name: str, *, chosen: bool = True, phase: str = "Bound") -> dict[str, Any]:
    labels = {"backup": "nightly"} if chosen else {}
    return {"metadata": builders.metadata(name, labels=labels), "status": {"phase": phase}}


def mounted(found: dict[str, Any]) -> set[str]:
    """Return the claims that a CronJob's or Job's pods read."""
    spec = found["spec"].get("jobTemplate", found)["spec"]
    volumes = spec["template"]["spec"]["volumes"]
    names = {volume.get("persistentVolumeClaim", {}).get("claimName") for volume in volumes}
    return {name for name in names if name and name != "repo-main"}


class Scene:
    """A schedule whose repository chooses claims, on a cluster that lives. `writes`: when what was written, in s."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.writes: list[tuple[float, str]] = []
        self.cluster.recorder.on_request = self._note

    def _note(self, request: Request) -> None:
        if request.writes and request.kind in ("CronJob", "BorgSchedule"):
            kind = f"{request.kind}/{request.subresource}".rstrip("/")
            self.writes.append((asyncio.get_running_loop().time(), kind))

    async def begin(self, *, schedule: str = "0 2 * * *") -> None:
        self.cluster.recorder.add(CLAIM, {"metadata": builders.metadata("repo-main")})
        repository = builders.local_repository(sources=[CHOSEN])
        self.cluster.add(repository, builders.schedule(schedule=schedule))
        await self.cluster.begin()
        await self.cluster.live(5)

    def come(self, name: str, **more: Any) -> None:
        self.cluster.recorder.add(CLAIM, body(name, **more))

    def go(self, name: str) -> None:
        self.cluster.recorder.remove(CLAIM, name)

    @property
    def chosen(self) -> set[str]:
        recorder = self.cluster.recorder
        found = [
            body for body in recorder.all_of(CLAIM) if body["metadata"].get("labels", {}).get("backup") == "nightly"
        ]
        return {body["metadata"]["name"] for body in found}

    @property
    def cron_job(self) -> dict[str, Any]:
        return self.cluster.recorder.find("CronJob", "db")

    def condition(self, type_: str) -> tuple[str, str]:
        return next((c.status, c.reason) for c in self.cluster.schedule.status.conditions if c.type == type_)


def play(work: Callable[[Scene], Any]) -> Scene:
    scene = Scene()

    async def whole() -> None:
        await work(scene)
        await scene.cluster.stop()

    run_virtually(whole(), still=True)
    return scene


async def measure(is_true: Callable[[], bool]) -> float:
    """Return how long it takes until that holds, in seconds. Fails the test when it never does."""
    began = asyncio.get_running_loop().time()
    while not is_true():
        assert asyncio.get_running_loop().time() - began < 3, "it does not follow"
        await asyncio.sleep(LOOK_SECONDS)
    return asyncio.get_running_loop().time() - began


@pytest.mark.parametrize("seed", range(3))
def test_500_claims_come_and_go_and_the_cron_job_follows_in_a_second_with_a_write_a_second(seed: int) -> None:
    random, late = Random(seed), list[float]()

    async def work(scene: Scene) -> None:
        await scene.begin()
        names, there = [f"c{n:03}" for n in range(500)], list[str]()
        scene.writes.clear()
        while names or there:
            if names and (not there or random.random() < 0.6):
                there.append(names.pop())
                scene.come(there[-1])
            else:
                scene.go(there.pop(random.randrange(len(there))))
            await asyncio.sleep(random.choice((0, 0, 0.001, 0.02, 0.1)))
            if random.random() < 0.02 and there:
                late.append(await measure(lambda: mounted(scene.cron_job) == scene.chosen))
        await asyncio.sleep(PACE_SECONDS + LOOK_SECONDS)

    scene = play(work)
    assert scene.cron_job["spec"]["suspend"] is True  # none is left
    assert max(late) <= PACE_SECONDS + LOOK_SECONDS
    for kind in ("CronJob", "BorgSchedule/status"):
        times = [time for time, written in scene.writes if written == kind]
        assert len(times) > 10
        assert min(later - earlier for earlier, later in pairwise(times)) >= PACE_SECONDS - LOOK_SECONDS


def test_a_single_claim_is_taken_up_at_once() -> None:
    late: list[float] = []

    async def work(scene: Scene) -> None:
        scene.come("a")
        await scene.begin()
        scene.come("b")
        late.append(await measure(lambda: mounted(scene.cron_job) == {"a", "b"}))

    play(work)
    assert late[0] <= 2 * LOOK_SECONDS


def test_claims_that_are_not_chosen_make_no_write() -> None:
    async def work(scene: Scene) -> None:
        scene.come("a")
        await scene.begin()
        scene.writes.clear()
        for number in range(50):
            scene.come(f"other{number}", chosen=False)
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)

    assert play(work).writes == []


def test_a_run_under_way_keeps_its_claims_and_the_next_has_those_of_then() -> None:
    async def work(scene: Scene) -> None:
        scene.come("a")
        scene.come("b")
        await scene.begin(schedule="52 11 * * *")
        scene.cluster.endless = True
        await scene.cluster.live(90)
        scene.go("a")
        scene.come("c")
        await scene.cluster.live(5)
        scene.cluster.endless = False
        await scene.cluster.live(10)
        scene.cluster.add(run_by_hand(at=scene.cluster.recorder.now))
        await scene.cluster.live(20)

    scene = play(work)
    jobs = sorted(scene.cluster.recorder.all_of("Job"), key=lambda job: str(job["metadata"]["creationTimestamp"]))
    assert [mounted(job) for job in jobs] == [{"a", "b"}, {"b", "c"}]
    assert [run.status.phase for run in scene.cluster.runs] == [Phase.COMPLETED] * 2


def test_while_none_matches_nothing_runs_and_the_tick_is_made_up_for() -> None:
    seen: list[Any] = []

    async def work(scene: Scene) -> None:
        scene.come("a")
        await scene.begin(schedule="52 11 * * *")
        scene.go("a")
        await scene.cluster.live(2)
        seen.append((scene.condition("Ready"), scene.cron_job["spec"]["suspend"], scene.cluster.schedule.status.claims))
        scene.cluster.add(run_by_hand(at=scene.cluster.recorder.now))
        await scene.cluster.live(120)
        seen.append([(run.metadata.name, run.status.phase, run.status.reason) for run in scene.cluster.runs])
        assert scene.cluster.recorder.now - BEGIN > timedelta(seconds=120)
        scene.come("b")
        await scene.cluster.live(60)
        seen.append((scene.condition("Ready"), scene.cron_job["spec"]["suspend"], scene.cluster.schedule.status.claims))

    scene = play(work)
    assert seen == [
        (("False", "NoClaimMatches"), True, 0),
        [("now", Phase.PENDING, "NoClaimMatches")],
        (("True", "Scheduled"), False, 1),
    ]
    assert {tuple(mounted(job)) for job in scene.cluster.recorder.all_of("Job")} == {("b",)}
    assert all(run.status.phase in (Phase.COMPLETED, Phase.SKIPPED) for run in scene.cluster.runs)


def test_what_a_claim_becomes_is_followed() -> None:
    """Bound, then another label, then deleted while a pod still uses it."""
    seen: list[set[str]] = []

    async def work(scene: Scene) -> None:
        scene.come("a")
        await scene.begin()
        recorder = scene.cluster.recorder

        async def look() -> None:
            await asyncio.sleep(PACE_SECONDS + LOOK_SECONDS)
            seen.append(mounted(scene.cron_job))

        scene.come("b", phase="Pending")
        await look()
        recorder.edit(CLAIM, "b", {"status": {"phase": "Bound"}})
        await look()
        recorder.edit(CLAIM, "a", {"metadata": {"labels": {"backup": None}}})
        await look()
        recorder.edit(CLAIM, "a", {"metadata": {"labels": {"backup": "nightly"}}})
        recorder.edit(CLAIM, "b", {"metadata": {"finalizers": ["kubernetes.io/pvc-protection"]}})
        recorder.ask_to_go(CLAIM, "b")
        await look()
        recorder.edit(CLAIM, "a", {"metadata": {"annotations": {"borgoperator.io/ignore": "true"}}})
        scene.come("c")
        await look()

    play(work)
    assert seen == [{"a"}, {"a", "b"}, {"b"}, {"a"}, {"c"}]

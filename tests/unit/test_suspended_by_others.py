"""Jobs that somebody else suspends, Kueue or a person, played through: the operator leaves them be, and says so.

Whatever kind of run it is: nobody fights, one is at work at a time, and it ends once the other lets it begin.
"""

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from borg_core.kinds.run import BorgRun
from support import builders
from support.controllers import is_finished
from support.kueue import Kueue, suspend
from support.running import Cluster, claims, run_by_hand
from support.virtual_time import run_virtually
from unit.test_turns_simulated import Town, play

HOUR, QUARTER = 3600, 900
QUARTERS = {"schedule": "*/15 * * * *"}
NIGHTLY = {"schedule": "0 2 * * *"}
SNAPSHOT = {
    **QUARTERS,
    "sources": [builders.source(copy="Snapshot")],
    "job": {"fileAccess": "ReadAll"},
}
DRIVEN = {
    "metadata": {"annotations": {"volume.kubernetes.io/storage-provisioner": "csi.test"}},
    "spec": {"storageClassName": "csi", "resources": {"requests": {"storage": "1Gi"}}},
}
ON_MAIN: dict[str, Any] = {"scheduleRef": None, "repositoryRef": {"name": "main"}, "operation": "Compact"}

KINDS: dict[str, tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]] = {
    "a tick": (QUARTERS, None, None),
    "a tick that reads a snapshot": (SNAPSHOT, None, None),
    "by hand": (NIGHTLY, None, {}),
    "a check by the clock": (NIGHTLY, QUARTERS, None),
    "on a repository that is checked": (NIGHTLY, NIGHTLY, ON_MAIN),
    "on a repository alone": (NIGHTLY, None, ON_MAIN),
    "to break locks": (NIGHTLY, NIGHTLY, {**ON_MAIN, "operation": "BreakLock"}),
}
"""Of each kind of run: the schedule's spec, when its repository is checked, and the spec of a run by hand."""
MADE_TO_WAIT = ("a tick that reads a snapshot", "by hand", "on a repository that is checked")
"""Those that the operator lets begin when it is their turn."""


@dataclass
class Scene:
    """A cluster in which runs of one kind are asked for; `others`: what is done to their Jobs each second."""

    kind: str
    others: Callable[[], None] = lambda: None
    cluster: Cluster = field(default_factory=Cluster)
    began: set[str] = field(default_factory=set)
    """Uids of the pods that were at work."""

    def __post_init__(self) -> None:
        spec, check, self.asked = KINDS[self.kind]
        self.another = {**(ON_MAIN if check or self.asked else {}), "operation": "Check"}
        for claim in claims():
            self.cluster.recorder.add("PersistentVolumeClaim", claim)
        self.cluster.recorder.edit("PersistentVolumeClaim", "app-data", DRIVEN)
        verification: dict[str, Any] = {"verification": {"check": check}} if check else {}
        self.cluster.add(builders.local_repository(**verification), builders.schedule(**spec))

    async def begin(self) -> None:
        await self.cluster.begin()
        await self.live(2)
        if self.asked is not None:
            self.ask("now", self.asked)

    def ask(self, name: str, spec: dict[str, Any]) -> None:
        self.cluster.add(run_by_hand(name, self.cluster.recorder.now, **spec))

    async def live(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        def passes() -> bool:
            self._each_second()
            return until()

        await self.cluster.live(seconds, passes)

    def _each_second(self) -> None:
        recorder, at_work = self.cluster.recorder, self.cluster.node.at_work()
        assert len(at_work) <= 1, "two pods at work"
        self.began |= {pod["metadata"]["uid"] for pod in at_work}
        for snapshot in recorder.names("VolumeSnapshot"):
            recorder.edit("VolumeSnapshot", snapshot, {"status": {"readyToUse": True}})
        self.others()

    @property
    def run(self) -> BorgRun:
        """The run that was asked for first."""
        return min(self.cluster.runs, key=lambda run: (run.metadata.creation_timestamp, run.metadata.name))

    @property
    def jobs(self) -> list[str]:
        """The names of the Jobs that have not ended."""
        return [job["metadata"]["name"] for job in self.cluster.recorder.all_of("Job") if not is_finished(job)]

    @property
    def told(self) -> list[str]:
        """The Events on Jobs that somebody else suspended."""
        return [event for event in self.cluster.events.elements() if event.startswith("JobSuspended")]

    def writes(self) -> Counter[str]:
        made = [request for request in self.cluster.recorder.requests if request.writes]
        return Counter(f"{request.verb} {request.kind}" for request in made)


def see(work: Callable[[], Coroutine[Any, Any, Scene]]) -> Scene:
    return run_virtually(work(), still=True)


def says(run: BorgRun) -> tuple[str | None, str | None]:
    return run.status.phase, run.status.reason


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_queue_is_waited_for(kind: str) -> None:
    async def work() -> Scene:
        scene = Scene(kind)
        kueue = Kueue(scene.cluster.recorder)
        scene.others = kueue.act
        await scene.begin()
        await scene.live(HOUR)
        assert says(scene.run) == ("Pending", "JobSuspended")
        # What the operator lets begin when it is its turn, Kueue takes back once.
        assert (kueue.acted, len(scene.began)) == ((1, 1) if kind in MADE_TO_WAIT else (0, 0))
        writes = scene.writes()
        assert (writes["merge Job"] <= 3, writes["merge BorgRun"] <= 8, len(scene.told)) == (True, True, 1), writes
        kueue.has_room = True
        await scene.live(60)
        await scene.cluster.stop()
        return scene

    scene = see(work)
    assert says(scene.run) == ("Completed", None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_queue_with_room_is_not_noticed(kind: str) -> None:
    async def work() -> Scene:
        scene = Scene(kind)
        scene.others = Kueue(scene.cluster.recorder, has_room=True).act
        await scene.begin()
        await scene.live(2 * QUARTER)
        await scene.cluster.stop()
        return scene

    scene = see(work)
    assert [says(run) for run in scene.cluster.runs] == [("Completed", None)] * len(scene.began)
    assert (len(scene.began), scene.told) == (1 if scene.asked is not None else 2, [])


@pytest.mark.parametrize("kind", list(KINDS)[:4])
def test_what_a_person_pauses_at_work_stays_paused_and_keeps_others_waiting(kind: str) -> None:
    async def work() -> Scene:
        scene = Scene(kind)
        recorder = scene.cluster.recorder
        await scene.begin()
        await scene.live(HOUR, lambda: bool(scene.cluster.node.at_work()))
        (job,) = scene.jobs
        recorder.edit("Job", job, suspend(by="kubectl-patch"))
        await scene.live(2)
        scene.ask("later", scene.another)
        await scene.live(HOUR)
        assert says(scene.run) == ("Pending", "JobSuspended")
        assert "Somebody else (kubectl-patch) suspended its Job" in (scene.run.status.message or "")
        assert (scene.writes()["merge BorgRun"] <= 12, len(scene.told)) == (True, 1), scene.writes()
        recorder.edit("Job", job, suspend(by="kubectl-patch", value=False))
        await scene.live(60)
        await scene.cluster.stop()
        return scene

    scene = see(work)
    assert says(scene.run) == ("Completed", None)


@pytest.mark.parametrize("kind", list(KINDS)[:4])
def test_a_paused_run_can_be_cancelled_and_the_next_one_begins(kind: str) -> None:
    async def work() -> Scene:
        scene = Scene(kind)
        kueue = Kueue(scene.cluster.recorder)
        scene.others = kueue.act
        await scene.begin()
        await scene.live(QUARTER)
        paused = scene.run.metadata.name
        scene.cluster.recorder.edit("BorgRun", paused, {"spec": {"cancel": True}})
        await scene.live(5)
        assert says(scene.run) == ("Cancelled", "RunCancelled")
        kueue.has_room = True
        scene.ask("later", scene.another)
        await scene.live(60)
        await scene.cluster.stop()
        return scene

    assert "Completed" in [run.status.phase for run in see(work).cluster.runs]


@dataclass
class Meddled(Town):
    """A town in which somebody suspends Jobs at work, and lets these begin again, at any moment."""

    paused: set[str] = field(default_factory=set)
    """Names of their Jobs."""

    def step(self) -> None:
        if self.chance.random() < 0.1:
            self._do(self.chance.choice((self.pause, self.resume)))
        else:
            super().step()

    def pause(self) -> None:
        jobs = (job for job in self.recorder.all_of("Job") if not (is_finished(job) or job["spec"].get("suspend")))
        if names := [job["metadata"]["name"] for job in jobs]:
            self.paused.add(name := self.chance.choice(names))
            self.recorder.edit("Job", name, suspend(by="somebody"))

    def resume(self) -> None:
        for name in self.paused & set(self.recorder.names("Job")):
            self.recorder.edit("Job", name, suspend(by="somebody", value=False))
        self.paused.clear()

    def settle(self) -> None:
        self._do(self.resume)
        super().settle()

    def _check(self) -> None:
        super()._check()
        jobs = [job for job in self.recorder.all_of("Job") if not is_finished(job)]
        if jobs:
            self.busy.append(self.recorder.now)  # one that is paused keeps ticks waiting as well
        begun = {job["metadata"]["name"] for job in jobs if not job["spec"].get("suspend")}
        assert not self.paused & begun, self.told("somebody's pause was ended")


@pytest.mark.parametrize("late", [False, True], ids=["watches that are quick", "watches that lag"])
@pytest.mark.parametrize("dies", [False, True], ids=["an operator that lives", "an operator that dies"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_paused_one_runs_at_a_time_and_all_end(seed: int, dies: bool, late: bool) -> None:
    town = Meddled(seed, late=late, dies=dies)
    play(town)
    assert town.lost() == [], town.told("ticks were lost")

"""Turns, played through: the CronJob controller, a node, people, and an operator that dies, in every order.

Whatever happens: never two pods at work, every run ends, no tick is lost but to a run that was at work, and no run is
given up for another one that never began.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from borg_cluster.errors import ApiError
from borg_contract.reasons import Reason
from borg_core.actions import Plan
from borg_core.clock import CronSchedule
from borg_core.formats import format_time, parse_time
from borg_core.kinds.run import BorgRun
from borg_core.labels import CONTROLLER_UID, OPERATION, SCHEDULED_TIMESTAMP
from support import builders
from support.builders import DB
from support.controllers import CronJobController, Node, is_finished
from support.operator import Operator
from support.recorder import CrashError, Recorder, Request
from support.running import Cluster, claims, run_by_hand
from support.virtual_time import run_virtually

BEGIN = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
EVERY = "*/2 * * * *"
DEADLINE = 110
LAZY = timedelta(seconds=30)
"""So long at most the CronJob controller and the operator take to come to a schedule."""
PATIENCE = timedelta(seconds=60)
"""So long a run that was let in may keep ticks waiting before it begins, while an operator lives."""


def body_of(resource: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = resource.model_dump(mode="json", by_alias=True, exclude_none=True)
    dumped["metadata"].pop("resourceVersion")
    return dumped


@dataclass
class Town:
    """All of it, and the chance by which it happens."""

    seed: int
    late: bool = False
    dies: bool = False
    disowns: bool = False
    recorder: Recorder = field(default_factory=lambda: Recorder(now=BEGIN))
    taken: set[datetime] = field(default_factory=set)
    """Ticks that got their Job."""
    begun: set[str] = field(default_factory=set)
    """Jobs of which a pod was at work."""

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        spec: dict[str, Any] = {"schedule": EVERY, "startingDeadlineSeconds": DEADLINE, "runHistoryLimit": 100}
        for kind, found in (
            ("BorgSchedule", builders.schedule(**spec)),
            ("BorgRepository", builders.local_repository()),
        ):
            self.recorder.add(kind, body_of(found))
        for claim in ("app-data", "repo-main"):
            self.recorder.add("PersistentVolumeClaim", {"metadata": builders.metadata(claim)})
        self.operator: Operator | None = None
        self.controller = CronJobController(self.recorder, "db")
        self.node = Node(self.recorder)
        self.synced = self.looked = self.delivered = BEGIN
        self.asked = 0
        self.story: list[str] = []
        self.busy: list[datetime] = []
        self.recorder.on_request = self._meanwhile

    # What may happen

    def step(self) -> None:
        acts = {
            self.reconcile: 6,
            self.look: 3,
            self.act: 3,
            self.begin: 3,
            self.end: 2,
            self.notice: 3,
            self.collect: 1,
            self.wait: 4,
            self.ask: 1,
            self.cancel: 1,
            self.delete: 1,
            self.deliver: 3,
        }
        if self.disowns:
            acts[self.disown] = 1
        self._do(self.chance.choices(list(acts), list(acts.values()))[0])

    def reconcile(self) -> None:
        self.looked = self.recorder.now
        if self.operator is None:
            if self.chance.random() < 0.5:
                self.operator = Operator(self.recorder, late=self.late)
            return
        try:
            self.operator.reconcile(DB)
        except ApiError as error:
            self.story.append(f"  {error}")
        except CrashError:
            self.story.append("  died")
            self.operator = None

    def look(self) -> None:
        if self.controller.seen is None:
            self.synced = self.recorder.now
        self.controller.look()

    def act(self) -> None:
        self.controller.act()

    def begin(self) -> None:
        self.node.begin()

    def end(self) -> None:
        if pods := self.node.at_work():
            self.node.end(self.chance.choice(pods))

    def notice(self) -> None:
        self.node.notice()

    def collect(self) -> None:
        self.recorder.collect_garbage()

    def wait(self) -> None:
        self.recorder.now += timedelta(seconds=self.chance.randint(1, 20))
        if self.recorder.now - self.synced > LAZY:
            # Slow it may be, but each event brings it back.
            self.act()
            self.look()
            self.act()
        if self.operator and self.recorder.now - self.delivered > LAZY:
            self.delivered = self.recorder.now
            self.operator.deliver_all()
            self.reconcile()
        if self.recorder.now - self.looked > LAZY:
            self.operator = self.operator or Operator(self.recorder, late=self.late)
            self.reconcile()

    def ask(self) -> None:
        self.asked += 1
        operation = self.chance.choice(["Backup", "Check", "Prune"])
        run = builders.run(f"run-{self.asked}", operation=operation)
        body = body_of(run)
        body["metadata"] |= {"uid": f"uid-run-{self.asked}", "creationTimestamp": format_time(self.recorder.now)}
        self.recorder.add("BorgRun", body)

    def cancel(self) -> None:
        if runs := self.runs():
            self.recorder.edit("BorgRun", self.chance.choice(runs).metadata.name, {"spec": {"cancel": True}})

    def delete(self) -> None:
        if (runs := self.runs()) and self.chance.random() < 0.5:
            self.recorder.remove("BorgRun", self.chance.choice(runs).metadata.name)

    def disown(self) -> None:
        """Take the owner from a Job that is at work, by which the controller would know of its end."""
        jobs = self.recorder.all_of("Job")
        if names := [job["metadata"]["name"] for job in jobs if not (is_finished(job) or job["spec"].get("suspend"))]:
            self.recorder.edit("Job", self.chance.choice(names), {"metadata": {"ownerReferences": []}})

    def deliver(self) -> None:
        if self.operator:
            for kind in self.operator.news:
                self.operator.deliver(kind, self.chance.randint(0, 3))

    # How it goes

    def runs(self) -> list[BorgRun]:
        return [BorgRun.model_validate(body) for body in self.recorder.all_of("BorgRun")]

    def _meanwhile(self, request: Request) -> None:
        self.story.append(f"  {request}")
        for act in (self.look, self.act, self.begin, self.notice, self.end):
            if self.chance.random() < 0.15:
                self._do(act)
        if self.dies and self.chance.random() < 0.03:
            raise CrashError

    def _do(self, act: Any) -> None:
        self.story.append(f"{self.recorder.now:%H:%M:%S} {act.__name__}")
        act()
        self._check()

    def _check(self) -> None:
        jobs = self.recorder.all_of("Job")
        ticks = (job["metadata"].get("annotations", {}).get(SCHEDULED_TIMESTAMP) for job in jobs)
        self.taken |= {parse_time(tick) for tick in ticks if tick}
        # What breaks a dead Job's locks is in nobody's way, and whoever waits for them waits for it.
        working = [pod for pod in self.node.at_work() if pod["metadata"]["labels"][OPERATION] != "BreakLock"]
        assert len(working) <= 1, self.told("two pods at work")
        at_work = {pod["metadata"]["labels"][CONTROLLER_UID] for pod in working}
        self.begun |= {job["metadata"]["name"] for job in jobs if job["metadata"]["uid"] in at_work}
        for run in self.runs():
            if run.status.reason == Reason.COVERED_BY_RUN:
                assert any(f'"{name}"' in (run.status.message or "") for name in self.begun), self.told(
                    f"{run.metadata.name} was given up for one that never began: {run.status.message}"
                )
        now = self.recorder.now
        if working or any(not is_finished(job) and not job["spec"].get("suspend") for job in jobs):
            self.busy.append(now)

    def told(self, what: str) -> str:
        return "\n".join([what, *self.story[-150:]])

    def settle(self) -> None:
        """Let everybody do what is left, without any more faults or wishes."""
        self.dies, self.late = False, False
        self.recorder.on_request = lambda _: None
        self.operator = Operator(self.recorder)
        for _ in range(400):
            self.operator.deliver_all()
            plan: Plan = self.operator.plan(DB, self.recorder.now)
            for action in plan.actions:
                self.operator.apply(action)
            for act in (self.look, self.act, self.begin, self.end, self.notice, self.collect):
                self._do(act)
            # Between two ticks, so that the clock brings nothing more.
            self.recorder.now += timedelta(seconds=1)
            if all(run.finished for run in self.runs()) and not any(
                not is_finished(job) for job in self.recorder.all_of("Job")
            ):
                return
        unfinished = [
            (run.metadata.name, run.status.reason, run.status.message) for run in self.runs() if not run.finished
        ]
        jobs = [
            (j["metadata"]["name"], j["spec"].get("suspend")) for j in self.recorder.all_of("Job") if not is_finished(j)
        ]
        raise AssertionError(self.told(f"it never ends: {unfinished} {jobs}"))

    def lost(self) -> list[datetime]:
        """Return the ticks that got no Job, although nothing was at work within their deadline."""
        timing = CronSchedule.parse(EVERY)
        ticks = list(timing.runs_between(BEGIN, self.recorder.now - timedelta(seconds=DEADLINE)))
        return [
            tick
            for tick in ticks
            if tick not in self.taken
            and not any(tick - PATIENCE <= at <= tick + timedelta(seconds=DEADLINE) for at in self.busy)
        ]


def play(town: Town, steps: int = 250) -> None:
    for _ in range(steps):
        town.step()
    town.settle()


@pytest.mark.parametrize("late", [False, True], ids=["watches that are quick", "watches that lag"])
@pytest.mark.parametrize("dies", [False, True], ids=["an operator that lives", "an operator that dies"])
@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_one_runs_at_a_time_and_all_end(seed: int, dies: bool, late: bool) -> None:
    town = Town(seed, late=late, dies=dies)
    play(town)
    assert town.lost() == [], town.told("ticks were lost")
    assert town.taken, "the clock never ran"


@pytest.mark.parametrize("late", [False, True], ids=["watches that are quick", "watches that lag"])
@pytest.mark.parametrize("seed", range(5))
def test_a_job_that_loses_its_owner_is_given_back_when_it_has_ended(seed: int, late: bool) -> None:
    town = Town(seed, late=late, disowns=True)
    play(town)
    assert town.operator
    town.operator.deliver_all()
    town.reconcile()
    (cron_job,) = town.recorder.all_of("CronJob")
    found = (town.recorder.find("Job", entry["name"]) for entry in cron_job["status"].get("active", []))
    lost = [job["metadata"]["name"] for job in found if not job["metadata"].get("ownerReferences")]
    assert lost == [], town.told("the controller cannot see that these have ended")


def test_a_run_of_any_name_takes_its_turn_and_the_next_ticks_come() -> None:
    async def work() -> Cluster:
        cluster = Cluster()
        for claim in claims():
            cluster.recorder.add("PersistentVolumeClaim", claim)
        cluster.add(builders.local_repository(), builders.schedule(schedule="*/5 * * * *"))
        await cluster.begin()
        await cluster.live(2)
        cluster.add(run_by_hand("db-placeholder", at=cluster.recorder.now))
        await cluster.live(700)
        await cluster.stop()
        return cluster

    ended = [run for run in run_virtually(work()).runs if run.finished]
    assert [run.metadata.name for run in ended if run.status.trigger == "Manual"] == ["db-placeholder"]
    assert len(ended) == 3

"""A cluster that lives, in virtual time: the operator's loop beside Kubernetes' controllers, a node and a person."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from borg_contract.result import RunResult
from borg_core.formats import format_time
from borg_core.kinds.parts.base import Model
from borg_core.kinds.restore import BorgRestore
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import BorgSchedule
from borg_core.native.job import JOBS
from borg_core.native.pod import PODS
from borg_operator.loop.controller import Controller, Limits
from borg_operator.telemetry.metrics import Metrics
from support import builders
from support.controllers import CronJobController, Node, is_finished
from support.operator import Operator
from support.recorder import CrashError, Recorder, Request
from support.restoring import Application

BEGIN = datetime(2026, 3, 2, 11, 50, 50, tzinfo=UTC)
WORK = timedelta(seconds=3)
"""So long a pod takes."""
_TICKS_SECONDS = 10
"""No schedule of the tests is due in between."""


def body_of(resource: Model) -> dict[str, Any]:
    dumped: dict[str, Any] = resource.model_dump(mode="json", by_alias=True, exclude_none=True)
    for generated in ("resourceVersion", "generation", "creationTimestamp"):
        dumped["metadata"].pop(generated)
    return dumped


@dataclass
class Cluster:
    """`endless`: pods work until somebody ends them; `operator_ahead`: by so much the operator's clock is wrong."""

    recorder: Recorder = field(default_factory=lambda: Recorder(now=BEGIN))
    endless: bool = False
    operator_ahead: timedelta = timedelta(0)

    result: RunResult | None = None
    """What pods say at their end, if not that all went well."""
    answer: Callable[[dict[str, Any]], RunResult | None] | None = None
    """The same, where it depends on the pod; None of it: the pod is at work still."""
    application: Application | None = None

    def __post_init__(self) -> None:
        self.cron_jobs = [CronJobController(self.recorder, name) for name in ("db", "main-check")]
        self.node = Node(self.recorder)
        self.restarts = 0
        self._dead = False
        self._seen = 0
        self._refuse = self.recorder.refuse
        self.recorder.refuse = self._answer
        self._start()

    def add(self, *resources: Model) -> None:
        for resource in resources:
            self.recorder.add(getattr(resource, "kind", ""), body_of(resource))

    async def live(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let so many seconds pass, or less if that holds."""
        end = self.recorder.now + timedelta(seconds=seconds)
        while self.recorder.now < end and not until():
            await asyncio.sleep(1)
            self.recorder.now += timedelta(seconds=1)
            # For hours nothing happens: then there is nothing to look at but the clock.
            if self.recorder.version != self._seen or self.recorder.now.second % _TICKS_SECONDS == 0:
                for controller in self.cron_jobs:
                    controller.look()
                    controller.act()
                self.node.begin()
            if self.application:
                self.application.act()
            if not self.endless:
                self._finish_work()
            if self.recorder.version != self._seen:
                self._seen = self.recorder.version
                self.node.notice()
                self.recorder.collect_garbage()
            if self._dead:
                await self._restart()

    def die(self) -> None:
        """Let every request of the operator fail from now on, until another process of it has begun."""
        self._dead = True

    async def stop(self) -> None:
        await self.controller.stop()

    # What came of it

    @property
    def schedule(self) -> BorgSchedule:
        return BorgSchedule.model_validate(self.recorder.find("BorgSchedule", "db"))

    @property
    def runs(self) -> list[BorgRun]:
        return [BorgRun.model_validate(body) for body in self.recorder.all_of("BorgRun")]

    @property
    def restores(self) -> list[BorgRestore]:
        return [BorgRestore.model_validate(body) for body in self.recorder.all_of("BorgRestore")]

    @property
    def restore(self) -> BorgRestore:
        (found,) = self.restores
        return found

    @property
    def events(self) -> Counter[str]:
        """How often each thing was told."""
        return Counter(f"{event['reason']}: {event['note']}" for event in self.recorder.all_of("Event"))

    def state(self) -> dict[str, Any]:
        """Return what matters at the end, without times and numbers that are made up."""
        schedules = [BorgSchedule.model_validate(body) for body in self.recorder.all_of("BorgSchedule")]
        return {
            "schedules": [
                (
                    {c.type: (c.status, c.reason) for c in schedule.status.conditions},
                    schedule.status.last_run_phase,
                    schedule.status.last_run_name,
                    schedule.status.consecutive_failures,
                    schedule.status.active,
                )
                for schedule in schedules
            ],
            "repositories": [
                (
                    {c["type"]: c["status"] for c in body["status"].get("conditions", [])},
                    body["status"].get("schedules"),
                )
                for body in self.recorder.all_of("BorgRepository")
            ],
            "cron jobs": [
                (body["metadata"]["name"], body["spec"]["schedule"], body["status"].get("active", []))
                for body in self.recorder.all_of("CronJob")
            ],
            "jobs": [
                (body["metadata"]["name"], is_finished(body), body["spec"].get("suspend", False))
                for body in self.recorder.all_of(JOBS.kind)
            ],
            "pods": self.recorder.names(PODS.kind),
            "restores": [
                (restore.metadata.name, restore.status.phase, restore.status.reason, restore.status.attempts)
                for restore in self.restores
            ],
            "replicas": [body["spec"]["replicas"] for body in self.recorder.all_of("Deployment")],
            "runs": [
                (run.metadata.name, run.status.phase, run.status.reason, [r.name for r in run.status.repositories])
                for run in self.runs
            ],
        }

    # How it goes

    def _start(self) -> None:
        operator = Operator(self.recorder)
        self.controller = Controller(
            operator.store,
            operator.gatherer,
            operator.applier,
            Limits(workers=1),
            metrics=Metrics(),
            clock=lambda: self.recorder.now + self.operator_ahead,
        )
        self._is_started = False

    async def begin(self) -> None:
        self.controller.start()
        self.controller.enqueue_all()

    async def _restart(self) -> None:
        await self.controller.stop()
        self._dead, self.restarts = False, self.restarts + 1
        self._start()
        await self.begin()

    def _answer(self, request: Request) -> BaseException | None:
        return CrashError() if self._dead else self._refuse(request)

    def _finish_work(self) -> None:
        for pod in self.node.at_work():
            if self.recorder.now - self.node.began(pod) < WORK:
                continue
            result = self.answer(pod) if self.answer else self.result
            if result or not self.answer:
                self.node.end(pod, result)


def claims() -> list[dict[str, Any]]:
    return [{"metadata": builders.metadata(name)} for name in ("app-data", "repo-main")]


def run_by_hand(name: str = "now", at: datetime = BEGIN, **spec: Any) -> BorgRun:
    run = builders.run(name, **spec)
    metadata = run.metadata.model_copy(update={"creation_timestamp": format_time(at)})
    return run.model_copy(update={"metadata": metadata})

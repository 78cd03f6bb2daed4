"""Reconciling: gather, plan, apply, one schedule at a time in each worker, and everything again now and then."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from borg_cluster.api_server import ApiError, ApiServer
from borg_core.reconcile.actions import Action
from borg_core.reconcile.repository import plan_repository
from borg_core.reconcile.schedule import plan_schedule
from borg_operator.apply import Applier, Refused
from borg_operator.gather import Gatherer
from borg_operator.keys import Key, RepositoryKey, ScheduleKey, derive_concerned
from borg_operator.metrics import CLUSTER, UNEXPECTED, Metrics
from borg_operator.queue import WorkQueue
from borg_operator.resync import purge_ghosts
from borg_operator.store import Store

logger = logging.getLogger(__name__)

_REPOSITORY_DELAY_SECONDS = 0.5
"""Many schedules may change at once on one repository: its status is written once for all of them."""


@dataclass(frozen=True)
class Limits:
    """How much at once, and how often everything."""

    workers: int = 8
    resync_seconds: float = 300.0
    namespaces: tuple[str, ...] = ()
    """Those that are served; none: all."""


class Controller:
    """Owns the queue and its workers. `notice` is all that the watches need."""

    def __init__(
        self, store: Store, api: ApiServer, gatherer: Gatherer, applier: Applier, limits: Limits, *, metrics: Metrics
    ) -> None:
        self._store = store
        self._api = api
        self._gatherer = gatherer
        self._applier = applier
        self._limits = limits
        self._metrics = metrics
        self._queue: WorkQueue[Key] = WorkQueue()
        self._tasks: list[asyncio.Task[None]] = []
        metrics.watch_queue(self._queue)

    def start(self) -> None:
        """Start the workers in the running event loop."""
        workers = [asyncio.create_task(self._work(), name=f"worker {n}") for n in range(self._limits.workers)]
        self._tasks = [*workers, asyncio.create_task(self._resync(), name="resync")]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._queue.close()

    def notice(self, kind: str, namespace: str, name: str) -> None:
        """Let all who are concerned by this object be looked at again."""
        self._metrics.saw(kind)
        for key in derive_concerned(self._store, kind, namespace, name):
            self._enqueue(key)

    def _enqueue(self, key: Key) -> None:
        if isinstance(key, RepositoryKey):
            self._queue.add_after(key, _REPOSITORY_DELAY_SECONDS)
        else:
            self._queue.add(key)

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                with self._metrics.reconciling(key):
                    await self._reconcile(key)
                self._queue.forget(key)
            except (ApiError, OSError, TimeoutError) as error:
                seconds = self._queue.retry(key)
                self._metrics.failed(key, CLUSTER)
                logger.warning("%s: %s; again in %.1f s", key, error or type(error).__name__, seconds)
            except Exception:
                # A fault of ours in one schedule must not end the worker that serves all others.
                seconds = self._queue.retry(key)
                self._metrics.failed(key, UNEXPECTED)
                logger.exception("%s: unexpected; again in %.1f s", key, seconds)
            finally:
                self._queue.done(key)

    async def _reconcile(self, key: Key) -> None:
        now = datetime.now(UTC)
        match key:
            case ScheduleKey(namespace, name):
                await self._reconcile_schedule(key, namespace, name, now)
            case RepositoryKey(namespace, name):
                repository = self._store.repositories.get(namespace, name)
                if repository:
                    schedules = len(self._store.schedules.referring_to("BorgRepository", namespace, name))
                    runs = self._store.runs.referring_to("BorgRepository", namespace, name)
                    await self._apply(plan_repository(repository, schedules, runs, now))

    async def _reconcile_schedule(self, key: Key, namespace: str, name: str, now: datetime) -> None:
        world = await self._gatherer.gather(namespace, name, now)
        plan = plan_schedule(world, now)
        try:
            await self._apply(plan.actions)
        except Refused as refused:
            # Planned once more with the refusal known, so that the status says it; tried again at the next change.
            logger.warning("%s: %s", key, refused)
            world = await self._gatherer.gather(namespace, name, now)
            plan = plan_schedule(replace(world, refusals={refused.subject: refused.message}), now)
            await self._apply(plan.actions)
        if plan.requeue_after is not None:
            self._queue.add_after(key, plan.requeue_after)

    async def _apply(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            await self._applier.apply(action)

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._limits.resync_seconds)
            try:
                for kind, namespace, name in await purge_ghosts(self._store, self._api, self._limits.namespaces):
                    logger.info("%s %s/%s is gone and no event said so", kind, namespace, name)
                self._metrics.resynced()
            except (ApiError, OSError, TimeoutError) as error:
                logger.warning("resync: %s", error or type(error).__name__)
            except Exception:
                # A fault of ours must not end the resync, without which a lost event is lost for good.
                logger.exception("resync: unexpected")
            for namespace, name in {*self._store.schedules, *self._schedules_asked_for()}:
                self._queue.add(ScheduleKey(namespace, name))
            for namespace, name in self._store.repositories:
                self._enqueue(RepositoryKey(namespace, name))

    def _schedules_asked_for(self) -> set[tuple[str, str]]:
        runs = (self._store.runs.get(*key) for key in self._store.runs)
        return {(run.metadata.namespace, run.spec.schedule_ref.name) for run in runs if run}

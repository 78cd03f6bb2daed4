"""The loop: gather, plan, apply, one object at a time in each worker, and everything again now and then."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from borg_cluster.errors import ApiError, Conflict, Refused
from borg_cluster.index import Change
from borg_core.actions import Action, DeleteJob, Plan, RecordEvent, RepairCronJob, ReserveTurn, StartJob, object_of
from borg_core.formats import format_time
from borg_core.kinds.run import RUNS
from borg_core.reconcile.cron_job import OVERDUE_AFTER
from borg_core.reconcile.reconciler import find_reconcilers
from borg_core.registry import Kind, Reference
from borg_core.runs.world import Refusal
from borg_operator.loop.apply import Applier, TakenError
from borg_operator.loop.concerned import derive_concerned, reference_of
from borg_operator.loop.cron_jobs import OverruledError
from borg_operator.loop.gather import Gatherer
from borg_operator.loop.queue import FIRST_RETRY_SECONDS, WorkQueue
from borg_operator.store import Store
from borg_operator.telemetry.metrics import CLUSTER, UNEXPECTED, Metrics

logger = logging.getLogger(__name__)

_OVERDUE_SECONDS = 15.0
"""How often to look for those whose next run is past: a tick that was skipped or refused brings no event."""

_CALM_SECONDS = 10.0


@dataclass(frozen=True)
class Attempt:
    """An action that was refused, and when to try it again: by the loop's clock, which nobody sets."""

    action: Action
    refusal: Refusal
    again: float


@dataclass(frozen=True)
class Limits:
    """How much at once, and how often everything."""

    workers: int = 8
    resync_seconds: float = 300.0


class Controller:
    """Owns the queue and its workers. `notice` is all that the store needs."""

    def __init__(
        self,
        store: Store,
        gatherer: Gatherer,
        applier: Applier,
        limits: Limits,
        *,
        metrics: Metrics,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._gatherer = gatherer
        self._applier = applier
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._queue: WorkQueue[Reference] = WorkQueue()
        self._refusals: dict[Reference, dict[Reference, Attempt]] = {}
        self._calm_after: dict[Reference, float] = {}
        """When what was refused counts as mended: several steps may lie between one refusal and the next."""
        self._tasks: list[asyncio.Task[None]] = []
        store.on_change = self.notice
        metrics.watch_queue(self._queue)

    def start(self) -> None:
        """Start the workers in the running event loop."""
        workers = [asyncio.create_task(self._work(), name=f"worker {n}") for n in range(self._limits.workers)]
        self._tasks = [*workers, asyncio.create_task(self._look_for_overdue(), name="overdue")]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._queue.close()

    def notice(self, kind: Kind[Any], change: Change[Any]) -> None:
        """Let all who are concerned by a change be looked at again."""
        for reference in derive_concerned(self._store, kind, change):
            if seconds := find_reconcilers()[reference.kind].paced_by.get(kind.kind):
                self._queue.pace(reference, seconds)
            self._enqueue(reference)

    def enqueue_all(self) -> None:
        """Let everything be looked at again, and what runs ask for that does not exist."""
        for reconciler in find_reconcilers().values():
            for found in self._store.values(reconciler.kind):
                self._enqueue(reference_of(reconciler.kind, found))
        for run in self._store.values(RUNS):
            self._enqueue(run.subject)

    def _enqueue(self, key: Reference) -> None:
        delay = find_reconcilers()[key.kind].delay_seconds
        if delay:
            self._queue.add_after(key, delay)
        else:
            self._queue.add(key)

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                with self._metrics.reconciling(key):
                    await self._reconcile(key)
                self._rest(key)
            except Conflict as error:
                # Somebody else was faster: no fault, so nothing to back off from; what they wrote is on its way here.
                self._queue.add_after(key, FIRST_RETRY_SECONDS)
                logger.info("%s: %s; again in %.1f s", _shown(key), error, FIRST_RETRY_SECONDS)
            except ApiError as error:
                seconds = self._queue.retry(key)
                self._metrics.failed(key, CLUSTER)
                logger.warning("%s: %s; again in %.1f s", _shown(key), error or type(error).__name__, seconds)
            except Exception:
                # A fault of ours in one object must not end the worker that serves all others.
                seconds = self._queue.retry(key)
                self._metrics.failed(key, UNEXPECTED)
                logger.exception("%s: unexpected; again in %.1f s", _shown(key), seconds)
            finally:
                self._queue.done(key)

    async def _reconcile(self, key: Reference) -> None:
        """Reconcile one object; what the API server refuses, its status then says."""
        before = self._refusals.get(key, {})
        held: dict[Reference, Attempt] = {}
        refused: dict[Reference, Attempt] = {}
        while True:
            plan = await self._plan(key, {**before, **refused})
            # What was refused is left out until it is due again. The rest is done at once.
            held = {
                object_of(action): before[object_of(action)] for action in plan.actions if self._waits(action, before)
            }
            actions = [action for action in plan.actions if not _touches(action, {**held, **refused})]
            attempt = await self._apply(actions)
            if attempt is None:
                break
            refused[object_of(attempt.action)] = attempt
        if refused:
            now = _loop_seconds()
            seconds = self._queue.retry(key)
            refused = {subject: replace(attempt, again=now + seconds) for subject, attempt in refused.items()}
            logger.warning("%s: refused: %s; again in %.1f s", _shown(key), _listed(refused), seconds)
        elif held:
            again = min(attempt.again for attempt in held.values())
            self._queue.add_after(key, again - _loop_seconds())
        self._refusals[key] = {**held, **refused}
        if before.keys() - held.keys() - refused.keys():
            self._queue.add(key)  # what was refused before is done: reconcile once more, so that the status says so
        if plan.requeue_after is not None:
            self._queue.add_after(key, plan.requeue_after)

    def _rest(self, key: Reference) -> None:
        """Forget former failures of a key once nothing of it is refused any more, and has not been for a while.

        Several steps may lie between one refusal and the next.
        """
        now = _loop_seconds()
        if self._refusals.get(key):
            last = max(attempt.again for attempt in self._refusals[key].values())
            self._calm_after[key] = last + max(_CALM_SECONDS, last - now)
        elif (left := self._calm_after.get(key, now) - now) > 0:
            self._queue.add_after(key, left)  # nothing else may ever bring it back: it may be gone
        else:
            self._refusals.pop(key, None)
            self._calm_after.pop(key, None)
            self._queue.forget(key)

    def _waits(self, action: Action, refused: Mapping[Reference, Attempt]) -> bool:
        """Tell whether the action was refused before, and it is not time yet to try it again."""
        last = refused.get(object_of(action))
        if last is None or isinstance(action, DeleteJob) or _loop_seconds() >= last.again:
            return False
        # Another action (an edited spec) is another question; but all steps of a run's turn are one.
        if isinstance(action, RepairCronJob) and isinstance(last.action, RepairCronJob):
            return action.manifest == last.action.manifest  # from when it is to reckon is another time at each look
        return action == last.action or isinstance(last.action, ReserveTurn | StartJob)

    async def _plan(self, key: Reference, refused: Mapping[Reference, Attempt]) -> Plan:
        now = self._clock()
        refusals = {subject: attempt.refusal for subject, attempt in refused.items()}
        world = await self._gatherer.gather(key, refusals, now)
        return find_reconcilers()[key.kind].plan(world, self._store, now)

    async def _apply(self, actions: list[Action]) -> Attempt | None:
        """Carry out the actions in order, until the first that is refused: return that."""
        for action in actions:
            try:
                await self._applier.apply(action)
            except TakenError as error:
                return Attempt(action, Refusal(str(error), taken=True), _loop_seconds())
            except OverruledError as error:
                return Attempt(action, Refusal(str(error), overruled=True), _loop_seconds())
            except Refused as error:
                return Attempt(action, Refusal(error.message), _loop_seconds())
        return None

    async def _look_for_overdue(self) -> None:
        while True:
            await asyncio.sleep(_OVERDUE_SECONDS)
            late = format_time(self._clock() - OVERDUE_AFTER)
            for reconciler in find_reconcilers().values():
                for found in self._store.values(reconciler.kind):
                    if any(due and due < late for due in reconciler.due(found)):
                        self._enqueue(reference_of(reconciler.kind, found))


def _loop_seconds() -> float:
    return asyncio.get_running_loop().time()


def _touches(action: Action, refused: Mapping[Reference, Attempt]) -> bool:
    """Tell whether the action is refused, or goes with one that is; what is given up is deleted all the same."""
    if isinstance(action, DeleteJob):
        return False
    return object_of(action) in refused or (isinstance(action, RecordEvent) and action.about in refused)


def _shown(key: Reference) -> str:
    return f"{key.kind} {key.namespace}/{key.name}"


def _listed(refused: Mapping[Reference, Attempt]) -> str:
    return "; ".join(f"{_shown(subject)}: {attempt.refusal.message}" for subject, attempt in refused.items())

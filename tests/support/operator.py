"""The operator's heart without kopf: a store that is fed from a recorder's news, as fast or as late as a test wants."""

from collections import deque
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

from borg_core.actions import Action, Plan, object_of
from borg_core.reconcile.reconciler import find_reconcilers
from borg_core.registry import Reference, find_kind, watched_kinds
from borg_core.runs.world import Refusal
from borg_operator.loop.apply import Applier
from borg_operator.loop.asked.proof import Prover
from borg_operator.loop.gather import Gatherer
from borg_operator.store import Store
from support.builders import NOW, SETTINGS
from support.recorder import News, Recorder

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return what comes of `work`, which waits for nothing but answers that are there at once."""
    try:
        work.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    work.close()
    raise AssertionError("it waited for something")


class Operator:
    """One process of it. `late`: news wait until they are delivered."""

    def __init__(self, recorder: Recorder, *, late: bool = False) -> None:
        self.recorder = recorder
        self.store = Store()
        self.prover = Prover(self.store, recorder, SETTINGS.cluster, self._seconds)
        self.gatherer = Gatherer(self.store, recorder, SETTINGS, self.prover.doubts)
        self.applier = Applier(self.store, recorder, self.prover, lambda: recorder.now)
        self.late = late
        self.news: dict[str, deque[News]] = {kind.kind: deque() for kind in watched_kinds()}
        for kind in watched_kinds():
            for body in recorder.all_of(kind.kind):
                recorder_labels = body["metadata"].get("labels", {})
                wanted = dict(part.split("=") for part in kind.selector.split(",") if part)
                if wanted.items() <= recorder_labels.items():
                    self.store.put(kind, body)
        recorder.on_news = self._take

    def _seconds(self) -> float:
        return (self.recorder.now - NOW).total_seconds()

    def _take(self, news: News) -> None:
        if news.kind not in self.news:
            return
        self.news[news.kind].append(news)
        if not self.late:
            self.deliver(news.kind)

    def deliver(self, kind: str, at_most: int | None = None) -> None:
        """Let the watch of a kind bring what it has, in order."""
        waiting = self.news[kind]
        for _ in range(len(waiting) if at_most is None else min(at_most, len(waiting))):
            news = waiting.popleft()
            if news.type == "DELETED":
                self.store.remove(find_kind(kind), news.body)
            else:
                self.store.put(find_kind(kind), news.body)

    def deliver_all(self) -> None:
        for kind in self.news:
            self.deliver(kind)

    def plan(self, subject: Reference, now: datetime, refusals: dict[Reference, Refusal] | None = None) -> Plan:
        world = run(self.gatherer.gather(subject, refusals or {}, now))
        return find_reconcilers()[subject.kind].plan(world, self.store, now)

    def apply(self, action: Action) -> None:
        run(self.applier.apply(action))

    def reconcile(self, subject: Reference) -> list[Action]:
        """Look, plan, and do it once; return what was done. Raises what a request raises."""
        plan = self.plan(subject, self.recorder.now)
        for action in plan.actions:
            self.apply(action)
        return list(plan.actions)

    def settle(self, subject: Reference, rounds: int = 20) -> None:
        """Reconcile until there is nothing left to do. Raises AssertionError when that never comes."""
        for _ in range(rounds):
            self.deliver_all()
            if not self.reconcile(subject):
                return
        done = [f"{type(action).__name__} {object_of(action).name}" for action in self.reconcile(subject)]
        raise AssertionError(f"it never settles: {done}")

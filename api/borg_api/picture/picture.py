"""The facade's picture of the cluster: the objects that it shows, kept by watches, and a view of each namespace."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from borg_api.picture.records import (
    REPOSITORY_RECORDS,
    RUN_RECORDS,
    SCHEDULE_RECORDS,
    SCRIPT_RECORDS,
    RunRecord,
    ScheduleRecord,
    derive_id,
    succeed_schedule,
)
from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError, Unreachable
from borg_cluster.index import Index, Order
from borg_cluster.informer import Informer
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.schedule import SCHEDULES, TITLE
from borg_core.kinds.script import BorgScript
from borg_core.registry import Kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Objects(Generic[T]):
    """The objects of one kind in one namespace."""

    namespace: str
    index: Index[T]

    @property
    def kind(self) -> Kind[T]:
        return self.index.kind

    @property
    def revision(self) -> int:
        """A number that changes whenever one of them does."""
        return self.index.revision(self.namespace)

    def get(self, name: str) -> T | None:
        return self.index.get(self.namespace, name)

    def find(self, reference: int | str) -> T | None:
        """Return the object that has this id or name."""
        return self.index.find(self.namespace, reference)

    def in_order(self, after: Order | None = None) -> list[T]:
        """Return them oldest first; with `after`, those that follow it."""
        return self.index.in_order(self.namespace, after)


@dataclass(frozen=True, slots=True)
class View:
    """All that is shown of one namespace."""

    namespace: str
    schedules: Objects[ScheduleRecord]
    repositories: Objects[BorgRepository]
    scripts: Objects[BorgScript]
    runs: Objects[RunRecord]

    @property
    def revision(self) -> tuple[int, ...]:
        """What changes whenever a schedule does, or what is shown of one."""
        return self.schedules.revision, self.repositories.revision, self.scripts.revision

    def schedules_titled(self, title: str) -> list[ScheduleRecord]:
        """Return those of that title, in order of their names."""
        return self.schedules.index.grouped(TITLE, self.namespace, title)

    def runs_of(self, schedule: str) -> list[RunRecord]:
        """Return the runs of a schedule that are kept, oldest first."""
        found = self.runs.index.referring_to(SCHEDULES.kind, self.namespace, schedule)
        return sorted(found, key=lambda run: run.order)


_HEARTBEAT_SECONDS = 2.0


@dataclass(frozen=True)
class _Scope:
    """What is watched together: the objects of one namespace, or of the whole cluster."""

    schedules: Index[ScheduleRecord] = field(
        default_factory=lambda: Index(SCHEDULE_RECORDS, succeed=succeed_schedule, identify=derive_id, ordered=True)
    )
    repositories: Index[BorgRepository] = field(
        default_factory=lambda: Index(REPOSITORY_RECORDS, identify=derive_id, ordered=True)
    )
    scripts: Index[BorgScript] = field(default_factory=lambda: Index(SCRIPT_RECORDS, identify=derive_id, ordered=True))
    runs: Index[RunRecord] = field(default_factory=lambda: Index(RUN_RECORDS, identify=derive_id, ordered=True))

    def __iter__(self) -> Iterator[Index[Any]]:
        return iter((self.schedules, self.repositories, self.scripts, self.runs))


class Picture:
    """`alive`: whether the API server answered when it was asked last."""

    def __init__(self, api: ApiServer, namespaces: tuple[str, ...]) -> None:
        self._api = api
        self._scopes: dict[str | None, _Scope] = {namespace: _Scope() for namespace in namespaces or (None,)}
        self._informers = [
            Informer(api, index, namespace) for namespace, scope in self._scopes.items() for index in scope
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._answered = time.monotonic()
        self.alive = True

    def view(self, namespace: str) -> View:
        """Return what is known of the namespace. Raises KeyError for one that is not served."""
        scope = self._scopes.get(None) or self._scopes[namespace]
        return View(
            namespace,
            Objects(namespace, scope.schedules),
            Objects(namespace, scope.repositories),
            Objects(namespace, scope.scripts),
            Objects(namespace, scope.runs),
        )

    def find_index(self, kind: str, namespace: str) -> Index[Any] | None:
        """Return where the objects of a kind are kept, None where nothing of it is watched."""
        scope = self._scopes.get(None) or self._scopes.get(namespace)
        return next((index for index in scope or () if index.kind.kind == kind), None)

    @property
    def filled(self) -> bool:
        """Whether all has been listed once."""
        return all(informer.filled.is_set() for informer in self._informers)

    def age(self) -> int:
        """Return for how many seconds the picture may have been out of date; 0 while the watches are connected."""
        if self.alive and all(informer.connected for informer in self._informers):
            return 0
        return max(1, round(time.monotonic() - self._answered))

    def counts(self) -> dict[str, int]:
        """Return how many objects of each kind are shown."""
        counts: Counter[str] = Counter()
        for scope in self._scopes.values():
            for index in scope:
                counts[index.kind.kind] += len(index)
        return counts

    def start(self) -> None:
        tasks = [informer.run() for informer in self._informers]
        self._tasks = [asyncio.create_task(task) for task in (*tasks, self._listen())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answers(self) -> bool:
        try:
            await self._api.ping()
        except Unreachable:
            return False
        except ApiError:
            return True  # a refusal is an answer
        return True

    async def _listen(self) -> None:
        """Ask now and then whether the API server lives: a watch whose cable was cut hears nothing for long."""
        while True:
            self.alive = await self._answers()
            if self.age() == 0:
                self._answered = time.monotonic()
            await asyncio.sleep(_HEARTBEAT_SECONDS)

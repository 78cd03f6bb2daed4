"""The facade's picture of the cluster: the objects that it shows, kept by watches, and a view of each namespace."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Generic, TypeVar

from borg_api.picture.records import (
    REPOSITORY_RECORDS,
    RUN_RECORDS,
    SCHEDULE_RECORDS,
    SCRIPT_RECORDS,
    SESSION_RECORDS,
    UNFINISHED,
    RunRecord,
    ScheduleRecord,
    derive_id,
    order_of,
    succeed_schedule,
)
from borg_api.picture.restoring import ARCHIVE_RECORDS, ASKED, RESTORE_RECORDS, ArchiveRecord, RestoreRecord
from borg_cluster.client import ApiServer
from borg_cluster.errors import ApiError, Unreachable
from borg_cluster.index import Index, Order
from borg_cluster.informer import Informer
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.schedule import SCHEDULES, TITLE
from borg_core.kinds.script import BorgScript
from borg_core.kinds.session import BorgSession
from borg_core.registry import Kind
from borg_core.workload.plan import derive_location

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
    archives: Objects[ArchiveRecord]
    restores: Objects[RestoreRecord]
    sessions: Objects[BorgSession]

    @property
    def revision(self) -> tuple[int, ...]:
        """What changes whenever a schedule does, or what is shown of one."""
        return self.schedules.revision, self.repositories.revision, self.scripts.revision

    def schedules_titled(self, title: str) -> list[ScheduleRecord]:
        """Return those of that title, in order of their names."""
        return self.schedules.index.grouped(TITLE, self.namespace, title)

    def runs_of(self, schedule: str) -> list[RunRecord]:
        """Return the runs of a schedule that are kept, oldest first."""
        return self._runs_of(SCHEDULES.kind, schedule)

    def runs_on(self, repository: str) -> list[RunRecord]:
        """Return the runs on a repository alone that are kept, oldest first."""
        return self._runs_of(REPOSITORIES.kind, repository)

    def unfinished_runs(self) -> list[RunRecord]:
        """Return those that wait or run, in order of their names."""
        return self.runs.index.grouped(UNFINISHED, self.namespace, "")

    def targets_of(self, run: RunRecord) -> list[str]:
        """Return the names of the repositories of a run: before it tells, those that it is to work on."""
        if run.repositories:
            return [item.name for item in run.repositories]
        name = run.subject.name
        if run.subject.kind == REPOSITORIES.kind:
            return [name]
        if run.subject.kind == SCHEDULES.kind:
            schedule = self.schedules.get(name)
            return [ref.name for ref in schedule.resource.spec.repository_refs] if schedule else []
        restore = self.restores.get(name)
        return [restore.resource.spec.repository_ref.name] if restore else []

    def locate(self, repository: str) -> str:
        """Return the location of the repository of that name; its name, where it does not exist (yet)."""
        found = self.repositories.get(repository)
        return derive_location(found) if found else repository

    def repositories_at(self, place: str) -> list[BorgRepository]:
        """Return the repository of that name, else those that have that location: there may be several."""
        named = self.repositories.get(place)
        return [named] if named else [item for item in self.repositories.in_order() if derive_location(item) == place]

    def archives_in(self, repository: str) -> list[ArchiveRecord]:
        """Return what is known of the archives of a repository, oldest first."""
        found = self.archives.index.referring_to(REPOSITORIES.kind, self.namespace, repository)
        return sorted(found, key=lambda archive: archive.order)

    def sessions_of(self, repository: str) -> list[BorgSession]:
        """Return the sessions for a repository, those that have ended too, oldest first."""
        found = self.sessions.index.referring_to(REPOSITORIES.kind, self.namespace, repository)
        return sorted(found, key=order_of)

    def restores_asking(self, asked: str) -> list[RestoreRecord]:
        """Return those that are to do the same, previews of it as well, oldest first."""
        return sorted(self.restores.index.grouped(ASKED, self.namespace, asked), key=lambda restore: restore.order)

    def _runs_of(self, kind: str, name: str) -> list[RunRecord]:
        found = self.runs.index.referring_to(kind, self.namespace, name)
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
    archives: Index[ArchiveRecord] = field(default_factory=lambda: Index(ARCHIVE_RECORDS, identify=derive_id))
    restores: Index[RestoreRecord] = field(
        default_factory=lambda: Index(RESTORE_RECORDS, identify=derive_id, ordered=True)
    )
    sessions: Index[BorgSession] = field(default_factory=lambda: Index(SESSION_RECORDS, identify=derive_id))

    def __iter__(self) -> Iterator[Index[Any]]:
        return iter(getattr(self, part.name) for part in fields(self))


WATCHES = len(fields(_Scope))
"""How many there are for each scope."""


class Picture:
    """`alive`: whether the API server answered when it was asked last."""

    def __init__(self, api: ApiServer, namespaces: tuple[str, ...]) -> None:
        self._api = api
        self._scopes: dict[str | None, _Scope] = {namespace: _Scope() for namespace in namespaces or (None,)}
        self._informers_of = {
            namespace: [Informer(api, index, namespace) for index in scope] for namespace, scope in self._scopes.items()
        }
        self._informers = [informer for found in self._informers_of.values() for informer in found]
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
            Objects(namespace, scope.archives),
            Objects(namespace, scope.restores),
            Objects(namespace, scope.sessions),
        )

    def namespaces(self) -> set[str]:
        """Return the namespaces that have a schedule or a repository."""
        scopes = self._scopes.values()
        return {
            namespace for scope in scopes for index in (scope.schedules, scope.repositories) for namespace, _ in index
        }

    def find_index(self, kind: str, namespace: str) -> Index[Any] | None:
        """Return where the objects of a kind are kept, None where nothing of it is watched."""
        scope = self._scopes.get(None) or self._scopes.get(namespace)
        return next((index for index in scope or () if index.kind.kind == kind), None)

    @property
    def filled(self) -> bool:
        """Whether all has been listed once, apart from namespaces that refuse: those are in nobody else's way."""
        served = self._served()
        return bool(served) and all(informer.filled.is_set() for informer in served)

    def refuses(self, namespace: str) -> bool:
        """Tell whether the facade may not look into one of the namespaces that it is to serve."""
        return any(informer.refused for informer in self._informers_of.get(namespace, ()))

    def _served(self) -> list[Informer]:
        return [
            informer
            for namespace, informers in self._informers_of.items()
            if namespace is None or not self.refuses(namespace)
            for informer in informers
        ]

    def age(self) -> int:
        """Return for how many seconds the picture may have been out of date; 0 while the watches are connected."""
        if self.alive and all(informer.connected for informer in self._served()):
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

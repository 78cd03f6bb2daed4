"""The facade's picture of the cluster: four catalogues, and how old the picture may be."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from borg_api import records
from borg_api.catalogue import Catalogue
from borg_api.records import RunRecord, ScheduleRecord
from borg_api.reflector import Reflector
from borg_cluster.api_server import ApiError, ApiServer
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES
from borg_core.kinds.script import SCRIPTS, BorgScript
from borg_core.registry import ResourceType

_HEARTBEAT_SECONDS = 2.0


@dataclass(frozen=True)
class Shelf:
    """The catalogues of one watched scope: a namespace, or the whole cluster."""

    schedules: Catalogue[ScheduleRecord] = field(
        default_factory=lambda: Catalogue(
            SCHEDULES.kind,
            records.parse_schedule,
            groups=records.groups_of_schedule,
            succeed=records.succeed_schedule,
        )
    )
    repositories: Catalogue[BorgRepository] = field(
        default_factory=lambda: Catalogue(REPOSITORIES.kind, BorgRepository.model_validate)
    )
    scripts: Catalogue[BorgScript] = field(default_factory=lambda: Catalogue(SCRIPTS.kind, BorgScript.model_validate))
    runs: Catalogue[RunRecord] = field(
        default_factory=lambda: Catalogue(RUNS.kind, records.parse_run, records.references_of_run)
    )

    def of(self, resource: ResourceType) -> Catalogue[Any]:
        """Return the catalogue of a kind that the facade writes."""
        return self.schedules if resource is SCHEDULES else self.runs


class Mirror:
    """Shelves by namespace, each kept by watches of its own."""

    def __init__(self, api: ApiServer, namespaces: tuple[str, ...]) -> None:
        self._api = api
        self._shelves: dict[str | None, Shelf] = {namespace: Shelf() for namespace in namespaces or (None,)}
        self._reflectors = [
            Reflector(api, resource, namespace, catalogue)
            for namespace, shelf in self._shelves.items()
            for resource, catalogue in (
                (SCHEDULES, shelf.schedules),
                (REPOSITORIES, shelf.repositories),
                (SCRIPTS, shelf.scripts),
                (RUNS, shelf.runs),
            )
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._answered = time.monotonic()
        self.alive = True
        """Whether the API server answered when it was asked last."""

    def shelf(self, namespace: str) -> Shelf:
        """Return the shelf that holds the namespace. Raises KeyError for one that is not served."""
        return self._shelves.get(None) or self._shelves[namespace]

    def find(self, kind: str, namespace: str) -> Catalogue[Any] | None:
        """Return the catalogue of a kind that the facade writes, None where nothing of it is watched."""
        resource = next((resource for resource in (SCHEDULES, RUNS) if resource.kind == kind), None)
        shelf = self._shelves.get(None) or self._shelves.get(namespace)
        return shelf.of(resource) if shelf and resource else None

    @property
    def filled(self) -> bool:
        """Whether all has been listed once."""
        return all(reflector.filled.is_set() for reflector in self._reflectors)

    def age(self) -> int:
        """Return for how many seconds the picture may have been out of date; 0 while the watches are connected."""
        if self.alive and all(reflector.connected for reflector in self._reflectors):
            return 0
        return max(1, round(time.monotonic() - self._answered))

    def counts(self) -> dict[str, int]:
        """Return how many objects of each kind are shown."""
        counts: Counter[str] = Counter()
        for shelf in self._shelves.values():
            for catalogue in (shelf.schedules, shelf.repositories, shelf.scripts, shelf.runs):
                counts[catalogue.kind] += len(catalogue)
        return counts

    def start(self) -> None:
        tasks = [reflector.run() for reflector in self._reflectors]
        self._tasks = [asyncio.create_task(task) for task in (*tasks, self._listen())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answers(self) -> bool:
        try:
            await self._api.ping()
        except ApiError as error:
            return not error.is_passing  # one that refuses to say how it is, is there
        except (OSError, TimeoutError):
            return False
        return True

    async def _listen(self) -> None:
        """Ask now and then whether the API server lives: a watch whose cable was cut hears nothing for long."""
        while True:
            self.alive = await self._answers()
            if self.age() == 0:
                self._answered = time.monotonic()
            await asyncio.sleep(_HEARTBEAT_SECONDS)

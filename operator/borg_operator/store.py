"""What the operator knows of the cluster: models and projections, fed by the watches and by its own writes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from borg_core.models.base import Metadata
from borg_core.models.hooks import BorgScript
from borg_core.models.repository import BorgRepository
from borg_core.models.run import BorgRun
from borg_core.models.schedule import BorgSchedule
from borg_core.observed import ObservedCronJob, ObservedJob
from borg_operator import projections
from borg_operator.projections import Body, Reference

T = TypeVar("T")


@dataclass(frozen=True)
class _Entry(Generic[T]):
    uid: str
    version: int
    references: frozenset[Reference]
    value: T


class Collection(Generic[T]):
    """The objects of one kind by (namespace, name), and by what they refer to."""

    def __init__(
        self, parse: Callable[[Body], T], references: Callable[[T], Iterable[Reference]] = lambda _: ()
    ) -> None:
        self._parse = parse
        self._references = references
        self._entries: dict[tuple[str, str], _Entry[T]] = {}
        self._referring: defaultdict[Reference, set[tuple[str, str]]] = defaultdict(set)

    def put(self, body: Body) -> None:
        """Take the object in, unless what is known of it is newer: a watch may lag behind the operator's own write."""
        metadata = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        version = int(metadata["resourceVersion"])
        known = self._entries.get(key)
        if known and known.uid == metadata["uid"] and known.version >= version:
            return
        self._forget(key)
        value = self._parse(body)
        entry = _Entry(metadata["uid"], version, frozenset(self._references(value)), value)
        self._entries[key] = entry
        for reference in entry.references:
            self._referring[reference].add(key)

    def remove(self, namespace: str, name: str, uid: str) -> None:
        """Forget the object, unless another one of its name came meanwhile."""
        known = self._entries.get((namespace, name))
        if known and known.uid == uid:
            self._forget((namespace, name))

    def get(self, namespace: str, name: str) -> T | None:
        entry = self._entries.get((namespace, name))
        return entry.value if entry else None

    def referring_to(self, kind: str, namespace: str, name: str) -> list[T]:
        """Return the objects that refer to it, in order of their names."""
        keys = self._referring.get((kind, namespace, name), ())
        return [self._entries[key].value for key in sorted(keys)]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Iterate over the (namespace, name) of all objects, as they are at this moment."""
        return iter(list(self._entries))

    def uids(self) -> dict[tuple[str, str], str]:
        """Return the uid of every object known."""
        return {key: entry.uid for key, entry in self._entries.items()}

    def __len__(self) -> int:
        return len(self._entries)

    def _forget(self, key: tuple[str, str]) -> None:
        entry = self._entries.pop(key, None)
        for reference in entry.references if entry else ():
            self._referring[reference].discard(key)
            if not self._referring[reference]:
                del self._referring[reference]


class Store:
    """All collections; `of` finds the one of a kind."""

    def __init__(self) -> None:
        self.schedules: Collection[BorgSchedule] = Collection(
            projections.parse_schedule, projections.references_of_schedule
        )
        self.repositories: Collection[BorgRepository] = Collection(
            projections.parse_repository, projections.references_of_repository
        )
        self.scripts: Collection[BorgScript] = Collection(projections.parse_script)
        self.runs: Collection[BorgRun] = Collection(projections.parse_run, projections.references_of_run)
        self.cron_jobs: Collection[ObservedCronJob] = Collection(projections.parse_cron_job)
        self.jobs: Collection[ObservedJob] = Collection(projections.parse_job, projections.references_of_job)
        self.claims: Collection[Metadata] = Collection(projections.parse_claim)

    def of(self, kind: str) -> Collection[Any]:
        """Return the collection of a kind. Raises KeyError for a kind that is not kept."""
        collections: dict[str, Collection[Any]] = {
            "BorgSchedule": self.schedules,
            "BorgRepository": self.repositories,
            "BorgScript": self.scripts,
            "BorgRun": self.runs,
            "CronJob": self.cron_jobs,
            "Job": self.jobs,
            "PersistentVolumeClaim": self.claims,
        }
        return collections[kind]

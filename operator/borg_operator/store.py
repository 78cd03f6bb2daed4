"""What the operator knows of the cluster: models and projections, fed by the watches and by its own writes."""

from typing import Any

from borg_cluster.collection import Collection
from borg_core.kinds.base import Metadata
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.schedule import SCHEDULES, BorgSchedule
from borg_core.kinds.script import SCRIPTS, BorgScript
from borg_core.native.claim import CLAIMS
from borg_core.native.cron_job import CRON_JOBS, ObservedCronJob
from borg_core.native.job import JOBS, ObservedJob
from borg_core.registry import Kind, T, watched_kinds


class Store:
    """A collection for each watched kind."""

    def __init__(self) -> None:
        self._collections: dict[str, Collection[Any]] = {
            kind.kind: Collection(kind.parse, kind.references, kind.groups) for kind in watched_kinds()
        }
        self.schedules: Collection[BorgSchedule] = self.all(SCHEDULES)
        self.repositories: Collection[BorgRepository] = self.all(REPOSITORIES)
        self.scripts: Collection[BorgScript] = self.all(SCRIPTS)
        self.runs: Collection[BorgRun] = self.all(RUNS)
        self.cron_jobs: Collection[ObservedCronJob] = self.all(CRON_JOBS)
        self.jobs: Collection[ObservedJob] = self.all(JOBS)
        self.claims: Collection[Metadata] = self.all(CLAIMS)

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known."""
        return not any(len(each) for each in (self.schedules, self.repositories, self.scripts, self.runs, self.claims))

    def all(self, kind: Kind[T]) -> Collection[T]:
        """Return the collection of a kind."""
        return self._collections[kind.kind]

    def of(self, kind: str) -> Collection[Any]:
        """Return the collection of a kind. Raises KeyError for a kind that is not kept."""
        return self._collections[kind]

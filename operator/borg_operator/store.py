"""What the operator knows of the cluster: models and projections, fed by the watches and by its own writes."""

from typing import Any

from borg_cluster.collection import Collection
from borg_core.kinds.base import Metadata
from borg_core.kinds.hooks import BorgScript
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import BorgSchedule
from borg_core.observed import ObservedCronJob, ObservedJob
from borg_operator import projections


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

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known."""
        return not any(len(each) for each in (self.schedules, self.repositories, self.scripts, self.runs, self.claims))

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

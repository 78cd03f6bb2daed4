"""What the queue holds: whose turn it is, and who is concerned when an object changes."""

from collections.abc import Iterator
from dataclasses import dataclass

from borg_core.kinds.schedule import TITLE
from borg_operator.store import Store


@dataclass(frozen=True)
class ScheduleKey:
    namespace: str
    name: str


@dataclass(frozen=True)
class RepositoryKey:
    namespace: str
    name: str


Key = ScheduleKey | RepositoryKey


def derive_concerned(store: Store, kind: str, namespace: str, name: str) -> Iterator[Key]:  # noqa: C901 - an arm a kind
    """Yield who is to be looked at again because this object came, changed or went."""
    match kind:
        case "BorgSchedule":
            yield ScheduleKey(namespace, name)
            if schedule := store.schedules.get(namespace, name):
                for other in store.schedules.grouped(TITLE, namespace, schedule.title):
                    yield ScheduleKey(namespace, other.metadata.name)
                yield from (RepositoryKey(namespace, ref.name) for ref in schedule.spec.repository_refs)
        case "BorgRepository":
            yield RepositoryKey(namespace, name)
            yield from _schedules_on(store, kind, namespace, name)
        case "BorgScript":
            yield from _schedules_on(store, kind, namespace, name)
            for repository in store.repositories.referring_to(kind, namespace, name):
                yield from _schedules_on(store, "BorgRepository", namespace, repository.metadata.name)
        case "BorgRun":
            if run := store.runs.get(namespace, name):
                yield ScheduleKey(namespace, run.spec.schedule_ref.name)
                yield from (RepositoryKey(namespace, item.name) for item in run.status.repositories)
        case "CronJob":
            yield ScheduleKey(namespace, name)
        case "Job":
            if job := store.jobs.get(namespace, name):
                yield ScheduleKey(namespace, job.schedule)
        case "PersistentVolumeClaim":
            yield from (ScheduleKey(*key) for key in store.schedules if key[0] == namespace)


def _schedules_on(store: Store, kind: str, namespace: str, name: str) -> Iterator[Key]:
    for schedule in store.schedules.referring_to(kind, namespace, name):
        yield ScheduleKey(namespace, schedule.metadata.name)

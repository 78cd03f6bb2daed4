"""A change that does not concern others is one that none of their plans could notice: each status field is tried."""

from typing import Any

import pytest

from borg_cluster.index import Change
from borg_contract.plan import LOST_ID_ANNOTATION
from borg_core.actions import Plan
from borg_core.kinds.parts.base import Model
from borg_core.kinds.parts.targets import RepositoryIdentity
from borg_core.kinds.repository import REPOSITORIES, BorgRepository, BorgRepositoryStatus
from borg_core.kinds.schedule import SCHEDULES, BorgSchedule
from borg_core.kinds.statuses.schedule import BorgScheduleStatus
from borg_core.native.claim import CLAIMS
from borg_core.reconcile.reconciler import find_reconcilers
from borg_core.registry import Kind, Reference
from borg_core.runs.world import World
from borg_core.workload.identity import derive_own_place
from borg_operator.loop.concerned import derive_concerned
from borg_operator.store import Store
from support import builders
from support.builders import NOW, SETTINGS, local_repository

FIRST, SECOND = "a" * 64, "b" * 64
TIME = "2026-03-02T11:00:00Z"
CONDITION = {
    "type": "Ready",
    "status": "False",
    "reason": "HostUnreachable",
    "message": "gone",
    "lastTransitionTime": TIME,
}

OF_REPOSITORIES: dict[str, Any] = {
    "conditions": [CONDITION],
    "observed_generation": 7,
    "last_backup_time": TIME,
    "archives": 7,
    "original_size": 7,
    "deduplicated_size": 7,
    "size": "7B",
    "listing": {"repositoryId": SECOND, "newest": "0", "time": TIME, "since": TIME},
    "lock": {"holder": "laptop", "runName": "db-1", "time": TIME},
    "last_compact_time": TIME,
    "schedules": 7,
    "check_cron_job_name": "main-check",
    "last_check_time": TIME,
    "last_check_result": "Failed",
    "last_data_check_time": TIME,
    "last_run": {"name": "main-check-1", "time": TIME},
    "next_check_time": TIME,
    "drill_cron_job_name": "main-drill",
    "last_drill_time": TIME,
    "last_drill_result": "Failed",
    "last_drill_archive": "db-1",
    "next_drill_time": TIME,
    "last_verified_time": TIME,
    "coverage": 7,
    "restore_rate": 7,
    "estimated_restore_time": "7s",
    "checks_since": TIME,
    "drills_since": TIME,
    "drilled": [{"schedule": "db", "archive": "db-1", "time": TIME, "round": 1, "rounds": 7, "since": TIME}],
    "damage": {"time": TIME, "runName": "main-check-1", "reason": "CheckFailed", "message": "rotten"},
}
OF_IDENTITIES: dict[str, Any] = {"id": SECOND, "place": "claim another /", "since": TIME, "lost": ""}
OF_SCHEDULES: dict[str, Any] = {
    "conditions": [CONDITION],
    "observed_generation": 7,
    "cron_job_name": "other",
    "effective_schedule": "7 7 * * *",
    "active": ["db-1"],
    "last_run_time": TIME,
    "last_run_name": "db-1",
    "last_run_phase": "Failed",
    "last_success_time": TIME,
    "last_failure_time": TIME,
    "next_run_time": TIME,
    "claims": 7,
    "last_prune_time": TIME,
    "last_compact_time": TIME,
    "consecutive_failures": 7,
    "skipped_runs": 7,
}


def document(resource: Model) -> dict[str, Any]:
    dumped: dict[str, Any] = resource.model_dump(by_alias=True, exclude_none=True, mode="json")
    return dumped


def repository(**identity: str) -> BorgRepository:
    """Return one that is known, of which a person said that it is lost, which was heeded once."""
    fresh = local_repository()
    known = {"id": FIRST, "place": derive_own_place(fresh), "since": "2026-03-01T00:00:00Z", "lost": FIRST, **identity}
    metadata = {**document(fresh.metadata), "annotations": {LOST_ID_ANNOTATION: FIRST}}
    return BorgRepository.model_validate({**document(fresh), "metadata": metadata, "status": {"identity": known}})


def schedule() -> BorgSchedule:
    return builders.schedule(archiveNameTemplate="{job_name}-{timestamp}")


def with_status(resource: Any, name: str, value: Any) -> Any:
    alias = type(resource.status).model_fields[name].alias or name
    body = document(resource)
    return type(resource).model_validate({**body, "status": {**body["status"], alias: value}})


CHANGES: list[tuple[Kind[Any], Any, Any]] = [
    *((REPOSITORIES, repository(), with_status(repository(), name, value)) for name, value in OF_REPOSITORIES.items()),
    *((REPOSITORIES, repository(), repository(**{name: value})) for name, value in OF_IDENTITIES.items()),
    *((SCHEDULES, schedule(), with_status(schedule(), name, value)) for name, value in OF_SCHEDULES.items()),
]
NAMES = [*OF_REPOSITORIES, *(f"identity.{name}" for name in OF_IDENTITIES), *OF_SCHEDULES]


def store_with(kind: Kind[Any], changing: Any) -> Store:
    """Return what is known of a namespace with two repositories in one place and two schedules of one title.

    A third schedule writes into the other repository.
    """
    store = Store()
    for name in ("app-data", "repo-main"):
        store.put(CLAIMS, {"metadata": builders.metadata(name)})
    twin = local_repository("twin", local=document(local_repository().spec)["local"])
    store.put(REPOSITORIES, document(twin))
    store.put(SCHEDULES, document(builders.schedule("other", title="db")))
    store.put(SCHEDULES, document(builders.schedule("beside", ("twin",), prune={"enabled": True})))
    for own, resource in ((REPOSITORIES, repository()), (SCHEDULES, schedule())):
        store.put(own, document(changing if own is kind else resource))
    return store


def plan_others(store: Store, concerned: set[Reference]) -> dict[Reference, Plan]:
    """Return the plans of all who are not concerned."""
    plans = {}
    for reconciler in find_reconcilers().values():
        for found in store.values(reconciler.kind):
            subject = Reference(reconciler.kind.kind, *found.metadata.key)
            if subject not in concerned:
                plans[subject] = reconciler.plan(World(subject, SETTINGS), store, NOW)
    return plans


@pytest.mark.parametrize(("kind", "before", "after"), CHANGES, ids=NAMES)
def test_whoever_a_change_of_a_status_does_not_concern_plans_the_same_after_it(
    kind: Kind[Any], before: Any, after: Any
) -> None:
    assert before.status != after.status
    concerned = derive_concerned(store_with(kind, after), kind, Change(before, after))
    assert plan_others(store_with(kind, before), concerned) == plan_others(store_with(kind, after), concerned)


def test_every_field_is_tried() -> None:
    assert {*OF_REPOSITORIES, "identity"} == set(BorgRepositoryStatus.model_fields)
    assert set(OF_IDENTITIES) == set(RepositoryIdentity.model_fields)
    assert set(OF_SCHEDULES) == set(BorgScheduleStatus.model_fields)


def test_there_is_something_that_could_notice() -> None:
    plans = plan_others(store_with(REPOSITORIES, repository()), set())
    assert len(plans) == 5
    assert all(plan.actions for plan in plans.values())


class Asked(Store):
    """Counts how often it is asked who refers to something."""

    times = 0

    def referring_to(self, kind: Kind[Any], reference: Reference) -> list[Any]:
        self.times += 1
        return super().referring_to(kind, reference)


def test_of_many_schedules_that_have_something_in_common_each_is_looked_at_again_and_no_more_is_asked() -> None:
    def ask(count: int) -> int:
        store = Asked()
        for number in range(count):
            made = builders.schedule(f"s{number}", archiveNameTemplate="{job_name}-{timestamp}")
            store.put(SCHEDULES, document(made))
        (changed, *_) = store.values(SCHEDULES)
        concerned = derive_concerned(store, SCHEDULES, Change(None, changed))
        assert len([reference for reference in concerned if reference.kind == SCHEDULES.kind]) == count
        return store.times

    assert ask(100) == ask(10)

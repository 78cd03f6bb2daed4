"""What the operator knows: newer beats older, a new object beats the memory of an old one of its name."""

from typing import Any

from borg_operator.keys import RepositoryKey, ScheduleKey, derive_concerned
from borg_operator.store import Store
from support import builders


def body(resource: Any, version: int = 1, **metadata: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = resource.model_dump(by_alias=True, exclude_none=True, mode="json")
    dumped["metadata"] |= {"resourceVersion": str(version), **metadata}
    return dumped


def test_an_event_that_lags_behind_an_own_write_changes_nothing() -> None:
    store = Store()
    store.schedules.put(body(builders.schedule(title="new"), version=5))
    store.schedules.put(body(builders.schedule(title="old"), version=4))
    found = store.schedules.get("team", "db")
    assert found
    assert found.title == "new"


def test_an_object_made_anew_under_the_same_name_replaces_the_old_one_and_outlives_its_deletion() -> None:
    store = Store()
    store.schedules.put(body(builders.schedule(), version=9, uid="old"))
    store.schedules.put(body(builders.schedule(title="again"), version=12, uid="new"))
    store.schedules.remove("team", "db", "old")
    found = store.schedules.get("team", "db")
    assert found
    assert found.title == "again"


def test_references_are_found_and_forgotten() -> None:
    store = Store()
    store.schedules.put(body(builders.schedule(repositories=("a",)), version=1))
    assert [s.metadata.name for s in store.schedules.referring_to("BorgRepository", "team", "a")] == ["db"]
    store.schedules.put(body(builders.schedule(repositories=("b",)), version=2))
    assert store.schedules.referring_to("BorgRepository", "team", "a") == []
    store.schedules.remove("team", "db", "uid-db")
    assert store.schedules.referring_to("BorgRepository", "team", "b") == []


def test_a_script_concerns_the_schedules_of_the_repositories_that_use_it() -> None:
    store = Store()
    hooks = {"preBackup": {"scriptRef": {"name": "wake"}}}
    store.repositories.put(body(builders.local_repository("main", hooks=hooks)))
    store.schedules.put(body(builders.schedule()))
    assert set(derive_concerned(store, "BorgScript", "team", "wake")) == {ScheduleKey("team", "db")}


def test_a_schedule_concerns_those_of_its_title() -> None:
    store = Store()
    store.schedules.put(body(builders.schedule("db", title="Daily")))
    store.schedules.put(body(builders.schedule("other", title="Daily")))
    store.schedules.put(body(builders.schedule("third")))
    assert ScheduleKey("team", "other") in set(derive_concerned(store, "BorgSchedule", "team", "db"))
    assert ScheduleKey("team", "third") not in set(derive_concerned(store, "BorgSchedule", "team", "db"))


def test_a_schedule_concerns_itself_and_its_repositories() -> None:
    store = Store()
    store.schedules.put(body(builders.schedule(repositories=("a", "b"))))
    concerned = set(derive_concerned(store, "BorgSchedule", "team", "db"))
    assert concerned == {ScheduleKey("team", "db"), RepositoryKey("team", "a"), RepositoryKey("team", "b")}

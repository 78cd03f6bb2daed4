"""What the operator knows: newer beats older, a new object beats the memory of an old one of its name."""

from typing import Any

import pytest

from borg_cluster.index import Change
from borg_core.kinds.parts.base import Model
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.restore import RESTORES
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES
from borg_core.kinds.script import SCRIPTS
from borg_core.native.claim import CLAIMS
from borg_core.registry import Kind, Reference
from borg_operator.loop.concerned import derive_concerned
from borg_operator.store import Store
from support import builders
from support.restoring import restore


def concerned(store: Store, kind: Kind[Any], name: str) -> set[Reference]:
    return derive_concerned(store, kind, Change(None, store.get(kind, "team", name)))


def schedule_named(name: str) -> Reference:
    return Reference("BorgSchedule", "team", name)


def repository_named(name: str) -> Reference:
    return Reference("BorgRepository", "team", name)


def body(resource: Model, version: int = 1, **metadata: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = resource.model_dump(by_alias=True, exclude_none=True, mode="json")
    dumped["metadata"] |= {"resourceVersion": str(version), **metadata}
    return dumped


def test_an_event_that_lags_behind_an_own_write_changes_nothing() -> None:
    store = Store()
    store.put(SCHEDULES, body(builders.schedule(title="new"), version=5))
    store.put(SCHEDULES, body(builders.schedule(title="old"), version=4))
    found = store.get(SCHEDULES, "team", "db")
    assert found
    assert found.title == "new"


def test_an_object_made_anew_under_the_same_name_replaces_the_old_one_and_outlives_its_deletion() -> None:
    store = Store()
    store.put(SCHEDULES, body(builders.schedule(), version=9, uid="old"))
    store.put(SCHEDULES, body(builders.schedule(title="again"), version=12, uid="new"))
    store.discard(SCHEDULES, "team", "db", "old")
    found = store.get(SCHEDULES, "team", "db")
    assert found
    assert found.title == "again"


def test_references_are_found_and_forgotten() -> None:
    store = Store()
    store.put(SCHEDULES, body(builders.schedule(repositories=("a",)), version=1))
    assert [s.metadata.name for s in store.referring_to(SCHEDULES, repository_named("a"))] == ["db"]
    store.put(SCHEDULES, body(builders.schedule(repositories=("b",)), version=2))
    assert store.referring_to(SCHEDULES, repository_named("a")) == []
    store.discard(SCHEDULES, "team", "db", "uid-db")
    assert store.referring_to(SCHEDULES, repository_named("b")) == []


def test_a_script_concerns_the_schedules_of_the_repositories_that_use_it() -> None:
    store = Store()
    hooks = {"preBackup": {"scriptRef": {"name": "wake"}}}
    store.put(REPOSITORIES, body(builders.local_repository("main", hooks=hooks)))
    store.put(SCHEDULES, body(builders.schedule()))
    store.put(SCRIPTS, body(builders.script("wake")))
    assert concerned(store, SCRIPTS, "wake") == {schedule_named("db"), repository_named("main")}


def test_a_schedule_concerns_those_of_its_title() -> None:
    store = Store()
    store.put(SCHEDULES, body(builders.schedule("db", title="Daily")))
    store.put(SCHEDULES, body(builders.schedule("other", title="Daily")))
    store.put(SCHEDULES, body(builders.schedule("third")))
    assert schedule_named("other") in concerned(store, SCHEDULES, "db")
    assert schedule_named("third") not in concerned(store, SCHEDULES, "db")


def test_a_schedule_concerns_itself_and_its_repositories() -> None:
    store = Store()
    store.put(SCHEDULES, body(builders.schedule(repositories=("a", "b"))))
    expected = {schedule_named("db"), repository_named("a"), repository_named("b")}
    assert concerned(store, SCHEDULES, "db") == expected


IDENTIFIED = {"status": {"identity": {"id": "a" * 64}}}


@pytest.mark.parametrize(
    ("kind", "before", "after", "others"),
    [
        (REPOSITORIES, builders.local_repository("main"), {"status": {"schedules": 3}}, set()),
        (REPOSITORIES, builders.local_repository("main"), IDENTIFIED, {schedule_named("db"), schedule_named("other")}),
        (REPOSITORIES, builders.local_repository("main"), {"metadata": {"labels": {"seen": "yes"}}}, set()),
        (
            REPOSITORIES,
            builders.local_repository("main"),
            {"spec": {"compression": "none"}},
            {schedule_named("db"), schedule_named("other")},
        ),
        (
            REPOSITORIES,
            builders.local_repository("main"),
            {"metadata": {"uid": "made-anew"}},
            {schedule_named("db"), schedule_named("other")},
        ),
        (
            REPOSITORIES,
            builders.local_repository("main"),
            {"metadata": {"annotations": {"borgoperator.io/lost-repository-id": "1a"}}},
            {schedule_named("db"), schedule_named("other")},
        ),
        (SCHEDULES, builders.schedule("db"), {"status": {"nextRunTime": "2026-03-01T02:00:00Z"}}, set()),
        (SCHEDULES, builders.schedule("db"), {"spec": {"suspend": True}}, {repository_named("main")}),
        (
            SCHEDULES,
            builders.schedule("db"),
            {"spec": {"repositoryRefs": [{"name": "far"}]}},
            {repository_named("main"), repository_named("far")},
        ),
    ],
)
def test_a_change_concerns_others_only_where_they_look(
    kind: Kind[Any], before: Model, after: dict[str, dict[str, Any]], others: set[Reference]
) -> None:
    store = Store()
    store.put(REPOSITORIES, body(builders.local_repository("main")))
    for name in ("db", "other"):
        store.put(SCHEDULES, body(builders.schedule(name)))
    told: list[set[Reference]] = []
    store.on_change = lambda kind, change: told.append(derive_concerned(store, kind, change))
    changed = body(before, version=2)
    store.put(kind, {key: {**changed[key], **after.get(key, {})} if key in after else changed[key] for key in changed})
    own = Reference(kind.kind, "team", changed["metadata"]["name"])
    assert told == [{own} | others]


@pytest.mark.parametrize("version", [1, 2], ids=["added", "changed"])
def test_what_becomes_of_a_run_concerns_its_schedule_and_the_repositories_it_used(version: int) -> None:
    store = Store()
    store.put(RUNS, body(builders.run("r", {"phase": "Running"})))
    told: list[set[Reference]] = []
    store.on_change = lambda kind, change: told.append(derive_concerned(store, kind, change))
    done = {"phase": "Completed", "repositories": [{"name": "main", "phase": "Completed"}]}
    store.put(RUNS, body(builders.run("r" if version > 1 else "s", done), version=version))
    assert told == [{schedule_named("db"), repository_named("main")}]


def test_a_claim_concerns_who_mounts_it_and_no_others() -> None:
    store = Store()
    store.put(REPOSITORIES, body(builders.local_repository("main")))
    store.put(SCHEDULES, body(builders.schedule("db")))
    store.put(SCHEDULES, body(builders.schedule("own", ("far",), sources=[builders.source(claim="own-data")])))
    for name in ("repo-main", "own-data", "somebody-elses"):
        store.put(CLAIMS, {"metadata": builders.metadata(name)})
    assert concerned(store, CLAIMS, "repo-main") == {repository_named("main"), schedule_named("db")}
    assert concerned(store, CLAIMS, "own-data") == {schedule_named("own")}
    assert concerned(store, CLAIMS, "somebody-elses") == set()


def test_a_claim_concerns_whoever_chooses_by_labels_and_so_does_a_restore_into_it() -> None:
    store = Store()
    chosen = {"name": "chosen", "claimSelector": {"matchLabels": {"backup": "nightly"}}}
    store.put(REPOSITORIES, body(builders.local_repository("main", sources=[chosen])))
    store.put(SCHEDULES, body(builders.schedule("db")))
    store.put(SCHEDULES, body(builders.schedule("own", ("far",), sources=[chosen])))
    store.put(SCHEDULES, body(builders.schedule("plain", ("far",), sources=[builders.source()])))
    store.put(CLAIMS, {"metadata": builders.metadata("any")})
    choosing = {repository_named("main"), schedule_named("db"), schedule_named("own")}
    assert concerned(store, CLAIMS, "any") == choosing
    into = restore(target={"claim": {"claimName": "any"}})
    store.put(RESTORES, body(into))
    assert choosing <= concerned(store, RESTORES, "back")


def test_a_claim_of_which_something_changes_that_nobody_goes_by_is_no_news() -> None:
    store = Store()
    told: list[str] = []
    store.on_change = lambda kind, _: told.append(kind.kind)
    for version in "12":
        store.put(
            CLAIMS,
            {"metadata": builders.metadata("data", resourceVersion=version, managedFields=[{"manager": version}])},
        )
    assert told == ["PersistentVolumeClaim"]


def test_a_change_is_told_with_what_was_there_before() -> None:
    store = Store()
    told: list[tuple[str, object, object]] = []
    store.on_change = lambda kind, change: told.append((kind.kind, change.old, change.new))
    store.put(SCHEDULES, body(builders.schedule(repositories=("a",)), version=1))
    store.put(SCHEDULES, body(builders.schedule(repositories=("b",)), version=2))
    store.put(SCHEDULES, body(builders.schedule(repositories=("b",)), version=2))
    first, second = told
    assert (first[0], first[1]) == ("BorgSchedule", None)
    assert second[1] == first[2]

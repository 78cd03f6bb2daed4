"""Is it still the same repository? Another one, an older copy, one under two names: told from what runs saw of it."""

from typing import Any

import pytest

from borg_core.actions import PatchStatus
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.readings.repository import derive_repository_reading
from borg_core.reconcile.repository import Surroundings, plan_repository, reconcile_repository
from borg_core.registry import Reference
from borg_core.runs.world import World
from borg_operator.loop.concerned import derive_concerned
from borg_operator.store import Store
from support import builders
from support.builders import NOW, SETTINGS, local_repository

FIRST, SECOND = "a" * 64, "b" * 64
ELSEWHERE = {"volume": {"persistentVolumeClaim": {"claimName": "another"}}}
WORLD = World(subject=Reference("BorgRepository", "team", "main"), settings=SETTINGS)


def backup(hour: int, id_: str | None = FIRST, *, previous: str | None = None, **more: Any) -> BorgRun:
    """Return a run of the schedule `db` at that hour. `previous`: what it saw, as "name time"; "" is none."""
    at = f"2026-03-01T{hour:02}"
    result: dict[str, Any] = {
        "name": "main",
        "phase": "Completed",
        "archive": f"db-{at}:00:05",
        "archiveTime": f"{at}:00:05Z",
        **more,
    }
    if id_:
        result["repositoryId"] = id_
    if previous is not None:
        name, _, time = previous.partition(" ")
        result["previous"] = {"name": name, "time": time}
    status = {"phase": "Completed", "startTime": f"{at}:00:00Z", "completionTime": f"{at}:10:00Z"}
    return builders.run(f"db-{hour}", {**status, "repositories": [result]})


def pruned(hour: int, deleted: int | None) -> BorgRun:
    at = f"2026-03-01T{hour:02}"
    result: dict[str, Any] = {"name": "main", "phase": "Completed" if deleted is not None else "Failed"}
    if deleted is not None:
        result["prune"] = {"kept": 0, "deleted": deleted}
    status = {"phase": result["phase"], "startTime": f"{at}:00:00Z", "completionTime": f"{at}:10:00Z"}
    return builders.run(f"db-{hour}", {**status, "repositories": [result]}, operation="Prune")


def look(repository: BorgRepository, *runs: BorgRun) -> BorgRepository:
    """Return the repository after the operator has looked at it."""
    plan = plan_repository(WORLD, repository, Surroundings(schedules=1, runs=runs, claims={"repo-main"}), NOW)
    patches = [action.status for action in plan.actions if isinstance(action, PatchStatus)]
    body = repository.model_dump(by_alias=True, mode="json", exclude_none=True)
    after = {**body["status"], **(patches[0] if patches else {})}
    return BorgRepository.model_validate({**body, "status": {k: v for k, v in after.items() if v is not None}})


def said(repository: BorgRepository) -> dict[str, str]:
    return {condition.type: condition.message for condition in repository.status.conditions}


def moved(repository: BorgRepository, where: dict[str, Any]) -> BorgRepository:
    body = repository.model_dump(by_alias=True, mode="json", exclude_none=True)
    return BorgRepository.model_validate({**body, "spec": {**body["spec"], "local": where}})


def annotated(repository: BorgRepository, id_: str) -> BorgRepository:
    body = repository.model_dump(by_alias=True, mode="json", exclude_none=True)
    body["metadata"]["annotations"] = {"borgoperator.io/repository-id": id_}
    return BorgRepository.model_validate(body)


def test_another_repository_in_the_place_is_told_until_a_person_accepts_it() -> None:
    known = look(local_repository(), backup(1))
    assert known.status.identity
    assert known.status.identity.id == FIRST
    replaced = look(known, backup(1), backup(2, SECOND))
    assert "db-2" in said(replaced)["Replaced"]
    later = look(replaced, backup(4, SECOND))  # the runs that saw the first one are kept no more
    assert f"borgoperator.io/repository-id={SECOND}" in said(later)["Replaced"]
    assert "Replaced" in said(look(annotated(later, FIRST), backup(4, SECOND)))
    accepted = look(annotated(later, SECOND), backup(4, SECOND))
    assert "Replaced" not in said(accepted)
    assert accepted.status.identity
    assert accepted.status.identity.id == SECOND
    assert "Replaced" in said(look(accepted, backup(5, FIRST)))


def test_the_same_repository_costs_no_second_write() -> None:
    known = look(local_repository(), backup(1))
    assert look(known, backup(1)) == known


def test_whoever_names_another_place_means_another_repository() -> None:
    known = look(local_repository(), backup(1))
    there = look(moved(known, ELSEWHERE), backup(1))
    # A run that began before the edit may still end, and tells of the old place.
    assert "Replaced" not in said(there)
    there = look(there, backup(1), backup(9))
    assert there.status.identity
    assert there.status.identity.id == ""
    after = NOW.replace(year=NOW.year + 1).strftime("%Y-%m-%dT%H:%M:%SZ")
    result = {"name": "main", "phase": "Completed", "archive": "db-x", "repositoryId": SECOND}
    status = {"phase": "Completed", "startTime": after, "completionTime": after, "repositories": [result]}
    there = look(there, backup(9), builders.run("later", status))
    assert there.status.identity
    assert (there.status.identity.id, "Replaced" in said(there)) == (SECOND, False)


def test_runs_on_a_repository_of_that_name_that_was_deleted_tell_nothing_of_the_one_made_in_its_stead() -> None:
    body = moved(local_repository(), ELSEWHERE).model_dump(by_alias=True, mode="json", exclude_none=True)
    body["metadata"]["creationTimestamp"] = "2026-03-01T05:00:00Z"
    made = look(BorgRepository.model_validate(body), backup(1))
    assert made.status.identity is None
    later = look(made, backup(1), backup(6, SECOND))
    assert "Replaced" not in said(later)
    assert later.status.identity
    assert later.status.identity.id == SECOND
    # That run is deleted, the one of before is still kept.
    assert "Replaced" not in said(look(later, backup(1)))


@pytest.mark.parametrize(
    ("runs", "gone"),
    [
        ((backup(1), backup(2, previous="db-2026-03-01T01:00:05 2026-03-01T01:00:05Z")), False),
        ((backup(1), backup(2, previous="db-2026-02-20T01:00:05 2026-02-20T01:00:05Z")), True),
        ((backup(1), backup(2, previous="")), True),
        ((backup(1), backup(2)), False),
        ((backup(1), backup(3, previous="db-2026-03-01T02:00:05 2026-03-01T02:00:05Z")), False),
        ((backup(1), backup(2, SECOND, previous="")), False),
        ((backup(1), backup(2, previous="", archive="other-2026-03-01T02:00:05")), False),
        (
            (
                backup(1, archive="db-2025-2026-03-01T01:00:05"),
                backup(2, previous="", archive="db-2026-2026-03-01T02:00:05"),
            ),
            False,
        ),
        ((backup(1, archive="db-11772326805"), backup(2, previous="", archive="db-21772330405")), False),
        ((backup(1, None), backup(2, previous="")), False),
        # The node's clock is a day slow, then a day fast: the run's own times are of other clocks.
        (
            (
                backup(1, archive="db-2026-02-28T01:00:05", archiveTime="2026-02-28T01:00:05Z"),
                backup(2, previous="db-2026-02-28T23:00:05 2026-02-28T23:00:05Z"),
            ),
            False,
        ),
        (
            (
                backup(1, archive="db-2026-03-02T01:00:05", archiveTime="2026-03-02T01:00:05Z"),
                backup(2, previous="db-2026-03-02T01:00:05 2026-03-02T01:00:05Z"),
                backup(3, previous="db-2026-03-02T01:00:05 2026-03-02T01:00:05Z"),
            ),
            False,
        ),
        ((backup(1), pruned(2, 1), backup(3, previous="")), False),
        ((backup(1), pruned(2, None), backup(3, previous="")), False),
        ((backup(1), pruned(2, 0), backup(3, previous="")), True),
        ((backup(1, archiveTime=None), backup(3, previous="")), False),
    ],
    ids=[
        "it is there",
        "an older one is the newest",
        "none is there",
        "nobody looked",
        "one whose BorgRun was deleted is there",
        "another repository has a condition of its own",
        "another template",
        "another template, which differs in a digit",
        "another template, whose digits stand before those of the time",
        "of an earlier version",
        "the node's clock was a day slow",
        "the node's clock was a day fast",
        "somebody pruned in between",
        "a prune failed in between",
        "a prune in between deleted nothing",
        "of a version that did not tell the archive's time",
    ],
)
def test_an_archive_that_is_gone_when_the_next_one_is_made_is_told(runs: tuple[BorgRun, ...], *, gone: bool) -> None:
    found = said(look(local_repository(), *runs))
    assert ("RolledBack" in found) is gone
    if gone:
        assert 'archive "db-2026-03-01T01:00:05" of BorgRun "db-1" was gone when BorgRun "db-' in found["RolledBack"]


def test_two_repositories_with_one_id_say_so_whatever_leads_to_them() -> None:
    store = Store()
    seen = {"status": {"identity": {"id": FIRST, "place": "claim x /"}}}
    made = [local_repository(), builders.ssh_repository("twin"), local_repository("other", local=ELSEWHERE)]
    for repository, status in zip(made, (seen, seen, {}), strict=True):
        body = repository.model_dump(by_alias=True, mode="json", exclude_none=True)
        metadata = {**body["metadata"], "resourceVersion": "1"}
        store.put(REPOSITORIES, {**body, **status, "metadata": metadata})
    main = store.get(REPOSITORIES, "team", "main")
    assert main
    found = reconcile_repository(WORLD, store, NOW)
    (patch,) = (action.status for action in found.actions if isinstance(action, PatchStatus))
    (aliased,) = (condition for condition in patch["conditions"] if condition["type"] == "Aliased")
    assert aliased["reason"] == "SameRepository"
    assert aliased["message"].startswith('by borg\'s own id the same repository as BorgRepository "twin":')
    assert Reference("BorgRepository", "team", "twin") in derive_concerned(store, REPOSITORIES, main)


def test_append_only_is_told_as_long_as_it_lasts_and_is_no_failure() -> None:
    kept: dict[str, Any] = {"compact": {"freedBytes": 0, "appendOnly": True}}
    first = look(local_repository(), backup(1, compact={"freedBytes": 7}))
    assert first.status.last_compact_time == "2026-03-01T01:10:00Z"
    adding = look(first, backup(1, compact={"freedBytes": 7}), backup(2, **kept))
    assert "its disk fills" in said(adding)["AppendOnly"]
    assert adding.status.last_compact_time == "2026-03-01T01:10:00Z"
    assert {c.type: c.status for c in adding.status.conditions}["Ready"] == "True"
    assert "AppendOnly" in said(look(adding, backup(3)))  # a run that did not compact says nothing of it
    assert "AppendOnly" not in said(look(adding, backup(2, **kept), backup(4, compact={"freedBytes": 1})))


def test_another_place_is_not_append_only_because_the_one_of_before_was() -> None:
    adding = backup(2, compact={"freedBytes": 0, "appendOnly": True})
    told = look(local_repository(), adding)
    there = look(moved(told, ELSEWHERE), adding)
    assert ("AppendOnly" in said(told), "AppendOnly" in said(there)) == (True, False)
    assert "AppendOnly" not in said(look(there, adding))


def test_what_is_told_is_measured_too() -> None:
    def measured(repository: BorgRepository) -> tuple[bool | None, bool, bool]:
        found = derive_repository_reading(repository, {})
        return found.append_only, found.replaced, found.rolled_back

    fresh = look(local_repository(), backup(1))
    assert measured(fresh) == (None, False, False)
    assert measured(look(fresh, backup(2, SECOND))) == (None, True, False)
    assert measured(look(fresh, backup(1), backup(2, previous=""))) == (None, False, True)
    adding: dict[str, Any] = {"compact": {"freedBytes": 0, "appendOnly": True}}
    assert measured(look(fresh, backup(2, **adding))) == (True, False, False)
    assert measured(look(fresh, backup(2, compact={"freedBytes": 1}))) == (False, False, False)

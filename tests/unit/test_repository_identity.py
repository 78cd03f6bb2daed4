"""Is it still the same repository? Another one, an older copy, one under two names: told from what runs saw of it."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from borg_cluster.index import Change
from borg_core.actions import CreateCronJob, PatchStatus, RepairCronJob
from borg_core.formats import format_time
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.readings.repository import derive_repository_reading
from borg_core.reconcile.repository import Surroundings, plan_repository, reconcile_repository
from borg_core.registry import Reference
from borg_core.runs.world import World
from borg_core.workload.plan import render_plan
from borg_operator.loop.concerned import derive_concerned
from borg_operator.store import Store
from support import builders
from support.builders import NOW, SETTINGS, local_repository
from support.recorder import patched

FIRST, SECOND = "a" * 64, "b" * 64
ACCEPTED, LOST = "borgoperator.io/repository-id", "borgoperator.io/lost-repository-id"
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
    after = patched(body["status"], patches[0] if patches else {})
    return BorgRepository.model_validate({**body, "status": after})


def said(repository: BorgRepository) -> dict[str, str]:
    return {condition.type: condition.message for condition in repository.status.conditions}


def moved(repository: BorgRepository, where: dict[str, Any]) -> BorgRepository:
    body = repository.model_dump(by_alias=True, mode="json", exclude_none=True)
    return BorgRepository.model_validate({**body, "spec": {**body["spec"], "local": where}})


def annotated(repository: BorgRepository, id_: str, name: str = ACCEPTED) -> BorgRepository:
    body = repository.model_dump(by_alias=True, mode="json", exclude_none=True)
    body["metadata"]["annotations"] = {name: id_}
    return BorgRepository.model_validate(body)


def missing(hour: int) -> BorgRun:
    """Return a run that found nothing in the repository's place."""
    failed = {"phase": "Failed", "reason": "RepositoryMissing", "error": "… does not exist.", "archive": None}
    return backup(hour, None, **failed)


def after_now(id_: str = SECOND, *, hours: int = 1) -> BorgRun:
    """Return a run that began so much later than the operator's looks."""
    at = format_time(NOW + timedelta(hours=hours))
    result = {"name": "main", "phase": "Completed", "archive": "db-x", "repositoryId": id_}
    status = {"phase": "Completed", "startTime": at, "completionTime": at, "repositories": [result]}
    return builders.run(f"later-{hours}", status)


def known_ids(repository: BorgRepository) -> tuple[str, ...]:
    """Return what the next run goes by."""
    [target] = render_plan(builders.bundle(repositories=(repository,)).workload(), cluster="").repositories
    return target.repository_ids


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
    there = look(there, backup(9), after_now())
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
    assert Reference("BorgRepository", "team", "twin") in derive_concerned(store, REPOSITORIES, Change(None, main))


def test_of_a_lock_nothing_stays_that_the_next_one_does_not_have() -> None:
    def locked(hour: int, **holder: Any) -> BorgRun:
        return backup(hour, None, archive=None, phase="Failed", reason="Locked", **holder)

    first = look(local_repository(), locked(1, lockedBy="laptop"))
    assert first.status.lock
    second = look(first, locked(2))
    assert second.status.lock
    assert (first.status.lock.holder, second.status.lock.holder, second.status.lock.run_name) == ("laptop", "", "")


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

    def is_missing(repository: BorgRepository) -> bool:
        return derive_repository_reading(repository, {}).missing

    fresh = look(local_repository(), backup(1))
    assert measured(fresh) == (None, False, False)
    assert measured(look(fresh, backup(2, SECOND))) == (None, True, False)
    assert (is_missing(fresh), is_missing(look(fresh, missing(2)))) == (False, True)
    assert measured(look(fresh, backup(1), backup(2, previous=""))) == (None, False, True)
    adding: dict[str, Any] = {"compact": {"freedBytes": 0, "appendOnly": True}}
    assert measured(look(fresh, backup(2, **adding))) == (True, False, False)
    assert measured(look(fresh, backup(2, compact={"freedBytes": 1}))) == (False, False, False)


def test_a_run_is_told_what_it_has_to_find_once_that_is_known_and_what_a_person_accepts() -> None:
    fresh = local_repository()
    assert known_ids(fresh) == ()
    known = look(fresh, backup(1))
    assert known_ids(known) == (FIRST,)
    # Before the operator has looked at the annotation: a run may be asked for in the next moment.
    assert known_ids(annotated(known, SECOND)) == (FIRST, SECOND)
    assert known_ids(annotated(known, FIRST)) == (FIRST,)
    assert known_ids(annotated(known, SECOND, LOST)) == (FIRST,)
    assert known_ids(annotated(known, FIRST, LOST)) == ()
    assert known_ids(moved(known, ELSEWHERE)) == ()
    for nonsense in ("yes", "A" * 64, "a" * 65, "x" * 200_000):
        assert known_ids(annotated(known, nonsense)) == (FIRST,)


def test_what_is_known_changes_the_cron_job_of_a_schedule_once() -> None:
    fresh = local_repository()
    case = builders.settled(builders.world(builders.bundle(repositories=(fresh,))))
    assert case.bundle
    known = look(fresh, backup(1))
    told = replace(case, bundle=replace(case.bundle, repositories={"main": known}))
    (repair,) = builders.planned(told, RepairCronJob)
    assert repair.forget_missed_before is None
    assert FIRST in json.dumps(repair.manifest)
    settled = replace(told, cron_job=builders.observed(repair.manifest))
    for later in (known, look(known, backup(2)), look(known, missing(2)), look(known, backup(2, SECOND))):
        same = replace(settled, bundle=replace(case.bundle, repositories={"main": later}))
        assert builders.planned(same, RepairCronJob) == []


def test_checks_are_told_too() -> None:
    checked = local_repository(verification={"check": {"schedule": "0 3 * * 0"}})
    for repository, is_told in ((checked, False), (look(checked, backup(1)), True)):
        plan = plan_repository(WORLD, repository, Surroundings(claims={"repo-main"}), NOW)
        (made,) = (action for action in plan.actions if isinstance(action, CreateCronJob))
        assert (FIRST in json.dumps(made.manifest)) is is_told


def test_one_that_is_gone_is_told_until_it_is_back_or_a_person_says_that_it_is_lost() -> None:
    known = look(local_repository(), backup(1))
    gone = look(known, backup(1), missing(2))
    found = {condition.type: condition for condition in gone.status.conditions}
    assert (found["Missing"].status, found["Missing"].reason) == ("True", "RepositoryMissing")
    assert (found["Ready"].status, found["Ready"].reason) == ("False", "RepositoryMissing")
    line = f"kubectl -n team annotate brepo main --overwrite borgoperator.io/lost-repository-id={FIRST}"
    assert line in found["Missing"].message
    assert 'BorgRun "db-2" found no repository there' in found["Missing"].message
    unreachable = backup(3, None, phase="Failed", reason="HostUnreachable", archive=None)
    assert "Missing" in said(look(gone, missing(2), unreachable))
    assert "Missing" not in said(look(gone, missing(2), backup(3)))
    checked = backup(3, None, archive=None)
    assert "Missing" not in said(look(gone, missing(2), checked))
    lost = look(annotated(gone, FIRST, LOST), backup(1), missing(2))
    assert not {"Missing", "Ready"} & said(lost).keys(), "nothing is known of the one that will be begun"
    assert known_ids(lost) == ()
    begun = look(lost, missing(2), after_now())
    assert begun.status.identity
    assert (begun.status.identity.id, known_ids(begun)) == (SECOND, (SECOND,))


def test_a_run_that_is_asked_for_in_the_second_of_the_consent_tells_the_new_one() -> None:
    lost = look(annotated(look(local_repository(), backup(1)), FIRST, LOST), missing(2))
    begun = look(lost, after_now(hours=0))
    assert begun.status.identity
    assert (begun.status.identity.id, begun.status.last_backup_time) == (SECOND, format_time(NOW))
    # Of a run of that second nobody knows whether it began before the place was changed.
    edited = look(moved(look(local_repository(), backup(1)), ELSEWHERE))
    assert known_ids(look(edited, after_now(hours=0))) == ()


def test_a_run_that_begins_before_the_consent_is_written_down_tells_the_new_one() -> None:
    """The schedule's plan goes by the annotation at once; the repository's status comes a moment later."""
    lost = look(annotated(look(local_repository(), backup(1)), FIRST, LOST), missing(2))
    began, ended = format_time(NOW - timedelta(seconds=3)), format_time(NOW + timedelta(seconds=2))

    def of_that_moment(**told: Any) -> BorgRun:
        result = {"name": "main", "phase": "Completed", "archive": "db-x", **told}
        times = {"startTime": began, "completionTime": ended}
        return builders.run("moment", {"phase": "Completed", **times, "repositories": [result]})

    begun = look(lost, missing(2), of_that_moment(repositoryId=SECOND))
    assert known_ids(begun) == (SECOND,)
    assert begun.status.last_backup_time == ended
    # One that was under way when the repository went tells of the old one, or of nothing.
    for told in ({"repositoryId": FIRST}, {"phase": "Failed", "reason": "RepositoryMissing", "archive": None}):
        assert known_ids(look(lost, missing(2), of_that_moment(**told))) == ()


@pytest.mark.parametrize("word", [FIRST[:16], FIRST.upper(), f" {FIRST}", "lost"])
def test_a_word_that_names_no_such_repository_is_told_to_count_for_nothing(word: str) -> None:
    known = look(local_repository(), backup(1))
    gone = said(look(annotated(known, word, LOST), backup(1), missing(2)))["Missing"]
    assert f'annotation {LOST} says "{word[:64]}", which is not its id' in gone
    replaced = said(look(annotated(known, word), backup(1), backup(2, SECOND)))["Replaced"]
    assert f'annotation {ACCEPTED} says "{word[:64]}", which is not its id' in replaced


def test_a_word_that_was_heeded_before_is_not_told_to_be_wrong() -> None:
    lost = look(annotated(look(local_repository(), backup(1)), FIRST, LOST), missing(2))
    begun = look(lost, after_now())
    at = format_time(NOW + timedelta(hours=2))
    run = missing(3)
    status = run.status.model_copy(update={"start_time": at, "completion_time": at})
    message = said(look(begun, after_now(), run.model_copy(update={"status": status})))["Missing"]
    assert "does not count" not in message
    assert message.endswith(f"{LOST}={SECOND}")


def test_where_none_was_ever_found_none_is_missing() -> None:
    assert "Missing" not in said(look(local_repository(initialize=False), missing(1)))


def test_that_one_is_lost_is_heeded_once() -> None:
    known = annotated(look(local_repository(), backup(1)), FIRST, LOST)
    lost = look(known, missing(2))
    # It was found after all, before any run had begun another one: it is guarded as before.
    found = look(lost, after_now(FIRST))
    assert known_ids(found) == (FIRST,)
    assert look(found, after_now(FIRST)) == found
    later = format_time(NOW + timedelta(hours=2))
    run = missing(2)
    status = run.status.model_copy(update={"start_time": later, "completion_time": later})
    again = look(found, after_now(FIRST), run.model_copy(update={"status": status}))
    assert known_ids(again) == (FIRST,)
    assert f"first take that back: kubectl -n team annotate brepo main {LOST}-" in said(again)["Missing"]
    taken_back = look(annotated(again, "", "borgoperator.io/other"), run.model_copy(update={"status": status}))
    assert f"--overwrite {LOST}={FIRST}" in said(taken_back)["Missing"]
    assert known_ids(annotated(taken_back, FIRST, LOST)) == ()


def test_an_annotation_from_before_says_nothing_of_a_repository_that_is_made_anew() -> None:
    made = annotated(local_repository(), FIRST, LOST)
    assert known_ids(look(made, backup(1))) == (FIRST,)


def test_what_was_there_before_is_not_shown_as_what_is_there_now() -> None:
    totals = {"archives": 9, "originalSize": 1, "deduplicatedSize": 1}
    run = backup(1, totals=totals, compact={"freedBytes": 1})
    check = builders.run(
        "check",
        {
            "phase": "Completed",
            "startTime": "2026-03-01T03:00:00Z",
            "completionTime": "2026-03-01T03:10:00Z",
            "repositories": [{"name": "main", "phase": "Completed"}],
        },
        operation="Check",
    )
    shown = ("archives", "size", "last_backup_time", "last_compact_time", "last_check_time", "last_check_result")

    def figures(repository: BorgRepository) -> dict[str, Any]:
        return {name: getattr(repository.status, name) for name in shown}

    known = look(local_repository(), run, check)
    assert None not in figures(known).values()
    nothing = dict.fromkeys(shown)
    assert figures(look(moved(known, ELSEWHERE), run, check)) == nothing
    assert figures(look(annotated(known, FIRST, LOST), run, check)) == nothing
    body = local_repository().model_dump(by_alias=True, mode="json", exclude_none=True)
    body["metadata"]["creationTimestamp"] = "2026-03-01T05:00:00Z"
    made_anew = BorgRepository.model_validate(body)
    assert figures(look(made_anew, run, check)) == nothing
    # But the records of runs that are kept no more go, and what they told stays.
    assert figures(look(known)) == figures(known)


def test_an_archive_in_another_repository_is_no_backup_of_this_one() -> None:
    known = look(local_repository(), backup(1))
    stray = look(known, backup(1), backup(2, SECOND, phase="Failed", reason="RepositoryReplaced"))
    assert stray.status.last_backup_time == "2026-03-01T01:10:00Z"
    assert look(annotated(stray, SECOND), backup(1), backup(2, SECOND)).status.last_backup_time == (
        "2026-03-01T02:10:00Z"
    )


def test_a_volume_of_another_driver_is_another_place() -> None:
    def on(driver: str, path: str = "") -> dict[str, Any]:
        return {"volume": {"csi": {"driver": driver, "volumeAttributes": {"share": "//nas/x"}}}, "path": path}

    known = look(local_repository(local=on("smb")), backup(1))
    assert known_ids(known) == (FIRST,)
    assert known_ids(moved(known, on("nfs"))) == ()
    assert known_ids(moved(known, on("smb", "deeper"))) == ()

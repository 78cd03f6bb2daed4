"""Is it still the same repository? Another one, an older copy, one under two names: told from what runs saw of it."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from borg_cluster.index import Change
from borg_contract.codec import decode_plan
from borg_contract.pod import PLAN_ENV
from borg_core.actions import CreateCronJob, DeleteRun, PatchStatus, RepairCronJob
from borg_core.formats import format_time
from borg_core.kinds.parts.base import Model
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.schedule import SCHEDULES
from borg_core.readings.repository import derive_repository_reading
from borg_core.reconcile.repository import plan_repository, reconcile_repository
from borg_core.registry import Reference
from borg_core.repositories.surroundings import Surroundings
from borg_core.runs.world import World
from borg_core.workload.identity import derive_place_mark
from borg_core.workload.plan import render_plan
from borg_operator.loop.concerned import derive_concerned
from borg_operator.store import Store
from support import builders
from support.builders import NOW, SETTINGS, local_repository
from support.recorder import patched

FIRST, SECOND = "a" * 64, "b" * 64
ACCEPTED, LOST = "borgoperator.io/repository-id", "borgoperator.io/lost-repository-id"
NIGHT = format_time(NOW)
ELSEWHERE = {"volume": {"persistentVolumeClaim": {"claimName": "another"}}}
CLAIMS = builders.claims_called("repo-main")
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


def document(resource: Model) -> dict[str, Any]:
    """Return the resource as the API server hands it out."""
    return resource.model_dump(by_alias=True, mode="json", exclude_none=True)


def look(repository: BorgRepository, *runs: BorgRun, now: datetime = NOW) -> BorgRepository:
    """Return the repository after the operator has looked at it."""
    plan = plan_repository(WORLD, repository, Surroundings(schedules=1, runs=runs, claims=CLAIMS), now)
    patches = [action.status for action in plan.actions if isinstance(action, PatchStatus)]
    before = document(repository)
    after = patched(before["status"], patches[0] if patches else {})
    return BorgRepository.model_validate({**before, "status": after})


def said(repository: BorgRepository) -> dict[str, str]:
    return {condition.type: condition.message for condition in repository.status.conditions}


def ready(repository: BorgRepository) -> tuple[str, str]:
    return next((c.status, c.reason) for c in repository.status.conditions if c.type == "Ready")


def moved(repository: BorgRepository, where: dict[str, Any]) -> BorgRepository:
    before = document(repository)
    spec = {key: value for key, value in before["spec"].items() if key != "ssh"}
    return BorgRepository.model_validate({**before, "spec": {**spec, "local": where}})


def annotated(repository: BorgRepository, id_: str, name: str = ACCEPTED) -> BorgRepository:
    body = document(repository)
    body["metadata"]["annotations"] = {name: id_}
    return BorgRepository.model_validate(body)


def missing(hour: int) -> BorgRun:
    """Return a run that found nothing in the repository's place."""
    failed = {"phase": "Failed", "reason": "RepositoryMissing", "error": "… does not exist.", "archive": None}
    return backup(hour, None, **failed)


def after_now(id_: str = SECOND, *, hours: int = 1, **more: Any) -> BorgRun:
    """Return a run that began so much later than the operator's looks."""
    at = format_time(NOW + timedelta(hours=hours))
    result = {"name": "main", "phase": "Completed", "archive": "db-x", "repositoryId": id_, **more}
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


def place_of(repository: BorgRepository) -> str:
    """Return what a run that is rendered now will say of the place where it has been."""
    [target] = render_plan(builders.bundle(repositories=(repository,)).workload(), cluster="").repositories
    return target.place


def place_of_pods(cron_job: dict[str, Any]) -> str:
    """Return what the runs of the CronJob with that spec will say."""
    (container,) = cron_job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    plan = decode_plan(next(item["value"] for item in container["env"] if item["name"] == PLAN_ENV))
    return plan.repositories[0].place


PLACES: list[BorgRepository] = [
    local_repository(),
    local_repository(local={**ELSEWHERE, "path": "deeper"}),
    local_repository(local={"volume": {"nfs": {"server": "nas", "path": "/x"}}}),
    local_repository(local={"volume": {"csi": {"driver": "smb", "volumeAttributes": {"share": "//nas/x"}}}}),
    builders.ssh_repository("main"),
]


@pytest.mark.parametrize("before", PLACES, ids=["claim", "folder", "NFS", "CSI", "SSH"])
def test_what_a_run_saw_counts_for_the_place_that_its_pod_was_given_whenever_it_began(before: BorgRepository) -> None:
    there = moved(before, ELSEWHERE)
    old, new = place_of(before), place_of(there)
    known = look(look(before, backup(1, place=old)))
    assert known.status.identity
    assert known.status.identity.id == FIRST
    # The place is edited; a pod rendered before is at work, or begins only then: it still finds the old one there.
    there = look(moved(known, ELSEWHERE), backup(1, place=old))
    late = after_now(FIRST, place=old)
    there = look(there, backup(1, place=old), late)
    assert known_ids(there) == ()
    assert there.status.last_backup_time is None
    there = look(there, late, after_now(SECOND, hours=2, place=new))
    assert (known_ids(there), "Replaced" in said(there)) == ((SECOND,), False)
    # And what is missing in the old place, or another one there, is so there.
    gone = after_now(place=old, hours=3, phase="Failed", reason="RepositoryMissing", archive=None, repositoryId=None)
    for strange in (gone, after_now(FIRST, hours=3, place=old)):
        told = said(look(there, after_now(SECOND, hours=2, place=new), strange))
        assert not {"Missing", "Replaced"} & told.keys()


def test_a_place_that_is_edited_while_the_first_run_is_at_work_is_not_taken_for_the_one_it_found() -> None:
    old = place_of(local_repository())
    there = look(moved(local_repository(), ELSEWHERE), backup(1, place=old))
    assert there.status.identity is None
    there = look(there, backup(1, place=old), backup(2, SECOND, place=place_of(there)))
    assert (known_ids(there), "Replaced" in said(there)) == ((SECOND,), False)


def test_the_pods_of_a_schedule_that_is_held_since_the_place_was_edited_tell_of_the_old_one() -> None:
    case = builders.settled(builders.world(builders.bundle()))
    assert case.bundle
    assert case.cron_job
    known = look(local_repository(), backup(1, place=place_of_pods(case.cron_job.spec)))
    edited = look(moved(known, ELSEWHERE))
    bundle = replace(case.bundle, repositories={"main": edited})  # the claim is not there yet
    held = replace(case, bundle=bundle)
    assert builders.planned(held, RepairCronJob) == []
    night = after_now(FIRST, place=place_of_pods(case.cron_job.spec))
    edited = look(edited, night)
    there = replace(
        held,
        bundle=replace(
            bundle, repositories={"main": edited}, claims={**bundle.claims, "another": builders.claim("another")}
        ),
    )
    (repair,) = builders.planned(there, RepairCronJob)
    assert FIRST not in json.dumps(repair.manifest)
    next_night = after_now(SECOND, hours=25, place=place_of_pods(repair.manifest["spec"]))
    assert "Replaced" not in said(look(edited, night, next_night))


def test_a_run_of_an_earlier_version_which_tells_no_place_counts_by_when_it_began() -> None:
    there = look(moved(look(local_repository(), backup(1)), ELSEWHERE), backup(1))
    assert known_ids(there) == ()
    assert known_ids(look(there, after_now())) == (SECOND,)


def test_runs_on_a_repository_of_that_name_that_was_deleted_tell_nothing_of_the_one_made_in_its_stead() -> None:
    body = document(moved(local_repository(), ELSEWHERE))
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


def failed(hour: int, count: int = 1) -> list[BorgRun]:
    """Return runs of that hour that did not reach the repository."""
    run = backup(hour, None, phase="Failed", reason="HostUnreachable", archive=None)
    named = [run.metadata.model_copy(update={"name": f"no-{n}", "uid": f"uid-no-{n}"}) for n in range(count)]
    return [run.model_copy(update={"metadata": metadata}) for metadata in named]


def kept(limit: int, *runs: BorgRun) -> tuple[BorgRun, ...]:
    """Return what is left of the runs when the schedule has kept its history."""
    bundle = builders.bundle(builders.schedule(runHistoryLimit=limit))
    gone = {action.uid for action in builders.planned(builders.world(bundle, runs=runs), DeleteRun)}
    return tuple(run for run in runs if run.metadata.uid not in gone)


def names_of(runs: tuple[BorgRun, ...]) -> list[str]:
    return [run.metadata.name for run in runs]


OLDER_COPY = "db-2026-02-20T01:00:05 2026-02-20T01:00:05Z"


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_a_rollback_is_noticed_however_many_runs_fail_before_and_told_however_many_come_after(limit: int) -> None:
    before = kept(limit, backup(1), *failed(2, 12))
    assert len(before) == limit + 1
    found = kept(limit, *before, backup(3, previous=OLDER_COPY))
    assert "RolledBack" in said(look(local_repository(), *found))
    good = [backup(hour, previous=f"db-x 2026-03-01T{hour - 1:02}:00:05Z") for hour in range(4, 20)]
    later = found
    for run in good:
        later = kept(limit, *later, run)
    assert names_of(later)[:2] == ["db-1", "db-3"]
    assert len(later) == limit + 2
    assert "RolledBack" in said(look(local_repository(), *later))
    acknowledged = tuple(run for run in later if run.metadata.name != "db-3")
    assert "RolledBack" not in said(look(local_repository(), *acknowledged))
    assert len(kept(limit, *acknowledged)) == limit


def test_of_each_repository_the_last_run_with_an_archive_is_kept() -> None:
    both = backup(1)
    [main] = both.status.repositories
    two = {"repositories": (main, replace(main, name="other"))}
    both = both.model_copy(update={"status": both.status.model_copy(update=two)})
    later = [backup(hour) for hour in (2, 3)]
    assert names_of(kept(1, both, *later)) == ["db-1", "db-3"]


def test_the_record_of_a_prune_is_not_outlived_by_that_of_the_archive_that_it_took() -> None:
    assert names_of(kept(1, backup(1), pruned(2, 1), *failed(3, 3))) == ["no-2"]
    assert names_of(kept(1, backup(1), pruned(2, 0), *failed(3, 3))) == ["db-1", "no-2"]
    assert names_of(kept(1, backup(1), killed(2), *failed(3, 3))) == ["no-2"]
    assert names_of(kept(1, backup(1), killed(2, startTime=None), *failed(3, 3))) == ["db-1", "no-2"]


CUT = "Only 1 of 2 repositories fit here: of the others, 0 failed or were skipped."


def killed(hour: int, operation: str = "Prune", **more: Any) -> BorgRun:
    """Return a run that died without a result."""
    at = f"2026-03-01T{hour:02}"
    times = {"startTime": f"{at}:00:00Z", "completionTime": f"{at}:10:00Z", **more}
    return builders.run(f"db-{hour}", {"phase": "Failed", "reason": "OutOfMemory", **times}, operation=operation)


@pytest.mark.parametrize(
    ("between", "gone"),
    [
        (killed(2), False),
        (killed(2, phase="Cancelled", reason="RunCancelled"), False),
        (killed(2, repositories=[{"name": "other", "phase": "Completed"}]), False),
        (killed(2, repositories=[{"name": "main", "phase": "Skipped"}]), True),
        (killed(2, phase="Completed", repositories=[{"name": "other", "phase": "Completed"}]), True),
        (killed(2, phase="Completed", message=CUT, repositories=[{"name": "other", "phase": "Completed"}]), False),
        (killed(2, startTime=None), True),
        (killed(2, "Backup"), True),
        (killed(2, "Compact"), True),
        (killed(4), True),
    ],
    ids=[
        "a prune that died",
        "a prune that was cancelled and did not tell",
        "a prune that died after another repository",
        "a prune whose turn for this repository did not come",
        "a prune that had to do with other repositories alone",
        "a prune in whose result there was no room for this one",
        "a prune of which no container ever ran",
        "a backup, which prunes only what is older than its own archive",
        "a compact",
        "a prune that died later",
    ],
)
def test_what_a_prune_did_that_died_nobody_knows_so_nothing_is_compared(between: BorgRun, *, gone: bool) -> None:
    store = Store()
    runs = (backup(1), between, backup(3, previous=""))
    store.put(REPOSITORIES, document(local_repository()))
    store.put(SCHEDULES, document(builders.schedule()))
    for run in runs:
        store.put(RUNS, document(run))
    plan = reconcile_repository(WORLD, store, NOW)
    (patch,) = (action.status for action in plan.actions if isinstance(action, PatchStatus))
    assert ("RolledBack" in {condition["type"] for condition in patch["conditions"]}) is gone


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


def test_over_ssh_a_backup_asks_first_as_long_as_another_one_is_told() -> None:
    def asks(repository: BorgRepository) -> bool:
        repositories = (repository,)
        bundle = builders.bundle(builders.schedule(repositories=("main",)), repositories)
        [target] = render_plan(bundle.workload(), cluster="").repositories
        return target.is_doubted

    known = look(builders.ssh_repository("main"), backup(1))
    replaced = look(known, backup(1), backup(2, SECOND))
    assert (asks(known), asks(replaced)) == (False, True)
    assert asks(look(replaced, backup(2, SECOND), missing(3))), "until one finds the known one"
    assert not asks(look(replaced, backup(2, SECOND), backup(3)))
    assert not asks(look(annotated(replaced, SECOND), backup(2, SECOND)))
    on_a_volume = look(look(local_repository(), backup(1)), backup(1), backup(2, SECOND))
    assert not asks(on_a_volume), "there each run looks before it writes"
    kept = Store()
    schedule = document(builders.schedule(repositories=("main",)))
    kept.put(SCHEDULES, {**schedule, "metadata": {**schedule["metadata"], "resourceVersion": "1"}})
    concerned = derive_concerned(kept, REPOSITORIES, Change(known, replaced))
    assert Reference("BorgSchedule", "team", "db") in concerned


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
        plan = plan_repository(WORLD, repository, Surroundings(claims=CLAIMS), NOW)
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


@pytest.mark.parametrize(
    ("found", "type_", "reason"),
    [
        (missing(2), "Missing", "RepositoryMissing"),
        (backup(2, SECOND, phase="Failed", reason="RepositoryReplaced"), "Replaced", "RepositoryReplaced"),
    ],
    ids=["gone", "another one"],
)
def test_what_was_found_out_stands_when_the_run_that_did_is_kept_no_more_until_it_is_found_again_or_a_person_speaks(
    found: BorgRun, type_: str, reason: str
) -> None:
    told = look(look(local_repository(), backup(1)), backup(1), found)
    # Somebody deletes its BorgRun; or it is beyond the history, by runs that do not get there.
    for left in ((), (backup(1),), tuple(failed(3, 3)), (backup(1), *failed(3))):
        later = look(told, *left)
        assert said(later)[type_] == said(told)[type_]
        assert ready(later)[0] == "False"
        assert look(later, *left) == later
    assert ready(look(told, backup(1))) == ("False", reason)
    again = look(look(told, backup(1)), backup(1), after_now(FIRST), now=NOW + timedelta(hours=1))
    assert type_ not in said(again)
    assert ready(again) == ("True", "LastRunSucceeded")
    in_the_same_second = look(told, backup(1), after_now(FIRST, hours=0))
    assert type_ not in said(in_the_same_second)
    lost = look(annotated(look(told), FIRST, LOST))
    assert type_ not in said(lost)
    accepted = look(annotated(look(told), SECOND), after_now(SECOND))
    assert type_ not in said(accepted)


def test_a_failure_holds_when_its_record_is_gone_until_a_later_run_ends_or_another_place_is_named() -> None:
    def words(repository: BorgRepository) -> list[str]:
        return [c.message for c in repository.status.conditions if c.type == "Ready"]

    good, bad = backup(1), backup(2, phase="Failed", reason="PassphraseWrong", error="Give the right one.")
    good_one = look(local_repository(), good)
    told = look(good_one, good, bad)
    assert ready(told) == ("False", "PassphraseWrong")
    for left in ((good,), ()):
        assert ready(look(told, *left)) == ready(told)
        assert words(look(told, *left)) == words(told)
        assert look(look(told, *left), *left) == look(told, *left)
    assert ready(look(look(told, good), good, backup(3))) == ("True", "LastRunSucceeded")
    assert ready(look(look(told, good), good, *failed(3))) == ("False", "HostUnreachable")
    ahead = look(good_one, good, after_now(FIRST, hours=24, phase="Failed", reason="PassphraseWrong"))
    assert ready(look(ahead, good)) == ("True", "LastRunSucceeded"), "by a clock that was wrong"
    elsewhere = look(moved(told, ELSEWHERE), good)
    assert elsewhere.status.last_run is None


def made(run: BorgRun, at: str) -> BorgRun:
    return run.model_copy(update={"metadata": run.metadata.model_copy(update={"creation_timestamp": at})})


def test_a_run_that_ended_in_the_future_gives_way_to_real_ones_also_while_it_is_kept() -> None:
    bad: dict[str, Any] = {"phase": "Failed", "reason": "PassphraseWrong", "archive": None}
    ahead = made(after_now(FIRST, hours=24, **bad), "2026-03-01T02:00:00Z")
    told = look(look(local_repository(), backup(1)), backup(1), ahead)
    assert ready(told) == ("False", "PassphraseWrong"), "it is the newest: the API server says when it was made"
    assert told.status.last_run
    assert told.status.last_run.time == "2026-03-01T02:00:00Z"
    for left in ((backup(1), ahead, backup(3)), (ahead, backup(3), backup(4)), (ahead,)):
        told = look(told, *left)
        assert ready(told) == ("True", "LastRunSucceeded")


def test_a_run_of_which_all_times_are_in_the_future_gives_way_too() -> None:
    bad = after_now(FIRST, hours=24, phase="Failed", reason="PassphraseWrong", archive=None)
    ahead = made(bad, bad.status.completion_time or "")
    told = look(local_repository(), ahead)
    assert ready(told) == ("False", "PassphraseWrong"), "there is no other one"
    assert ready(look(told, ahead, backup(1))) == ("True", "LastRunSucceeded")


def test_a_run_that_has_just_ended_is_the_newest_though_the_operators_clock_is_a_bit_slow() -> None:
    bad = after_now(FIRST, hours=0, phase="Failed", reason="PassphraseWrong")
    slow = NOW - timedelta(minutes=2)
    assert ready(look(local_repository(), backup(1), bad, now=slow)) == ("False", "PassphraseWrong")


@pytest.mark.parametrize(
    ("result", "ready"),
    [
        ({"reason": "RepositoryReplaced", "repositoryId": SECOND}, "RepositoryReplaced"),
        ({"reason": "RepositoryMissing"}, "RepositoryMissing"),
        ({"reason": "ArchiveNotFound", "repositoryId": FIRST}, "LastRunSucceeded"),
        ({"reason": "NotEnoughSpace"}, "LastRunSucceeded"),
    ],
)
@pytest.mark.parametrize("operation", ["Preview", "Restore"])
def test_a_restore_that_finds_another_repository_or_none_tells_it_and_what_is_its_own_affair_does_not(
    operation: str, result: dict[str, str], ready: str
) -> None:
    at = "2026-03-01T02:00:00Z"
    status = {
        "phase": "Failed",
        "startTime": at,
        "completionTime": at,
        "repositories": [{"name": "main", "phase": "Failed", "error": "Look.", **result}],
    }
    spec = {"scheduleRef": None, "restoreRef": {"name": "back"}, "operation": operation}
    found = builders.run("back-1", status, **spec)
    told = look(look(local_repository(), backup(1)), backup(1), found)
    assert next(c.reason for c in told.status.conditions if c.type == "Ready") == ready
    later = {**status, "phase": "Completed", "startTime": NIGHT, "completionTime": NIGHT}
    later["repositories"] = [{"name": "main", "phase": "Completed", "repositoryId": FIRST}]
    again = look(told, backup(1), found, builders.run("back-2", later, **spec))
    conditions = {condition.type: condition for condition in again.status.conditions}
    assert conditions["Ready"].reason == "LastRunSucceeded", "it has found the right one, and read it"
    assert not {"Missing", "Replaced"} & conditions.keys()
    # The BorgRestore that found it gone is deleted, with its run, before another one is made.
    for left in ((backup(1),), ()):
        anew = look(told, *left, builders.run("back-2", later, **spec))
        for seen in (anew, look(anew, *left, builders.run("back-2", later, **spec)), look(anew, *left)):
            conditions = {condition.type: condition for condition in seen.status.conditions}
            assert conditions["Ready"].reason == "LastRunSucceeded"
            assert not {"Missing", "Replaced"} & conditions.keys()


def restored(at: str = NIGHT) -> BorgRun:
    status = {"phase": "Completed", "startTime": at, "completionTime": at}
    status["repositories"] = [{"name": "main", "phase": "Completed", "repositoryId": FIRST}]  # type: ignore[assignment]
    spec = {"scheduleRef": None, "restoreRef": {"name": "back"}, "operation": "Restore"}
    return builders.run("back-2", status, **spec)


def test_a_run_that_ended_in_the_future_outlives_no_later_one() -> None:
    ahead = made(after_now(hours=24, archive=None), "2026-03-01T02:00:00Z")
    assert names_of(kept(2, backup(1, archive=None), ahead, backup(3, archive=None))) == ["later-24", "db-3"]
    assert names_of(kept(1, ahead, backup(3, archive=None))) == ["db-3"]


@pytest.mark.parametrize(
    "found",
    [missing(2), backup(2, SECOND, phase="Failed", reason="RepositoryReplaced")],
    ids=["gone", "another one"],
)
def test_a_restore_heals_also_where_a_run_since_did_not_get_to_the_repository(found: BorgRun) -> None:
    told = look(look(local_repository(), backup(1)), backup(1), found)
    away = failed(3)[0]
    told = look(told, backup(1), found, away)
    assert ready(told) == ("False", "HostUnreachable")
    for left in ((backup(1), found, away), (backup(1), away), (backup(1),)):
        healed = look(look(told, *left), *left, restored())
        for seen in (healed, look(healed, *left, restored()), look(healed, backup(1))):
            assert ready(seen) == ("True", "LastRunSucceeded")
            assert not {"Missing", "Replaced"} & said(seen).keys()


def test_a_restore_heals_a_repository_that_was_gone_by_a_clock_that_was_wrong() -> None:
    gone: dict[str, Any] = {"phase": "Failed", "reason": "RepositoryMissing", "archive": None, "repositoryId": None}
    run = after_now(hours=24, **gone)
    ahead = made(run, run.status.completion_time or "")
    told = look(look(local_repository(), backup(1)), ahead)
    assert ready(told) == ("False", "RepositoryMissing")
    assert ready(look(told, backup(1), restored())) == ("True", "LastRunSucceeded")


def unlock(hour: int) -> BorgRun:
    at = f"2026-03-01T{hour:02}:00:00Z"
    status = {"phase": "Completed", "startTime": at, "completionTime": at}
    status["repositories"] = [{"name": "main", "phase": "Completed"}]  # type: ignore[assignment]
    spec = {"scheduleRef": None, "repositoryRef": {"name": "main"}, "operation": "BreakLock"}
    return builders.run(f"unlock-{hour}", status, **spec)


def test_a_lock_that_was_broken_is_told_so_whichever_record_is_deleted_when() -> None:
    away, good, locked = failed(1)[0], backup(2), backup(3, phase="Failed", reason="Locked", archive=None)
    told = look(look(local_repository(), away, good), away, good, locked)
    assert ready(told) == ("False", "Locked")
    assert ready(look(told, good)) == ("False", "Locked")
    assert ready(look(look(told, good), good, unlock(4))) == ("True", "LastRunSucceeded")
    broken = look(told, away, good, locked, unlock(4))
    assert ready(broken) == ("True", "LastRunSucceeded")
    for left in ((away, good, unlock(4)), (away, unlock(4)), (away,), ()):
        assert ready(look(broken, *left)) == ("True", "LastRunSucceeded")


def test_a_lock_that_was_broken_is_told_so_whatever_follows_that_tells_nothing_of_the_repository() -> None:
    good, locked = backup(2), backup(3, phase="Failed", reason="Locked", archive=None)
    told = look(look(local_repository(), good), good, locked)
    dumped = backup(5, phase="Failed", reason="DumpFailed", archive=None)
    for left in ((unlock(4), unlock(5)), (unlock(4), dumped), (dumped,)):
        later = look(told, *left)
        assert ready(later) == (("False", "Locked") if left == (dumped,) else ("True", "LastRunSucceeded"))
        assert look(later, *left) == later
        assert ready(look(later)) == ready(later)


def test_a_lock_that_is_broken_heals_no_other_failure_of_which_the_record_is_gone() -> None:
    told = look(look(local_repository(), backup(1)), backup(2, phase="Failed", reason="PassphraseWrong"))
    for left in ((unlock(4),), (unlock(4), unlock(5))):
        assert ready(look(told, *left)) == ("False", "PassphraseWrong")


def test_a_run_of_the_same_name_that_tells_nothing_hides_no_failure() -> None:
    good = backup(1)
    told = look(look(local_repository(), good), good, backup(2, phase="Failed", reason="PassphraseWrong"))
    dumped = backup(3, phase="Failed", reason="DumpFailed", archive=None)
    again = dumped.model_copy(update={"metadata": dumped.metadata.model_copy(update={"name": "db-2"})})
    assert next(c.reason for c in look(told, good, again).status.conditions if c.type == "Ready") == "PassphraseWrong"


def test_what_was_found_out_does_not_stand_where_nothing_uses_the_repository_any_more() -> None:
    gone = look(look(local_repository(), backup(1)), missing(2))
    plan = plan_repository(WORLD, gone, Surroundings(schedules=0, claims=CLAIMS), NOW)
    (patch,) = (action.status for action in plan.actions if isinstance(action, PatchStatus))
    assert "Missing" not in {condition["type"] for condition in patch["conditions"]}


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
    body = document(local_repository())
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


def test_a_place_is_told_by_all_of_its_path() -> None:
    def at(path: str) -> str:
        known = builders.ssh_repository().spec.ssh
        assert known
        moved_there = {**known.model_dump(by_alias=True), "url": f"ssh://u1@host:22{path}"}
        return derive_place_mark(builders.ssh_repository(ssh=moved_there))

    paths = ("/borg", "/borg?a", "/borg?b", "/borg#1", "/borg#2", "/borg%23", "/borg%231", "/./borg", "/borg;x")
    assert len({at(path) for path in paths}) == len(paths)
    assert at("/borg#1") == at("/borg/../borg#1")


def test_a_volume_of_another_driver_is_another_place() -> None:
    def on(driver: str, path: str = "") -> dict[str, Any]:
        return {"volume": {"csi": {"driver": driver, "volumeAttributes": {"share": "//nas/x"}}}, "path": path}

    known = look(local_repository(local=on("smb")), backup(1))
    assert known_ids(known) == (FIRST,)
    assert known_ids(moved(known, on("nfs"))) == ()
    assert known_ids(moved(known, on("smb", "deeper"))) == ()


def test_times_that_are_to_come_hide_no_damage_and_do_not_stay() -> None:
    body = document(look(look(local_repository(), backup(1)), backup(1)))
    ahead = "2027-01-01T00:00:00Z"
    times = ("lastDataCheckTime", "lastCheckTime", "lastBackupTime", "lastCompactTime", "lastVerifiedTime")
    wrong = BorgRepository.model_validate({**body, "status": {**body["status"], **dict.fromkeys(times, ahead)}})
    damaged = backup(2, phase="Failed", reason="RepositoryDamaged", archive=None, error="Segment 3 is cut.")
    told = look(wrong, backup(1), damaged)
    assert told.status.damage is not None
    assert "Damaged" in said(told)
    assert ahead not in str(document(told)["status"])


def test_damage_of_a_time_that_is_to_come_is_gone_when_a_check_of_all_data_passes() -> None:
    found = after_now(FIRST, hours=24 * 300, phase="Failed", reason="RepositoryDamaged", archive=None)
    ahead = made(found, found.status.completion_time or "")
    known = look(look(local_repository(), backup(1)), ahead)
    for kept in ((ahead,), ()):
        told = look(known, *kept)
        assert told.status.damage
        assert told.status.damage.time == NIGHT
        later = NOW + timedelta(hours=2)
        assert look(told, *kept, now=later).status.damage == told.status.damage
        passed = after_now(FIRST, hours=1, archive=None, check={"complete": True, "data": True})
        assert look(told, *kept, passed, now=later).status.damage is None


def test_a_place_that_was_named_at_a_time_that_is_to_come_is_used_from_now_on() -> None:
    body = document(look(look(local_repository(), backup(1)), backup(1)))
    body["status"]["identity"]["since"] = "2027-01-01T00:00:00Z"
    told = look(BorgRepository.model_validate(body), backup(1))
    assert told.status.identity
    assert (told.status.identity.since, told.status.last_backup_time) == (NIGHT, "2026-03-01T01:10:00Z")
    later = NOW + timedelta(hours=2)
    again = look(told, backup(1), after_now(FIRST), now=later)
    assert again.status.last_backup_time == format_time(NOW + timedelta(hours=1))
    assert look(again, backup(1), after_now(FIRST), now=later) == again


def test_what_was_said_missing_at_a_time_that_is_to_come_is_taken_back_by_a_run_that_finds_it() -> None:
    body = document(look(look(local_repository(), backup(1)), backup(1), missing(2)))
    for condition in body["status"]["conditions"]:
        condition["lastTransitionTime"] = "2027-01-01T00:00:00Z"
    told = look(BorgRepository.model_validate(body))
    assert "Missing" in said(told)
    assert {condition.last_transition_time for condition in told.status.conditions} == {NIGHT}
    assert "Missing" not in said(look(told, after_now(FIRST), now=NOW + timedelta(hours=2)))


def test_a_run_that_told_nothing_of_the_repository_and_by_which_an_earlier_version_went_is_passed_over() -> None:
    wrong = backup(1, None, phase="Failed", reason="PassphraseWrong", archive=None)
    stopped = backup(2, None, phase="Failed", reason="Interrupted", archive=None)
    body = document(look(look(local_repository(), wrong), wrong))
    last = {"name": stopped.metadata.name, "time": stopped.status.completion_time}
    earlier = BorgRepository.model_validate({**body, "status": {**body["status"], "lastRun": last}})
    told = look(earlier, wrong, stopped)
    assert ready(told) == ("False", "PassphraseWrong")

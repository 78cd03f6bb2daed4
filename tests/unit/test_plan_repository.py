"""Planning a repository: the CronJob of its checks, runs on it alone, what it says about itself."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from borg_cluster.index import Change
from borg_contract.pod import lock_holder
from borg_contract.run import Operation
from borg_core.actions import (
    Action,
    CreateCronJob,
    CreateJob,
    CreateRun,
    DeleteCronJob,
    PatchStatus,
    RecordEvent,
    RepairCronJob,
    ReserveTurn,
    StartJob,
)
from borg_core.clock.hashed import resolve
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.names import shorten
from borg_core.native.job import ObservedJob
from borg_core.reconcile.repository import plan_repository, reconcile_repository
from borg_core.registry import Reference
from borg_core.repositories.surroundings import Surroundings
from borg_core.runs.world import Refusal, World
from borg_core.verification.checks import CHECKS
from borg_operator.loop.concerned import derive_concerned
from borg_operator.store import Store
from support import builders
from support.builders import NOW, SETTINGS, claims_called, local_repository

A = TypeVar("A", bound=Action)

MAIN = Reference("BorgRepository", "team", "main")
CHECKED: dict[str, Any] = {"verification": {"check": {"schedule": "0 3 * * 0", "timeZone": "Europe/Berlin"}}}


@dataclass(frozen=True)
class Case(World):
    repository: BorgRepository | None = None
    around: Surroundings = field(default_factory=Surroundings)


def world(repository: BorgRepository | None = None, *runs: BorgRun, **more: Any) -> Case:
    chosen = repository or local_repository()
    around = Surroundings(
        schedules=more.pop("schedules", 0),
        runs=runs,
        claims=claims_called("repo-main", "app-data"),
    )
    return Case(**{"subject": MAIN, "settings": SETTINGS, "repository": chosen, "around": around, "runs": runs, **more})


def planned(case: Case, kind: type[A]) -> list[A]:
    found = plan_repository(case, case.repository, case.around, NOW).actions
    return [action for action in found if isinstance(action, kind)]


def status_of(case: Case) -> dict[str, Any]:
    """Return what is written into the repository's own status."""
    found = [action.status for action in planned(case, PatchStatus) if action.target == case.subject]
    return found[0] if found else {}


def condition_of(case: Case, type_: str = "ChecksScheduled") -> dict[str, Any]:
    found: list[dict[str, Any]] = status_of(case)["conditions"]
    return next(item for item in found if item["type"] == type_)


def settled(case: Case, **cron_job: Any) -> Case:
    assert case.repository
    (made,) = planned(case, CreateCronJob)
    body = case.repository.model_dump(by_alias=True)
    changed = BorgRepository.model_validate({**body, "status": status_of(case)})
    return replace(case, repository=changed, cron_job=replace(builders.observed(made.manifest), **cron_job))


def run_on_main(name: str, operation: str = "Check", status: dict[str, Any] | None = None) -> BorgRun:
    return builders.run(name, status, scheduleRef=None, repositoryRef={"name": "main"}, operation=operation)


def test_a_repository_without_checks_costs_one_write_and_then_none() -> None:
    case = world()
    found = plan_repository(case, case.repository, case.around, NOW).actions
    assert [type(action) for action in found] == [PatchStatus]
    body = local_repository().model_dump(by_alias=True)
    again = BorgRepository.model_validate({**body, "status": status_of(case)})
    assert plan_repository(case, again, case.around, NOW).actions == ()


def test_checks_are_a_cron_job_of_the_repository_without_a_schedule_in_it() -> None:
    (made,) = planned(world(local_repository(**CHECKED)), CreateCronJob)
    metadata, spec = made.manifest["metadata"], made.manifest["spec"]
    assert metadata["name"] == "main-check"
    assert metadata["labels"]["borgoperator.io/repository"] == "main"
    assert "borgoperator.io/schedule" not in metadata["labels"]
    assert metadata["ownerReferences"][0]["kind"] == "BorgRepository"
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("0 3 * * 0", "Europe/Berlin", "Forbid")
    assert spec["jobTemplate"]["metadata"]["labels"]["borgoperator.io/operation"] == "Check"


def test_the_status_tells_the_next_check_and_what_the_newest_one_found() -> None:
    case = world(local_repository(**CHECKED))
    said = status_of(case)
    assert (said["nextCheckTime"], said["checkCronJobName"]) == ("2026-03-08T02:00:00Z", "main-check")
    done = {"phase": "Failed", "completionTime": "2026-03-01T02:05:00Z"}
    result = {"name": "main", "phase": "Failed", "reason": "CheckFailed", "error": "2 segments are damaged"}
    checked = run_on_main("c", status={**done, "repositories": [result]})
    said = status_of(world(local_repository(**CHECKED), checked))
    assert (said["lastCheckTime"], said["lastCheckResult"]) == ("2026-03-01T02:05:00Z", "Failed")
    assert condition_of(world(local_repository(**CHECKED), checked), "Ready")["reason"] == "CheckFailed"


@pytest.mark.parametrize("reason", ["SourceEmpty", None])
def test_a_repository_stays_ready_and_says_that_its_newest_archive_may_lack_something(reason: str | None) -> None:
    result = {"name": "main", "phase": "CompletedWithWarnings", "reason": reason, "warnings": ["nothing there"]}
    status = {"phase": "CompletedWithWarnings", "completionTime": "2026-03-01T02:05:00Z", "repositories": [result]}
    ready = condition_of(world(local_repository(), builders.run("db-1", status)), "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "LastRunSucceeded")
    assert ("nothing there" in ready["message"]) is (reason is not None)


TIMES = ("Europe/Berlin", "0 3 * * 0")
FORETOLD = datetime(2026, 3, 1, 2, tzinfo=UTC)


def check_at(at: datetime, times: tuple[str, str] = TIMES, **more: Any) -> ObservedJob:
    name = f"main-check-{int(at.timestamp()) // 60}"
    return builders.job(name, subject=MAIN, operation=Operation.CHECK, scheduled=at, times=times, **more)


@pytest.mark.parametrize(
    ("job", "disagrees"),
    [
        (check_at(FORETOLD), False),
        (check_at(FORETOLD + timedelta(minutes=30)), True),
        (check_at(FORETOLD + timedelta(hours=1)), True),
        (check_at(FORETOLD + timedelta(minutes=30), ("Europe/Berlin", "30 3 * * 0")), False),
        (check_at(FORETOLD + timedelta(minutes=30), owner_uid="uid-of-another-one"), False),
    ],
    ids=["foretold", "half an hour late", "by another zone", "made before an edit", "of another CronJob"],
)
def test_a_check_that_came_at_a_time_that_was_not_foretold_is_told_of_its_repository(
    job: ObservedJob, disagrees: bool
) -> None:
    last = {"created": FORETOLD - timedelta(days=9), "last_scheduled": job.scheduled}
    case = replace(settled(world(local_repository(**CHECKED)), **last), jobs=(job,))
    told = [(event.regarding, event.reason, event.warning) for event in planned(case, RecordEvent)]
    assert (("ClockDisagrees" in [c["type"] for c in status_of(case).get("conditions", [])]), told) == (
        disagrees,
        [(MAIN, "ClockDisagrees", True)] if disagrees else [],
    )


def test_the_clock_of_checks_is_told_once_and_until_somebody_changes_the_repository() -> None:
    late = check_at(FORETOLD + timedelta(minutes=30))
    last = {"created": FORETOLD - timedelta(days=9), "last_scheduled": late.scheduled}
    case = replace(settled(world(local_repository(**CHECKED)), **last), jobs=(late,))
    assert case.repository
    body = case.repository.model_dump(by_alias=True)
    said = {**body["status"], **status_of(case)}
    told = replace(case, repository=BorgRepository.model_validate({**body, "status": said}))
    assert planned(told, RecordEvent) == []
    assert status_of(told) == {}
    forgotten = replace(told, jobs=())
    assert "ClockDisagrees" in [c["type"] for c in {**said, **status_of(forgotten)}["conditions"]]
    edited = BorgRepository.model_validate({**body, "metadata": {**body["metadata"], "generation": 2}, "status": said})
    assert "ClockDisagrees" not in [c["type"] for c in status_of(replace(forgotten, repository=edited))["conditions"]]


def test_nothing_is_done_when_nothing_changed() -> None:
    case = settled(world(local_repository(**CHECKED)))
    assert plan_repository(case, case.repository, case.around, NOW).actions == ()


def test_checks_at_a_hashed_time_do_not_begin_with_the_schedule_of_that_name() -> None:
    case = world(local_repository(verification={"check": {"schedule": "H H * * 0"}}))
    (made,) = planned(case, CreateCronJob)
    line = made.manifest["spec"]["schedule"]
    assert line == resolve("H H * * 0", "team", "main-check") != resolve("H H * * 0", "team", "main")
    assert f'checked at "{line}"' in condition_of(case, "ChecksScheduled")["message"]


def test_checks_that_are_asked_for_no_more_go_and_runs_by_hand_do_not_go_with_them() -> None:
    case = settled(world(local_repository(**CHECKED)))
    unchecked = replace(case, repository=local_repository(), runs=(run_on_main("now"),))
    (deleted,) = planned(unchecked, DeleteCronJob)
    assert (deleted.target.name, deleted.uid) == ("main-check", "uid-cron")
    (created,) = planned(unchecked, CreateJob)
    assert created.manifest["metadata"]["ownerReferences"][0]["kind"] == "BorgRun"


@pytest.mark.parametrize("asked", [{}, CHECKED], ids=["no checks", "checks"])
def test_a_cron_job_of_somebody_else_with_the_name_is_left_alone(asked: dict[str, Any]) -> None:
    # That of a BorgSchedule "main-check", say.
    other = settled(world(local_repository(**CHECKED)), owner_uid="uid-main-check")
    case = world(local_repository(**asked), cron_job=other.cron_job)
    for kind in (CreateCronJob, RepairCronJob, DeleteCronJob):
        assert planned(case, kind) == []
    assert not {"nextCheckTime", "checkCronJobName"} & status_of(case).keys()
    if asked:
        assert (condition_of(case)["status"], condition_of(case)["reason"]) == ("False", "CronJobNameTaken")
    look = plan_repository(case, case.repository, case.around, NOW).requeue_after
    assert look == (30 if asked else None), "nothing else tells that it has gone"
    # Its ticks are nothing that a run by hand had to wait for.
    (created,) = planned(replace(case, runs=(run_on_main("now"),)), CreateJob)
    assert created.manifest["metadata"]["ownerReferences"][0]["kind"] == "BorgRun"


def test_a_refused_cron_job_is_said_and_asked_for_again_and_healed() -> None:
    name = Reference("CronJob", "team", "main-check")
    refused = world(local_repository(**CHECKED), refusals={name: Refusal("exceeded quota")})
    assert planned(refused, CreateCronJob)
    ready = condition_of(refused)
    assert (ready["status"], ready["reason"]) == ("False", "RefusedByApiServer")
    assert "exceeded quota" in ready["message"]
    assert not {"nextCheckTime", "checkCronJobName"} & status_of(refused).keys()
    healed = condition_of(replace(settled(refused), refusals={}))
    assert (healed["status"], healed["reason"]) == ("True", "Scheduled")


def test_other_times_of_the_checks_that_are_refused_are_not_told_as_if_they_were_theirs() -> None:
    case = settled(world(local_repository(**CHECKED)), created=NOW)
    assert case.repository
    before = case.repository.status.next_check_time
    assert before
    changed = local_repository(verification={"check": {"schedule": "0 5 * * 1", "timeZone": "Etc/UTC"}})
    name = Reference("CronJob", "team", "main-check")
    refused = replace(case, repository=changed, refusals={name: Refusal("denied by a webhook")})
    assert planned(refused, RepairCronJob), "it is asked again"
    assert status_of(refused).get("nextCheckTime", before) == before, "it is not patched"


def test_a_name_that_is_taken_by_what_is_not_watched_is_asked_for_again_and_again_and_keeps_no_run_waiting() -> None:
    taken = Refusal("another CronJob has the name", taken=True)
    name = Reference("CronJob", "team", "main-check")
    case = world(local_repository(**CHECKED), run_on_main("now"), refusals={name: taken})
    assert condition_of(case)["reason"] == "CronJobNameTaken"
    assert planned(case, CreateCronJob)
    (created,) = planned(case, CreateJob)
    assert created.manifest["metadata"]["ownerReferences"][0]["kind"] == "BorgRun"


def test_what_keeps_checks_from_beginning_is_said_and_what_was_valid_stays() -> None:
    case = settled(world(local_repository(**CHECKED)))
    bad: dict[str, Any] = {"verification": {"check": {"schedule": "0 3 * * 7"}}}
    broken = replace(case, repository=local_repository(**bad))
    assert planned(broken, RepairCronJob) == []
    assert condition_of(broken)["reason"] == "InvalidSchedule"
    never = replace(case, repository=local_repository(verification={"check": {"schedule": "0 3 30 2 *"}}))
    assert condition_of(never)["reason"] == "InvalidSchedule"
    unlock = replace(never, runs=world(local_repository(**CHECKED), run_on_main("now")).runs)
    assert planned(unlock, CreateJob), "by hand all can be done"
    unclaimed = replace(case, around=Surroundings())
    assert condition_of(unclaimed)["reason"] == "ClaimNotFound"
    assert planned(unclaimed, RepairCronJob) == []


def test_checks_that_the_installer_does_not_allow_any_more_are_suspended() -> None:
    host_path: dict[str, Any] = {"local": {"volume": {"hostPath": {"path": "/srv"}}}}
    allowing = replace(SETTINGS, allow_host_path=True)
    allowed = settled(world(local_repository(**host_path, **CHECKED), settings=allowing))
    (action,) = planned(replace(allowed, settings=SETTINGS), RepairCronJob)
    assert action.manifest["spec"]["suspend"] is True
    assert condition_of(replace(allowed, settings=SETTINGS))["reason"] == "HostPathNotAllowed"


def test_a_run_on_a_repository_alone_needs_no_cron_job() -> None:
    case = world(local_repository(), run_on_main("now", "Compact"))
    (created,) = planned(case, CreateJob)
    manifest = created.manifest
    assert manifest["metadata"]["ownerReferences"][0]["kind"] == "BorgRun"
    assert manifest["metadata"]["labels"]["borgoperator.io/repository"] == "main"
    assert "suspend" not in manifest["spec"]


def test_of_two_runs_on_a_repository_alone_one_begins() -> None:
    case = world(local_repository(), run_on_main("a", "Compact"), run_on_main("b", "List"))
    (created,) = planned(case, CreateJob)
    assert created.manifest["metadata"]["name"] == "a"


def test_where_checks_come_by_the_clock_a_run_by_hand_takes_its_turn() -> None:
    fresh = world(local_repository(**CHECKED), run_on_main("now"))
    assert planned(fresh, CreateJob) == []  # first the CronJob
    case = settled(world(local_repository(**CHECKED)))
    case = replace(case, runs=(run_on_main("now"),))
    (created,) = planned(case, CreateJob)
    assert created.manifest["spec"]["suspend"] is True
    ours = builders.job_by_hand("now", subject=MAIN)
    made = replace(case, jobs=(ours,))
    assert len(planned(made, ReserveTurn)) == 1
    assert case.cron_job
    seen = replace(made, cron_job=replace(case.cron_job, active=frozenset({ours.uid})))
    assert [action.subject for action in planned(seen, StartJob)] == [MAIN]


def test_a_check_by_the_clock_is_recorded_for_the_repository() -> None:
    case = settled(world(local_repository(**CHECKED)))
    tick = builders.job("main-check-29000000", subject=MAIN, created=NOW - timedelta(minutes=1))
    (created,) = planned(replace(case, jobs=(tick,)), CreateRun)
    assert created.manifest["spec"]["repositoryRef"] == {"name": "main"}
    assert "scheduleRef" not in created.manifest["spec"]


def test_runs_of_a_repository_that_does_not_exist_say_so() -> None:
    case = world(None, run_on_main("now"))
    actions = plan_repository(case, None, Surroundings(), NOW).actions
    (patch,) = [action for action in actions if isinstance(action, PatchStatus)]
    assert patch.status["reason"] == "RepositoryNotFound"
    assert 'BorgRepository "main" does not exist' in patch.status["message"]


@pytest.mark.parametrize(
    ("holder", "name"),
    [
        (lock_holder("team", "db-0", "uid-job-0", "place"), "db-0"),
        (lock_holder("team", "db-0", "uid-job-0"), "db-0"),
        (lock_holder("team", "db-0", "uid-of-an-earlier-job"), ""),
        (lock_holder("other", "db-9", "uid-job-9"), ""),
        ("laptop", ""),
        ("", ""),
    ],
    ids=["a run", "without a place", "a run of that name before", "not known here", "not ours", "nobody knows"],
)
def test_a_lock_names_the_run_that_holds_it_and_never_the_one_that_could_not_have_it(holder: str, name: str) -> None:
    result = {"name": "main", "phase": "Failed", "reason": "Locked", "lockedBy": holder}
    status = {"phase": "Failed", "completionTime": "2026-03-02T11:00:00Z", "repositories": [result]}
    victim = builders.run("db-1", {**status, "jobUid": "uid-job-1"})
    holding = builders.run("db-0", {"phase": "Running", "jobUid": "uid-job-0"})
    lock = status_of(world(local_repository(), holding, victim, schedules=1))["lock"]
    assert (lock.get("holder", ""), lock.get("runName", "")) == (holder, name)


def test_the_cron_job_of_the_checks_is_suspended_where_it_is_edited_while_it_is_held() -> None:
    case = world(local_repository(**CHECKED))
    (made,) = planned(case, CreateCronJob)
    valid = builders.observed(made.manifest)
    missing = replace(case, cron_job=valid, around=replace(case.around, claims={}))
    assert not planned(missing, RepairCronJob)
    edited = replace(builders.with_spec(valid, schedule="*/5 * * * *"), foreign_managers=("kubectl-edit",))
    held = replace(missing, cron_job=edited)
    (repair,) = planned(held, RepairCronJob)
    assert repair.manifest["spec"]["suspend"] is True
    (said,) = [found for found in status_of(held)["conditions"] if found["type"] == "ChecksScheduled"]
    assert (said["status"], said["reason"]) == ("False", "ClaimNotFound")
    assert "somebody edited CronJob" in said["message"]


def test_a_lock_is_told_until_a_run_had_it_again() -> None:
    def ended(name: str, hour: int, **result: Any) -> BorgRun:
        status = {"phase": "Failed", "completionTime": f"2026-03-01T0{hour}:00:00Z"}
        return builders.run(name, {**status, "repositories": [{"name": "main", "phase": "Failed", **result}]})

    locked = ended("db-1", 1, reason="Locked", lockedBy="laptop")
    assert status_of(world(local_repository(), locked, schedules=1))["lock"]["holder"] == "laptop"
    for fact in ({"archive": "db-x", "reason": "PruneFailed"}, {"reason": "CheckFailed"}, {"phase": "Completed"}):
        later = ended("db-2", 2, **fact)
        assert "lock" not in status_of(world(local_repository(), locked, later, schedules=1)), fact


@pytest.mark.parametrize("reason", ["DiskFull", "HookFailed", "HostUnreachable", "SecretMissing", "SourceUnreadable"])
def test_a_run_that_failed_before_it_came_to_the_lock_tells_nothing_of_it(reason: str) -> None:
    def ended(name: str, hour: int, **result: Any) -> BorgRun:
        status = {"phase": "Failed", "completionTime": f"2026-03-01T0{hour}:00:00Z"}
        return builders.run(name, {**status, "repositories": [{"name": "main", "phase": "Failed", **result}]})

    locked = ended("db-1", 1, reason="Locked", lockedBy="laptop")
    before = status_of(world(local_repository(), locked, schedules=1))
    later = ended("db-2", 2, reason=reason)
    both = status_of(world(local_repository(), locked, later, schedules=1))
    assert both["lock"] == before["lock"]
    told = "Locked" if reason == "SourceUnreadable" else reason
    assert next(found for found in both["conditions"] if found["type"] == "Ready")["reason"] == told
    # The one that told of it is kept no more.
    known = local_repository()
    known = known.model_copy(update={"status": known.status.__class__.model_validate(both)})
    assert "lock" not in status_of(world(known, later, schedules=1)), "no change: it stays as it is"


def test_long_names_get_a_cron_job_each() -> None:
    names = {CHECKS.name("r" * 62 + letter) for letter in "ab"}
    assert len(names) == 2
    assert all(len(name) <= 52 for name in names)
    assert CHECKS.name("main") == shorten("main", "-check", 52)


CLAIM = {"persistentVolumeClaim": {"claimName": "shared"}}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"volume": CLAIM, "path": "a"}, {"volume": CLAIM, "path": "a/"}, True),
        ({"volume": CLAIM, "path": "a/./b"}, {"volume": CLAIM, "path": "a//b"}, True),
        ({"volume": CLAIM}, {"volume": CLAIM, "path": "."}, True),
        ({"volume": CLAIM, "path": "a"}, {"volume": CLAIM, "path": "b"}, False),
        ({"volume": {"hostPath": {"path": "/a"}}, "path": "b"}, {"volume": {"hostPath": {"path": "/a/b/"}}}, True),
        (
            {"volume": {"nfs": {"server": "nas", "path": "/e"}}, "path": "b"},
            {"volume": {"nfs": {"server": "nas", "path": "/e/b", "readOnly": False}}},
            True,
        ),
        ({"volume": {"nfs": {"server": "a", "path": "/e"}}}, {"volume": {"nfs": {"server": "b", "path": "/e"}}}, False),
        ({"volume": {"csi": {"driver": "d"}}}, {"volume": {"csi": {"driver": "d"}}}, False),
        ("ssh://u@host/a", "ssh://u@HOST:22//a/", True),
        ("ssh://u@host/./a", "ssh://u@host/./a/.", True),
        ("ssh://u@host/./a", "ssh://u@host/a", False),
        ("ssh://u@host:23/a", "ssh://u@host/a", False),
        ("ssh://u@host/a", "ssh://v@host/a", False),
        ("ssh://u@[fe80::1]/a", "ssh://u@[FE80::1]/a", True),
        ("ssh://u@[:::]/a", "ssh://u@[:::]/b", False),
    ],
)
def test_two_repositories_of_one_place_say_so(one: Any, other: Any, same: bool) -> None:
    def made(name: str, where: Any) -> BorgRepository:
        if isinstance(where, str):
            ssh = {**builders.ssh_repository().spec.model_dump(by_alias=True)["ssh"], "url": where}
            return builders.ssh_repository(name, ssh=ssh)
        return local_repository(name, local=where)

    store = Store()
    for repository in (made("main", one), made("twin", other)):
        metadata = {**repository.metadata.model_dump(by_alias=True), "resourceVersion": "1"}
        store.put(REPOSITORIES, {**repository.model_dump(by_alias=True), "metadata": metadata})
    found = reconcile_repository(world(), store, NOW)
    (patch,) = (action.status for action in found.actions if isinstance(action, PatchStatus))
    said = {condition["type"]: condition for condition in patch.get("conditions", [])}
    assert ("Aliased" in said) is same
    if same:
        assert said["Aliased"]["reason"] == "SamePlace"
        assert said["Aliased"]["message"].startswith('in the same place as BorgRepository "twin"')
    concerned = derive_concerned(store, REPOSITORIES, Change(None, made("main", one)))
    assert (Reference("BorgRepository", "team", "twin") in concerned) is same


@pytest.mark.parametrize("kept", [True, False], ids=["its run is kept", "its run is gone"])
@pytest.mark.parametrize(("schedules", "checked"), [(1, False), (0, True), (0, False)])
def test_a_repository_that_nothing_uses_any_more_is_not_locked_for_ever(
    kept: bool, schedules: int, checked: bool
) -> None:
    result = {"name": "main", "phase": "Failed", "reason": "Locked", "error": "Locked by x", "lockedBy": "x"}
    status = {"phase": "Failed", "completionTime": "2026-03-01T02:05:00Z", "repositories": [result]}
    run = builders.run("r", status)
    spec = CHECKED if checked else {}
    before = status_of(world(local_repository(**spec), run, schedules=1))
    assert before["lock"]["holder"] == "x"
    body = {**local_repository(**spec).model_dump(by_alias=True), "status": before}
    case = world(BorgRepository.model_validate(body), *([run] if kept else []), schedules=schedules)

    after = {**before, **status_of(case)}

    used = schedules > 0 or checked
    reasons = {condition["type"]: condition["reason"] for condition in after.get("conditions") or []}
    assert bool(after.get("lock")) is used
    assert (reasons.get("Ready") == "Locked") is used


def ended(number: int, operation: str, reason: str | None) -> BorgRun:
    """Return a run that ended at that minute, with a reason as it failed."""
    phase = "Failed" if reason else "Completed"
    result = {
        "name": "main",
        "phase": phase,
        "reason": reason,
        "error": f"Because of {reason}." if reason else None,
    }
    time = f"2026-03-02T10:{number:02}:00Z"
    status = {"phase": phase, "startTime": time, "completionTime": time, "repositories": [result]}
    return run_on_main(f"r{number}", operation, status)


FINE, LOCKED, WRONG, DUMP = None, "Locked", "PassphraseWrong", "DumpFailed"


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ((("Backup", WRONG), ("BreakLock", FINE)), ("False", WRONG)),
        ((("Backup", LOCKED), ("BreakLock", FINE)), ("True", "LastRunSucceeded")),
        ((("Backup", FINE), ("BreakLock", FINE)), ("True", "LastRunSucceeded")),
        ((("Backup", FINE), ("Backup", DUMP)), ("True", "LastRunSucceeded")),
        ((("Backup", WRONG), ("Backup", DUMP)), ("False", WRONG)),
        ((("Backup", WRONG), ("Check", FINE)), ("True", "LastRunSucceeded")),
    ],
)
def test_whether_it_is_ready_tells_the_newest_run_that_came_to_know_it(
    runs: tuple[tuple[str, str | None], ...], expected: tuple[str, str]
) -> None:
    told = [ended(number, *run) for number, run in enumerate(runs)]
    ready = condition_of(world(None, *told, schedules=1), "Ready")
    assert (ready["status"], ready["reason"]) == expected


def test_a_repository_of_which_no_run_came_to_know_anything_is_not_called_ready() -> None:
    case = world(None, ended(1, "Backup", DUMP), ended(2, "BreakLock", FINE), schedules=1)
    assert not [item for item in status_of(case).get("conditions", ()) if item["type"] == "Ready"]


@pytest.mark.parametrize(
    "reason", ["SourceUnreadable", "TooFewFiles", "Interrupted", "Killed", "NodeExhausted", "ContainerMissing"]
)
def test_why_a_run_failed_that_is_not_the_repositorys_doing_does_not_make_it_unusable(reason: str) -> None:
    one, two = ended(1, "Backup", FINE), ended(2, "Backup", reason)
    ready = condition_of(world(None, one, two, schedules=1), "Ready")
    assert (ready["status"], ready["message"]) == ("True", 'BorgRun "r1" succeeded')


@pytest.mark.parametrize(
    ("reason", "archive"),
    [("ArchiveExists", None), ("TooFewFiles", "db-1"), ("SourceUnreadable", "db-1"), ("Interrupted", "db-1")],
)
def test_a_run_that_came_into_the_repository_and_failed_for_its_sources_says_that_it_can_be_used(
    reason: str, archive: str | None
) -> None:
    run = ended(2, "Backup", reason)
    (result,) = run.status.repositories
    status = run.status.model_copy(update={"repositories": (replace(result, archive=archive),)})
    run = run.model_copy(update={"status": status})
    for before in (WRONG, LOCKED, FINE):
        ready = condition_of(world(None, ended(1, "Backup", before), run, schedules=1), "Ready")
        assert (ready["status"], ready["reason"]) == ("True", "LastRunSucceeded"), before
        assert ready["message"] == f'BorgRun "r2" had the repository, and failed for another reason: {reason}'

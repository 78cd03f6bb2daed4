"""Checks and drills of a repository, as the operator plans them: damage, coverage, what runs are told."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from borg_contract.codec import decode_plan
from borg_contract.plan import RunPlan
from borg_contract.restore.proof import Drilled
from borg_contract.run import Operation, Phase
from borg_core import labels
from borg_core.actions import CreateCronJob, CreateJob, DeleteCronJob, PatchStatus, RecordTick, RepairCronJob
from borg_core.kinds.parts.base import Model
from borg_core.kinds.parts.verification import MOST_DRILLED
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import BorgRun
from borg_core.kinds.schedule import SCHEDULES
from borg_core.native.claim import CLAIMS
from borg_core.readings.repository import derive_repository_reading
from borg_core.reconcile.repository import plan_repository, reconcile_repository
from borg_core.reconcile.schedule import reconcile_schedule
from borg_core.registry import Reference
from borg_core.repositories.surroundings import Surroundings
from borg_core.runs.world import World
from borg_core.verification.plan import derive_drill_plan
from borg_operator.store import Store
from support import builders
from support.builders import NOW, SETTINGS, claims_called, local_repository

MAIN = Reference("BorgRepository", "team", "main")
BOTH: dict[str, Any] = {
    "verification": {
        "check": {"schedule": "0 3 * * 0", "maxDuration": "1h", "verifyDataEvery": "30d"},
        "drill": {"schedule": "0 5 * * 6", "maxBytes": "1Gi", "maxAge": "48h"},
    }
}
SUNDAY = datetime(2026, 3, 8, 3, tzinfo=UTC)
DATA = {"check": {"complete": True, "data": True}}
WHOLE = {"check": {"complete": True}}
FAILED_CHECK = {"phase": "Failed", "reason": "CheckFailed", "error": "borg check found damage."}
MISMATCH = {"phase": "Failed", "reason": "VerificationFailed", "error": "2 files are not as in the archive."}
DAMAGED_BACKUP = {"phase": "Failed", "reason": "RepositoryDamaged", "error": "a segment is gone."}


@dataclass(frozen=True)
class Case(World):
    repository: BorgRepository = field(default_factory=lambda: local_repository(**BOTH))
    around: Surroundings = field(default_factory=Surroundings)


def case_of(*runs: BorgRun, repository: BorgRepository | None = None, names: tuple[str, ...] = ("db",)) -> Case:
    around = Surroundings(
        schedules=len(names),
        names=names,
        runs=runs,
        claims=claims_called("repo-main", "app-data"),
    )
    own = tuple(run for run in runs if run.subject == MAIN)
    return Case(MAIN, SETTINGS, runs=own, repository=repository or local_repository(**BOTH), around=around)


def ended(number: int, operation: str, **told: Any) -> BorgRun:
    """Return a run that ended at minute `number`."""
    result = {"name": "main", "phase": "Completed", **told}
    time = f"2026-03-01T02:{number:02}:00Z"
    status = {"phase": result["phase"], "startTime": time, "completionTime": time, "repositories": [result]}
    if operation == "Backup":
        return builders.run(f"db-{number}", status)
    kind, name = ("restoreRef", "back") if operation in ("Preview", "Restore") else ("repositoryRef", "main")
    own, _, word = operation.rpartition(" ")
    run = builders.run(f"run-{number}", status, operation=word, **{"scheduleRef": None, kind: {"name": name}})
    notes = {labels.LISTING: "1"} if own else {}
    return run.model_copy(update={"metadata": run.metadata.model_copy(update={"annotations": notes})})


def untold(number: int, operation: str, **status: Any) -> BorgRun:
    """Return a run that ended at minute `number` without a word of the repository."""
    run = ended(number, operation)
    update = {"phase": Phase.FAILED, **status, "repositories": ()}
    return run.model_copy(update={"status": run.status.model_copy(update=update)})


def drilled(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "schedule": "db", "archive": f"db-{number}", "time": "2026-03-01T00:00:00Z", "round": number, "rounds": 10,
        "since": "2026-02-01T00:00:00Z", "files": 200, "covered": 50, "size": 4_000_000, **more,
    }  # fmt: skip


def status_after(case: Case, now: datetime = NOW) -> dict[str, Any]:
    patches = [
        action.status
        for action in plan_repository(case, case.repository, case.around, now).actions
        if isinstance(action, PatchStatus) and action.target == MAIN
    ]
    before = case.repository.model_dump(by_alias=True, exclude_none=True, mode="json")["status"]
    return {**before, **(patches[0] if patches else {})}


def with_status(case: Case, now: datetime = NOW) -> BorgRepository:
    body = case.repository.model_dump(by_alias=True, mode="json")
    return BorgRepository.model_validate({**body, "status": status_after(case, now)})


def condition_of(case: Case, type_: str) -> tuple[str, str] | None:
    found = status_after(case)["conditions"]
    return next(((item["status"], item["reason"]) for item in found if item["type"] == type_), None)


DAMAGE = {
    "a check": ([("Check", FAILED_CHECK)], "CheckFailed"),
    "a drill that found other content": ([("Drill", MISMATCH)], "VerificationFailed"),
    "a backup that met damage": ([("Backup", DAMAGED_BACKUP)], "RepositoryDamaged"),
    "a preview that met damage": ([("Preview", DAMAGED_BACKUP)], "RepositoryDamaged"),
    "a restore that met damage": ([("Restore", DAMAGED_BACKUP)], "RepositoryDamaged"),
    "a backup before it": ([("Backup", {"archive": "db-1"}), ("Restore", DAMAGED_BACKUP)], "RepositoryDamaged"),
    "a listing that nobody asked for": ([("own List", DAMAGED_BACKUP)], "RepositoryDamaged"),
    "a check of all data after a restore": ([("Restore", DAMAGED_BACKUP), ("Check", DATA)], None),
    "a restore of no archive": ([("Restore", {"phase": "Failed", "reason": "ArchiveNotFound"})], None),
    "a target that others write to": ([("Restore", MISMATCH)], None),
    "a good backup after it": ([("Check", FAILED_CHECK), ("Backup", {"archive": "db-1"})], "CheckFailed"),
    "a check that read no data after it": ([("Drill", MISMATCH), ("Check", WHOLE)], "VerificationFailed"),
    "a check of all data after it": ([("Check", FAILED_CHECK), ("Check", DATA)], None),
    "damage after that": ([("Check", DATA), ("Check", FAILED_CHECK)], "CheckFailed"),
    "a check that could not be made": ([("Check", {"phase": "Failed", "reason": "HostUnreachable"})], None),
    "a drill of an old archive": ([("Drill", {"phase": "Failed", "reason": "ArchiveTooOld"})], None),
    "a restore's words of a backup": ([("Backup", {"phase": "Failed", "reason": "VerificationFailed"})], None),
}


@pytest.mark.parametrize(("told", "reason"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_stands_until_a_check_of_all_data_passes(
    told: list[tuple[str, dict[str, Any]]], reason: str | None
) -> None:
    runs = [ended(number, operation, **result) for number, (operation, result) in enumerate(told)]
    case = case_of(*runs)
    assert status_after(case).get("damage", {}).get("reason") == reason
    assert condition_of(case, "Damaged") == (("True", reason) if reason else None)
    if reason:
        assert condition_of(case, "Ready") == ("False", reason), "kubectl get brepo shows it"
        assert condition_of(case, "Verified") == ("False", reason)
    settled = case_of(*runs, repository=with_status(case))
    assert status_after(settled) == status_after(case), "looked at again, it is the same"


def test_damage_is_remembered_when_its_run_is_no_longer_kept_and_settled_for_good_when_that_is() -> None:
    found, passed = ended(1, "Backup", **DAMAGED_BACKUP), ended(2, "Check", **DATA)
    damaged = with_status(case_of(found))
    assert condition_of(case_of(repository=damaged), "Damaged") == ("True", "RepositoryDamaged")
    mended = with_status(case_of(found, passed, repository=damaged))
    assert mended.status.damage is None
    assert mended.status.last_data_check_time == "2026-03-01T02:02:00Z"
    assert status_after(case_of(found, repository=mended)).get("damage") is None, "a schedule's runs are kept longer"


def test_damage_is_told_anew_that_a_later_run_of_the_same_name_found() -> None:
    damaged = with_status(case_of(ended(1, "Check", **FAILED_CHECK)))
    later = ended(2, "Check", **DAMAGED_BACKUP)
    named = later.metadata.model_copy(update={"name": "run-1"})
    again = case_of(later.model_copy(update={"metadata": named}), repository=damaged)
    assert status_after(again)["damage"]["reason"] == "RepositoryDamaged"


def test_plans_say_that_nothing_is_to_be_pruned_and_that_all_data_are_to_be_read() -> None:
    damaged = with_status(case_of(ended(1, "Check", **FAILED_CHECK)))
    check, _ = plans_of(case_of(repository=damaged))
    words = 'CheckFailed by BorgRun "run-1" at 2026-03-01T02:01:00Z'
    assert check.repositories[0].damage == words
    schedule = builders.schedule()
    bundle = builders.bundle(schedule, (damaged,))
    [made] = builders.planned(builders.world(bundle), CreateCronJob)
    assert plan_in(made.manifest["spec"]["jobTemplate"]["spec"]["template"]).repositories[0].damage == words


@pytest.mark.parametrize("by", ["place", "id"])
def test_what_is_damaged_by_one_name_is_pruned_by_none(by: str) -> None:
    main = document(with_status(case_of(ended(1, "Check", **FAILED_CHECK))))
    twin = document(builders.ssh_repository("twin", **BOTH))
    if by == "place":
        twin = document(local_repository("twin", local=main["spec"]["local"], **BOTH))
    else:
        for body in (main, twin):
            body["status"]["identity"] = {"id": "ab" * 32, "place": "", "since": "2026-03-01T00:00:00Z"}
    store = Store()
    for claim in ("app-data", "repo-main", "repo-other"):
        store.put(CLAIMS, {"metadata": builders.metadata(claim)})
    for body in (main, twin, document(local_repository("other"))):
        store.put(REPOSITORIES, body)
    store.put(SCHEDULES, document(builders.schedule("db", ("twin", "other"), prune={"enabled": True})))
    [made] = [
        action
        for action in reconcile_schedule(World(builders.DB, SETTINGS), store, NOW).actions
        if isinstance(action, CreateCronJob)
    ]
    told, untold = plan_in(made.manifest["spec"]["jobTemplate"]["spec"]["template"]).repositories
    assert told.damage.startswith('CheckFailed by BorgRun "run-1"')
    assert not untold.damage
    actions = reconcile_repository(World(Reference("BorgRepository", "team", "twin"), SETTINGS), store, NOW).actions
    manifests = [action.manifest for action in actions if isinstance(action, CreateCronJob)]
    plans = [plan_in(manifest["spec"]["jobTemplate"]["spec"]["template"]) for manifest in manifests]
    assert [plan.repositories[0].damage for plan in plans] == [told.damage, told.damage], "checks and drills"


def document(resource: Model) -> dict[str, Any]:
    dumped: dict[str, Any] = resource.model_dump(by_alias=True, exclude_none=True, mode="json")
    return dumped


def without_a_repository(case: builders.Case) -> builders.Case:
    """Return the case after a repository was asked for that does not exist."""
    assert case.bundle
    asked = builders.schedule(repositories=("main", "gone"), prune={"enabled": True}).model_copy(
        update={"status": case.bundle.schedule.status}
    )
    return replace(case, bundle=replace(case.bundle, schedule=asked))


def test_a_schedule_that_is_held_learns_of_damage_and_of_its_end_and_goes_on() -> None:
    damaged = with_status(case_of(ended(1, "Check", **FAILED_CHECK)))
    sound = builders.bundle(builders.schedule(prune={"enabled": True}), (local_repository(**BOTH),))
    held = without_a_repository(builders.settled(builders.world(sound)))
    assert held.bundle
    assert not builders.planned(held, RepairCronJob)
    known = replace(held, bundle=replace(held.bundle, repositories={"main": damaged}))
    [told] = builders.planned(known, RepairCronJob)
    spec = told.manifest["spec"]
    assert plan_in(spec["jobTemplate"]["spec"]["template"]).repositories[0].damage.startswith("CheckFailed by BorgRun")
    assert (spec["suspend"], told.forget_missed_before) == (False, None)
    assert held.cron_job
    settled = replace(known, cron_job=builders.with_spec(held.cron_job, **spec))
    assert not builders.planned(settled, RepairCronJob)
    [mended] = builders.planned(replace(settled, bundle=held.bundle), RepairCronJob)
    assert mended.manifest["spec"] == held.cron_job.spec


def test_a_schedule_that_is_held_learns_of_damage_where_it_writes_though_it_is_to_write_elsewhere() -> None:
    sound = builders.bundle(builders.schedule(prune={"enabled": True}), (local_repository(**BOTH),))
    held = builders.settled(builders.world(sound))
    store = Store()
    store.put(REPOSITORIES, document(with_status(case_of(ended(1, "Check", **FAILED_CHECK)))))
    store.put(SCHEDULES, document(builders.schedule(repositories=("gone",), prune={"enabled": True})))
    told = next(action for action in reconcile_schedule(held, store, NOW).actions if isinstance(action, RepairCronJob))
    plan = plan_in(told.manifest["spec"]["jobTemplate"]["spec"]["template"])
    assert plan.repositories[0].damage.startswith("CheckFailed by BorgRun")


def test_a_check_that_is_held_reads_all_data_where_damage_is_found_meanwhile() -> None:
    case = made_by(case_of())
    assert case.drill_cron_job
    damaged = with_status(replace(case, around=case_of(ended(1, "Backup", **DAMAGED_BACKUP)).around))
    body = damaged.model_dump(by_alias=True, mode="json")
    body["spec"]["verification"]["drill"]["schedule"] = "0 5 * * 9"
    held = BorgRepository.model_validate(body)
    repaired = {
        action.manifest["metadata"]["name"]: plan_in(action.manifest["spec"]["jobTemplate"]["spec"]["template"])
        for action in plan_repository(case, held, case.around, NOW).actions
        if isinstance(action, RepairCronJob)
    }
    assert set(repaired) == {"main-check", "main-drill"}
    assert all(plan.repositories[0].damage.startswith("RepositoryDamaged by") for plan in repaired.values())


def plan_in(template: dict[str, Any]) -> RunPlan:
    [container] = template["spec"]["containers"]
    return decode_plan(next(item["value"] for item in container["env"] if item["name"] == "BORG_RUN_PLAN"))


def cron_jobs_of(case: Case) -> dict[str, dict[str, Any]]:
    made = plan_repository(case, case.repository, case.around, NOW).actions
    return {
        action.manifest["metadata"]["name"]: action.manifest for action in made if isinstance(action, CreateCronJob)
    }


def plans_of(case: Case) -> list[RunPlan]:
    return [plan_in(made["spec"]["jobTemplate"]["spec"]["template"]) for made in cron_jobs_of(case).values()]


def test_checks_and_drills_have_a_cron_job_each() -> None:
    case = case_of()
    assert list(cron_jobs_of(case)) == ["main-check", "main-drill"]
    check, drill = plans_of(case)
    assert (check.operation, drill.operation) == (Operation.CHECK, Operation.DRILL)
    asked = check.repositories[0].check
    assert asked
    assert (asked.slice_seconds, asked.data_every_seconds, asked.data_time) == (3600, 30 * 86400, "")
    assert drill.drill
    assert (drill.drill.schedules, drill.drill.sample, drill.drill.max_bytes) == (("db",), 10, 1 << 30)
    assert (drill.drill.min_files, drill.drill.max_age_seconds) == (1, 48 * 3600)
    said = status_after(case)
    assert (said["nextCheckTime"], said["nextDrillTime"]) == ("2026-03-08T03:00:00Z", "2026-03-07T05:00:00Z")
    assert (said["checkCronJobName"], said["drillCronJobName"]) == ("main-check", "main-drill")
    assert condition_of(case, "DrillsScheduled") == ("True", "Scheduled")
    assert condition_of(case, "Verified") == ("Unknown", "NotYetVerified")


def test_what_backups_leave_out_is_no_matter_of_checks_and_drills() -> None:
    long = ["sh:**/" + "x" * 1000] * 256
    case = case_of(repository=local_repository(**BOTH, exclude=long))
    assert [plan.repositories[0].exclude for plan in plans_of(case)] == [(), ()]
    by_hand = builders.run("now", scheduleRef=None, repositoryRef={"name": "main"}, operation="Compact")
    case = replace(made_by(case), runs=(by_hand,))
    actions = plan_repository(case, case.repository, case.around, NOW).actions
    [created] = [action for action in actions if isinstance(action, CreateJob)]
    assert plan_in(created.manifest["spec"]["template"]).repositories[0].exclude == ()


def test_a_drill_whose_plan_does_not_fit_into_a_pod_is_told_and_never_begins() -> None:
    app = {"image": "app:1", "paths": [f"sources/data/{number}-" + "x" * 1000 for number in range(64)]}
    drill = {"schedule": "0 5 * * 6", "app": app}
    asked = local_repository(verification={"check": BOTH["verification"]["check"], "drill": drill})
    names = tuple(f"schedule-{number:04}-" + "x" * 37 for number in range(1200))
    settings = replace(SETTINGS, allowed_images=("*",))
    case = replace(case_of(repository=asked, names=names), settings=settings)
    assert list(cron_jobs_of(case)) == ["main-check"]
    assert condition_of(case, "ChecksScheduled") == ("True", "Scheduled")
    assert condition_of(case, "DrillsScheduled") == ("False", "PlanTooLarge")
    by_hand = builders.run("now", scheduleRef=None, repositoryRef={"name": "main"}, operation="Drill")
    actions = plan_repository(replace(case, runs=(by_hand,)), asked, case.around, NOW).actions
    [told] = [a.status for a in actions if isinstance(a, PatchStatus) and a.target.name == "now"]
    assert (told["phase"], told["reason"]) == ("Pending", "PlanTooLarge")
    assert "spread the schedules over several repositories" in told["message"]
    known = replace(case, drill_cron_job=made_by(case_of()).drill_cron_job)
    actions = plan_repository(known, asked, case.around, NOW).actions
    assert not [a for a in actions if getattr(a, "target", MAIN).name == "main-drill"], "it goes on as it was"


def made_by(case: Case) -> Case:
    made = cron_jobs_of(case)
    return replace(
        case,
        repository=with_status(case),
        cron_job=builders.observed(made["main-check"]) if "main-check" in made else None,
        drill_cron_job=replace(builders.observed(made["main-drill"]), uid="uid-drill"),
    )


def test_nothing_is_done_once_both_are_there_and_each_goes_alone() -> None:
    case = made_by(case_of())
    assert plan_repository(case, case.repository, case.around, NOW).actions == ()
    for left, gone in (("check", "main-drill"), ("drill", "main-check")):
        asked = local_repository(verification={left: BOTH["verification"][left]})
        actions = plan_repository(replace(case, repository=asked), asked, case.around, NOW).actions
        assert [action.target.name for action in actions if isinstance(action, DeleteCronJob)] == [gone]


def test_a_run_by_hand_takes_its_turn_by_the_cron_job_of_the_checks_and_waits_for_a_drill() -> None:
    by_hand = builders.run("now", scheduleRef=None, repositoryRef={"name": "main"}, operation="Check")
    case = replace(made_by(case_of()), runs=(by_hand,))
    [created] = [
        a for a in plan_repository(case, case.repository, case.around, NOW).actions if isinstance(a, CreateJob)
    ]
    assert created.manifest["metadata"]["ownerReferences"][0]["name"] == "main-check"
    assert plan_in(created.manifest["spec"]["template"]).repositories[0].check == replace(
        _check_plan(case), slice_seconds=None
    ), "a person wants to know it all"
    job = builders.job(
        "main-drill-1",
        subject=MAIN,
        operation=Operation.DRILL,
        owner_uid="uid-drill",
        scheduled=NOW - timedelta(days=30),
        created=NOW - timedelta(days=30),
    )
    busy = replace(case, jobs=(job,))
    actions = plan_repository(busy, busy.repository, busy.around, NOW).actions
    assert not [action for action in actions if isinstance(action, CreateJob)]


@pytest.mark.parametrize("operation", [Operation.CHECK, Operation.DRILL])
def test_a_tick_that_the_controller_could_not_record_is_recorded(operation: Operation) -> None:
    case = made_by(case_of())
    by = case.cron_job if operation is Operation.CHECK else case.drill_cron_job
    assert by
    at = NOW - timedelta(minutes=2)
    job = builders.job(f"{by.name}-1", subject=MAIN, operation=operation, owner_uid=by.uid, scheduled=at, created=at)
    actions = plan_repository(replace(case, jobs=(job,)), case.repository, case.around, NOW).actions
    found = [action for action in actions if isinstance(action, RecordTick)]
    assert found == [RecordTick(by.reference, by.uid, job.reference, job.uid, at)]


def _check_plan(case: Case) -> Any:
    check, _ = plans_of(replace(case, cron_job=None, drill_cron_job=None))
    return check.repositories[0].check


def test_a_drill_goes_on_from_the_status_and_schedules_never_drilled_come_first() -> None:
    told = {"drill": {"archives": [drilled(3)], "files": 20, "bytes": 1000, "seconds": 0.5}}
    known = with_status(case_of(ended(1, "Drill", **told), names=("db", "web")))
    assert (known.status.coverage, known.status.restore_rate) == (25, 2000)
    assert known.status.estimated_restore_time == "33m20s"
    assert (known.status.last_drill_archive, known.status.last_verified_time) == ("db-3", "2026-03-01T02:01:00Z")
    case = case_of(repository=known, names=("db", "web"))
    _, drill = plans_of(case)
    assert drill.drill
    assert drill.drill.schedules == ("web", "db")
    assert [item.round for item in drill.drill.drilled] == [3]
    assert condition_of(case, "Verified") == ("True", "Verified")
    assert status_after(case_of(repository=known, names=("web",))).get("coverage") is None, "of a schedule that is gone"


def test_of_more_schedules_than_the_status_holds_each_has_its_turn() -> None:
    names = tuple(f"s-{number:03}" for number in range(2 * MOST_DRILLED + 20))
    seen, repository = set[str](), local_repository(**BOTH)
    for minute in range(len(names) // 8 + 1):
        turn = derive_drill_plan(repository, names).schedules[:8]
        seen |= set(turn)
        told = {"archives": [drilled(schedule=name, archive=name) for name in turn], "bytes": 1, "seconds": 1.0}
        repository = with_status(case_of(ended(minute, "Drill", drill=told), repository=repository, names=names))
    assert seen == set(names)
    assert len(repository.status.drilled) == MOST_DRILLED


def test_an_older_drill_that_is_still_kept_does_not_take_the_place_of_a_newer_one() -> None:
    older = ended(1, "Drill", drill={"archives": [drilled(1)]})
    newer = ended(2, "Drill", drill={"archives": [drilled(2, covered=100)]})
    known = with_status(case_of(older, newer))
    assert [item.round for item in known.status.drilled] == [2]
    again = with_status(case_of(older, repository=known))
    assert ([item.round for item in again.status.drilled], again.status.coverage) == ([2], 50)


@pytest.mark.parametrize(
    ("run", "verdict"),
    [
        (ended(2, "Drill", phase="Failed", reason="ArchiveTooOld", error="48 h"), ("False", "ArchiveTooOld")),
        (ended(2, "Check", phase="Failed", reason="HostUnreachable", error="gone"), ("False", "HostUnreachable")),
        (ended(2, "Check", check={"complete": False}), ("True", "Verified")),
        (ended(2, "Backup", phase="Failed", reason="DiskFull", error="full"), ("True", "Verified")),
    ],
    ids=["old archive", "no check", "a slice", "a backup that failed"],
)
def test_verified_is_what_the_newest_check_and_drill_say(run: BorgRun, verdict: tuple[str, str]) -> None:
    good = (ended(0, "Check", **WHOLE), ended(1, "Drill", drill={"archives": [drilled()]}))
    case = case_of(*good, run)
    assert condition_of(case, "Verified") == verdict
    forgotten = case_of(repository=with_status(case))
    assert condition_of(forgotten, "Verified") == verdict, "its runs are no longer kept"


def test_however_often_its_ticks_are_refused_the_time_without_a_check_goes_on() -> None:
    case, said = made_by(case_of()), list[str]()
    assert case.cron_job
    for week in range(6):
        for later, words in ((timedelta(minutes=1), "FailedCreate: exceeded quota"), (timedelta(hours=14), "")):
            case = replace(case, words={case.cron_job.uid: words} if words else {})
            case = replace(case, repository=with_status(case, SUNDAY + timedelta(weeks=week) + later))
            said += [item.reason for item in case.repository.status.conditions if item.type == "ChecksScheduled"]
    assert said == ["JobRefused", "Scheduled"] * 6
    reading = derive_repository_reading(case.repository, {})
    assert reading.last_check == reading.last_drill == NOW.timestamp()
    unasked = case.repository.model_copy(update={"spec": local_repository().spec})
    status = status_after(replace(case, repository=unasked))
    assert (status["checksSince"], status["drillsSince"]) == (None, None)


@pytest.mark.parametrize("operation", ["Check", "Drill"])
def test_a_check_or_drill_that_was_killed_counts_as_failed(operation: str) -> None:
    good = (ended(0, "Check", **WHOLE), ended(1, "Drill", drill={"archives": [drilled()]}))
    killed = untold(2, operation, reason="OutOfMemory", message="killed")
    case = case_of(*good, killed)
    assert condition_of(case, "Verified") == ("False", "OutOfMemory")
    status = status_after(case)
    assert (status[f"last{operation}Result"], status[f"last{operation}Time"]) == ("Failed", "2026-03-01T02:02:00Z")
    assert (status["lastVerifiedTime"], condition_of(case, "Ready")) == (
        "2026-03-01T02:01:00Z",
        condition_of(case_of(*good), "Ready"),
    )
    forgotten = case_of(repository=with_status(case))
    assert condition_of(forgotten, "Verified") == ("False", "OutOfMemory"), "its run is no longer kept"
    assert condition_of(case_of(*good, killed, ended(3, operation, **WHOLE)), "Verified") == ("True", "Verified")


@pytest.mark.parametrize("phase", [Phase.CANCELLED, Phase.SKIPPED])
def test_a_check_that_was_cancelled_or_skipped_says_nothing(phase: Phase) -> None:
    case = case_of(ended(0, "Check", **WHOLE), untold(2, "Check", phase=phase))
    assert condition_of(case, "Verified") == ("True", "Verified")


def cancelled(number: int, operation: str, **told: Any) -> BorgRun:
    """Return a run that was cancelled while it worked, and told of the repository how far it had come."""
    told = {"phase": "Failed", "reason": "Interrupted", "error": "The pod was stopped while borg worked.", **told}
    run = ended(number, operation, **told)
    return run.model_copy(update={"status": run.status.model_copy(update={"phase": Phase.CANCELLED})})


@pytest.mark.parametrize("operation", ["Check", "Drill"])
@pytest.mark.parametrize("verdict", ["Verified", "HostUnreachable"])
def test_what_the_newest_said_stays_when_a_later_check_or_drill_is_cancelled(operation: str, verdict: str) -> None:
    told = {"phase": "Failed", "reason": verdict, "error": "gone"} if verdict != "Verified" else {}
    runs = (
        ended(0, "Check", **WHOLE),
        ended(1, "Drill", drill={"archives": [drilled()]}),
        ended(2, operation, check={"complete": True}, drill={"archives": [drilled()]}, **told),
    )
    stopped = cancelled(3, operation)
    case = case_of(*runs, stopped)
    assert condition_of(case, "Verified") == condition_of(case_of(*runs), "Verified") == (str(not told), verdict)
    fields = (f"last{operation}Time", f"last{operation}Result")
    status = status_after(case)
    assert [status[name] for name in fields] == ["2026-03-01T02:02:00Z", told.get("phase", "Completed")]
    later = case_of(stopped, repository=with_status(case))
    assert [status_after(later)[name] for name in fields] == [status[name] for name in fields], "it alone is kept"
    assert condition_of(later, "Verified") == (str(not told), verdict)
    assert not {f"last{operation}Time", f"last{operation}Result"} & status_after(case_of(stopped)).keys()


@pytest.mark.parametrize(("operation", "told"), [("Check", FAILED_CHECK), ("Drill", MISMATCH)])
def test_damage_that_a_check_or_drill_found_before_it_was_cancelled_is_damage(
    operation: str, told: dict[str, Any]
) -> None:
    case = case_of(ended(0, "Check", **WHOLE), cancelled(2, operation, **told))
    assert condition_of(case, "Damaged") == ("True", told["reason"])
    assert condition_of(case, "Verified") == ("False", told["reason"])
    settled = case_of(repository=with_status(case))
    assert condition_of(settled, "Verified") == ("False", told["reason"]), "its run is no longer kept"


def test_the_cron_jobs_are_written_anew_when_what_they_are_told_changes() -> None:
    case = made_by(case_of())
    told = {"drill": {"archives": [drilled(1)]}}
    known = with_status(replace(case, around=case_of(ended(1, "Drill", **told)).around))
    actions = plan_repository(case, known, case.around, NOW).actions
    repaired = [action for action in actions if isinstance(action, RepairCronJob)]
    assert [action.manifest["metadata"]["name"] for action in repaired] == ["main-drill"]
    assert [action.forget_missed_before for action in repaired] == [None]
    assert all(isinstance(item, Drilled) for item in known.status.drilled)
    assert all(one <= other for one, other in pairwise(item.round for item in known.status.drilled))

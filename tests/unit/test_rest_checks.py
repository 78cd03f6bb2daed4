"""Checks of repositories, and recent activity, over REST: against a cluster that is a dict."""

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from borg_api.picture.records import derive_id
from borg_api.resources.activity.response import Activity
from borg_api.resources.checks.history import CheckJobs, DrillJobs
from borg_api.resources.checks.response import (
    CheckSchedule,
    CheckScheduleWritten,
    DrillSchedule,
    DrillScheduleWritten,
    RunningJobs,
)
from borg_api.resources.runs.response import LogLines
from borg_core.clock.hashed import resolve
from support.rest_world import World

MAIN = {
    "local": {"volume": {"persistentVolumeClaim": {"claimName": "repo-main"}}},
    "encryption": {"mode": "none"},
    "compression": "lz4",
}
BASE = "/api/repositories/main"
RESTORE = {"repositoryRef": {"name": "main"}, "archive": "a", "target": {"claim": {"claimName": "x"}}}
SCHEDULE = f"{BASE}/check-schedule"


@pytest.fixture
def world() -> World:
    world = World()
    world.cluster.add("BorgRepository", "main", MAIN)
    return world


def send(world: World, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(world(method, path, body, named))


def good(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def runs(world: World) -> dict[str, Any]:
    return {name: body for (kind, name), body in world.cluster.objects.items() if kind == "BorgRun"}


def test_a_check_is_a_run_on_the_repository_one_at_a_time(world: World) -> None:
    first = good(send(world, "POST", f"{BASE}/check", {"max_duration": 3600}, Idempotency_Key="one"))
    ((name, run),) = runs(world).items()
    assert run["spec"] == {"repositoryRef": {"name": "main"}, "operation": "Check"}
    assert first["job_id"] == derive_id("BorgRun", "team", name)
    assert good(send(world, "POST", f"{BASE}/check", Idempotency_Key="one")) == first
    busy = send(world, "POST", f"{BASE}/check")
    assert (busy.status_code, name in busy.json()["detail"]) == (409, True)
    world.cluster.report("BorgRun", name, phase="Completed")
    assert good(send(world, "POST", f"{BASE}/check"))["job_id"] != first["job_id"]
    assert send(world, "POST", "/api/repositories/no-such/check").status_code == 404


def test_a_listing_does_not_keep_a_check_from_beginning(world: World) -> None:
    world.cluster.add("BorgRun", "look", {"repositoryRef": {"name": "main"}, "operation": "List"})
    good(send(world, "POST", f"{BASE}/check"))


def test_what_works_on_a_repository_is_shown_also_for_a_schedule(world: World) -> None:
    idle = good(send(world, "GET", f"{BASE}/running-jobs"))
    assert idle == {
        "has_running_jobs": False,
        "check_job": None,
        "compact_job": None,
        "prune_job": None,
        "restore_check_job": None,
    }
    spec = {"schedule": "0 2 * * *", "repositoryRefs": [{"name": "main"}]}
    world.cluster.add("BorgSchedule", "db", spec)
    world.cluster.add("BorgRun", "db-1", {"scheduleRef": {"name": "db"}, "operation": "Backup"})
    assert good(send(world, "GET", f"{BASE}/running-jobs"))["has_running_jobs"] is False
    status = {"phase": "Running", "message": "", "startTime": "2026-03-01T01:00:00Z"}
    world.cluster.add("BorgRun", "db-2", {"scheduleRef": {"name": "db"}, "operation": "Prune"}, status=status)
    body = good(send(world, "GET", f"{BASE}/running-jobs"))
    TypeAdapter(RunningJobs).validate_python(body, strict=True)
    assert (body["has_running_jobs"], body["prune_job"]["status"]) == (True, "running")
    (shown,) = good(send(world, "GET", "/api/repositories/"))["repositories"]
    assert shown["has_running_maintenance"] is True
    world.cluster.report("BorgRun", "db-2", phase="Completed")
    assert good(send(world, "GET", f"{BASE}/running-jobs"))["has_running_jobs"] is False
    (shown,) = good(send(world, "GET", "/api/repositories/"))["repositories"]
    assert shown["has_running_maintenance"] is False


def verification(world: World) -> Any:
    return world.cluster.objects["BorgRepository", "main"]["spec"].get("verification")


def test_regular_checks_are_begun_changed_and_ended(world: World) -> None:
    before = good(send(world, "GET", SCHEDULE))
    TypeAdapter(CheckSchedule).validate_python(before, strict=True)
    assert (before["check_cron_expression"], before["enabled"], before["timezone"]) == (None, False, "UTC")
    form = {"cron_expression": "0 2 * * 0", "timezone": "Europe/Berlin", "max_duration": 0, "check_extra_flags": ""}
    written = good(send(world, "PUT", SCHEDULE, form))
    TypeAdapter(CheckScheduleWritten).validate_python(written, strict=True)
    assert verification(world) == {"check": {"schedule": "0 2 * * 0", "timeZone": "Europe/Berlin"}}
    assert world.cluster.objects["BorgRepository", "main"]["spec"]["compression"] == "lz4"
    good(send(world, "PUT", SCHEDULE, {"check_timezone": "UTC"}))
    assert verification(world) == {"check": {"schedule": "0 2 * * 0", "timeZone": "UTC"}}
    good(send(world, "PUT", SCHEDULE, {"cron_expression": "H 3 * * *"}))
    assert verification(world)["check"]["schedule"] == "H 3 * * *"
    writes = len(world.cluster.requests)
    assert good(send(world, "PUT", SCHEDULE, {"schedule_enabled": True}))["repository"]["check_schedule_enabled"]
    assert good(send(world, "PUT", SCHEDULE, {}))
    assert len(world.cluster.requests) == writes
    ended = good(send(world, "PUT", SCHEDULE, {"cron_expression": "", "schedule_enabled": False}))
    assert (ended["repository"]["check_cron_expression"], ended["repository"]["check_schedule_enabled"]) == (
        None,
        False,
    )
    assert not verification(world).get("check")


@pytest.mark.parametrize(
    ("known", "body", "status", "pointer"),
    [
        (False, {"cron_expression": "0 2 * * 7"}, 400, "/cron_expression"),
        (False, {"cron_expression": "0 2 30 2 *"}, 400, "/cron_expression"),
        (False, {"cron_expression": "0 2 * * 0", "timezone": "Mars/Olympus"}, 400, "/timezone"),
        (False, {"timezone": "Europe/Berlin"}, 400, "/cron_expression"),
        (False, {"schedule_enabled": True}, 400, "/cron_expression"),
        (True, {"schedule_enabled": False}, 400, "/schedule_enabled"),
        (True, {"check_extra_flags": "--verify-data"}, 400, "/check_extra_flags"),
        (False, {"cron_expression": "0 2 * * 0", "extra_flags": "--repair"}, 400, "/check_extra_flags"),
        (False, {"max_duration": 3600}, 400, "/cron_expression"),
        (True, {"max_duration": -1}, 400, "/max_duration"),
        (True, {"max_duration": "1h"}, 422, "/max_duration"),
        (True, {"timezone": "Mars/Olympus"}, 400, "/timezone"),
        (True, {"cron_expression": 5}, 422, "/cron_expression"),
    ],
    ids=str,
)
def test_what_cannot_be_taken_changes_nothing(
    world: World, known: bool, body: dict[str, Any], status: int, pointer: str
) -> None:
    if known:
        good(send(world, "PUT", SCHEDULE, {"cron_expression": "0 2 * * 0"}))
    before = verification(world)
    answer = send(world, "PUT", SCHEDULE, body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer)
    assert verification(world) == before


@pytest.mark.parametrize(
    ("seconds", "written", "shown"), [(3600, "60m", 3600), (90, "2m", 120), (7200.0, "120m", 7200)]
)
def test_how_long_one_check_may_take_is_told_in_seconds_and_kept_in_minutes(
    world: World, seconds: float, written: str, shown: int
) -> None:
    known = {"schedule": "0 2 * * 0", "timeZone": "UTC"}
    good(send(world, "PUT", SCHEDULE, {"cron_expression": "0 2 * * 0", "max_duration": seconds}))
    assert verification(world)["check"] == {**known, "maxDuration": written}
    assert good(send(world, "GET", SCHEDULE))["check_max_duration"] == shown
    writes = len(world.cluster.requests)
    for same in ({"check_max_duration": shown}, {"max_duration": None}):
        good(send(world, "PUT", SCHEDULE, same))
    assert len(world.cluster.requests) == writes
    good(send(world, "PUT", SCHEDULE, {"timezone": "Europe/Berlin"}))
    assert verification(world)["check"]["maxDuration"] == written
    good(send(world, "PUT", SCHEDULE, {"max_duration": 0}))
    assert verification(world)["check"] == {**known, "timeZone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("path", "wishes", "pointer"),
    [
        ("check", {"max_duration": 3600, "check_extra_flags": "--verify-data"}, "/check_extra_flags"),
        ("restore-check", {"paths": ["sources/data/x"], "full_archive": False}, "/paths"),
    ],
)
def test_what_a_check_would_leave_out_is_refused_when_it_is_asked_for(
    world: World, path: str, wishes: dict[str, Any], pointer: str
) -> None:
    answer = send(world, "POST", f"{BASE}/{path}", wishes)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not runs(world)
    nothing = {"max_duration": 3600, "check_extra_flags": " ", "paths": [], "full_archive": False}
    good(send(world, "POST", f"{BASE}/{path}", nothing))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"paths": ["sources/data/x"], "full_archive": False}, "/paths"),
        ({"restore_check_paths": ["sources/data/x"]}, "/paths"),
    ],
    ids=["paths", "as answers call them"],
)
def test_kinds_of_restore_checks_that_there_are_not_are_refused(
    world: World, body: dict[str, Any], pointer: str
) -> None:
    answer = send(world, "PUT", DRILLS, {"cron_expression": "0 5 * * 6", **body})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert "choose the full archive" in answer.json()["detail"]
    assert verification(world) is None
    for is_full in (True, False):  # the second is Borg UI's canary, of which a drill looks at more
        good(send(world, "PUT", DRILLS, {"cron_expression": "0 5 * * 6", "paths": [], "full_archive": is_full}))


def test_if_match_minds_edits_of_the_repository_and_not_its_status(world: World) -> None:
    etag = send(world, "GET", SCHEDULE).headers["ETag"]
    assert send(world, "GET", SCHEDULE, If_None_Match=etag).status_code == 304
    world.cluster.meanwhile["merge"] = lambda: world.cluster.report("BorgRepository", "main", archives=3)
    written = send(world, "PUT", SCHEDULE, {"cron_expression": "0 2 * * 0"}, If_Match=etag)
    assert written.status_code == 200
    late = send(world, "PUT", SCHEDULE, {"cron_expression": "0 4 * * 0"}, If_Match=etag)
    assert (late.status_code, "The repository was changed" in late.json()["detail"]) == (412, True)
    again = send(world, "PUT", SCHEDULE, {"cron_expression": "0 5 * * 0"}, If_Match=written.headers["ETag"])
    assert again.status_code == 200


def recent(world: World, query: str = "", **headers: str) -> Any:
    items = good(send(world, "GET", f"/api/activity/recent{query}", **headers))
    TypeAdapter(list[Activity]).validate_python(items, strict=True)
    return items


def test_recent_activity_is_runs_and_restores_newest_first(world: World) -> None:
    spec = {"schedule": "0 2 * * *", "repositoryRefs": [{"name": "main"}], "title": "Nightly"}
    world.cluster.add("BorgSchedule", "db", spec)
    done = {"phase": "Completed", "trigger": "Scheduled", "startTime": "2026-03-01T01:00:00Z"}
    world.cluster.add("BorgRun", "db-1", {"scheduleRef": {"name": "db"}, "operation": "Backup"}, status=done)
    world.cluster.add("BorgRun", "check", {"repositoryRef": {"name": "main"}, "operation": "Check"})
    restore = {"repositoryRef": {"name": "main"}, "archive": "a", "target": {"claim": {"claimName": "x"}}}
    world.cluster.add("BorgRestore", "back", restore, status={"phase": "Running", "runName": "back-restore"})
    world.cluster.add("BorgRun", "back-restore", {"restoreRef": {"name": "back"}, "operation": "Restore"}, status=done)
    world.cluster.add("BorgRestore", "shown", {**restore, "preview": True}, status={"phase": "Previewed"})

    items = recent(world)
    assert [(item["type"], item["status"]) for item in items] == [
        ("restore", "running"),
        ("check", "pending"),
        ("backup", "completed"),
    ]
    restored, checked, backup = items
    assert (restored["archive_name"], restored["run_id"]) == ("a", derive_id("BorgRun", "team", "back-restore"))
    assert (checked["repository"], checked["repository_path"]) == ("main", "/repositories/main")
    assert (backup["schedule_name"], backup["triggered_by"]) == ("Nightly", "schedule")
    assert len({item["activity_key"] for item in items}) == 3
    assert [item["type"] for item in recent(world, "?limit=1")] == ["restore"]
    assert [item["type"] for item in recent(world, "?job_type=check")] == ["check"]
    assert [item["type"] for item in recent(world, "?job_type=restore")] == ["restore"]
    assert [item["type"] for item in recent(world, "?status=completed")] == ["backup"]
    assert send(world, "GET", "/api/activity/recent?limit=0").status_code == 400
    assert recent(world, "?job_type=package") == []

    world.cluster.denied = {"borgrestores", "borgschedules"}
    items = recent(world, Authorization="Bearer other")
    assert [(item["type"], item["schedule_name"]) for item in items] == [("check", None), ("backup", "db")]


def test_listings_that_the_operator_makes_for_itself_are_no_activity_unless_they_are_asked_for(world: World) -> None:
    spec = {"repositoryRef": {"name": "main"}, "operation": "List"}
    for name, trigger in (("own", "Automatic"), ("asked", "Manual")):
        world.cluster.add("BorgRun", name, spec, status={"phase": "Completed", "trigger": trigger})
    unlock = {**spec, "operation": "BreakLock"}
    world.cluster.add("BorgRun", "unlock", unlock, status={"phase": "Completed", "trigger": "Automatic"})
    assert [item["type"] for item in recent(world)] == ["break_lock", "list"]
    assert len(recent(world, "?job_type=list")) == 2


@pytest.mark.parametrize(
    ("job_type", "operation"),
    [("backup", "Backup"), ("check", "Check"), ("restore_check", "Drill"), ("prune", "Prune"), ("compact", "Compact")],
)
def test_an_activity_has_its_log(world: World, job_type: str, operation: str) -> None:
    status = {"phase": "Completed", "jobUid": "uid-job", "startTime": AT}
    world.cluster.add("BorgRun", "it", {"repositoryRef": {"name": "main"}, "operation": operation}, status=status)
    let_pod_write(world, b"one\ntwo\n")
    (item,) = recent(world)
    body = good(send(world, "GET", f"/api/activity/{item['type']}/{item['id']}/logs?offset=1"))
    TypeAdapter(LogLines).validate_python(body, strict=True)
    assert (item["type"], body["lines"]) == (job_type, [{"line_number": 2, "content": "two"}])
    assert body == good(send(world, "GET", f"/api/backup/logs/{item['id']}/stream?offset=1"))


def test_of_a_long_log_the_end_is_shown_and_all_lines_are_counted(world: World) -> None:
    restore = {"repositoryRef": {"name": "main"}, "archive": "a", "target": {"claim": {"claimName": "x"}}}
    running = {"phase": "Running", "jobUid": "uid-job", "startTime": AT}
    world.cluster.add("BorgRestore", "back", restore, status={"phase": "Running", "runName": "run"})
    world.cluster.add("BorgRun", "run", {"restoreRef": {"name": "back"}, "operation": "Restore"}, status=running)
    let_pod_write(world, b"".join(b"line %d\n" % number for number in range(1, 12_001)) + b"being written")

    def read(path: str) -> tuple[int, int, int, int, bool]:
        body = good(send(world, "GET", f"/api/activity/{path}"))
        TypeAdapter(LogLines).validate_python(body, strict=True)
        numbers = [line["line_number"] for line in body["lines"]]
        assert [line["content"] for line in body["lines"]] == [f"line {number}" for number in numbers]
        return numbers[0], numbers[-1], len(numbers), body["total_lines"], body["has_more"]

    for path in ("backup/run/logs", "restore/back/logs"):
        assert read(path) == (11_501, 12_000, 500, 12_000, False)
        assert read(f"{path}?offset=100") == (101, 5_100, 5_000, 12_000, True)
    let_pod_write(world, b"".join(b"line %d\n" % number for number in range(1, 12_001)))
    world.cluster.report("BorgRun", "run", **{**running, "phase": "Failed"})
    world.cluster.report("BorgRestore", "back", phase="Failed", runName="run")
    for path in ("backup/run/logs", "restore/back/logs"):
        assert read(path) == (1, 5_000, 5_000, 12_000, True)
        assert read(f"{path}?offset=11500") == (11_501, 12_000, 500, 12_000, False)
        body = good(send(world, "GET", f"/api/activity/{path}?offset=12000"))
        assert (body["lines"], body["total_lines"], body["has_more"]) == ([], 12_000, False)
    assert good(send(world, "GET", "/api/backup/logs/run/stream"))["total_lines"] == 5_000


def test_the_log_of_a_restore_is_that_of_its_run(world: World) -> None:
    restore = {"repositoryRef": {"name": "main"}, "archive": "a", "target": {"claim": {"claimName": "x"}}}
    world.cluster.add("BorgRestore", "back", restore, status={"phase": "Pending"})
    let_pod_write(world, b"one\n")
    number = derive_id("BorgRestore", "team", "back")
    path = f"/api/activity/restore/{number}/logs"
    none = {"job_id": number, "status": "pending", "lines": [], "total_lines": 0, "has_more": False}
    assert good(send(world, "GET", path)) == none
    status = {"phase": "Running", "jobUid": "uid-job", "startTime": AT}
    world.cluster.add("BorgRun", "run", {"restoreRef": {"name": "back"}, "operation": "Restore"}, status=status)
    world.cluster.report("BorgRestore", "back", phase="Running", runName="run")
    body = good(send(world, "GET", path))
    TypeAdapter(LogLines).validate_python(body, strict=True)
    line = {"line_number": 1, "content": "one"}
    assert body == {**none, "status": "running", "lines": [line], "total_lines": 1}


def test_logs_of_what_is_not_there_and_for_those_who_may_not_read_them(world: World) -> None:
    for path, status in (("check/7", 404), ("restore/7", 404), ("package/7", 400)):
        assert send(world, "GET", f"/api/activity/{path}/logs").status_code == status
    world.cluster.add("BorgRun", "it", {"repositoryRef": {"name": "main"}, "operation": "Check"})
    assert send(world, "GET", "/api/activity/check/it/logs/download?token=token").status_code == 404
    world.cluster.denied = {"pods"}
    assert send(world, "GET", "/api/activity/check/7/logs", Authorization="Bearer other").status_code == 403


@pytest.mark.parametrize(
    ("kind", "type_", "spec", "right"),
    [
        ("BorgRun", "backup", {"scheduleRef": {"name": "db"}, "operation": "Backup"}, "borgruns"),
        ("BorgRun", "check", {"repositoryRef": {"name": "main"}, "operation": "Check"}, "borgruns"),
        ("BorgRun", "restore_check", {"repositoryRef": {"name": "main"}, "operation": "Drill"}, "borgruns"),
        ("BorgRun", "prune", {"repositoryRef": {"name": "main"}, "operation": "Prune"}, "borgruns"),
        ("BorgRestore", "restore", RESTORE, "borgrestores"),
    ],
)
def test_an_activity_is_cancelled_by_its_type_and_id(
    world: World, kind: str, type_: str, spec: dict[str, Any], right: str
) -> None:
    world.cluster.add(kind, "it", spec, status={"phase": "Running"})
    number = derive_id(kind, "team", "it")
    for other in {"backup", "check", "restore_check", "prune", "restore"} - {type_}:
        assert send(world, "POST", f"/api/activity/{other}/{number}/cancel").status_code == 404
    assert "cancel" not in world.cluster.objects[kind, "it"]["spec"]
    for _ in range(2):
        told = good(send(world, "POST", f"/api/activity/{type_}/{number}/cancel"))
        assert told["process_terminated"] is True
        assert "Backup" not in told["message"] or type_ == "backup"
    assert world.cluster.objects[kind, "it"]["spec"]["cancel"] is True
    world.cluster.report(kind, "it", phase="Cancelled")
    assert send(world, "POST", f"/api/activity/{type_}/{number}/cancel").status_code == 400
    world.cluster.denied = {right}
    refused = send(world, "POST", f"/api/activity/{type_}/{number}/cancel", Authorization="Bearer other")
    assert refused.status_code == 403


def test_the_step_of_a_restore_is_no_activity_of_its_own(world: World) -> None:
    world.cluster.add("BorgRun", "step", {"restoreRef": {"name": "back"}, "operation": "Restore"})
    for type_, status in (("backup", 404), ("restore", 404), ("package", 400)):
        assert send(world, "POST", f"/api/activity/{type_}/step/cancel").status_code == status


def test_checks_that_there_were_are_listed_newest_first(world: World) -> None:
    world.cluster.add("BorgRepository", "other", MAIN)
    scheduled = {"phase": "Failed", "trigger": "Scheduled", "startTime": AT, "completionTime": AT, "message": "no key"}
    check = {"repositoryRef": {"name": "main"}, "operation": "Check"}
    world.cluster.add("BorgRun", "one", check, status=scheduled)
    world.cluster.add("BorgRun", "two", check, status={"phase": "Pending", "message": "waits"})
    world.cluster.add("BorgRun", "elsewhere", {**check, "repositoryRef": {"name": "other"}})
    world.cluster.add("BorgRun", "drill", {**check, "operation": "Drill"})
    two, one = jobs(world, "check-jobs", CheckJobs)
    assert one == {
        "id": derive_id("BorgRun", "team", "one"),
        "repository_id": derive_id("BorgRepository", "team", "main"),
        "status": "failed",
        "started_at": AT,
        "completed_at": AT,
        "error_message": "no key",
        "progress": 100,
        "progress_message": None,
        "has_logs": True,
        "scheduled_check": True,
    }
    assert (two["status"], two["progress"], two["progress_message"]) == ("pending", 0, "waits")
    assert (two["has_logs"], two["scheduled_check"]) == (False, False)
    assert jobs(world, "check-jobs?limit=1", CheckJobs) == [two]
    assert jobs(world, "check-jobs?limit=1&scheduled_only=true", CheckJobs) == [one]
    assert send(world, "GET", f"{BASE}/check-jobs?limit=0").status_code == 400
    assert send(world, "GET", "/api/repositories/no-such/check-jobs").status_code == 404
    world.cluster.denied = {"borgruns"}
    for path in ("check-jobs", "restore-check-jobs"):
        assert send(world, "GET", f"{BASE}/{path}", Authorization="Bearer other").status_code == 403


def test_drills_that_there_were_are_listed_with_the_archive_that_was_drilled(world: World) -> None:
    world.cluster.add("BorgRun", "check", {"repositoryRef": {"name": "main"}, "operation": "Check"})
    world.cluster.add("BorgRun", "drill", {"repositoryRef": {"name": "main"}, "operation": "Drill"})
    [waiting] = jobs(world, "restore-check-jobs", DrillJobs)
    assert (waiting["archive_name"], waiting["probe_paths"], waiting["mode"]) == (None, [], "full_archive")
    archive = {"schedule": "db", "archive": "db-1", "time": AT, "round": 0, "rounds": 4, "since": AT}
    drill = {"archives": [archive], "files": 2, "bytes": 3000, "seconds": 1.5}
    done = [{"name": "main", "phase": "Completed", "drill": drill}]
    world.cluster.report("BorgRun", "drill", phase="Completed", repositories=done)
    [ended] = jobs(world, "restore-check-jobs?scheduled_only=false", DrillJobs)
    assert (ended["archive_name"], ended["status"]) == ("db-1", "completed")
    assert jobs(world, "restore-check-jobs?scheduled_only=true", DrillJobs) == []


def jobs(world: World, path: str, shape: Any) -> Any:
    body = good(send(world, "GET", f"{BASE}/{path}"))
    TypeAdapter(shape).validate_python(body, strict=True)
    return body["jobs"]


def let_pod_write(world: World, log: bytes) -> None:
    world.cluster.pods = [{"metadata": {"name": "pod", "creationTimestamp": AT}}]
    world.cluster.logs = {"borg": log}


DRILLS = f"{BASE}/restore-check-schedule"


def test_drills_are_begun_changed_and_ended_and_tell_what_they_showed(world: World) -> None:
    before = good(send(world, "GET", DRILLS))
    TypeAdapter(DrillSchedule).validate_python(before, strict=True)
    assert (before["enabled"], before["coverage_percent"], before["timezone"]) == (False, None, "UTC")
    written = good(
        send(world, "PUT", DRILLS, {"cron_expression": "0 5 * * 6", "restore_check_timezone": "Europe/Berlin"})
    )
    TypeAdapter(DrillScheduleWritten).validate_python(written, strict=True)
    assert verification(world) == {"drill": {"schedule": "0 5 * * 6", "timeZone": "Europe/Berlin"}}
    world.cluster.objects["BorgRepository", "main"]["spec"]["verification"]["drill"]["sample"] = 25
    good(send(world, "PUT", DRILLS, {"cron_expression": "H 5 * * 6"}))
    assert verification(world)["drill"] == {"schedule": "H 5 * * 6", "timeZone": "Europe/Berlin", "sample": 25}
    world.cluster.report(
        "BorgRepository", "main", coverage=40, restoreRate=1000, estimatedRestoreTime="2h5m", lastDrillResult="Failed"
    )
    told = good(send(world, "GET", DRILLS))
    assert (told["coverage_percent"], told["restore_rate"], told["estimated_restore_time"]) == (40, 1000, "2h5m")
    assert told["last_restore_check_result"] == "failed"
    assert send(world, "PUT", DRILLS, {"cron_expression": "0 5 * * 7"}).status_code == 400
    good(send(world, "PUT", DRILLS, {"cron_expression": ""}))
    assert not verification(world).get("drill")


def test_drills_have_every_field_that_borg_uis_client_reads(world: World) -> None:
    world.cluster.report("BorgRepository", "main", lastDrillTime=AT)
    told = good(send(world, "GET", DRILLS))
    assert (told["last_scheduled_restore_check"], told["last_restore_check"]) == (AT, AT)
    fixed = {
        "restore_check_paths": [],
        "restore_check_full_archive": True,
        "restore_check_canary_enabled": False,
        "restore_check_mode": "full_archive",
        "notify_on_restore_check_success": False,
        "notify_on_restore_check_failure": False,
    }
    assert fixed.items() <= told.items()
    assert fixed.items() <= good(send(world, "PUT", DRILLS, {"cron_expression": "0 5 * * 6"}))["repository"].items()


def test_a_drill_is_a_run_on_the_repository_and_an_activity_with_what_it_restored(world: World) -> None:
    first = good(send(world, "POST", f"{BASE}/restore-check", Idempotency_Key="one"))
    ((name, run),) = runs(world).items()
    assert run["spec"] == {"repositoryRef": {"name": "main"}, "operation": "Drill"}
    assert first["job_id"] == derive_id("BorgRun", "team", name)
    assert good(send(world, "POST", f"{BASE}/restore-check", Idempotency_Key="one")) == first
    assert send(world, "POST", f"{BASE}/restore-check").status_code == 409
    assert good(send(world, "POST", f"{BASE}/check"))["job_id"] != first["job_id"], "a check may be asked for beside it"
    running = good(send(world, "GET", f"{BASE}/running-jobs"))
    assert running["restore_check_job"]["id"] == first["job_id"]
    archive = {
        "schedule": "db", "archive": "db-1", "time": AT, "round": 0, "rounds": 4, "since": AT, "files": 8, "covered": 2,
    }  # fmt: skip
    drilled = {"archives": [archive], "files": 2, "bytes": 3000, "seconds": 1.5}
    world.cluster.report("BorgRun", name, phase="Completed", repositories=[
        {"name": "main", "phase": "Completed", "drill": drilled},
    ])  # fmt: skip
    [item] = good(send(world, "GET", "/api/activity/recent?job_type=restore_check"))
    TypeAdapter(Activity).validate_python(item, strict=True)
    assert item["restore_check"] == {
        "archives": ["db-1"], "files": 2, "bytes": 3000, "coverage_percent": 25, "restore_rate": 2000,
    }  # fmt: skip


AT = "2026-03-01T00:00:00Z"


@pytest.mark.parametrize(("what", "prefix"), [("check", ""), ("restore-check", "restore_")])
def test_times_are_taken_by_the_names_that_answers_have_for_them(world: World, what: str, prefix: str) -> None:
    path = f"{BASE}/{what}-schedule"
    none = good(send(world, "GET", path))
    good(send(world, "PUT", path, none))
    assert good(send(world, "GET", path)) == none
    sent = {f"{prefix}check_cron_expression": "5 4 * * *", f"{prefix}check_timezone": "Europe/Berlin"}
    good(send(world, "PUT", path, sent))
    shown = good(send(world, "GET", path))
    assert {key: shown[key] for key in sent} == sent
    paused = send(world, "PUT", path, {f"{prefix}check_schedule_enabled": False})
    assert (paused.status_code, "cannot be paused" in paused.json()["detail"]) == (400, True)
    good(send(world, "PUT", path, shown))
    assert good(send(world, "GET", path)) == shown


@pytest.mark.parametrize(
    ("what", "prefix", "field"), [("check", "", "nextCheckTime"), ("restore-check", "restore_", "nextDrillTime")]
)
def test_the_next_time_is_known_at_once_and_is_the_old_one_no_more_after_an_edit(
    world: World, what: str, prefix: str, field: str
) -> None:
    path, key, said = f"{BASE}/{what}-schedule", f"next_scheduled_{prefix}check", "2099-01-01T00:00:00Z"

    def put(**sent: str) -> Any:
        written = good(send(world, "PUT", path, sent))["repository"][key]
        assert good(send(world, "GET", path))[key] == written
        return written

    def report(**status: str) -> None:
        generation = world.cluster.objects["BorgRepository", "main"]["metadata"]["generation"]
        world.cluster.report("BorgRepository", "main", observedGeneration=generation, **status)

    assert put(cron_expression="30 4 * * *")[10:] == "T04:30:00Z"
    report(**{field: said})
    assert put() == good(send(world, "GET", path))[key] == said, "the operator has seen it"
    minute, hour = map(int, resolve("H H * * *", "team", f"main-{'drill' if prefix else 'check'}").split()[:2])
    assert put(cron_expression="H H * * *")[10:] == f"T{hour:02}:{minute:02}:00Z"
    report()
    assert good(send(world, "GET", path))[key] is None, "without a CronJob nothing begins"
    assert put(cron_expression="") is None


@pytest.mark.parametrize("null", ["timezone", "check_timezone"])
def test_a_null_by_one_name_hides_no_value_by_another(world: World, null: str) -> None:
    named = {"cron_expression": None, "check_cron_expression": "5 4 * * *"}
    good(send(world, "PUT", SCHEDULE, {**named, null: None, "restore_check_timezone": "Europe/Berlin"}))
    shown = good(send(world, "GET", SCHEDULE))
    assert (shown["check_cron_expression"], shown["check_timezone"]) == ("5 4 * * *", "Europe/Berlin")
    good(send(world, "PUT", SCHEDULE, {"cron_expression": None, "check_cron_expression": ""}))
    assert good(send(world, "GET", SCHEDULE))["check_cron_expression"] is None

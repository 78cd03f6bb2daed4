"""What changes something over REST, against a cluster that refuses, conflicts, is away, or that others write to."""

import asyncio
import sys
from collections import Counter
from typing import Any

import httpx
import pytest

from borg_api.picture import records
from borg_api.picture.records import derive_id
from borg_cluster.errors import (
    AlreadyExists,
    Busy,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unanswered,
    Unauthorized,
    Unreachable,
    WebhookFailed,
)
from borg_core.clock import schedule
from borg_core.clock.expression import Fields, parse_fields
from borg_core.kinds.schedule import BorgSchedule
from support.rest_world import World

PATH = "/api/schedule/db"
MAIN = {
    "local": {"volume": {"persistentVolumeClaim": {"claimName": "repo-main"}}},
    "encryption": {"mode": "none"},
    "sources": [{"name": "data", "volume": {"persistentVolumeClaim": {"claimName": "data"}}}],
}
DB = {"schedule": "0 2 * * *", "timeZone": "UTC", "repositoryRefs": [{"name": "main"}], "suspend": False}
RBAC = (
    'borgschedules.borgoperator.io "db" is forbidden: User "ann" cannot patch resource "borgschedules" '
    'in API group "borgoperator.io" in the namespace "team"'
)
CAUSES = {"causes": [{"message": 'Invalid value: "object": prune needs a prefix of its own'}]}


@pytest.fixture
def world() -> World:
    world = World()
    world.cluster.add("BorgRepository", "main", MAIN)
    world.cluster.add("BorgSchedule", "db", DB)
    return world


def send(world: World, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(world(method, path, body, named))


def verbs(world: World) -> list[str]:
    return [verb for verb, _, _ in world.cluster.requests]


@pytest.mark.parametrize(
    ("trouble", "status", "words"),
    [
        (Unauthorized("Unauthorized"), 401, "does not accept this token"),
        (Forbidden(RBAC), 403, 'You may not patch borgschedules in namespace "team".'),
        (Forbidden("exceeded quota: no more schedules"), 403, "Exceeded quota: no more schedules."),
        (NotFound("gone"), 404, "does not exist any more"),
        (Invalid("invalid", details=CAUSES), 400, "Prune needs a prefix of its own."),
        (Busy("later", retry_after=7), 429, "try again in 7 s"),
        (WebhookFailed('failed calling webhook "x": Post "https://10.0.0.1": refused'), 503, "admission webhook"),
        (Unreachable("reset by peer"), 503, "cannot be reached"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_error_of_the_cluster_has_an_answer_of_its_own(
    world: World, trouble: Exception, status: int, words: str
) -> None:
    world.cluster.troubles["merge"] = [trouble]
    answer = send(world, "PUT", PATH, {"description": "new"})
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert "10.0.0.1" not in answer.text
    assert ("Retry-After" in answer.headers) == (status in (429, 503))


@pytest.mark.parametrize(
    ("verb", "method", "path", "body"),
    [
        ("patch", "POST", f"{PATH}/toggle", None),
        ("create", "POST", f"{PATH}/duplicate", None),
        ("merge", "PUT", PATH, {"description": "new"}),
        ("delete", "DELETE", PATH, None),
    ],
)
def test_what_may_be_done_already_is_not_to_be_asked_for_again_unseen(
    world: World, verb: str, method: str, path: str, body: Any
) -> None:
    world.cluster.troubles[verb] = [Unanswered("no answer in time")]
    answer = send(world, method, path, body)
    assert (answer.status_code, "look before you ask again" in answer.json()["detail"]) == (503, True)
    assert "Retry-After" not in answer.headers


def test_a_fault_of_our_own_disk_is_not_taken_for_the_cluster(world: World) -> None:
    world.cluster.troubles["merge"] = [OSError(28, "No space left on device")]
    answer = send(world, "PUT", PATH, {"description": "new"})
    assert answer.status_code == 500
    assert "device" not in answer.text


def test_an_edit_is_tried_again_when_others_come_before(world: World) -> None:
    world.cluster.troubles["merge"] = [Conflict("modified")] * 3
    world.cluster.meanwhile["merge"] = lambda: world.cluster.change("BorgSchedule", "db", suspend=True)
    job = send(world, "PUT", PATH, {"description": "new"}).json()["job"]
    assert (job["description"], job["enabled"]) == ("new", False)
    assert verbs(world) == ["merge"] * 4


def test_edits_of_one_schedule_go_one_after_the_other_and_those_of_another_beside_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cluster.add("BorgSchedule", "web", DB)
    merge, at_work, most = world.cluster.merge, Counter[str](), 0

    async def watched(resource: Any, namespace: str, name: str, *more: Any) -> Any:
        nonlocal most
        at_work[name] += 1
        most = max(most, at_work.total())
        assert at_work[name] == 1
        await asyncio.sleep(0.001)
        at_work[name] -= 1
        return await merge(resource, namespace, name, *more)

    async def edit() -> list[httpx.Response]:
        paths = ["/api/schedule/db", "/api/schedule/web"] * 20
        return await asyncio.gather(*(world("PUT", path, {"description": "new"}) for path in paths))

    monkeypatch.setattr(world.cluster, "merge", watched)
    assert {answer.status_code for answer in asyncio.run(edit())} == {200}
    assert most == len({"db", "web"})


def test_if_match_minds_edits_and_not_a_status_that_changes_meanwhile(world: World) -> None:
    etag = send(world, "GET", PATH).headers["ETag"]
    world.cluster.meanwhile["merge"] = lambda: world.cluster.report("BorgSchedule", "db", lastRunTime="2026-03-01")
    edited = send(world, "PUT", PATH, {"description": "mine"}, If_Match=etag)
    assert edited.status_code == 200
    late = send(world, "PUT", PATH, {"description": "late"}, If_Match=etag)
    assert late.status_code == 412
    assert send(world, "DELETE", PATH, If_Match=etag).status_code == 412
    assert send(world, "DELETE", PATH, If_Match=edited.headers["ETag"]).status_code == 200
    assert send(world, "GET", PATH).status_code == 404


def test_a_toggle_turns_what_its_sender_saw_though_this_replica_has_not_seen_it_yet(world: World) -> None:
    world.cluster.silent = True  # another replica wrote it, and told the sender
    paused = world.cluster.change("BorgSchedule", "db", suspend=True)["metadata"]
    seen = f'"{paused["uid"][:8]}-{paused["generation"]}-x"'
    answer = asyncio.run(world("POST", f"{PATH}/toggle", headers={"If-Match": seen}))
    assert (answer.status_code, answer.json()["enabled"]) == (200, True)
    assert world.cluster.objects["BorgSchedule", "db"]["spec"]["suspend"] is False


def test_a_toggle_that_comes_after_another_one_turns_it_back(world: World) -> None:
    world.cluster.meanwhile["patch"] = lambda: world.cluster.change("BorgSchedule", "db", suspend=True)
    assert send(world, "POST", f"{PATH}/toggle").json()["enabled"] is True
    assert verbs(world) == ["patch", "get", "patch"]


def test_of_two_renames_at_once_the_later_one_is_taken_back(world: World) -> None:
    world.cluster.add("BorgSchedule", "other", {**DB, "title": "Other"})
    world.cluster.meanwhile["merge"] = lambda: world.cluster.change("BorgSchedule", "other", title="Wanted")
    prune = {"run_prune_after": True, "prune_keep_daily": 3}
    fields = {"enabled": False, "cron_expression": "5 5 * * *", "description": "mine", **prune}
    answer = send(world, "PUT", PATH, {"name": "Wanted", **fields})
    assert answer.status_code == 400
    assert '"Wanted" exists already' in answer.json()["detail"]
    assert send(world, "GET", PATH).json()["job"]["name"] == "db"
    assert {"suspend": False, **world.cluster.objects["BorgSchedule", "db"]["spec"]} == DB


def test_a_rename_that_is_taken_back_leaves_what_somebody_else_has_changed_since(world: World) -> None:
    world.cluster.add("BorgSchedule", "other", {**DB, "title": "Other"})
    world.cluster.meanwhile["merge"] = lambda: world.cluster.change("BorgSchedule", "other", title="Wanted")
    world.cluster.meanwhile["patch"] = lambda: world.cluster.change("BorgSchedule", "db", suspend=False)
    assert send(world, "PUT", PATH, {"name": "Wanted", "enabled": False}).status_code == 400
    spec = world.cluster.objects["BorgSchedule", "db"]["spec"]
    assert ("title" in spec, spec["suspend"]) == (False, False)


def test_of_a_rename_and_a_new_schedule_at_once_the_new_one_goes_where_it_came_later(world: World) -> None:
    new = {"name": "Wanted", "cron_expression": "0 3 * * *", "repository": "main"}
    world.cluster.meanwhile["create"] = lambda: world.cluster.change("BorgSchedule", "db", title="Wanted")
    answer = send(world, "POST", "/api/schedule/", new)
    assert answer.status_code == 400
    assert '"Wanted" exists already' in answer.json()["detail"]
    assert [name for kind, name in world.cluster.objects if kind == "BorgSchedule"] == ["db"]


def test_a_schedule_whose_resource_name_another_title_has_gets_a_number(world: World) -> None:
    world.cluster.change("BorgSchedule", "db", title="Moved on")
    new = {"name": "db", "cron_expression": "0 3 * * *", "repository": "main"}
    assert send(world, "POST", "/api/schedule/", new).status_code == 200
    assert ("BorgSchedule", "db-2") in world.cluster.objects
    assert '"db" exists already' in send(world, "POST", "/api/schedule/", new).json()["detail"]


def test_of_run_nows_at_once_one_key_gets_one_run_and_another_key_its_name(world: World) -> None:
    def run(key: str) -> httpx.Response:
        return send(world, "POST", f"{PATH}/run-now", Idempotency_Key=key)

    first = run("one")
    name = next(name for kind, name in world.cluster.objects if kind == "BorgRun")
    assert run("one").json() == first.json()
    assert name in run("two").json()["detail"]
    # Another replica, whose watch has not brought the run yet, asks for the same name.
    index = world.cluster.picture.view("team").runs.index
    index.discard("team", name, world.cluster.objects["BorgRun", name]["metadata"]["uid"])
    world.cluster.silent = True
    assert run("two").status_code == 409


def test_what_get_gave_may_be_put_although_repository_and_script_are_gone(world: World) -> None:
    hook = {"scriptRef": {"name": "gone"}, "parameters": [{"name": "HOST", "value": "nas"}]}
    spec = {**DB, "repositoryRefs": [{"name": "nowhere"}], "hooks": {"preBackup": hook}}
    world.cluster.add("BorgSchedule", "lost", spec)
    job = send(world, "GET", "/api/schedule/lost").json()["job"]
    answer = send(world, "PUT", "/api/schedule/lost", job)
    assert answer.status_code == 200, answer.text
    assert world.cluster.objects["BorgSchedule", "lost"]["spec"]["hooks"] == {"preBackup": hook}
    assert send(world, "PUT", "/api/schedule/lost", {"repository_id": 7}).status_code == 404


def test_repositories_tell_of_schedules_only_to_those_who_may_list_them(world: World) -> None:
    def shown(token: str) -> tuple[bool, Any, bool]:
        answer = send(world, "GET", "/api/repositories/", Authorization=f"Bearer {token}")
        (main,) = answer.json()["repositories"]
        return main["has_schedule"], main["schedule_name"], main["next_run"] is None

    assert shown("all") == (True, "db", False)
    world.cluster.denied = {"borgschedules"}
    assert shown("repositories") == (False, None, True)


def test_head_answers_as_get_does(world: World) -> None:
    shown, headed = send(world, "GET", PATH), send(world, "HEAD", PATH)
    assert headed.status_code == 200
    assert headed.headers == shown.headers
    refused = send(world, "PATCH", PATH, {})
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "DELETE, GET, HEAD, PUT"


@pytest.mark.parametrize("path", ["/api/repositories/", "/api/backup/jobs", "/api/schedule/none"])
def test_no_cache_keeps_what_was_answered_to_somebody(world: World, path: str) -> None:
    assert send(world, "GET", path).headers["cache-control"] == "no-store"
    assert send(world, "GET", PATH).headers["cache-control"] == "no-cache", "it has an ETag, by which it is asked for"


def test_the_documentation_keeps_no_token_and_stands_in_no_frame(world: World) -> None:
    page = send(world, "GET", "/docs")
    assert "persistAuthorization" not in page.text
    assert page.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["x-content-type-options"] == "nosniff"


def test_a_run_that_waits_says_why(world: World) -> None:
    spec = {"scheduleRef": {"name": "db"}, "operation": "Backup"}
    words = 'MountVolume.SetUp failed for volume "data": no such server'
    world.cluster.add("BorgRun", "db-1", spec, status={"phase": "Pending", "reason": "PodNotReady", "message": words})
    run = send(world, "GET", "/api/backup/status/db-1").json()
    assert (run["status"], run["reason"], run["error_message"]) == ("pending", "PodNotReady", words)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("main (Locked). It is locked.", "main (Locked). It is locked."),
        ("Cancelled.", "Cancelled.\nmain: It is locked."),
    ],
    ids=["it says why itself", "it says something else"],
)
def test_why_a_repository_failed_is_told_once(world: World, message: str, told: str) -> None:
    spec = {"scheduleRef": {"name": "db"}, "operation": "Backup"}
    failed = {"name": "main", "phase": "Failed", "reason": "Locked", "error": "It is locked."}
    world.cluster.add("BorgRun", "db-1", spec, status={"phase": "Failed", "message": message, "repositories": [failed]})
    assert send(world, "GET", "/api/backup/status/db-1").json()["error_message"] == told


def test_a_run_of_a_repository_alone_belongs_to_no_schedule_and_is_no_backup(world: World) -> None:
    world.cluster.add("BorgRun", "check-1", {"repositoryRef": {"name": "main"}, "operation": "Check"})
    run = send(world, "GET", "/api/backup/status/check-1").json()
    assert run["scheduled_job_id"] is None
    assert [repository["name"] for repository in run["repositories"]] == ["main"]
    assert send(world, "GET", "/api/backup/jobs").json() == {"jobs": []}


def test_the_log_is_that_of_borgs_container_whatever_else_is_in_the_pod(world: World) -> None:
    status = {"phase": "Completed", "jobUid": "uid-job"}
    world.cluster.add("BorgRun", "db-1", {"scheduleRef": {"name": "db"}}, status=status)
    for number, name in enumerate(("db-1-old", "db-1-new")):
        created = f"2026-03-01T00:00:0{number}Z"
        world.cluster.pods.append({"metadata": {"name": name, "creationTimestamp": created}})
    world.cluster.logs = {"a-sidecar": b"noise\n", "borg": b"one\ntwo\n"}
    log = send(world, "GET", "/api/backup/logs/db-1/stream?offset=1").json()
    assert [line["content"] for line in log["lines"]] == ["two"]
    assert world.cluster.requests[-1] == ("log", "db-1-new", "borg")


@pytest.mark.parametrize(
    ("kind", "name", "call"),
    [
        ("BorgSchedule", "db", ("PUT", PATH, {"description": "new"})),
        ("BorgSchedule", "db", ("POST", f"{PATH}/toggle", None)),
        ("BorgRun", "run", ("POST", "/api/backup/cancel/run", None)),
        ("BorgRestore", "back", ("POST", "/api/restore/cancel/back", None)),
        ("BorgRun", "run", ("POST", "/api/activity/backup/run/cancel", None)),
        ("BorgRestore", "back", ("POST", "/api/activity/restore/back/cancel", None)),
        ("BorgRepository", "main", ("PUT", "/api/repositories/main/check-schedule", {"cron_expression": "0 5 * * 0"})),
    ],
)
def test_what_was_deleted_and_made_again_before_this_replica_knows_is_left_alone(
    world: World, kind: str, name: str, call: tuple[str, str, Any]
) -> None:
    world.cluster.add("BorgRun", "run", {"scheduleRef": {"name": "db"}})
    target = {"claim": {"claimName": "data"}}
    world.cluster.add("BorgRestore", "back", {"repositoryRef": {"name": "main"}, "archive": "x", "target": target})
    world.cluster.silent = True
    spec = world.cluster.objects.pop((kind, name))["spec"]
    made = world.cluster.add(kind, name, spec, metadata={"uid": "another"})
    answer = send(world, *call)
    assert (answer.status_code, "does not exist any more" in answer.text) == (404, True), answer.text
    assert world.cluster.objects[kind, name]["spec"] == made["spec"]


@pytest.mark.parametrize(
    ("kind", "path"), [("BorgRun", "/api/backup/status/x"), ("BorgRestore", "/api/restore/status/x")]
)
def test_a_cancel_can_name_the_one_that_was_seen(world: World, kind: str, path: str) -> None:
    target = {"claim": {"claimName": "data"}}
    run = {"scheduleRef": {"name": "db"}}
    spec = run if kind == "BorgRun" else {"repositoryRef": {"name": "main"}, "archive": "x", "target": target}
    world.cluster.add(kind, "x", spec)
    etag = send(world, "GET", path).headers["etag"]
    assert send(world, "GET", path, If_None_Match=etag).status_code == 304
    world.cluster.report(kind, "x", phase="Running")  # it is the same one
    spec = world.cluster.objects[kind, "x"]["spec"]
    kept = world.cluster.objects.pop((kind, "x"))
    world.cluster.add(kind, "x", spec, metadata={"uid": "another"})
    cancel = path.replace("status", "cancel")
    assert send(world, "POST", cancel, If_Match=etag).status_code == 412
    assert world.cluster.objects[kind, "x"]["spec"] == spec
    world.cluster.objects[kind, "x"] = kept
    world.cluster.add(kind, "x", spec)
    assert send(world, "POST", cancel, If_Match=etag).status_code == 200
    assert world.cluster.objects[kind, "x"]["spec"]["cancel"] is True


class Counting:
    """Stands for BorgSchedule where the facade parses it, and notes the names."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def model_validate(self, body: Any) -> BorgSchedule:
        self.names.append(body["metadata"]["name"])
        return BorgSchedule.model_validate(body)


def test_a_put_parses_a_cron_text_once_and_its_answer_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.cluster.silent = True  # the watch brings, and parses, the object once more
    texts: list[str] = []

    def note(expression: str) -> Fields:
        texts.append(expression)
        return parse_fields(expression)

    schedules = Counting()
    monkeypatch.setattr(schedule, "parse_fields", note)
    monkeypatch.setattr(records, "BorgSchedule", schedules)
    times = "43 3 29 * *"  # as no other test has them: what was parsed before is known
    answer = send(world, "PUT", PATH, {"cron_expression": times, "timezone": "Europe/Berlin"})
    assert answer.json()["job"]["next_runs"]
    assert texts == [times]
    assert schedules.names == ["db"]


def test_the_way_of_a_put_through_the_facade_stays_short(world: World) -> None:
    entered: set[str] = set()

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            entered.add(frame.f_globals.get("__name__", ""))

    send(world, "GET", PATH)  # so that what is kept is there
    sys.setprofile(note)
    try:
        send(world, "PUT", PATH, {"description": "new"})
    finally:
        sys.setprofile(None)
    rooms = {module for module in entered if module.startswith("borg_api.")}
    assert len(rooms) <= 17, sorted(rooms)


REF = {"name": "k", "key": "k"}
SSH: dict[str, Any] = {
    "ssh": {"url": "ssh://u@h/./r", "privateKeySecretRef": REF, "knownHostsSecretRef": REF},
    "encryption": {"mode": "none"},
}


def refs(world: World) -> list[str]:
    return [ref["name"] for ref in world.cluster.objects["BorgSchedule", "db"]["spec"]["repositoryRefs"]]


def test_of_two_repositories_at_one_place_that_is_kept_which_the_schedule_has(world: World) -> None:
    for name in ("one", "two", "three"):
        world.cluster.add("BorgRepository", name, SSH)
    world.cluster.change("BorgSchedule", "db", repositoryRefs=[{"name": "two"}])
    read = send(world, "GET", PATH).json()["job"]
    assert send(world, "PUT", PATH, read).status_code == 200
    assert refs(world) == ["two"]
    assert send(world, "PUT", PATH, {"repository": read["repository"]}).status_code == 200
    assert refs(world) == ["two"]
    world.cluster.change("BorgSchedule", "db", repositoryRefs=[{"name": "main"}])
    refused = send(world, "PUT", PATH, {"repository": read["repository"]})
    assert (refused.status_code, "one, two, three: send an id" in refused.json()["detail"]) == (400, True)
    assert send(world, "PUT", PATH, {"repository": "three"}).status_code == 200
    assert refs(world) == ["three"]


def test_runs_are_found_by_whatever_names_their_repository(world: World) -> None:
    world.cluster.add("BorgRun", "run", {"scheduleRef": {"name": "db"}})
    world.cluster.add("BorgRepository", "other", MAIN)
    gone = {"phase": "Completed", "repositories": [{"name": "gone", "phase": "Completed"}]}
    world.cluster.add("BorgRun", "old", {"scheduleRef": {"name": "db"}}, status=gone)
    number = derive_id("BorgRepository", "team", "main")
    found = {
        place: [job["name"] for job in send(world, "GET", f"/api/backup/jobs?repository={place}").json()["jobs"]]
        for place in ("main", str(number), "/repositories/main", "other", "gone")
    }
    assert found == {"main": ["run"], str(number): ["run"], "/repositories/main": ["run"], "other": [], "gone": ["old"]}
    assert send(world, "GET", "/api/backup/jobs?repository=typo").status_code == 404


def test_a_run_now_that_lost_to_one_that_has_ended_does_not_say_that_it_goes_on(world: World) -> None:
    world.cluster.troubles["create"] = [AlreadyExists("it exists")]
    refused = send(world, "POST", f"{PATH}/run-now")
    assert (refused.status_code, "has ended" in refused.json()["detail"]) == (409, True)


def test_a_restore_may_name_its_repository_by_id_and_by_a_location_that_another_has_too(world: World) -> None:
    for name in ("one", "two"):
        world.cluster.add("BorgRepository", name, SSH)
    body = {"repository": SSH["ssh"]["url"], "archive": "x", "destination": "data"}
    for name in ("one", "two"):
        number = derive_id("BorgRepository", "team", name)
        assert send(world, "POST", "/api/restore/start", {**body, "repository_id": number}).status_code == 200
    made = [
        spec["spec"]["repositoryRef"]["name"]
        for (kind, _), spec in world.cluster.objects.items()
        if kind == "BorgRestore"
    ]
    assert made == ["one", "two"]


@pytest.mark.parametrize("tag", ['W/"uid-run-a94e"', "", '"a94e"'], ids=["weak", "none", "foreign"])
def test_what_cannot_be_compared_is_not_said_to_be_deleted(world: World, tag: str) -> None:
    world.cluster.add("BorgRun", "run", {"scheduleRef": {"name": "db"}})
    refused = send(world, "POST", "/api/backup/cancel/run", If_Match=tag)
    assert (refused.status_code, "no weak one" in refused.json()["detail"]) == (412, True)


@pytest.mark.parametrize(("method", "path"), [("PUT", PATH), ("POST", "/api/schedule/")])
def test_a_schedule_that_waits_for_its_source_is_refused_in_words(world: World, method: str, path: str) -> None:
    before = world.cluster.objects["BorgSchedule", "db"]["spec"]
    form = {"name": "new", "repository": "main", "cron_expression": None, "availability_check_interval_minutes": 30}
    answer = send(world, method, path, {**form, "schedule_mode": "availability"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/schedule_mode"), answer.text
    assert "waits for no source" in answer.json()["detail"]
    assert world.cluster.objects["BorgSchedule", "db"]["spec"] == before
    for mode in ("cron", None):
        taken = {**form, "name": f"by {mode}", "schedule_mode": mode, "cron_expression": "0 3 * * *"}
        assert send(world, method, path, taken).status_code == 200

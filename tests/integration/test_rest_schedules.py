"""Schedules over REST, field by field: what is taken, what is refused and how, what an edit changes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from integration.test_rest_kubectl import LOOKS
from support.cluster import Kubectl
from support.rest import Rest, problem
from support.waiting import wait_for

SECRET = {"secretKeyRef": {"name": "nas", "key": "token"}}
LONG = "x" * 254


@pytest.fixture(scope="module")
def ids(rest: Rest) -> dict[str, int]:
    """Give the ids of repositories and scripts by name."""
    repositories = rest.get("/api/repositories/")["repositories"]
    return {item["name"]: item["id"] for item in [*repositories, *rest.get("/api/scripts")]}


def new(**fields: Any) -> dict[str, Any]:
    return {"name": "refused", "cron_expression": "0 2 * * *", "repository": "main", **fields}


REFUSED: dict[str, tuple[Any, int, str]] = {
    "no name": ({"cron_expression": "0 2 * * *", "repository": "main"}, 422, "/name: Field required"),
    "no expression": ({"name": "x", "repository": "main"}, 422, "/cron_expression: Field required"),
    "no target": ({"name": "x", "cron_expression": "0 2 * * *"}, 400, "at least one repository"),
    "no target but an empty list": (new(repository=None, repository_ids=[]), 400, "at least one repository"),
    "a blank name": (new(name="  "), 400, "/name: String should have at least 1 character"),
    "an empty name": (new(name=""), 400, "/name"),
    "a name of two lines": (new(name="a\nb"), 400, "one line"),
    "a name that is too long": (new(name=LONG), 400, "/name"),
    "a name that is a number": (new(name=7), 422, "/name"),
    "a name that is null": (new(name=None), 422, "/name"),
    "six fields": (new(cron_expression="0 0 2 * * *"), 400, "exactly minute"),
    "weekday 7": (new(cron_expression="0 2 * * 7"), 400, "Sunday is 0, not 7"),
    "H beyond the hour": (new(cron_expression="H(0-99) 2 * * *"), 400, "range within 0 to 59"),
    "a random minute": (new(cron_expression="R 2 * * *"), 400, 'write "H"'),
    "the last day": (new(cron_expression="0 2 L * *"), 400, '"L"'),
    "an expression that is a number": (new(cron_expression=2), 422, "/cron_expression"),
    "a zone within the expression": (new(cron_expression="TZ=Europe/Berlin 0 2 * * *"), 400, "time zone"),
    "an unknown zone": (new(timezone="Europe/Berlln"), 400, "write Europe/Berlin"),
    "a zone that depends on the machine": (new(timezone="Local"), 400, "depends on the machine"),
    "an unknown placeholder": (new(archive_name_template="{jobname}-{now}"), 400, "known are {job_name}"),
    "a slash in the template": (new(archive_name_template="{job_name}/{now}"), 400, "slash"),
    "prune without a prefix of its own": (
        new(archive_name_template="{now}", run_prune_after=True),
        400,
        "needs {job_name} when prune is enabled",
    ),
    "prune that keeps nothing": (
        new(
            run_prune_after=True,
            prune_keep_daily=0,
            prune_keep_weekly=0,
            prune_keep_monthly=0,
            prune_keep_yearly=0,
        ),
        400,
        "delete every archive",
    ),
    "a negative number to keep": (new(prune_keep_daily=-1), 400, "/prune_keep_daily"),
    "half an archive to keep": (new(prune_keep_daily=0.5), 422, "/prune_keep_daily"),
    "a number to keep as text": (new(prune_keep_daily="7"), 422, "/prune_keep_daily"),
    "no interval": (new(prune_keep_within="7 days"), 400, "7d"),
    "enabled by a word": (new(enabled="yes"), 422, "/enabled"),
    "an unknown repository": (new(repository="elsewhere"), 404, 'no repository "elsewhere"'),
    "an unknown repository's id": (new(repository_ids=[12345]), 404, "no repository with the id 12345"),
    "ids that are texts": (new(repository_ids=["1"]), 422, "/repository_ids/0"),
    "an id out of range": (new(repository_id=2**60), 400, "/repository_id"),
    "an unknown script": (new(pre_backup_script_id=12345), 404, "no script with the id 12345"),
    "a list": ([], 422, ""),
    "a text": ("schedule", 422, ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_schedule_that_cannot_be_is_refused_with_words_that_help(rest: Rest, case: str) -> None:
    body, status, words = REFUSED[case]
    assert words in problem(rest("POST", "/api/schedule/", body), status)
    assert "refused" not in [job["name"] for job in rest.get("/api/schedule/")["jobs"]]


POINTERS: dict[str, tuple[Any, int, str]] = {
    "a parameter that is a number": ({"HOST": 5}, 422, "/pre_backup_script_parameters/HOST"),
    "a parameter that is too long": ({"HOST": "x" * 5000}, 400, "/pre_backup_script_parameters/HOST"),
    "a Secret that cannot be": (
        {"TOKEN": {"secretKeyRef": {"name": "No!", "key": "k"}}},
        400,
        "/pre_backup_script_parameters/TOKEN/secretKeyRef/name",
    ),
    "a Secret without a key": (
        {"a/b~c": {"secretKeyRef": {"name": "nas"}}},
        422,
        "/pre_backup_script_parameters/a~1b~0c/secretKeyRef/key",
    ),
}


@pytest.mark.parametrize("case", POINTERS)
def test_a_fault_deep_in_the_body_is_pointed_at(rest: Rest, case: str) -> None:
    parameters, status, pointer = POINTERS[case]
    answer = rest("POST", "/api/schedule/", new(pre_backup_script_parameters=parameters))
    problem(answer, status)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_scripts_need_their_parameters_and_passwords_stay_in_secrets(rest: Rest, ids: dict[str, int]) -> None:
    def create(parameters: Any) -> Any:
        fields = {"pre_backup_script_id": ids["wake"], "pre_backup_script_parameters": parameters}
        return rest("POST", "/api/schedule/", new(name="scripted", **fields))

    assert 'needs parameter "HOST"' in problem(create({}), 400)
    assert "valueFrom.secretKeyRef" in problem(create({"HOST": "nas", "TOKEN": "hunter2"}), 400)
    given = {"HOST": 'a "b" $(c)\nd', "TOKEN": SECRET}
    job = create(given).json()["job"]
    assert job["pre_backup_script_parameters"] == given
    assert job["pre_backup_script_id"] == ids["wake"]
    assert job["post_backup_script_parameters"] is None

    # What a form sends back unchanged changes nothing, and a parameter of another script is dropped.
    sent = {**given, "PORT": "of another script"}
    again = rest.send("PUT", f"/api/schedule/{job['id']}", {"pre_backup_script_parameters": sent})["job"]
    assert again == job
    gone = rest.send(
        "PUT", f"/api/schedule/{job['id']}", {"pre_backup_script_id": None, "pre_backup_script_parameters": {}}
    )
    assert gone["job"]["pre_backup_script_id"] is None
    assert gone["job"]["pre_backup_script_parameters"] is None


def test_targets_are_taken_in_the_order_path_id_ids_each_once(rest: Rest, ids: dict[str, int]) -> None:
    one = rest.create("one target", repository=None, repository_ids=[ids["offsite"], ids["offsite"]])
    assert one["repository"] == "/repositories/offsite"
    assert one["repository_id"] == ids["offsite"]
    assert one["repository_ids"] == [ids["offsite"]]
    two = rest.create("two targets", repository="/repositories/offsite", repository_ids=[ids["main"], ids["offsite"]])
    assert two["repository_ids"] == [ids["offsite"], ids["main"]]
    assert two["repository"] is None
    assert two["repository_id"] is None
    back = rest.send("PUT", f"/api/schedule/{two['id']}", {"repository_id": ids["main"]})["job"]
    assert back["repository_ids"] == [ids["main"]]


def test_an_edit_changes_what_is_sent_and_nothing_else(rest: Rest) -> None:
    job = rest.create("edited", description="before", prune_keep_within="7d", run_prune_after=True, prune_keep_daily=3)
    path = f"/api/schedule/{job['id']}"

    def edit(**fields: Any) -> dict[str, Any]:
        edited: dict[str, Any] = rest.send("PUT", path, fields)["job"]
        return edited

    assert edit() == job
    assert edit(unknown_key=1) == job
    changed = edit(description="after")
    assert {key for key in job if job[key] != changed[key]} <= {"description", "updated_at"}
    # null clears what is optional ...
    cleared = edit(description=None, prune_keep_within=None, archive_name_template=None, timezone=None)
    assert cleared["description"] is None
    assert cleared["prune_keep_within"] is None
    assert cleared["archive_name_template"] == "{job_name}-{now}"
    assert cleared["timezone"] == "UTC"
    # ... and leaves what is not.
    kept = edit(
        name=None, cron_expression=None, enabled=None, repository_ids=None, prune_keep_daily=None, run_prune_after=None
    )
    assert kept == cleared
    renamed = edit(name="  edited and renamed ")
    assert renamed["name"] == "edited and renamed"
    assert renamed["id"] == job["id"]
    assert rest.job(job["id"]) == renamed


def test_a_name_is_taken_once_and_free_again_after_a_rename(rest: Rest) -> None:
    first = rest.create("Twice")
    assert '"Twice" exists already' in problem(rest("POST", "/api/schedule/", new(name=" Twice ")), 400)
    rest.create("twice")  # names are case-sensitive, resource names are not: it gets a number
    assert '"Twice" exists already' in problem(rest("PUT", "/api/schedule/twice-2", {"name": "Twice"}), 400)
    rest.send("PUT", f"/api/schedule/{first['id']}", {"name": "No longer"})
    rest.create("Twice")
    assert len({rest.job(name)["id"] for name in ("twice", "twice-2", "twice-3")}) == 3


def test_blanks_around_a_name_do_not_count(rest: Rest) -> None:
    long = "n" * 253
    assert rest.create(f"  {long}\t ")["name"] == long


def test_paths_take_ids_and_names_with_and_without_a_slash_at_the_end(rest: Rest) -> None:
    job = rest.create("by any name")
    for path in (job["id"], "by-any-name", f"{job['id']}/", "by-any-name/"):
        assert rest.job(path)["id"] == job["id"]
    for path in ("/api/schedule", "/api/schedule/", "/api/repositories", "/api/scripts/", "/api/backup/jobs/"):
        assert rest("GET", path).status_code == 200
    assert rest.send("POST", f"/api/schedule/{job['id']}/toggle/")["enabled"] is False


def test_a_deleted_schedule_is_gone_at_once_and_for_good(rest: Rest) -> None:
    job = rest.create("to be deleted")
    path = f"/api/schedule/{job['id']}"
    rest.send("DELETE", path)
    for response in (rest("DELETE", path), rest("GET", path), rest("PUT", path, {}), rest("POST", path + "/toggle")):
        assert "There is no schedule" in problem(response, 404)
    assert job["id"] not in [item["id"] for item in rest.get("/api/schedule/")["jobs"]]


def test_copies_are_numbered_disabled_and_complete(rest: Rest, kubectl: Kubectl, ids: dict[str, int]) -> None:
    hook = {"pre_backup_script_id": ids["wake"], "pre_backup_script_parameters": {"HOST": "nas", "TOKEN": SECRET}}
    job = rest.create("Original", run_prune_after=True, prune_keep_daily=2, description="to be patched", **hook)
    # What only kubectl can say is a setting, too. The description tells when every replica has seen the patch.
    job_spec = {"runAsUser": 1234, "labels": {"team": "a"}}
    patch = json.dumps({"spec": {"job": job_spec, "compact": {"threshold": 20}, "description": "all of it"}})
    kubectl("-n", rest.namespace, "patch", "bsched", "original", "--type", "merge", "-p", patch)
    looks, _ = wait_for(
        lambda: [rest.job(job["id"]) for _ in range(LOOKS)],
        lambda seen: all(item["description"] == "all of it" for item in seen),
        60,
        "the patch over REST",
    )
    job = looks[-1]
    path = f"/api/schedule/{job['id']}/duplicate"
    copies = [rest.send("POST", path)["job"] for _ in range(3)]

    assert [copy["name"] for copy in copies] == ["Copy of Original", "Copy of Original (2)", "Copy of Original (3)"]
    assert not any(copy["enabled"] for copy in copies)
    own = {"id", "name", "enabled", "next_run", "created_at", "updated_at"}
    assert {k: v for k, v in copies[0].items() if k not in own} == {k: v for k, v in job.items() if k not in own}
    specs = [kubectl.get("-n", rest.namespace, "bsched", name)["spec"] for name in ("original", "copy-of-original-2")]
    assert specs[1] == {**specs[0], "title": "Copy of Original (2)", "suspend": True}


def test_etags_tell_what_is_known_and_guard_what_is_edited(rest: Rest) -> None:
    job = rest.create("tagged")
    path = f"/api/schedule/{job['id']}"
    for where in (path, "/api/schedule/"):
        etag = rest("GET", where).headers["ETag"]
        unchanged = rest("GET", where, headers={"If-None-Match": f'"other", {etag}'})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
    first = rest("GET", path).headers["ETag"]
    edited = rest("PUT", path, {"description": "by another"}, headers={"If-Match": first})
    assert edited.status_code == 200
    assert edited.headers["ETag"] != first
    late = rest("PUT", path, {"description": "mine"}, headers={"If-Match": first})
    assert "changed since you read it" in problem(late, 412)
    problem(rest("DELETE", path, headers={"If-Match": first}), 412)
    assert rest.job(job["id"])["description"] == "by another"
    assert rest("DELETE", path, headers={"If-Match": edited.headers["ETag"]}).status_code == 200


def test_a_list_comes_in_pages_or_whole_oldest_first(rest: Rest) -> None:
    for number in range(5):
        rest.create(f"page {number}")
    whole = rest.get("/api/schedule/")
    assert whole.keys() == {"success", "jobs"}
    created = [job["created_at"] for job in whole["jobs"]]
    assert created == sorted(created)
    paged: list[Any] = []
    token = None
    while True:
        page = rest.get("/api/schedule/", params={"limit": 2, **({"continue": token} if token else {})})
        paged += page["jobs"]
        token = page["continue"]
        if token is None:
            break
        assert len(page["jobs"]) == 2
    assert paged == whole["jobs"]
    assert "leave it out" in problem(rest("GET", "/api/schedule/", params={"continue": "no token"}), 400)
    problem(rest("GET", "/api/schedule/", params={"limit": 0}), 400)
    problem(rest("GET", "/api/schedule/", params={"limit": "two"}), 422)


def test_upcoming_jobs_show_each_schedule_once_or_every_occurrence(rest: Rest) -> None:
    # Half an hour away from now, and so from the end of the day: none passes or comes in sight between two pages.
    minute = (datetime.now(UTC).minute + 30) % 60
    rest.create("eight a day", cron_expression=f"{minute} */3 * * *")
    rest.create("never in sight", cron_expression="0 0 29 2 *")
    rest.create("resting", cron_expression="* * * * *", enabled=False)
    upcoming = rest.get("/api/schedule/upcoming-jobs", params={"hours": 24})
    names = [job["name"] for job in upcoming["upcoming_jobs"]]
    times = [job["next_run"] for job in upcoming["upcoming_jobs"]]
    assert upcoming["hours_ahead"] == 24
    assert names.count("eight a day") == 1
    assert times == sorted(times)
    assert not {"never in sight", "resting"} & set(names)

    paged: list[str] = []
    token = None
    while True:
        query = {"hours": 24, "limit": 1, **({"continue": token} if token else {})}
        page = rest.get("/api/schedule/upcoming-jobs", params=query)
        paged += [job["name"] for job in page["upcoming_jobs"]]
        token = page["continue"]
        if token is None:
            break
    assert paged == names

    seen: list[str] = []
    token = None
    while True:
        query = {"hours": 24, "all": "true", "limit": 3, **({"continue": token} if token else {})}
        page = rest.get("/api/schedule/upcoming-jobs", params=query)
        seen += [job["next_run"] for job in page["upcoming_jobs"] if job["name"] == "eight a day"]
        token = page["continue"]
        if token is None:
            break
    assert len(seen) == 8
    assert len(set(seen)) == 8
    assert seen == sorted(seen)
    for hours in (0, 8785):
        problem(rest("GET", "/api/schedule/upcoming-jobs", params={"hours": hours}), 400)


def test_expressions_are_described_previewed_and_warned_of(rest: Rest) -> None:
    def validate(**body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = rest.send("POST", "/api/schedule/validate-cron", body)
        return answer

    night = validate(minute="30", hour="2", timezone="Europe/Berlin")
    assert night["description"] == "At 02:30 AM"
    assert len(night["next_runs"]) == 10
    assert any("is skipped" in warning for warning in night["warnings"])
    assert any("happens twice" in warning for warning in night["warnings"])
    assert validate(cron_expression="@daily")["description"] == "At 12:00 AM"
    never = validate(cron_expression="0 0 31 2 *")
    assert never["next_runs"] == []
    assert "never runs" in never["warnings"][0]
    refused = validate(cron_expression="0 2 * * 7")
    assert refused.keys() == {"success", "error", "cron_expression"}
    assert not refused["success"]
    assert not validate(timezone="Mars/Olympus")["success"]


def test_bad_requests_of_every_kind_are_problems(rest: Rest) -> None:
    job = rest.create("asked badly")
    path = f"/api/schedule/{job['id']}"
    assert "64 KiB" in problem(rest("PUT", path, {"description": "x" * 70_000}), 413)
    chunks = (b"x" * 1000 for _ in range(70))
    problem(rest("PUT", path, content=chunks, headers={"Content-Type": "application/json"}), 413)
    problem(rest("PUT", path, content=b"{", headers={"Content-Type": "application/json"}), 422)
    problem(rest("PUT", path, content=b"[" * 20_000, headers={"Content-Type": "application/json"}), 400)
    problem(rest("PUT", path, content=b"a=1", headers={"Content-Type": "application/x-www-form-urlencoded"}), 415)
    problem(rest("PUT", path, content=b"\xff", headers={"Content-Type": "application/json"}), 400)
    allowed = rest("PATCH", path, {})
    problem(allowed, 405)
    assert allowed.headers["Allow"]
    problem(rest("GET", "/api/nowhere"), 404)
    problem(rest("GET", "/api/schedule/0"), 404)
    problem(rest("GET", "/api/schedule/" + "9" * 200), 404)
    problem(rest("GET", path, params={"namespace": "../kube-system"}), 400)

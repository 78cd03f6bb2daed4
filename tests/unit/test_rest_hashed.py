"""`H` over REST: shown as written and as it is; what is asked of a name that is not there yet is what it will get."""

import asyncio
from typing import Any

import pytest

from borg_core.clock.hashed import resolve
from support.rest_world import World

MAIN = {
    "local": {"volume": {"persistentVolumeClaim": {"claimName": "repo-main"}}},
    "encryption": {"mode": "none"},
    "sources": [{"name": "data", "volume": {"persistentVolumeClaim": {"claimName": "data"}}}],
}
NIGHTLY = {
    "title": "Every Night",
    "schedule": "H H * * *",
    "timeZone": "UTC",
    "repositoryRefs": [{"name": "main"}],
    "suspend": False,
}
PLAIN = resolve("H H * * *", "team", "db")


@pytest.fixture
def world() -> World:
    world = World()
    world.cluster.add("BorgRepository", "main", MAIN)
    world.cluster.add("BorgSchedule", "db", NIGHTLY)
    return world


def send(world: World, method: str, path: str, body: Any = None) -> Any:
    return asyncio.run(world(method, path, body, {})).json()


def test_a_schedule_shows_what_is_written_and_what_its_cron_job_gets(world: World) -> None:
    (listed,) = send(world, "GET", "/api/schedule/")["jobs"]
    shown = send(world, "GET", "/api/schedule/db")["job"]
    (upcoming,) = send(world, "GET", "/api/schedule/upcoming-jobs?hours=24")["upcoming_jobs"]
    for job in (listed, shown, upcoming):
        assert (job["cron_expression"], job["effective_cron_expression"]) == ("H H * * *", PLAIN)
    minute, hour = map(int, PLAIN.split()[:2])
    assert shown["next_run"] == upcoming["next_run"] == shown["next_runs"][0]
    assert shown["next_run"].endswith(f"T{hour:02}:{minute:02}:00Z")


def test_an_expression_without_h_is_what_the_cron_job_gets(world: World) -> None:
    job = send(world, "PUT", "/api/schedule/db", {"cron_expression": "0 2 * * *"})["job"]
    assert (job["cron_expression"], job["effective_cron_expression"]) == ("0 2 * * *", "0 2 * * *")


def test_a_rename_keeps_the_time(world: World) -> None:
    job = send(world, "PUT", "/api/schedule/db", {"name": "Another Title"})["job"]
    assert (job["name"], job["effective_cron_expression"]) == ("Another Title", PLAIN)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"name": "db"}, "db"),
        ({"name": "Every Night"}, "db"),
        ({"name": "Weekly Backup"}, "weekly-backup"),
        ({}, "schedule"),
    ],
)
def test_validate_cron_says_for_which_schedule_it_answers(world: World, asked: dict[str, str], name: str) -> None:
    answer = send(world, "POST", "/api/schedule/validate-cron", {"cron_expression": "H H * * *", **asked})
    assert answer["success"]
    assert answer["schedule_name"] == name
    assert answer["effective_cron_expression"] == resolve("H H * * *", "team", name)


def test_validate_cron_names_no_schedule_where_it_does_not_matter(world: World) -> None:
    answer = send(world, "POST", "/api/schedule/validate-cron", {"minute": "5", "hour": "2"})
    assert "schedule_name" not in answer
    assert answer["effective_cron_expression"] == "5 2 * * *"


def test_a_new_schedule_gets_what_validate_cron_foretold(world: World) -> None:
    foretold = send(world, "POST", "/api/schedule/validate-cron", {"minute": "H", "hour": "H(1-5)", "name": "Weekly"})
    body = {"name": "Weekly", "cron_expression": "H H(1-5) * * *", "repository": "main"}
    made = send(world, "POST", "/api/schedule/", body)["job"]
    assert made["effective_cron_expression"] == foretold["effective_cron_expression"]


@pytest.mark.parametrize("expression", ["H(0-99) 2 * * *", "H5 2 * * *", "R 2 * * *", "H 2 * * 7", "H @daily"])
def test_what_is_no_form_of_h_is_refused(world: World, expression: str) -> None:
    answer = send(world, "PUT", "/api/schedule/db", {"cron_expression": expression})
    assert (answer["status"], answer["errors"][0]["pointer"]) == (400, "/cron_expression")
    assert not send(world, "POST", "/api/schedule/validate-cron", {"cron_expression": expression})["success"]


def test_times_that_never_come_are_refused_unless_the_name_may_choose_others(world: World) -> None:
    answer = send(world, "PUT", "/api/schedule/db", {"cron_expression": "0 0 30 2 *"})
    assert (answer["status"], answer["errors"][0]["pointer"]) == (400, "/cron_expression")
    assert answer["detail"].startswith('"0 0 30 2 *" never runs: ')
    answer = send(world, "PUT", "/api/schedule/db", {"cron_expression": "H H 30 2 *"})
    assert (answer["status"], answer["errors"][0]["pointer"]) == (400, "/cron_expression")
    new = {"name": "Never", "cron_expression": "0 0 31 4,6 *", "repository": "main"}
    assert send(world, "POST", "/api/schedule/", new)["status"] == 400
    for expression in ("0 0 29 2 *", "0 0 31 H *"):
        job = send(world, "PUT", "/api/schedule/db", {"cron_expression": expression})["job"]
        assert job["cron_expression"] == expression

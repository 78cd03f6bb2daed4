"""The OpenAPI document tells the truth: what is rendered has exactly the fields that it promises."""

from typing import Any
from urllib.parse import urljoin

import orjson
import pytest
from pydantic import TypeAdapter

from borg_api.app import create_app
from borg_api.configuration import Configuration, ConfigurationError, read_configuration
from borg_api.edge.bodies import render
from borg_api.picture.picture import Picture
from borg_api.picture.records import ScheduleRecord, parse_run
from borg_api.picture.timetable import Timetable
from borg_api.resources.cron.response import PRESETS, Preview, render_preview
from borg_api.resources.repositories.response import Repository, render_repositories
from borg_api.resources.runs.response import Run, render_run
from borg_api.resources.schedules.listing import Listing
from borg_api.resources.schedules.response import Job, JobDetail, UpcomingJob, render_job, render_upcoming
from borg_api.resources.scripts.response import Script, render_script
from borg_cluster.client import ApiServer
from support import builders

RECORD = ScheduleRecord(builders.schedule(), "2026-03-01T00:00:00Z")
_RUN = builders.run(
    "db-1",
    {
        "phase": "Failed",
        "trigger": "Scheduled",
        "repositories": [{"name": "main", "phase": "Failed", "reason": "Locked", "error": "locked", "warnings": ["a"]}],
    },
)
RUN = _RUN.model_dump(by_alias=True, exclude_none=True, mode="json")
_NOBODY: Any = None  # the picture is never kept up to date
VIEW = Picture(ApiServer(_NOBODY), ()).view(builders.NAMESPACE)
LISTING = Listing(Timetable())
JOB = render_job(RECORD, VIEW, builders.NOW)
SCRIPT = builders.script("wake", parameters=({"name": "HOST", "required": True},))
SECRET = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "nas", "key": "token"}}}
HOOKS = {"preBackup": {"scriptRef": {"name": "wake"}, "parameters": [{"name": "HOST", "value": "nas"}, SECRET]}}
SCHEDULES = {"main": LISTING.render(VIEW, RECORD, builders.NOW)}
REPOSITORIES = render_repositories([builders.local_repository(), builders.ssh_repository()], SCHEDULES)
RENDERED: list[tuple[Any, Any]] = [
    (Job, JOB),
    (Job, render_job(ScheduleRecord(builders.schedule(hooks=HOOKS), "2026-03-01T00:00:00Z"), VIEW, None)),
    (JobDetail, orjson.loads(render(LISTING.detail(VIEW, RECORD, builders.NOW).job))),
    (UpcomingJob, render_upcoming(JOB, builders.NOW)),
    (Run, render_run(parse_run(RUN), VIEW)),
    *((Repository, repository) for repository in REPOSITORIES),
    (Script, render_script(SCRIPT)),
    (Preview, render_preview("0 2 * * *", "Europe/Berlin", ("team", "nightly"), builders.NOW)),
    (Preview, render_preview("0 2 * * 7", "Europe/Berlin", ("team", "nightly"), builders.NOW)),
]


@pytest.mark.parametrize(("described", "rendered"), RENDERED, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_rendered_has_the_promised_fields_and_no_others(described: Any, rendered: Any) -> None:
    TypeAdapter(described).validate_python(rendered, strict=True)
    assert described.__required_keys__ <= rendered.keys()


def test_every_operation_has_a_description_and_tells_of_its_errors() -> None:
    document = create_app(Configuration("default")).openapi()
    operations = {
        (path, method): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith("/api/")
    }
    assert len(operations) == 46
    for operation in operations.values():
        assert operation["description"]
        assert {"200", "400", "401", "403", "503"} <= operation["responses"].keys()
        assert operation["security"] == [{"token": []}]
        assert "namespace" in [parameter["name"] for parameter in operation["parameters"]]
    bodies = [operation["requestBody"] for operation in operations.values() if "requestBody" in operation]
    names = {body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for body in bodies}
    assert all(document["components"]["schemas"][name].get("examples") for name in names)


def test_paths_are_below_the_place_of_the_document() -> None:
    document = create_app(Configuration("default")).openapi()
    for place in ("https://backups.example/", "https://tools.example/borg/"):
        assert [urljoin(f"{place}openapi.json", server["url"]) for server in document["servers"]] == [place]


@pytest.mark.parametrize(
    ("status", "has_logs"),
    [
        ({}, False),
        ({"phase": "Pending", "jobUid": "uid", "startTime": "2026-03-01T00:00:00Z"}, False),
        ({"phase": "Running", "jobUid": "uid", "startTime": "2026-03-01T00:00:00Z"}, True),
        ({"phase": "Failed", "jobUid": "uid", "startTime": "2026-03-01T00:00:00Z"}, True),
        ({"phase": "Cancelled", "jobUid": "uid"}, False),
    ],
    ids=["asked for", "waits for its pod", "runs", "ended", "never began"],
)
def test_a_run_has_a_log_once_its_container_began(status: dict[str, Any], has_logs: bool) -> None:
    run = builders.run("now", status).model_dump(by_alias=True, exclude_none=True, mode="json")
    assert render_run(parse_run(run), VIEW)["has_logs"] is has_logs


def test_presets_are_expressions_that_a_cron_job_takes() -> None:
    expressions = [preset["expression"] for preset in PRESETS["presets"]]
    assert all(
        render_preview(expression, "UTC", ("team", "nightly"), builders.NOW)["success"] for expression in expressions
    )


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"BORG_API_PORT": "0"}, "BORG_API_PORT"),
        ({"BORG_API_PORT": "http"}, "a number from 1 to 65535"),
        ({"BORG_API_PEERS": "facade:5000"}, "needs BORG_API_OWN_ADDRESS"),
        ({"BORG_API_NAMESPACES": "a,b", "BORG_API_DEFAULT_NAMESPACE": "c"}, "one of those served, a, b"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read_configuration(environment)


def test_the_default_namespace_is_the_first_of_those_served() -> None:
    assert read_configuration({"BORG_API_NAMESPACES": "team-a, team-b"}).default_namespace == "team-a"
    assert read_configuration({}).default_namespace == "default"

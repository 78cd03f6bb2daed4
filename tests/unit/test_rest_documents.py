"""The OpenAPI document tells the truth: what is rendered has exactly the fields that it promises."""

from typing import Any

import pytest
from pydantic import BaseModel

from borg_api import schema
from borg_api.app import create_app
from borg_api.choices import render_repositories, render_script
from borg_api.configuration import Configuration, ConfigurationError, read_configuration
from borg_api.cron_expressions import PRESETS, preview
from borg_api.mirror import Mirror, Shelf
from borg_api.records import ScheduleRecord, parse_run
from borg_api.run.answers import render_run
from borg_api.schedule.answers import render_job, render_upcoming
from borg_api.schedule.listing import Listing
from borg_cluster.api_server import ApiServer
from support import builders

RECORD = ScheduleRecord(builders.schedule(), "2026-03-01T00:00:00Z")
_RUN = builders.run(
    "db-1",
    {
        "phase": "Failed",
        "trigger": "Scheduled",
        "repositories": [{"name": "main", "phase": "Failed", "error": "locked", "warnings": ["a"], "files": 3}],
    },
)
RUN = _RUN.model_dump(by_alias=True, exclude_none=True, mode="json")
JOB = render_job(RECORD, Shelf(), builders.NOW)
SCRIPT = builders.script("wake", parameters=({"name": "HOST", "required": True},))
_NOBODY: Any = None  # the mirror is never started
LISTING = Listing(Mirror(ApiServer(_NOBODY), ()))
REPOSITORIES = render_repositories(
    Shelf(), builders.NAMESPACE, [builders.local_repository(), builders.ssh_repository()], LISTING, builders.NOW
)
RENDERED: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (schema.Job, JOB),
    (schema.UpcomingJob, {**render_upcoming(JOB), "next_run": "2026-03-02T02:00:00Z"}),
    (schema.Run, render_run(parse_run(RUN), Shelf())),
    (
        schema.Repository,
        render_repositories(Shelf(), builders.NAMESPACE, [builders.local_repository()], LISTING, builders.NOW)[0],
    ),
    (
        schema.Repository,
        render_repositories(Shelf(), builders.NAMESPACE, [builders.ssh_repository()], LISTING, builders.NOW)[0],
    ),
    (schema.Script, render_script(SCRIPT)),
    (schema.Preview, preview("0 2 * * *", "Europe/Berlin", builders.NOW)),
    (schema.Preview, preview("0 2 * * 7", "Europe/Berlin", builders.NOW)),
]


@pytest.mark.parametrize(("model", "rendered"), RENDERED, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_rendered_has_the_promised_fields_and_no_others(
    model: type[BaseModel], rendered: dict[str, Any]
) -> None:
    model.model_validate(rendered, strict=True)
    required = {field.alias or name for name, field in model.model_fields.items() if field.is_required()}
    assert required <= rendered.keys()


def test_every_operation_has_a_description_and_tells_of_its_errors() -> None:
    document = create_app(Configuration("default")).openapi()
    operations = {
        (path, method): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith("/api/")
    }
    assert len(operations) == 18
    for operation in operations.values():
        assert operation["description"]
        assert {"200", "400", "401", "403", "503"} <= operation["responses"].keys()
        assert operation["security"] == [{"token": []}]
        assert "namespace" in [parameter["name"] for parameter in operation["parameters"]]
    bodies = [operation["requestBody"] for operation in operations.values() if "requestBody" in operation]
    names = {body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for body in bodies}
    assert all(document["components"]["schemas"][name].get("examples") for name in names)


def test_presets_are_expressions_that_a_cron_job_takes() -> None:
    assert all(preview(expression, "UTC", builders.NOW)["success"] for _, expression, _ in PRESETS)


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

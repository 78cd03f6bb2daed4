"""Lists and what is upcoming, rendered once and as often as something changed, and never older than the clock."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from borg_api.edge.bodies import render
from borg_api.edge.errors import HttpError
from borg_api.picture.picture import Picture, View
from borg_api.picture.timetable import Timetable
from borg_api.resources.schedules import upcoming
from borg_api.resources.schedules.listing import Listing, Page
from borg_cluster.client import ApiServer
from support import builders

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TEAM = builders.NAMESPACE
NONE = upcoming.decode_place(None, NOW)


class Scene:
    """A picture that is fed by hand."""

    def __init__(self) -> None:
        nobody: Any = None  # the picture is never kept up to date
        self.picture = Picture(ApiServer(nobody), ())
        self.timetable = Timetable()
        self.listing = Listing(self.timetable)
        self.version = 0

    @property
    def view(self) -> View:
        return self.picture.view(TEAM)

    def put(self, name: str, schedule: str = "0 2 * * *", status: Any = None, **spec: Any) -> None:
        self.version += 1
        made = builders.schedule(name, schedule=schedule, **spec).model_dump(
            by_alias=True, exclude_none=True, mode="json"
        )
        made["metadata"]["resourceVersion"] = str(self.version)
        self.view.schedules.index.put({**made, "status": status or {}})

    def page(self, now: datetime = NOW) -> Page:
        return asyncio.run(self.listing.page(self.view, now))

    def jobs(self, now: datetime = NOW) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = orjson.loads(self.page(now).body)["jobs"]
        return found


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_unchanged_list_is_the_very_same_bytes(scene: Scene) -> None:
    scene.put("a")
    assert scene.page() is scene.page(NOW + timedelta(hours=1))


def test_a_change_renders_what_changed_and_nothing_else(scene: Scene) -> None:
    scene.put("a")
    scene.put("b")
    before = {item.record.name: item for item in scene.page().soonest}
    scene.put("b", title="another")
    after = {item.record.name: item for item in scene.page().soonest}
    assert after["a"] is before["a"]
    assert after["b"] is not before["b"]
    assert [job["name"] for job in scene.jobs()] == ["a", "another"]


def _condition(type_: str, status: str, reason: str, message: str) -> dict[str, str]:
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": ""}


READY = _condition("Ready", "True", "Scheduled", "It fires at 2.")
NO_CLAIM = 'No claim "app-data" in namespace "team".'
NOT_READY = _condition("Ready", "False", "ClaimNotFound", NO_CLAIM)
STALLED = _condition("Stalled", "True", "ClaimNotFound", NO_CLAIM)
FAILED = _condition("LastRunSucceeded", "False", "RunFailed", 'BorgRun "a-1" failed.')
LEFT_OUT = _condition("ClaimsSelected", "False", "ClaimsLeftOut", "2 claims are left out.")
ACTIVE = _condition("Suspended", "False", "Active", "it runs by its schedule")


@pytest.mark.parametrize(
    ("conditions", "notices"),
    [
        ([], []),
        ([READY, ACTIVE, {**FAILED, "status": "Unknown"}], []),
        ([NOT_READY, STALLED, ACTIVE], [NO_CLAIM]),
        ([FAILED, LEFT_OUT, NOT_READY], [NO_CLAIM, "2 claims are left out.", 'BorgRun "a-1" failed.']),
        ([NOT_READY, {**LEFT_OUT, "message": NO_CLAIM}], [NO_CLAIM]),
    ],
    ids=["not seen yet", "well", "not ready", "all of it", "the same twice"],
)
def test_what_needs_somebody_about_a_schedule_is_among_its_notices(
    scene: Scene, conditions: list[Any], notices: list[str]
) -> None:
    scene.put("a", status={"conditions": conditions})
    [listed] = scene.jobs()
    [record] = scene.view.schedules.in_order()
    shown = orjson.loads(orjson.dumps(scene.listing.detail(scene.view, record, NOW).job))
    assert listed["notices"] == shown["notices"] == notices


def test_a_next_run_that_has_passed_is_not_shown_again(scene: Scene) -> None:
    scene.put("a")
    assert scene.jobs()[0]["next_run"] == "2026-03-03T02:00:00Z"
    assert scene.jobs(datetime(2026, 3, 3, 1, 59, 59, tzinfo=UTC))[0]["next_run"] == "2026-03-03T02:00:00Z"
    assert scene.jobs(datetime(2026, 3, 3, 2, 0, tzinfo=UTC))[0]["next_run"] == "2026-03-04T02:00:00Z"


OBSERVED = {"observedGeneration": 1}
PROMISED = {**OBSERVED, "nextRunTime": "2026-03-03T02:00:00Z", "effectiveSchedule": "0 2 * * *"}


@pytest.mark.parametrize(
    ("status", "spec", "runs"),
    [
        ({}, {}, ["03T04", "04T04", "05T04", "06T04", "07T04"]),
        ({**PROMISED, "observedGeneration": 7}, {}, ["03T04", "04T04", "05T04", "06T04", "07T04"]),
        (OBSERVED, {}, []),
        ({**OBSERVED, "effectiveSchedule": "0 2 * * *"}, {}, []),
        (OBSERVED, {"suspend": True}, ["03T04", "04T04", "05T04", "06T04", "07T04"]),
        (PROMISED, {}, ["03T02", "04T02", "05T02", "06T02", "07T02"]),
        (PROMISED, {"time_zone": "Asia/Tokyo"}, ["03T02"]),
        ({**PROMISED, "nextRunTime": "2026-03-02T02:00:00Z"}, {}, ["03T02", "04T02", "05T02", "06T02", "07T02"]),
    ],
    ids=[
        "just made",
        "just edited",
        "no CronJob, or one of somebody else",
        "held back",
        "suspended by its owner",
        "edited while its CronJob stays as it was",
        "moved to another zone while its CronJob stays as it was",
        "its tick has just come",
    ],
)
def test_no_run_is_promised_that_the_cron_job_does_not_make(
    scene: Scene, status: dict[str, Any], spec: dict[str, Any], runs: list[str]
) -> None:
    scene.put("a", "0 4 * * *", status, **spec)
    record = scene.view.schedules.index.get(TEAM, "a")
    assert record
    known = orjson.loads(orjson.dumps(scene.listing.detail(scene.view, record, NOW).job))["next_runs"]
    assert [run[8:13] for run in known] == runs
    (job,) = scene.jobs()
    enabled = not spec.get("suspend")
    assert job["next_run"] == (known[0] if known and enabled else None)
    window = upcoming.Window(hours=120, every=True)
    found = asyncio.run(upcoming.find_upcoming(scene.page(), scene.timetable, window, NOW))["upcoming_jobs"]
    assert [item["next_run"][8:13] for item in found] == (runs if enabled else [])


def test_a_repository_that_appears_changes_what_is_shown_of_it(scene: Scene) -> None:
    scene.put("a")
    assert scene.jobs()[0]["repository"] == "main"
    made = builders.local_repository().model_dump(by_alias=True, exclude_none=True, mode="json")
    scene.view.repositories.index.put(made)
    assert scene.jobs()[0]["repository"] == "/repositories/main"


def test_a_value_is_shown_no_longer_once_its_script_says_that_it_is_a_password(scene: Scene) -> None:
    def declare(version: str, parameter_type: str) -> None:
        made = builders.script("wake", parameters=({"name": "TOKEN", "type": parameter_type},))
        body = made.model_dump(by_alias=True, exclude_none=True, mode="json")
        body["metadata"]["resourceVersion"] = version
        scene.view.scripts.index.put(body)

    declare("1", "Text")
    hook = {"scriptRef": {"name": "wake"}, "parameters": [{"name": "TOKEN", "value": "of everybody"}]}
    scene.put("a", hooks={"preBackup": hook})
    assert scene.jobs()[0]["pre_backup_script_parameters"] == {"TOKEN": "of everybody"}
    declare("2", "Password")
    assert scene.jobs()[0]["pre_backup_script_parameters"] == {}
    [rendered] = asyncio.run(scene.listing.rendered(scene.view, NOW))
    assert b"of everybody" not in render(scene.listing.detail(scene.view, rendered.record, NOW).job)


def test_a_schedule_that_is_no_longer_valid_is_shown_without_a_next_run(scene: Scene) -> None:
    scene.put("a", schedule="0 2 * * 7")
    scene.put("b", suspend=True)
    assert [job["next_run"] for job in scene.jobs()] == [None, None]
    assert scene.page().soonest == []


def test_what_is_upcoming_is_sorted_and_ends_with_the_window(scene: Scene) -> None:
    scene.put("night")
    scene.put("quarter", schedule="*/15 * * * *")
    scene.put("spring", schedule="0 0 1 5 *")
    found = [found.job for found in upcoming.find_next(scene.page(), NONE, NOW + timedelta(hours=24))]
    assert [(job["name"], job["next_run"]) for job in found] == [
        ("quarter", "2026-03-02T12:15:00Z"),
        ("night", "2026-03-03T02:00:00Z"),
    ]
    assert list(upcoming.find_next(scene.page(), NONE, NOW + timedelta(minutes=14))) == []


def every(scene: Scene, hours: float, size: int) -> list[tuple[str, str]]:
    """Return every occurrence, read in pages of `size`."""
    page, end = scene.page(), NOW + timedelta(hours=hours)
    seen: list[tuple[str, str]] = []
    token = None
    while True:
        stream = upcoming.find_all(page, scene.timetable, upcoming.decode_place(token, NOW), end)
        shown = [occurrence for occurrence, _ in zip(stream, range(size), strict=False)]
        seen += [(f"{occurrence.run:%H:%M}", occurrence.rendered.record.name) for occurrence in shown]
        if len(shown) < size:
            return seen
        token = upcoming.encode_place(shown[-1])


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_every_occurrence_comes_once_whatever_the_pages(scene: Scene, size: int) -> None:
    scene.put("half", schedule="*/30 * * * *")
    scene.put("twin", schedule="*/30 * * * *")
    scene.put("hour", schedule="0 * * * *")
    # Counted from its last run, of which only its status tells.
    scene.put("forty", schedule="@every 40m", status={"nextRunTime": "2026-03-02T12:10:00Z"})
    found = every(scene, 2, size)
    assert [time for time, _ in found] == sorted(time for time, _ in found)
    assert len(set(found)) == len(found)
    assert {name: [time for time, other in found if other == name] for name in ("twin", "hour", "forty")} == {
        "twin": ["12:30", "13:00", "13:30", "14:00"],
        "hour": ["13:00", "14:00"],
        "forty": ["12:10", "12:50", "13:30"],
    }


@pytest.mark.parametrize("token", ["", "x", "1.2.3", "12345678901234.5", "-1.5"])
def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    with pytest.raises(HttpError) as refused:
        upcoming.decode_place(token, NOW)
    assert refused.value.status == 400


def test_nothing_is_upcoming_that_is_past_already() -> None:
    assert upcoming.decode_place("0.0", NOW) == NONE

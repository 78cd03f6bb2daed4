"""What one does with the page is what REST does: each action one operation, with the same rights, checks and words."""

import asyncio
import html
import re
from typing import Any

import httpx
import pytest

from borg_api.page.actions.actions import ACTIONS, BY_FORMS, Action
from borg_cluster.errors import Forbidden, Unreachable
from support.page_forms import NIGHTLY, RESTORE_ID, SCHEDULE, SCHEDULE_BODY, make_world, specs_of, writes_of
from support.page_world import add_run
from support.rest_world import World
from support.visitor import Browser

SECOND_PATHS = {"cancel_activity", "cancel_restore_activity"}
"""Of what the page does otherwise: Borg UI's client has them too."""


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def browser(world: World) -> Browser:
    browser = Browser(world, "token")
    browser.get("/")
    return browser


def test_every_operation_that_writes_can_be_done_with_the_page_and_nothing_else(world: World) -> None:
    document = world.app.openapi()
    writes = {
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method in ("post", "put", "patch", "delete")
    }
    assert {action.operation for action in ACTIONS} | set(BY_FORMS) == writes - SECOND_PATHS


Call = tuple[str, str, Any]
RESTORE_FORM = {
    "repository": "main",
    "archive": NIGHTLY,
    "paths": "etc/app.conf\r\n uploads \r\n",
    "destination": "app-data/back",
    "destination_type": "claim",
    "mode": "OnlyMissing",
    "undo": "on",
    "verify": "on",
}
RESTORE_BODY = {
    "repository": "main",
    "archive": NIGHTLY,
    "paths": ["etc/app.conf", " uploads "],
    "destination": "app-data/back",
    "mode": "OnlyMissing",
}
SAME: dict[str, tuple[str, dict[str, str], Call]] = {
    "run_schedule_now": ("/schedules/nightly/run-now", {}, ("POST", "/api/schedule/nightly/run-now", None)),
    "toggle_schedule": ("/schedules/nightly/toggle", {}, ("POST", "/api/schedule/nightly/toggle", None)),
    "duplicate_schedule": ("/schedules/nightly/duplicate", {}, ("POST", "/api/schedule/nightly/duplicate", None)),
    "delete_schedule": ("/schedules/nightly/delete", {}, ("DELETE", "/api/schedule/nightly", None)),
    "cancel_run": ("/runs/nightly-now/cancel", {}, ("POST", "/api/backup/cancel/nightly-now", None)),
    "check_repository": ("/repositories/main/check", {}, ("POST", "/api/repositories/main/check", None)),
    "update_check_schedule": (
        "/repositories/main/check-times",
        {"cron_expression": "0 3 * * 0", "timezone": "Europe/Berlin"},
        ("PUT", "/api/repositories/main/check-schedule", {"cron_expression": "0 3 * * 0", "timezone": "Europe/Berlin"}),
    ),
    "drill_repository": ("/repositories/main/drill", {}, ("POST", "/api/repositories/main/restore-check", None)),
    "update_drill_schedule": (
        "/repositories/main/drill-times",
        {"cron_expression": "0 4 1 * *", "timezone": "UTC"},
        ("PUT", "/api/repositories/main/restore-check-schedule", {"cron_expression": "0 4 1 * *", "timezone": "UTC"}),
    ),
    "cancel_restore_job": ("/restores/waiting/cancel", {}, ("POST", "/api/restore/cancel/waiting", None)),
    "start_restore_job": (
        "/restores/waiting/approve",
        {"preview_id": RESTORE_ID, "digest": "d1"},
        ("POST", "/api/restore/start", {"preview_id": int(RESTORE_ID), "preview_digest": "d1"}),
    ),
    "create_schedule": ("/schedules", SCHEDULE, ("POST", "/api/schedule/", SCHEDULE_BODY)),
    "update_schedule": (
        "/schedules/nightly",
        {**SCHEDULE, "name": "Nightly"},
        ("PUT", "/api/schedule/nightly", {**SCHEDULE_BODY, "name": "Nightly"}),
    ),
    "preview_restore_job": ("/restores", RESTORE_FORM, ("POST", "/api/restore/preview", RESTORE_BODY)),
}


@pytest.mark.parametrize("operation", sorted(SAME))
def test_an_action_does_to_the_cluster_what_its_operation_does(operation: str) -> None:
    path, form, (method, rest_path, body) = SAME[operation]
    running = operation != "run_schedule_now"
    by_page, by_rest = make_world(running=running), make_world(running=running)
    browser = Browser(by_page, "token")
    browser.get("/")
    answer = browser.post(path, form)
    assert answer.status_code == 303, answer.text[:2000]
    assert browser.get(answer.headers["location"]).status_code == 200
    done = Browser(by_rest, authorization="Bearer token")
    assert _ask_rest(done, method, rest_path, body).status_code == 200
    assert specs_of(by_page) == specs_of(by_rest)
    assert writes_of(by_page) == writes_of(by_rest)


def _ask_rest(browser: Browser, method: str, path: str, body: Any) -> httpx.Response:
    return asyncio.run(browser.world(method, path, body))


def test_a_form_that_is_sent_twice_runs_once() -> None:
    world = make_world(running=False)
    browser = Browser(world, "token")
    browser.get("/")
    once = {"once": "the key of one page"}
    first, second = (browser.post("/schedules/nightly/run-now", once).headers["location"] for _ in range(2))
    assert first == second
    assert sum(kind == "BorgRun" for kind, _ in world.cluster.objects) == 3


REFUSED: dict[str, tuple[str, str, str]] = {
    "run now": ("borgruns", "/schedules/nightly/run-now", "create borgruns"),
    "pause": ("borgschedules", "/schedules/nightly/toggle", "patch borgschedules"),
    "cancel": ("borgruns", "/runs/nightly-now/cancel", "patch borgruns"),
    "restore": ("borgrestores", "/restores", "create borgrestores"),
}


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_rbac_does_not_allow_is_said_in_its_words(world: World, browser: Browser, kind: str) -> None:
    denied, path, words = REFUSED[kind]
    world.cluster.denied.add(denied)
    answer = browser.post(path, {})
    assert answer.status_code == 403
    assert words in answer.text
    assert "borg-operator" in answer.text


def test_what_one_may_not_do_is_not_offered(world: World, browser: Browser) -> None:
    assert "Run now</button>" in browser.get("/schedules/nightly").text
    world.cluster.denied.add("borgruns")
    page = Browser(world, "other")
    text = page.get("/schedules/nightly").text
    assert "Run now</button>" not in text
    assert "/runs/nightly-1" not in text
    assert page.get("/").status_code == 200


@pytest.mark.parametrize(
    ("trouble", "status", "words"),
    [(Forbidden("no"), 403, "No."), (Unreachable(), 503, "cannot be reached")],
    ids=["an admission policy", "no API server"],
)
def test_what_the_cluster_refuses_is_said(
    world: World, browser: Browser, trouble: Exception, status: int, words: str
) -> None:
    world.cluster.troubles["patch"] = [trouble]
    answer = browser.post("/schedules/nightly/toggle")
    assert answer.status_code == status
    assert words in answer.text


def test_the_page_after_an_action_says_what_was_done_and_only_what_it_knows(browser: Browser) -> None:
    answer = browser.post("/schedules/nightly/toggle")
    assert "Paused." in browser.get(answer.headers["location"]).text
    assert "nonsense" not in browser.get("/schedules/nightly?done=nonsense").text


def test_who_sees_pause_lets_nothing_go_on_that_somebody_else_has_paused() -> None:
    world = make_world(running=False)
    mine, theirs = Browser(world, "token"), Browser(world, "token")
    button = re.compile('action="/schedules/nightly/toggle[^>]*>.*?name="etag" value="([^"]+)"')
    etags = [html.unescape(button.findall(each.get("/schedules/nightly").text)[0]) for each in (mine, theirs)]
    spec = world.cluster.objects["BorgSchedule", "nightly"]["spec"]
    was = spec.get("suspend", False)
    assert mine.post("/schedules/nightly/toggle", {"etag": etags[0]}).status_code == 303
    late = theirs.post("/schedules/nightly/toggle", {"etag": etags[1]})
    assert (late.status_code, "changed since you read it" in late.text) == (412, True)
    assert '<a class="button main" href="/schedules/nightly?namespace=team">See how it is now</a>' in late.text
    assert world.cluster.objects["BorgSchedule", "nightly"]["spec"]["suspend"] is not was


@pytest.mark.parametrize("action", [action for action in ACTIONS if action.at_edition], ids=lambda each: each.operation)
def test_nothing_is_done_to_what_was_deleted_and_made_again_under_its_name(action: Action) -> None:
    place = action.path.split("/")[1]
    world = make_world(running=place == "runs")
    browser = Browser(world, "token")
    kind, name = {
        "schedules": ("BorgSchedule", "nightly"),
        "repositories": ("BorgRepository", "main"),
        "runs": ("BorgRun", "nightly-now"),
        "restores": ("BorgRestore", "waiting"),
    }[place]
    path = action.path.format(job_id=name, repository_id=name)
    page = path.rpartition("/")[0]
    [form] = re.findall(f'action="{path}[^>]*>(.*?)</form>', browser.get(page).text, re.DOTALL)
    entered = {name: html.unescape(value) for name, value in re.findall('name="([^"]+)" value="([^"]*)"', form)}
    world.cluster.add(kind, name, world.cluster.objects.pop((kind, name))["spec"], metadata={"uid": "another one"})
    before = len(world.cluster.objects)
    refused = browser.post(path, entered)
    assert (refused.status_code, "since you read it" in refused.text) == (412, True)
    assert len(world.cluster.objects) == before
    assert "cancel" not in world.cluster.objects[kind, name]["spec"]


@pytest.mark.parametrize("action", ["run-now", "duplicate"])
def test_what_was_only_changed_can_be_run_and_copied_from_a_page_that_was_shown_before(action: str) -> None:
    world = make_world(running=False)
    browser = Browser(world, "token")
    text = browser.get("/schedules/nightly").text
    [etag] = re.findall(f'/schedules/nightly/{action}[^>]*>.*?name="etag" value="([^"]*)"', text)
    world.cluster.change("BorgSchedule", "nightly", description="another")
    assert browser.post(f"/schedules/nightly/{action}", {"etag": html.unescape(etag)}).status_code == 303


def test_to_who_may_only_look_nothing_is_offered() -> None:
    world = make_world(running=False)
    create = world.cluster.create

    async def deny(resource: Any, manifest: Any) -> Any:
        asked = manifest.get("spec", {}).get("resourceAttributes")
        return {"status": {"allowed": asked["verb"] in ("get", "list")}} if asked else await create(resource, manifest)

    world.cluster.create = deny  # type: ignore[method-assign]
    page = Browser(world, "token").get("/schedules/nightly").text
    assert not re.findall(r">(Edit|Run now|Pause|Resume|Copy|Delete[^<]*)<", page)


def test_a_part_that_cannot_be_brought_up_to_date_stays_as_it_is() -> None:
    world = make_world(running=False)
    browser = Browser(world, "token")
    world.cluster.denied = {"borgruns"}
    answer = browser.get("/runs", hx_request="true")
    assert (answer.status_code, answer.headers.get("hx-reswap")) == (403, "none")


def test_a_run_that_has_ended_is_loaded_once_more_as_a_whole_and_asks_no_more() -> None:
    world = make_world()
    add_run(world, "ended", "nightly", "Completed", hours=1)
    browser = Browser(world, "token")
    assert browser.get("/runs/ended", hx_request="true").headers.get("hx-refresh") == "true"
    whole = browser.get("/runs/ended")
    assert ("hx-refresh" in whole.headers, "hx-trigger" in whole.text) == (False, False)
    add_run(world, "waits", "nightly", "Pending", hours=0.01)
    assert "hx-sse:connect" in browser.get("/runs/waits").text, "its log is waited for from the beginning"


def test_a_restore_names_the_archive_that_was_asked_for_also_when_the_cluster_does_not_know_it_yet() -> None:
    world = make_world(running=False)
    browser = Browser(world, "token")
    page = browser.get("/new/restore?repository=main&archive=just-made&destination=app-data").text
    assert '<option value="just-made" selected>' in page
    assert 'name="destination" type="text" value="app-data"' in page


TICKED = {"repository": "main", "archive": "nightly-1"}


def test_what_was_ticked_stands_in_the_form_however_many_there_are() -> None:
    browser = Browser(make_world(running=False), "token")
    browser.get("/")
    none = browser.post("/new/restore", TICKED)
    assert (none.status_code, "Nothing was ticked" in none.text) == (200, True)
    some = browser.post("/new/restore", {**TICKED, "path": ["sources/a b", "c"]})
    assert ">sources/a b\nc</textarea>" in some.text
    assert 'name="undo" value="on" checked' in some.text
    assert "ticked" not in some.text
    many = browser.post(
        "/new/restore", {**TICKED, "path": [f"sources/{'é' * 25}-{number:03}" for number in range(300)]}
    )
    assert many.status_code == 200
    assert "300 were ticked, and a restore names 256 at the most: go back and tick their folder" in many.text
    every = browser.post("/new/restore", {**TICKED, "path": [str(number) for number in range(500)]})
    assert "500 were ticked" in every.text, "as many as one page has"


def test_what_is_too_much_for_a_form_is_said_on_a_page() -> None:
    browser = Browser(make_world(running=False), "token")
    browser.get("/")
    answer = browser.post("/new/restore", {**TICKED, "path": ["x" * 4_000] * 20})
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")
    assert "Go back: what you entered is still there. Of many files, tick the folder that they are in." in answer.text


@pytest.mark.parametrize(
    ("denied", "path", "kept_back", "instead"),
    [
        ("borgschedules", "/runs/nightly-1", "The night", "nightly"),
        ("borgschedules", "/runs", "The night", "nightly"),
        ("borgschedules", "/repositories/main", "The night", "main"),
        ("borgschedules", "/scripts", "Used by", "dump-db"),
        ("borgarchives", "/repositories/main", "nightly-2026", "main"),
        ("borgarchives", "/new/restore?repository=main", "nightly-2026", "main"),
        ("borgruns", "/schedules", 'class="strip"', "The night"),
        ("borgruns", "/schedules/nightly", 'class="strip"', "The night"),
        ("borgruns", "/", 'class="strip"', "The night"),
    ],
)
def test_a_page_shows_no_more_than_rest_does(denied: str, path: str, kept_back: str, instead: str) -> None:
    world = make_world()
    hook = {"preBackup": {"scriptRef": {"name": "dump-db"}, "parameters": []}}
    world.cluster.change("BorgSchedule", "nightly", title="The night", hooks=hook)
    assert (kept_back in Browser(world, "token").get(path).text) or path == "/repositories/main"
    world.cluster.denied.add(denied)
    page = Browser(world, "other").get(path)
    assert (page.status_code, kept_back in page.text, instead in page.text) == (200, False, True)

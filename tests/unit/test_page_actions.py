"""What one does with the page is what REST does: each action one operation, with the same rights, checks and words."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from borg_api.page.actions.actions import ACTIONS, BY_FORMS
from borg_api.picture.records import derive_id
from borg_cluster.errors import Forbidden, Unreachable
from borg_core.kinds.restore import RESTORES
from support.page_world import Browser, add_archive, add_repository, add_run, add_schedule, ago, make_key
from support.rest_world import World

NIGHTLY = "nightly-2026-11-24T03:00:02"
PREVIEWED = {
    "phase": "Previewed",
    "preview": {
        "create": 2, "overwrite": 1, "delete": 0, "same": 4, "keep": 0, "bytes": 2048, "sample": ["~ etc/app.conf"], "digest": "d1",
    },
}  # fmt: skip
RESTORE = {
    "repositoryRef": {"name": "main"},
    "archive": NIGHTLY,
    "target": {"claim": {"claimName": "app-data"}},
    "preview": True,
}
RESTORE_ID = str(derive_id(RESTORES.kind, "team", "waiting"))
SCHEDULE = {
    "name": "Weekly", "cron_expression": "0 5 * * 0", "timezone": "Europe/Berlin", "repository": "main", "enabled": "on",
    "run_prune_after": "on", "prune_keep_daily": "3", "prune_keep_weekly": "", "prune_keep_monthly": "0", "prune_keep_yearly": "0",
    "description": "Ask us.", "pre_script": "dump-db", "pre.HOST": "db", "pre.PASSWORD.secret": "db", "pre.PASSWORD.key": "password",
}  # fmt: skip
SCHEDULE_BODY = {
    "name": "Weekly", "cron_expression": "0 5 * * 0", "timezone": "Europe/Berlin", "repository": "main", "description": "Ask us.",
    "run_prune_after": True, "prune_keep_daily": 3, "prune_keep_weekly": 0, "prune_keep_monthly": 0, "prune_keep_yearly": 0,
    "pre_backup_script_id": derive_id("BorgScript", "team", "dump-db"),
    "pre_backup_script_parameters": {"HOST": "db", "PASSWORD": {"secretKeyRef": {"name": "db", "key": "password"}}},
}  # fmt: skip


def make_world(folder: Path) -> World:
    world = World(make_key(folder))
    script = {"content": "true", "parameters": [{"name": "HOST", "required": True}, {"name": "PASSWORD", "type": "Password"}]}
    world.cluster.add("BorgScript", "dump-db", script)
    add_repository(world, "main")
    add_repository(world, "offsite")
    add_schedule(world, "nightly", "Nightly", runs="gg")
    add_run(world, "nightly-now", "nightly", "Running", hours=0.1)
    add_archive(world, "main-1", NIGHTLY)
    world.cluster.add("BorgRestore", "waiting", RESTORE, status=PREVIEWED, metadata={"creationTimestamp": ago(minutes=1)})
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


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
    assert {action.operation for action in ACTIONS} | set(BY_FORMS) == writes


Call = tuple[str, str, Any]
RESTORE_FORM = {"repository": "main", "archive": NIGHTLY, "paths": "etc/app.conf\r\n uploads \r\n", "destination": "app-data/back",
                "destination_type": "claim", "mode": "OnlyMissing", "undo": "on", "verify": "on"}  # fmt: skip
RESTORE_BODY = {"repository": "main", "archive": NIGHTLY, "paths": ["etc/app.conf", " uploads "], "destination": "app-data/back",
                "mode": "OnlyMissing"}  # fmt: skip
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
        ("PUT", "/api/schedule/nightly", {**SCHEDULE_BODY, "name": "Nightly", "run_compact_after": False}),
    ),
    "preview_restore_job": ("/restores", RESTORE_FORM, ("POST", "/api/restore/preview", RESTORE_BODY)),
}


@pytest.mark.parametrize("operation", sorted(SAME))
def test_an_action_does_to_the_cluster_what_its_operation_does(tmp_path: Path, operation: str) -> None:
    path, form, (method, rest_path, body) = SAME[operation]
    by_page, by_rest = make_world(tmp_path), make_world(tmp_path)
    if operation == "run_schedule_now":
        for world in (by_page, by_rest):
            del world.cluster.objects["BorgRun", "nightly-now"]
            world.cluster._index("BorgRun").retain([])
    browser = Browser(by_page, "token")
    browser.get("/")
    answer = browser.post(path, form)
    assert answer.status_code == 303, answer.text[:2000]
    assert browser.get(answer.headers["location"]).status_code == 200
    done = Browser(by_rest, authorization="Bearer token")
    assert _ask_rest(done, method, rest_path, body).status_code == 200
    assert _specs(by_page) == _specs(by_rest)
    assert _writes(by_page) == _writes(by_rest)


def _ask_rest(browser: Browser, method: str, path: str, body: Any) -> httpx.Response:
    import asyncio  # noqa: PLC0415

    return asyncio.run(browser.world(method, path, body))


def _specs(world: World) -> dict[Any, Any]:
    return {key: body["spec"] for key, body in world.cluster.objects.items()}


def _writes(world: World) -> list[tuple[str, str, str]]:
    return [request for request in world.cluster.requests if request[0] not in ("list", "log")]


Check = Callable[[World], None]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "name"),
        ({"cron_expression": "61 * * * *"}, "cron"),
        ({"cron_expression": ""}, "cron"),
        ({"timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"repository": []}, "at least one repository"),
        ({"prune_keep_daily": "many"}, "prune_keep_daily"),
        ({"prune_keep_within": "soon"}, "7d"),
        ({"prune_keep_daily": "0"}, "delete every archive"),
        ({"name": "Nightly"}, "exists already"),
        ({"pre.HOST": ""}, "HOST"),
        ({"archive_name_template": "{nothing}"}, "{nothing}"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(f"{key}={text}" for key, text in value.items()),
)
def test_what_is_wrong_is_said_where_it_was_entered_and_nothing_entered_is_lost(
    world: World, browser: Browser, change: dict[str, Any], words: str
) -> None:
    before = _specs(world)
    answer = browser.post("/schedules", {**SCHEDULE, **change})
    assert answer.status_code in (400, 404, 422), answer.headers
    assert words in answer.text
    assert 'role="alert"' in answer.text
    assert ">Ask us.</textarea>" in answer.text
    assert 'value="0 5 * * 0"' in answer.text or "cron_expression" in change
    assert _specs(world) == before


def test_a_schedule_is_edited_as_it_was_read_or_not_at_all(world: World, browser: Browser) -> None:
    form = browser.get("/schedules/nightly/edit").text
    etag = re.search('name="etag" value="([^"]+)"', form)
    assert etag
    entered = {**SCHEDULE, "name": "Nightly", "etag": etag[1].replace("&#34;", '"')}
    world.cluster.change("BorgSchedule", "nightly", description="changed by somebody else")
    answer = browser.post("/schedules/nightly", entered)
    assert answer.status_code == 412
    assert "Somebody else changed it" in answer.text
    assert 'value="0 5 * * 0"' in answer.text
    assert world.cluster.objects["BorgSchedule", "nightly"]["spec"]["description"] == "changed by somebody else"


def test_saving_an_edit_of_nothing_changes_nothing(world: World, browser: Browser) -> None:
    hook = {"postBackup": {"scriptRef": {"name": "gone"}, "parameters": [{"name": "A", "value": "b"}]}}
    world.cluster.change("BorgSchedule", "nightly", hooks=hook, description="Why.\r\nWho.")
    page = browser.get("/schedules/nightly/edit").text
    assert "gone (does not exist any more)" in page
    before = world.cluster.objects["BorgSchedule", "nightly"]["spec"]
    assert browser.post("/schedules/nightly", read_form(page)).status_code == 303
    after = world.cluster.objects["BorgSchedule", "nightly"]["spec"]
    assert {**after, "prune": None, "description": ""} == {
        **before, "prune": None, "description": "", "title": "Nightly", "suspend": False, "runRepositoryHooks": False,
        "archiveNameTemplate": "{job_name}-{now}",
    }  # fmt: skip
    assert after["hooks"] == hook
    assert after["prune"]["enabled"]


def read_form(page: str) -> dict[str, Any]:
    """Return what a browser would send of the form of a schedule, as it is."""
    form = page[page.index('<form method="post" action="/schedules') :]
    fields: dict[str, Any] = {}
    for tag in re.findall("<input [^>]*>", form):
        found = dict(re.findall('([a-z]+)="([^"]*)"', tag))
        if found.get("type") == "checkbox" and " checked" not in tag:
            continue
        fields[found["name"]] = found["value"].replace("&#34;", '"')
    for name, options in re.findall('<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search('value="([^"]*)" selected', options)
        fields[name] = chosen[1] if chosen else ""
    fields.update(dict(re.findall('<textarea [^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL)))
    return fields


def test_the_form_shows_the_parameters_of_the_chosen_script_without_saving(world: World, browser: Browser) -> None:
    answer = browser.post("/schedules", {"name": "X", "pre_script": "dump-db", "again": "scripts"})
    assert answer.status_code == 200
    assert 'name="pre.HOST"' in answer.text
    assert 'name="pre.PASSWORD.secret"' in answer.text
    assert _writes(world) == []


def test_a_form_that_is_sent_twice_runs_once(world: World, browser: Browser) -> None:
    del world.cluster.objects["BorgRun", "nightly-now"]
    world.cluster._index("BorgRun").retain([])
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
    assert "Run now" in browser.get("/schedules/nightly").text
    world.cluster.denied.add("borgruns")
    page = Browser(world, "other")
    text = page.get("/schedules/nightly").text
    assert "Run now" not in text
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

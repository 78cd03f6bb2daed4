"""The form of a schedule: what is wrong stands where it was entered, and nothing is lost, or changed unasked."""

import re
from typing import Any

import pytest

from borg_api.commands.schedules.names import NOT_NAMES
from support.page_forms import SCHEDULE, make_world, specs_of, writes_of
from support.rest_world import World
from support.visitor import Browser


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def browser(world: World) -> Browser:
    browser = Browser(world, "token")
    browser.get("/")
    return browser


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
    before = specs_of(world)
    answer = browser.post("/schedules", {**SCHEDULE, **change})
    assert answer.status_code in (400, 404, 422), answer.headers
    assert words in answer.text
    assert 'role="alert"' in answer.text
    assert ">Ask us.</textarea>" in answer.text
    assert 'value="0 5 * * 0"' in answer.text or "cron_expression" in change
    assert specs_of(world) == before


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
    world.cluster.change("BorgSchedule", "nightly", hooks=hook, description="Why.\nWho.")
    page = browser.get("/schedules/nightly/edit").text
    assert "gone (does not exist any more)" in page
    before = world.cluster.objects["BorgSchedule", "nightly"]["spec"]
    assert browser.post("/schedules/nightly", read_form(page)).status_code == 303
    after = world.cluster.objects["BorgSchedule", "nightly"]["spec"]
    assert {**after, "prune": None} == {
        **before,
        "prune": None,
        "title": "Nightly",
        "suspend": False,
        "runRepositoryHooks": False,
        "archiveNameTemplate": "{job_name}-{now}",
    }
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
    for name, text in re.findall('<textarea [^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        fields[name] = text.replace("\n", "\r\n")
    return fields


def test_the_form_shows_the_parameters_of_the_chosen_script_without_saving(world: World, browser: Browser) -> None:
    answer = browser.post("/schedules", {"name": "X", "pre_script": "dump-db", "again": "scripts"})
    assert answer.status_code == 200
    assert 'name="pre.HOST"' in answer.text
    assert 'name="pre.PASSWORD.secret"' in answer.text
    assert writes_of(world) == []


def test_the_parameters_of_a_script_that_was_just_chosen_have_their_defaults(world: World, browser: Browser) -> None:
    world.cluster.add("BorgScript", "opt", {"content": "x", "parameters": [{"name": "MODE", "default": "full"}]})
    chosen = {"name": "X", "pre_script": "opt", "again": "scripts"}
    assert 'name="pre.MODE" type="text" value="full"' in browser.post("/schedules", chosen).text
    emptied = browser.post("/schedules", {**chosen, "pre.MODE": ""}).text
    assert 'name="pre.MODE" type="text" value=""' in emptied


@pytest.mark.parametrize(
    "change",
    [{"name": "n" * 254}, {"timezone": "Z" * 65}, {"cron_expression": "0 2 * * *" + " " * 600 + "x"}],
    ids=["name", "zone", "expression"],
)
def test_what_is_too_long_even_for_a_preview_is_said_and_nothing_entered_is_lost(
    browser: Browser, change: dict[str, str]
) -> None:
    answer = browser.post("/schedules", {**SCHEDULE, **change})
    assert answer.status_code in (400, 422)
    assert ">Ask us.</textarea>" in answer.text


def test_times_that_cannot_be_looked_at_are_no_dead_end(browser: Browser) -> None:
    answer = browser.get("/new/schedule/times?cron_expression=0+2+*+*+*&timezone=" + "Z" * 70)
    assert answer.status_code == 200
    assert "64" in answer.text


@pytest.mark.parametrize("name", NOT_NAMES)
def test_a_schedule_that_is_named_like_a_place_in_rest_can_be_edited(world: World, browser: Browser, name: str) -> None:
    spec = world.cluster.objects["BorgSchedule", "nightly"]["spec"]
    world.cluster.add("BorgSchedule", name, {**spec, "title": "Of kubectl"})
    answer = browser.get(f"/schedules/{name}/edit")
    assert (answer.status_code, 'value="Of kubectl"' in answer.text) == (200, True)


def test_what_may_not_be_read_is_not_edited_in_words(world: World) -> None:
    create = world.cluster.create

    async def deny(resource: Any, manifest: Any) -> Any:
        asked = manifest.get("spec", {}).get("resourceAttributes")
        return {"status": {"allowed": asked["verb"] != "list"}} if asked else await create(resource, manifest)

    world.cluster.create = deny  # type: ignore[method-assign]
    answer = Browser(world, "token").get("/schedules/nightly/edit")
    assert (answer.status_code, "may not do that" in answer.text) == (403, True)


def test_a_parameter_that_is_empty_though_it_has_a_default_stays_so_when_nothing_is_changed(
    world: World, browser: Browser
) -> None:
    world.cluster.add("BorgScript", "opt", {"content": "x", "parameters": [{"name": "MODE", "default": "full"}]})
    hook = {"scriptRef": {"name": "opt"}, "parameters": [{"name": "MODE", "value": ""}]}
    world.cluster.change("BorgSchedule", "nightly", hooks={"preBackup": hook})
    entered = {"pre_script": "opt", "pre.MODE": ""}
    assert browser.post("/schedules/nightly", {**SCHEDULE, "name": "Nightly", **entered}).status_code == 303
    [kept] = world.cluster.objects["BorgSchedule", "nightly"]["spec"]["hooks"]["preBackup"]["parameters"]
    assert kept == {"name": "MODE", "value": ""}
    assert browser.post("/schedules", {**SCHEDULE, "name": "New", **entered}).status_code == 303
    assert not world.cluster.objects["BorgSchedule", "new"]["spec"]["hooks"]["preBackup"].get("parameters")

"""What pages are made of: hostile names as text, nothing inline, links that lead somewhere, few bytes."""

import asyncio
import gzip
import re
import unicodedata
from random import Random

import pytest
from fastapi.routing import APIRoute

from borg_api.page.frame.assets import NAMES, load_assets
from borg_api.page.routes import ROUTERS
from support.hostile import make_hostile
from support.page_world import HOSTILE, add_archive, add_repository, add_run, add_schedule, ago, fill
from support.rest_world import World
from support.visitor import Browser

PAGES = (
    "/",
    "/schedules",
    "/new/schedule",
    "/schedules/nightly",
    "/schedules/weekly/edit",
    "/runs",
    "/runs?status=Failed",
    "/runs/nightly-now",
    "/runs/database-1",
    "/runs/photos-4",
    "/repositories",
    "/repositories/main",
    "/repositories/offsite",
    "/archives",
    "/archives/main/before-the-upgrade",
    "/compare/main",
    "/restores",
    "/new/restore",
    "/new/restore?repository=main",
    "/restores/waiting",
    "/restores/done",
    "/drills",
    "/claims",
    "/scripts",
    "/namespaces",
    "/login",
)


def make_world() -> World:
    world = World(page=True)
    fill(world)
    world.cluster.pods = [{"metadata": {"name": "pod", "creationTimestamp": "2026-01-01T00:00:00Z"}}]
    world.cluster.logs["borg"] = b"a line\n"
    return world


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def browser(world: World) -> Browser:
    return Browser(world, "token")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_nothing_inline_nothing_from_elsewhere_and_one_of_each_id(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200
    page = answer.text
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", page)
    assert all(body == "" for body in re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL))
    assert not re.findall(r'(?:src|href|action|hx-get)="(?!/|#)', page)
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert re.search(r"<h1", page)
    assert '<html lang="en">' in page
    nonces = set(re.findall(r'nonce="([^"]+)"', page))
    assert len(nonces) == 1
    assert set(re.findall(r"<(?!meta)[a-z]+ [^>]*?\shx-[^>]*>", page)) == set(
        re.findall(r"<[a-z]+ [^>]*?hx-nonce=[^>]*>", page)
    )


def test_what_is_swapped_in_asks_for_nothing_itself(browser: Browser) -> None:
    """hx-csp takes the attributes of htmx from what comes later: only whole pages have them."""
    for path in PAGES:
        page = browser.get(path).text
        for part in re.findall(r'<div id="now">(.*?)</div>\s*</div>\s*\Z', page, re.DOTALL):
            assert "hx-" not in part


def test_every_link_leads_somewhere(browser: Browser) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        answer = browser.get(path)
        assert answer.status_code == 200, path
        for found in re.findall(r'<a [^>]*?href="(/[^"#]*)', answer.text):
            target = found.replace("&amp;", "&")
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    assert len(seen) > 60


def test_an_address_that_leads_nowhere_is_a_page_for_browsers_and_a_problem_for_programs(browser: Browser) -> None:
    found = browser.get("/nope", accept="text/html,*/*;q=0.8")
    assert (found.status_code, "That is not there" in found.text) == (404, True)
    assert "default-src 'self'" in found.headers["content-security-policy"]
    for path, accept in (("/nope", "application/json"), ("/api/nope", "text/html")):
        answer = browser.get(path, accept=accept)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("name", [".", "..", "...", "=", "=.", "a%2e", "a?b#c"])
def test_the_list_of_archives_leads_to_each_whatever_it_is_called(name: str) -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_archive(world, "odd", name)
    browser = Browser(world, "token")
    (found,) = re.findall(r'<a href="(/archives/main/[^"]*)"', browser.get("/archives?repository=main").text)
    answer = browser.get(found)  # httpx leaves out what browsers leave out of a path
    assert answer.status_code == 200
    assert f"<h1><bdi>{name}</bdi></h1>" in answer.text


def test_the_days_of_archives_say_whose_days_they_are() -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_archive(world, "late", "late", time="2026-11-27T23:30:00Z")
    assert "<h2>Friday, 2026-11-27 UTC</h2>" in Browser(world, "token").get("/archives?repository=main").text


@pytest.mark.parametrize(
    "path",
    [
        "/schedules/nothing",
        "/runs/nothing",
        "/repositories/nothing",
        "/archives/main/nothing",
        "/archives/nothing/x",
        "/archives?repository=nothing",
        "/restores/nothing",
        "/runs?continue=x",
    ],
)
def test_what_is_not_there_is_said_on_a_page(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"].startswith("text/html")
    assert "Overview" in answer.text


@pytest.mark.parametrize("approve", ["", "d1"], ids=["nobody approved", "approved, and not taken up yet"])
def test_a_restore_that_waits_for_approval_goes_on_by_itself_on_the_page(approve: str) -> None:
    """Somebody may approve it, on another page; or has on this one, and the operator comes to it a moment later."""
    world = make_world()
    world.cluster.change("BorgRestore", "waiting", approve=approve)
    page = Browser(world, "token").get("/restores/waiting").text
    assert re.search(r'<div hx-get="/restores/waiting[^"]*" hx-trigger="every 3s"', page)
    assert ("Restore now" in page) is (not approve)


def test_a_restore_into_a_command_says_which() -> None:
    world = make_world()
    stream = {"image": "docker.io/library/postgres:17", "command": ["pg_restore", "--dbname=app"]}
    spec = {"repositoryRef": {"name": "main"}, "archive": "a", "source": "db", "target": {"stream": stream}}
    world.cluster.add("BorgRestore", "database", spec, status={"phase": "Running"})
    browser = Browser(world, "token")
    assert "<bdi>pg_restore</bdi>" in browser.get("/restores").text
    assert "Restore into <bdi>pg_restore</bdi>" in browser.get("/restores/database").text


def test_an_empty_namespace_says_how_to_begin() -> None:
    browser = Browser(World(page=True), "token")
    assert "Begin with three steps" in browser.get("/").text
    for path in ("/schedules", "/runs", "/repositories", "/archives", "/restores", "/drills", "/scripts"):
        assert 'class="empty"' in browser.get(path).text, path


def test_ten_thousand_hostile_names_are_text() -> None:
    """Each stands between marks: what is between them in the page must be the name, escaped, and no tag."""
    random = Random(12)
    names = [HOSTILE, *(make_hostile(random) for _ in range(9_999))]
    world = World(page=True)
    add_repository(world, "main")
    rounds = 20
    for number in range(rounds):
        part = [f"«{name}»" for name in names[number::rounds]]
        warnings = [f"/sources/data/{text}" for text in part]
        item = {"name": "main", "phase": "CompletedWithWarnings", "warnings": warnings[:100], "warningCount": 100}
        others = [
            {**item, "name": "main", "warnings": warnings[100:200], "unusedExcludes": part[200:300], "error": part[300]}
        ]
        world.cluster.add(
            "BorgRun",
            f"run-{number}",
            {"scheduleRef": {"name": "nightly"}},
            status={
                "phase": "Failed",
                "repositories": [item],
                "startTime": ago(hours=1),
                "message": "".join(part[300:]),
            },
        )
        world.cluster.add(
            "BorgRun",
            f"other-{number}",
            {"scheduleRef": {"name": "nightly"}},
            status={"phase": "Failed", "repositories": others, "startTime": ago(hours=1)},
        )
    for number, name in enumerate(names[:300]):
        title = "".join(char for char in f"«{name}»" if unicodedata.category(char) not in ("Cc", "Cs"))
        add_schedule(world, f"s{number}", title, runs="f", description=title)
    browser = Browser(world, "token")
    paths = [
        "/",
        "/schedules",
        "/schedules?page=2",
        "/schedules?page=3",
        "/runs",
        "/schedules/s0",
        "/schedules/s0/edit",
    ]
    paths += [f"/runs/{kind}-{number}" for kind in ("run", "other") for number in range(rounds)]
    shown = 0
    for path in paths:
        answer = browser.get(path)
        assert answer.status_code == 200
        for found in re.findall("«(.*?)»", answer.text, re.DOTALL):
            shown += 1
            assert not re.search("[<>\"']", found), found
            assert not re.search(r"&(?!(amp|lt|gt|#34|#39);)", found), found
        assert answer.text.count("<script") == 4
        assert not re.search(r"<(?:script|img|svg) [^>]*onload", answer.text)
    assert shown >= 10_000
    text = browser.get(f"/schedules?q={'%3Cscript%3E'}&page=1").text
    assert "&lt;script&gt;" in text
    assert "<script>" not in text


def test_hostile_lines_of_a_log_are_lines_of_text() -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", runs="g")
    world.cluster.pods = [{"metadata": {"name": "pod", "creationTimestamp": "2026-01-01T00:00:00Z"}}]
    world.cluster.logs["borg"] = b"<b>\r\nevent: ended\rdata: x\n\xff\xfe&\x1b[31m\nid: 7\n\n"
    answer = Browser(world, "token").get("/runs/nightly-1/log")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == (
        "id: 5\ndata: &lt;b&gt;⏎\ndata: event: ended⏎data: x\n"
        "data: \ufffd\ufffd&amp;\x1b[31m\ndata: id: 7\ndata: \ndata:\n\n"
        "event: ended\ndata: \n\n"
    )
    again = Browser(world, "token").get("/runs/nightly-1/log", last_event_id="3")
    assert again.text.startswith("id: 5\ndata: id: 7\n")
    assert Browser(world, "token").get("/runs/nightly-1/log", last_event_id="x" * 40).text == answer.text


def test_of_a_head_no_log_is_followed() -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", runs="g")
    add_run(world, "nightly-now", "nightly", "Running", hours=0.1)
    browser = Browser(world, "token")
    answer = asyncio.run(asyncio.wait_for(browser.ask("HEAD", "/runs/nightly-now/log"), 10))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert browser.send("HEAD", "/runs/nothing/log").status_code == 404


def test_what_is_loaded_is_small_and_kept_by_browsers(browser: Browser) -> None:
    sizes = {name: len(gzip.compress(asset.body, 9)) for name, asset in load_assets().items()}
    assert sizes["htmx.js"] + sizes["hx-sse.js"] + sizes["hx-csp.js"] <= 18_000
    assert len(load_assets()["style.css"].body) <= 10_000
    assert len(load_assets()["page.js"].body.splitlines()) <= 200
    assert sum(sizes.values()) <= 40_000
    for name in NAMES:
        answer = browser.get(load_assets()[name].url, accept_encoding="gzip")
        assert answer.content == load_assets()[name].body
        assert "immutable" in answer.headers["cache-control"]
        assert "charset" in answer.headers["content-type"] or name.endswith(".svg")
    assert browser.get("/assets/0/style.css").status_code == 404
    assert browser.get("/assets/x/../../guard.py").status_code == 404


def test_where_it_cannot_the_page_offers_nothing_of_it() -> None:
    world = World(page=True, looks=False)
    fill(world)
    browser = Browser(world, "token")
    page = browser.get("/archives/main/before-the-upgrade").text
    assert "Files</h2>" not in page
    assert "Restore all of it" in page
    assert "cannot look into archives" in browser.get("/compare/main").text
    assert browser.get("/archives/main/before-the-upgrade/file?path=x").status_code == 404


def test_no_address_of_the_page_takes_the_place_of_a_name() -> None:
    """A schedule may be called `new`, an archive `compare`: at such an address nothing else may be."""
    paths = sorted({route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)})
    for one in paths:
        for other in paths:
            pairs = list(zip(one.split("/"), other.split("/"), strict=False))
            at = next((pair for pair in pairs if pair[0] != pair[1]), None)
            if at and one.count("/") == other.count("/"):
                assert (at[0][:1] == "{") == (at[1][:1] == "{"), (one, other)


def test_a_schedule_called_new_and_an_archive_called_compare_are_shown() -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "new", "New one", "g")
    add_archive(world, "main-1", "compare", time=ago(hours=20))
    browser = Browser(world, "token")
    assert "New one" in browser.get("/schedules/new").text
    assert "<bdi>compare</bdi>" in browser.get("/archives/main/compare").text

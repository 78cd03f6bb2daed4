"""What pages show: hostile names as text, links that lead somewhere, states in words, and no more bytes or time than promised."""

import gzip
import re
import time
import unicodedata
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from borg_api.edge.guard import GuardedRoute, requires
from borg_api.page.frame.assets import NAMES, load_assets
from borg_api.page.frame.calls import let_pages_call
from borg_api.page.insight.attention import find_matters
from borg_api.page.show.times import size, span
from borg_api.picture.timetable import Timetable, whole_now
from borg_api.resources.archives.route import LIST
from support.page_world import (
    HOSTILE,
    Browser,
    add_archive,
    add_repository,
    add_run,
    add_schedule,
    ago,
    condition,
    fill,
    make_key,
)
from support.rest_world import World

PAGES = (
    "/", "/schedules", "/schedules/new", "/schedules/nightly", "/schedules/weekly/edit", "/runs", "/runs?status=Failed",
    "/runs/nightly-now", "/runs/database-1", "/runs/photos-4", "/repositories", "/repositories/main", "/repositories/offsite",
    "/archives", "/archives/main/before-the-upgrade", "/archives/main/compare", "/restores", "/restores/new",
    "/restores/new?repository=main", "/restores/waiting", "/restores/done", "/drills", "/scripts", "/namespaces", "/login",
)  # fmt: skip
PIECES = ("<", ">", "&", '"', "'", "`", "=", "{{", "}}", "{%", "%}", "</script>", "<!--", "]]>", "javascript:", "\u202e", "\u200f",
          "\x00", "\x1b[31m", "\n", "\r\n", "\t", "​", "ﷺ", "\ud800", "\U0001f4a5", "a", "0", " onload=", "hx-get=", "&#x3c;",
          "\\", "/", "?", "#", "%3c", "\ufffe", "Ⅷ", "é", "e\u0301")  # fmt: skip


def make_world(folder: Path) -> World:
    world = World(make_key(folder))
    fill(world)
    world.cluster.pods = [{"metadata": {"name": "pod", "creationTimestamp": "2026-01-01T00:00:00Z"}}]
    world.cluster.logs["borg"] = b"a line\n"
    return world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("page"))


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
    assert set(re.findall(r"<[a-z]+ [^>]*?\shx-[^>]*>", page)) == set(re.findall(r"<[a-z]+ [^>]*?hx-nonce=[^>]*>", page))


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


@pytest.mark.parametrize("path", ["/schedules/nothing", "/runs/nothing", "/repositories/nothing", "/archives/main/nothing",
                                  "/archives/nothing/x", "/restores/nothing", "/runs?continue=x"])  # fmt: skip
def test_what_is_not_there_is_said_on_a_page(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"].startswith("text/html")
    assert "Overview" in answer.text


def test_an_empty_namespace_says_how_to_begin(tmp_path: Path) -> None:
    browser = Browser(World(make_key(tmp_path)), "token")
    assert "Begin with three steps" in browser.get("/").text
    for path in ("/schedules", "/runs", "/repositories", "/archives", "/restores", "/drills", "/scripts"):
        assert 'class="empty"' in browser.get(path).text, path


def make_hostile(random: Random) -> str:
    text = "".join(random.choice(PIECES) for _ in range(random.randint(1, 12)))
    return text.replace("\ud800", "") or "<"


def test_ten_thousand_hostile_names_are_text(tmp_path: Path) -> None:
    """Each stands between marks: what is between them in the page must be the name, escaped, and no tag."""
    random = Random(12)
    names = [HOSTILE, *(make_hostile(random) for _ in range(9_999))]
    world = World(make_key(tmp_path))
    add_repository(world, "main")
    rounds = 20
    for number in range(rounds):
        part = [f"«{name}»" for name in names[number::rounds]]
        warnings = [f"/sources/data/{text}" for text in part]
        item = {"name": "main", "phase": "CompletedWithWarnings", "warnings": warnings[:100], "warningCount": 100}
        others = [{**item, "name": "main", "warnings": warnings[100:200], "unusedExcludes": part[200:300], "error": part[300]}]
        world.cluster.add("BorgRun", f"run-{number}", {"scheduleRef": {"name": "nightly"}}, status={
            "phase": "Failed", "repositories": [item], "startTime": ago(hours=1), "message": "".join(part[300:])})  # fmt: skip
        world.cluster.add("BorgRun", f"other-{number}", {"scheduleRef": {"name": "nightly"}}, status={
            "phase": "Failed", "repositories": others, "startTime": ago(hours=1)})  # fmt: skip
    for number, name in enumerate(names[:300]):
        title = "".join(char for char in f"«{name}»" if unicodedata.category(char) not in ("Cc", "Cs"))
        add_schedule(world, f"s{number}", title, runs="f", description=title)
    browser = Browser(world, "token")
    paths = ["/", "/schedules", "/schedules?page=2", "/schedules?page=3", "/runs", "/schedules/s0", "/schedules/s0/edit"]
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


def test_hostile_lines_of_a_log_are_lines_of_text(tmp_path: Path) -> None:
    world = World(make_key(tmp_path))
    add_repository(world, "main")
    add_schedule(world, "nightly", runs="g")
    world.cluster.pods = [{"metadata": {"name": "pod", "creationTimestamp": "2026-01-01T00:00:00Z"}}]
    world.cluster.logs["borg"] = b"<b>\r\nevent: ended\rdata: x\n\xff\xfe&\x1b[31m\nid: 7\n\n"
    answer = Browser(world, "token").get("/runs/nightly-1/log")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == (
        "id: 5\ndata: &lt;b&gt;⏎\ndata: event: ended⏎data: x\ndata: \ufffd\ufffd&amp;\x1b[31m\ndata: id: 7\ndata: \ndata:\n\n"
        "event: ended\ndata: \n\n"
    )
    again = Browser(world, "token").get("/runs/nightly-1/log", last_event_id="3")
    assert again.text.startswith("id: 5\ndata: id: 7\n")
    assert Browser(world, "token").get("/runs/nightly-1/log", last_event_id="x" * 40).text == answer.text


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


def make_many(folder: Path, count: int) -> World:
    world = World(make_key(folder))
    add_repository(world, "main", archives=4)
    for number in range(count):
        add_schedule(world, f"schedule-{number:03}", f"Schedule {number}", runs="g" * 9 + ("f" if number % 10 == 0 else "g"))
    return world


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(make_many(tmp_path_factory.mktemp("many"), 500), "token")


@pytest.mark.parametrize("path", ["/", "/schedules", "/schedules?page=3", "/runs", "/repositories/main", "/schedules/schedule-007"])
def test_with_500_schedules_a_page_takes_50_milliseconds_at_the_server(crowded: Browser, path: str) -> None:
    """Processor time, since other tests run beside this one; the best of some, since that is what it takes."""
    crowded.get(path)
    times = []
    for _ in range(5):
        began = time.process_time()
        answer = crowded.get(path, accept_encoding="gzip")
        times.append(time.process_time() - began)
        assert answer.status_code == 200
    own = 0.015  # what the client of this test takes
    assert min(times) <= 0.05 + own
    assets = sum(len(asset.zipped) for asset in load_assets().values())
    assert len(gzip.compress(answer.content)) + assets <= 100_000


def test_five_hundred_schedules_come_a_hundred_at_a_time_those_that_need_somebody_first(crowded: Browser) -> None:
    page = crowded.get("/schedules").text
    assert page.count('<li class="row schedule">') == 100
    assert page.count("The last backup failed") == 50
    assert page.index("The last backup failed") < page.index(">Schedule 1<")
    assert "page=2" in page
    assert crowded.get("/schedules?q=schedule+499").text.count('<li class="row schedule">') == 1


VERDICTS: dict[str, tuple[dict[str, Any], str]] = {
    "all well": ({"runs": "gg"}, "The schedule has a good backup of the last 20 h."),
    "failed": ({"runs": "gf"}, "1 schedule has no good backup; 0 of 1 have one."),
    "paused": ({"runs": "g", "suspend": True}, "Nothing is backed up: all schedules are paused."),
    "overdue": ({"runs": "g", "status": {"lastSuccessTime": ago(days=4)}}, "1 schedule has no good backup"),
    "new": ({"runs": ""}, "1 new schedule has not run yet."),
    "cannot run": (
        {"runs": "g", "status": {"conditions": [condition("Ready", "False", "RepositoryNotFound", "There is no main.")]}},
        "1 schedule has no good backup",
    ),
}


@pytest.mark.parametrize("case", sorted(VERDICTS))
def test_one_sentence_says_whether_all_is_well(tmp_path: Path, case: str) -> None:
    given, sentence = VERDICTS[case]
    world = World(make_key(tmp_path))
    add_repository(world, "main")
    add_schedule(world, "nightly", "Nightly", **given)
    page = Browser(world, "token").get("/").text
    verdict = re.search('<h1 class="verdict[^>]*>.*?<span>(.*?)</span>', page)
    assert verdict
    assert sentence in verdict[1]


def test_what_needs_somebody_comes_worst_first_each_with_what_to_do(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    damage = {"time": ago(hours=2), "runName": "main-check-1", "reason": "Damaged", "message": "2 chunks are missing."}
    add_repository(world, "broken", damage=damage)
    add_repository(world, "gone", conditions=[condition("Missing", "True", "RepositoryMissing", "It is not there.")])
    add_run(world, "weekly-empty", "weekly", "CompletedWithWarnings", hours=1, status={"repositories": [
        {"name": "main", "phase": "CompletedWithWarnings", "reason": "SourceEmpty", "warnings": ["data is empty"]}]})  # fmt: skip
    view = world.cluster.picture.view("team")
    found = find_matters(view, Timetable(), whole_now())
    assert [matter.level for matter in found] == sorted(matter.level for matter in found)
    assert all(matter.advice and matter.headline for matter in found)
    told = {(matter.name, matter.headline) for matter in found}
    assert {
        ("broken", "Damage was found"), ("gone", "The repository is gone"), ("database", "The last 2 backups failed"),
        ("offsite", "Its lock is held"), ("waiting", "It waits for approval"),
        ("weekly", "The newest archive may not be whole"),
    } <= told  # fmt: skip
    page = Browser(world, "token").get("/").text
    assert "2 repositories need somebody now" in page
    assert "2 chunks are missing." in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (11_100, "3 h 5 min"), (93_600, "26 h"), (172_800, "2 d")],
)
def test_a_span_is_told_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_sizes_are_told_in_binary_units() -> None:
    assert [size(count) for count in (None, 0, 812, 1_288_490_189, 10**15)] == ["–", "0 B", "812 B", "1.2 GiB", "909 TiB"]


def inside_router() -> APIRouter:
    """Return the operations that look into archives, as the contract has them, on a small tree."""
    router = APIRouter(route_class=GuardedRoute)
    items = {
        "": [{"name": "sources", "path": "sources", "type": "directory", "size": 10, "mtime": "2026-11-24T03:00:02Z"}],
        "sources": [
            {"name": "a b<i>.txt", "path": "sources/a b<i>.txt", "type": "file", "size": 2048, "mtime": "2026-11-24T03:00:02Z"},
            {"name": "link", "path": "sources/link", "type": "symlink", "size": 0, "mtime": None, "target": "../x"},
        ],
    }

    @router.get("/api/browse/{repository_id}/{archive}")
    @requires(LIST)
    async def browse_archive(request: Request, path: str = "") -> Response:
        if path == "opening":
            return JSONResponse({"status": "pending", "jobId": "1", "entries": 1204}, 202)
        if path == "locked":
            return JSONResponse({"status": 409, "detail": "The repository is locked by nightly-7 since 02:00."}, 409)
        return JSONResponse({"items": items[path], "next": None, "total": len(items[path]), "pending": False})

    @router.get("/api/browse/{repository_id}/{archive}/find")
    @requires(LIST)
    async def find_in_archive(request: Request, q: str) -> Response:
        return JSONResponse({"items": [item for item in items["sources"] if q in str(item["name"])]})

    @router.get("/api/browse/{repository_id}/diff")
    @requires(LIST)
    async def diff_archives(request: Request, a: str, b: str) -> Response:
        return JSONResponse({"items": [{"path": "sources/new", "change": "added", "size": 3}], "next": "more"})

    @router.get("/api/archives/download")
    @requires(LIST)
    async def download_from_archive(request: Request, repository: str, archive: str, file_path: str) -> Response:
        name = {"Content-Disposition": "attachment; filename=\"x\"", "Set-Cookie": "a=b"}
        return PlainTextResponse(f"{archive} {file_path}", headers=name, media_type="application/octet-stream")

    @router.get("/api/browse/{repository_id}/{archive}/tar")
    @requires(LIST)
    async def download_folder_from_archive(request: Request, path: str = "") -> Response:
        return PlainTextResponse("tar", media_type="application/x-tar")

    return router


@pytest.fixture
def looking(tmp_path: Path) -> Browser:
    world = World(make_key(tmp_path))
    add_repository(world, "main")
    add_archive(world, "main-1", "a-1")
    add_archive(world, "main-2", "a-2", time=ago(hours=1))
    router = inside_router()
    world.app.include_router(router)
    before = world.app.state.operations
    let_pages_call(world.app, [router])
    world.app.state.operations = {**before, **world.app.state.operations}
    return Browser(world, "token")


def test_where_the_facade_can_look_into_archives_the_page_shows_the_tree(looking: Browser) -> None:
    page = looking.get("/archives/main/a-2").text
    assert ">sources</bdi>/" in page
    assert "What changed?" in page
    page = looking.get("/archives/main/a-2?path=sources").text
    assert "a b&lt;i&gt;.txt" in page
    assert "2.0 KiB" in page
    assert 'name="path" value="sources/a b&lt;i&gt;.txt"' in page
    assert "../x" in page
    found = looking.get("/archives/main/a-2?q=link").text
    assert "sources/link" in found
    assert "txt" not in found
    assert "Nothing is called like that" in looking.get("/archives/main/a-2?q=nothing").text
    opening = looking.get("/archives/main/a-2?path=opening").text
    assert "is being opened: 1,204 entries" in opening
    assert 'hx-trigger="every 1s"' in opening
    assert "locked by nightly-7" in looking.get("/archives/main/a-2?path=locked").text
    changed = looking.get("/archives/main/compare?a=a-1&b=a-2").text
    assert "sources/new" in changed
    assert "after=more" in changed
    ticked = looking.get("/restores/new?repository=main&archive=a-2&path=sources%2Fa+b&path=c").text
    assert ">sources/a b\nc</textarea>" in ticked


def test_a_file_is_passed_on_to_be_kept_and_never_shown(looking: Browser) -> None:
    answer = looking.get("/archives/main/a-2/file?path=sources%2Fa+b%3Ci%3E.txt")
    assert answer.text == "a-2 sources/a b<i>.txt"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert "set-cookie" not in answer.headers
    assert looking.get("/archives/main/a-2/tar?path=sources").headers["content-type"] == "application/x-tar"


def test_where_it_cannot_the_page_offers_nothing_of_it(browser: Browser) -> None:
    page = browser.get("/archives/main/before-the-upgrade").text
    assert "Files</h2>" not in page
    assert "Restore all of it" in page
    assert "cannot look into archives" in browser.get("/archives/main/compare").text
    assert browser.get("/archives/main/before-the-upgrade/file?path=x").status_code == 404

"""The page in Debian's Chromium: how it looks, by axe-core and in pictures; what it loads, and does by itself.

The facade is in this process, on a cluster that is a dict; `tests/e2e/test_page.py` has the real one.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import Browser, Page, expect

from borg_contract.session import answers
from borg_contract.session.request import ReadRequest, SessionOperation
from support.browser import SHOTS, find_faults, log_in, open_chromium
from support.page_world import HOSTILE, LONG, add_schedule, fill
from support.rest_world import World
from support.session_pod import opened
from support.visitor import serve
from support.waiting import wait_for

PAGES = {
    "overview": "/",
    "schedules": "/schedules",
    "schedule": "/schedules/nightly",
    "schedule-failed": "/schedules/database",
    "schedule-new": "/new/schedule",
    "schedule-edit": "/schedules/weekly/edit",
    "runs": "/runs",
    "runs-none": "/runs?status=Skipped",
    "run": "/runs/nightly-now",
    "run-failed": "/runs/database-1",
    "run-warnings": "/runs/photos-4",
    "repositories": "/repositories",
    "repository": "/repositories/main",
    "repository-locked": "/repositories/offsite",
    "archives": "/archives",
    "archive": "/archives/main/before-the-upgrade",
    "archive-found": "/archives/main/before-the-upgrade?q=a",
    "archive-refused": "/archives/main/before-the-upgrade?path=locked",
    "archive-versions": "/archives/main/before-the-upgrade/versions?path=sources/data/etc/app.conf",
    "archives-compared": "/compare/main?a=before-the-upgrade&b=before-the-upgrade",
    "restores": "/restores",
    "restore-new": "/new/restore?repository=main",
    "restore-waits": "/restores/waiting",
    "restore-done": "/restores/done",
    "drills": "/drills",
    "claims": "/claims",
    "scripts": "/scripts",
    "namespaces": "/namespaces",
    "not-there": "/runs/nothing",
}
_HIDDEN_IN_TABLES = """[...document.querySelectorAll('.scroll, tbody td')]
.filter(box => box.scrollWidth > box.clientWidth)
.map(box => `out of sight, or over something else: a part of "${box.ariaLabel || box.innerText}"`)"""
SIZES = ((360, "light"), (1280, "light"), (1280, "dark"), (2560, "light"))


def make_world() -> World:
    world = World(page=True)
    fill(world)
    world.cluster.pods = [{"metadata": {"name": "pod", "creationTimestamp": "2026-01-01T00:00:00Z"}}]
    world.cluster.logs["borg"] = b"".join(b"A /sources/data/file-%d <b>\n" % number for number in range(40))
    return world


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    world.keys.private = Ed25519PrivateKey.generate()
    with serve(world, opened(world, look_inside)) as address:
        yield address


NAMES = (
    "etc",
    "app.conf",
    "日本語のとても長い名前のファイル.txt",
    "ملف مهم.pdf",
    LONG,
    HOSTILE.replace("\0", ""),
    "x" * 255,
)


def look_inside(request: ReadRequest) -> Any:
    """Answer as the pod of a session."""
    items = tuple(
        answers.Item(name, f"sources/data/{name}", kind, 10_000_000, "2026-11-24T03:00:02Z", target=target)
        for name, kind, target in zip(NAMES, ["directory", *["file"] * 5, "symlink"], [*[""] * 6, "../x"], strict=True)
    )
    if request.path == "locked":
        return 409, answers.Refusal("RepositoryLocked", "Locked by nightly-7 since 02:00")
    if request.operation is SessionOperation.DIFF:
        added = (answers.Change(item.path, answers.ADDED, None, item) for item in items)
        return answers.DiffAnswer(
            (answers.Change(items[1].path, answers.MODIFIED, items[1], items[1]), *added), next="n"
        )
    if request.operation is SessionOperation.VERSIONS:
        found = [answers.Version(LONG, f"{number:064}", "2026-11-24T03:00:02Z", items[1]) for number in range(3)]
        missing = answers.Version("other", "f" * 64, "2026-11-20T03:00:02Z")
        return answers.VersionsAnswer((*found, missing), total=4, looked=4)
    return answers.TreeAnswer(items, total=len(items))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser, url: str) -> Iterator[Page]:
    context = chromium.new_context(reduced_motion="reduce")
    page = context.new_page()
    log_in(page, url, "token")
    yield page
    context.close()


@pytest.mark.parametrize(("width", "scheme"), SIZES, ids=str)
def test_axe_finds_nothing_and_nothing_sticks_out(chromium: Browser, url: str, width: int, scheme: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        bypass_csp=True,  # for axe-core, which the test puts into the page; others look at the policy
    )
    page = context.new_page()
    page.goto(f"{url}/login")
    faults = {"login": find_faults(page)}
    page.screenshot(path=SHOTS / f"login-{width}-{scheme}.png", full_page=True)
    log_in(page, url, "token")
    for name, path in PAGES.items():
        page.goto(url + path)
        page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
        faults[name] = find_faults(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            faults[name].append(f"{wide} pixels stick out")
        faults[name] += page.evaluate(_HIDDEN_IN_TABLES)
        page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
    context.close()
    assert {name: found for name, found in faults.items() if found} == {}


def test_everything_comes_from_the_facade_and_the_policy_has_nothing_to_complain_of(
    chromium: Browser, url: str
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    asked: set[str] = set()
    said: list[str] = []
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: said.append(f"{message.type} {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    log_in(page, url, "token")
    for path in PAGES.values():
        page.goto(url + path)
        page.wait_for_load_state()
    page.wait_for_timeout(1500)
    assert asked == {urlsplit(url).netloc}
    assert [line for line in said if "404" not in line] == []
    assert page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0
    assert page.evaluate("document.cookie") == ""
    context.close()


def test_what_an_expression_means_is_shown_while_it_is_typed(page: Page, url: str) -> None:
    page.goto(f"{url}/new/schedule")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Cron expression").fill("30 2 * * *")
    expect(page.locator("#times")).to_contain_text("At 02:30 AM")
    expect(page.locator("#times")).to_contain_text("skipped")
    page.get_by_label("Cron expression").fill("61 * * * *")
    expect(page.locator("#times .state.bad")).to_be_visible()


def test_a_log_is_followed_and_stays_at_its_end(page: Page, url: str, world: World) -> None:
    page.goto(f"{url}/runs/nightly-now")
    log = page.locator("#log")
    expect(log).to_contain_text("file-39 <b>")
    world.cluster.logs["borg"] += b"one more & <i>\n"
    expect(log).to_contain_text("one more & <i>")
    assert log.locator("b, i").count() == 0
    to_go = "(log => log.scrollHeight - log.scrollTop - log.clientHeight)(document.querySelector('#log'))"
    wait_for(lambda: page.evaluate(to_go), lambda pixels: pixels < 40, 5, "the log is at its end")


def test_the_overview_goes_on_by_itself_and_keeps_what_one_had_opened(page: Page, url: str, world: World) -> None:
    page.clock.install()
    page.goto(url)
    add_schedule(world, "later", "Made meanwhile", runs="f")
    page.clock.run_for(25_000)
    expect(page.get_by_role("link", name="Made meanwhile").first).to_be_visible()


def test_an_archive_that_is_opened_comes_by_itself_and_what_is_ticked_then_stays(chromium: Browser) -> None:
    world = World(page=True)
    fill(world)
    world.keys.private = Ed25519PrivateKey.generate()
    state: list[Any] = [(202, answers.Pending(entries=7))]
    asked: list[ReadRequest] = []

    def answer(request: ReadRequest) -> Any:
        asked.append(request)
        return b"content" if request.operation is SessionOperation.FILE else state[0]

    with serve(world, opened(world, answer)) as url:
        page = chromium.new_context().new_page()
        log_in(page, url, "token")
        page.goto(f"{url}/archives/main/before-the-upgrade")
        expect(page.locator("#files")).to_contain_text("7 entries so far")
        state[0] = (202, answers.Pending(entries=9_000))
        expect(page.locator("#files")).to_contain_text("9,000 entries so far")
        state[0] = answers.TreeAnswer((answers.Item("app.conf", "sources/data/app.conf", "file", 7),), total=1)
        page.get_by_label("Restore app.conf").check()
        before = len(asked)
        page.wait_for_timeout(2_500)
        expect(page.get_by_label("Restore app.conf")).to_be_checked()
        assert len(asked) == before
        with page.expect_download() as download:
            page.get_by_label("Download app.conf").click()
        assert (download.value.suggested_filename, download.value.path().read_bytes()) == ("app.conf", b"content")
        page.get_by_role("button", name="Restore what is ticked").click()
        expect(page.get_by_label("Files and folders")).to_have_value("sources/data/app.conf")
        page.context.close()


def test_the_whole_way_is_done_with_the_keyboard(chromium: Browser, url: str, world: World) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{url}/login")
    page.keyboard.type("token")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "/login" not in address)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.goto(f"{url}/new/schedule")
    _tab_to(page, "Name")
    page.keyboard.type("By keyboard")
    _tab_to(page, "offsite")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "done=created" in address)
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
    _tab_to(page, "Run now")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "/runs/" in address)
    _tab_to(page, "Cancel…", summary=True)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    _tab_to(page, "Cancel this run")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "done=cancelled" in address)
    spec = world.cluster.objects["BorgSchedule", "by-keyboard"]["spec"]
    assert spec["repositoryRefs"] == [{"name": "offsite"}]
    context.close()


def _tab_to(page: Page, name: str, *, summary: bool = False) -> None:
    """Press Tab until what is called so has the focus."""
    said = "e => (e.labels?.[0]?.innerText ?? e.innerText ?? '').trim()"
    for _ in range(80):
        page.keyboard.press("Tab")
        text = page.evaluate(f"({said})(document.activeElement)")
        if text == name and (not summary or page.evaluate("document.activeElement.tagName") == "SUMMARY"):
            return
    pytest.fail(f"no Tab leads to {name}")


def test_without_scripts_forms_and_links_work(chromium: Browser, url: str, world: World) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    log_in(page, url, "token")
    page.goto(f"{url}/new/schedule")
    page.get_by_label("Name", exact=True).fill("Without scripts")
    page.get_by_label("Cron expression").fill("15 4 * * *")
    page.get_by_role("button", name="Show when it would run").click()
    expect(page.locator("#times")).to_contain_text("At 04:15 AM")
    page.get_by_label("main").check()
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("Paused.")
    page.get_by_text("Delete this schedule").click()
    page.get_by_role("button", name="Delete “Without scripts”").click()
    expect(page.get_by_role("status")).to_contain_text("Deleted.")
    assert ("BorgSchedule", "without-scripts") not in world.cluster.objects
    page.goto(f"{url}/runs/nightly-now")
    expect(page.locator("noscript pre, pre.log").last).to_contain_text("file-39")
    context.close()


def test_a_link_from_another_site_finds_one_logged_in(page: Page, url: str) -> None:
    """To a browser, localhost and 127.0.0.1 are two sites."""
    other = url.replace("localhost", "127.0.0.1")
    page.goto(f"{other}/login")
    page.evaluate(
        "to => { const link = document.createElement('a'); link.href = to; document.body.append(link); link.click() }",
        f"{url}/runs",
    )
    page.wait_for_url(f"{url}/runs")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()


def test_no_other_page_can_put_this_one_into_a_frame(page: Page, url: str) -> None:
    page.goto(f"{url}/login")
    framing = f'<iframe src="{url}/"></iframe>'
    page.route("**/framing", lambda route: route.fulfill(body=framing, content_type="text/html"))
    page.goto(url.replace("localhost", "127.0.0.1") + "/framing")
    page.wait_for_timeout(500)
    (frame,) = page.frames[1:]
    assert "Overview" not in frame.content()

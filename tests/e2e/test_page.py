"""The page on the real cluster, in Debian's Chromium: from the login to a file that came back."""

import re
import socket
import subprocess
import tarfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.team import NEVER, Team
from support.browser import find_faults, log_in, open_chromium
from support.cluster import Kubectl
from support.rest import make_account
from support.waiting import wait_for

_FACADE = "app.kubernetes.io/name=borg-operator,app.kubernetes.io/component=api"
_PATIENCE = 120_000


@pytest.fixture(scope="module")
def url(kubectl: Kubectl) -> Iterator[str]:
    """Give the facade at localhost, as people have it: there a browser keeps the cookie without HTTPS."""
    (service,) = [
        item
        for item in kubectl.get("services", "--all-namespaces", f"--selector={_FACADE}")["items"]
        if item["spec"].get("clusterIP") != "None"
    ]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    metadata = service["metadata"]
    ports = f"{port}:{service['spec']['ports'][0]['port']}"
    command = ["kubectl", "-n", metadata["namespace"], "port-forward", f"service/{metadata['name']}", ports]
    process = subprocess.Popen(command, env=kubectl.environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _answers(port), bool, 20, "the port-forward")
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def prepared(baseline_team: Team) -> Team:
    """Give a team with data, a repository, and an account for each role."""
    team = baseline_team
    team.prepare(owners=True)
    team.work("mkdir -p /data/etc && echo one >/data/etc/app.conf && echo two >/data/etc/other.conf")
    team.repository("main", archiveLimit=10)
    return team


@pytest.fixture(scope="module")
def admin(prepared: Team) -> str:
    return make_account(prepared.kubectl, prepared.namespace, "page-admin", "borg-admin")


@pytest.fixture
def page(chromium: Browser, url: str, admin: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.set_default_timeout(_PATIENCE)
    log_in(page, url, admin)
    yield page
    context.close()


def test_from_a_new_schedule_to_a_file_that_came_back(page: Page, url: str, prepared: Team) -> None:
    team, here = prepared, f"namespace={prepared.namespace}"
    page.goto(f"{url}/new/schedule?{here}")
    page.get_by_label("Name", exact=True).fill("By page")
    page.get_by_label("Cron expression").fill(NEVER)
    expect(page.locator("#times")).to_contain_text("Next runs")
    page.get_by_label("main").check()
    page.get_by_text("More: description").click()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="By page")).to_be_visible()
    team("patch", "bsched", "by-page", "--type=merge", "-p", '{"spec":{"job":{"fileAccess":"ReadAll"}}}')

    page.get_by_role("button", name="Run now").click()
    page.wait_for_url(re.compile("/runs/"))
    expect(page.locator("#now > .big")).to_contain_text("Completed", timeout=_PATIENCE)
    team.eventually(
        lambda: team.kubectl.get("barch", "--namespace", team.namespace)["items"], "the archive is listed", holds=bool
    )
    page.goto(f"{url}/archives?{here}")
    page.get_by_role("link", name=re.compile("^by-page-")).first.click()
    expect(page.get_by_role("heading", name=re.compile("^by-page-"))).to_be_visible()

    team.work("echo broken >/data/etc/app.conf")
    page.locator("main").get_by_role("link", name=re.compile("^Restore")).first.click()
    page.get_by_label("Files and folders").fill("etc/app.conf")
    page.get_by_label("Name of the claim").fill("app-data")
    page.get_by_label("Pods that use the claim").select_option("Ignore")
    page.get_by_role("button", name="Show what would happen").click()
    expect(page.get_by_role("button", name="Restore now")).to_be_visible(timeout=_PATIENCE)
    assert team.work("cat /data/etc/app.conf") == "broken\n"
    expect(page.get_by_text("~ etc/app.conf")).to_be_visible()
    page.get_by_role("button", name="Restore now").click()
    expect(page.locator("#now > .big")).to_contain_text("Completed", timeout=_PATIENCE)
    expect(page.get_by_text("1 file, all as in the archive")).to_be_visible()
    assert team.work("cat /data/etc/app.conf /data/etc/other.conf") == "one\ntwo\n"

    page.goto(f"{url}/?{here}")
    expect(page.locator("h1")).to_contain_text("The schedule has a good backup")
    page.goto(f"{url}/schedules/by-page?{here}")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status").first).to_contain_text("Paused.")
    page.get_by_text("Delete this schedule").click()
    page.get_by_role("button", name="Delete “By page”").click()
    expect(page.get_by_role("status").first).to_contain_text("Deleted.")
    assert team("get", "bsched", "by-page", check=False).returncode


def test_archives_are_looked_into(page: Page, url: str, prepared: Team) -> None:
    team, here = prepared, f"namespace={prepared.namespace}"
    team.schedule("looked", archiveNameTemplate="looked-{now}", job={"fileAccess": "ReadAll"})
    team.completed("looked-1", "looked")
    team.work("echo three >/data/etc/new.conf")
    team.completed("looked-2", "looked")
    _, later = (name for name in team.archives("main") if name.startswith("looked-"))
    team.eventually(
        lambda: [item["spec"]["archive"] for item in team.items("barch")],
        "the archive is listed",
        holds=lambda known: later in known,
    )
    page.goto(f"{url}/archives/main/{later}?{here}")
    files = page.locator("#files")
    for folder in ("sources/", "data/", "etc/"):
        files.get_by_role("link", name=folder, exact=True).click()
    with page.expect_download() as download:
        page.get_by_label("Download app.conf").click()
    assert download.value.suggested_filename == "app.conf"
    assert download.value.path().read_text() == "one\n"
    files.get_by_role("link", name="data", exact=True).click()
    with page.expect_download() as download:
        page.get_by_label("Download as tar: etc").click()
    with tarfile.open(download.value.path()) as tar:
        assert {name.rpartition("/")[2] for name in tar.getnames()} >= {"app.conf", "new.conf", "other.conf"}

    page.get_by_label("Name contains").fill("NEW.conf")
    page.get_by_role("button", name="Find").click()
    files.get_by_role("link", name="sources/data/etc/new.conf").click()
    expect(page.get_by_role("cell", name="not in it").first).to_be_visible()
    page.goto(f"{url}/archives/main/{later}?{here}")
    page.get_by_role("link", name="What changed?").click()
    expect(page.get_by_role("row", name="sources/data/etc/new.conf added")).to_be_visible()

    page.goto(f"{url}/archives/main/{later}?{here}&path=sources/data/etc")
    page.get_by_label("Restore new.conf").check()
    page.get_by_role("button", name="Restore what is ticked").click()
    expect(page.get_by_label("Files and folders")).to_have_value("sources/data/etc/new.conf")


def test_a_viewer_sees_and_is_offered_nothing_to_press(chromium: Browser, url: str, prepared: Team) -> None:
    token = make_account(prepared.kubectl, prepared.namespace, "page-viewer", "borg-viewer")
    prepared.schedule("seen")
    context = chromium.new_context()
    page = context.new_page()
    log_in(page, url, token)
    page.goto(f"{url}/schedules/seen?namespace={prepared.namespace}")
    expect(page.get_by_role("heading", name="seen")).to_be_visible()
    assert page.get_by_role("button", name=re.compile("Run now|Pause|Copy")).count() == 0
    page.goto(f"{url}/new/schedule?namespace={prepared.namespace}")
    expect(page.get_by_text("create borgschedules")).to_be_visible()
    page.goto(f"{url}/namespaces")
    assert page.locator("main").get_by_role("link").all_inner_texts() == [prepared.namespace]
    context.close()


def test_both_replicas_know_whom_one_of_them_let_in(page: Page, url: str, prepared: Team) -> None:
    for _ in range(20):
        page.goto(f"{url}/schedules?namespace={prepared.namespace}")
        assert "/login" not in page.url


def test_a_token_that_the_cluster_does_not_know_is_refused(chromium: Browser, url: str) -> None:
    page = chromium.new_context().new_page()
    page.goto(f"{url}/login")
    page.get_by_label("Token").fill("not-a-token")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("does not accept this token")


def test_axe_finds_nothing_on_the_real_pages(chromium: Browser, url: str, admin: str, prepared: Team) -> None:
    context = chromium.new_context(bypass_csp=True, viewport={"width": 360, "height": 800})
    page = context.new_page()
    log_in(page, url, admin)
    for path in ("/", "/schedules", "/runs", "/repositories", "/repositories/main", "/archives", "/restores"):
        page.goto(f"{url}{path}?namespace={prepared.namespace}")
        assert find_faults(page) == [], path
    context.close()

"""Looking into archives with the page: through REST, to a session's pod that checks signatures."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from random import Random
from typing import Any
from urllib.parse import quote, unquote_plus

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borg_api.page.insight import inside
from borg_api.resources.contents import reading
from borg_contract.session import answers
from borg_contract.session.request import ReadRequest, SessionOperation
from support.hostile import make_hostile
from support.page_world import add_archive, add_repository, ago
from support.rest_world import World
from support.session_pod import Pod, opened
from support.visitor import Browser

SOURCES = answers.Item("sources", "sources", "directory", 10, "2026-11-24T03:00:02Z")
FILE = answers.Item("a b<i>.txt", "sources/a b<i>.txt", "file", 2048, "2026-11-24T03:00:02Z")
LINK = answers.Item("link", "sources/link", "symlink", target="../x")
ODD = b"sources/caf\xe9\n&.txt".decode(errors="surrogateescape")
"""In Latin-1, in two lines."""
KNOWN = (b"main-2".hex() * 64)[:64]
"""The id of an archive that the cluster knows."""


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    world = World(page=True)
    add_repository(world, "main")
    add_archive(world, "main-1", "a-1")
    add_archive(world, "main-2", "a-2", time=ago(hours=1))
    world.keys.private = Ed25519PrivateKey.generate()
    monkeypatch.setattr(reading, "STREAM_SECONDS", 0.0)
    return Browser(world, "token")


def _always(page: Any, _: ReadRequest) -> Any:
    return page


def look(
    browser: Browser, path: str, answer: Callable[[ReadRequest], Any], method: str = "GET"
) -> tuple[httpx.Response, Pod]:
    async def run() -> tuple[httpx.Response, Pod]:
        async with opened(browser.world, answer) as pod:
            return await asyncio.wait_for(browser.ask(method, path), 60), pod

    return asyncio.run(run())


def test_a_folder_is_shown_with_what_one_can_do_with_what_is_in_it(browser: Browser) -> None:
    answer, pod = look(browser, "/archives/main/a-2", lambda _: answers.TreeAnswer((SOURCES,), total=1))
    assert ">sources</bdi>/" in answer.text
    assert "What changed?" in answer.text
    assert "hx-trigger" not in answer.text
    assert (pod.requests[0].operation, pod.requests[0].archive) == (SessionOperation.TREE, "a-2")
    page = answers.TreeAnswer((FILE, LINK), next="n link", total=3)
    answer, pod = look(browser, "/archives/main/a-2?path=sources", lambda _: page)
    assert "a b&lt;i&gt;.txt" in answer.text
    assert "2.0 KiB" in answer.text
    assert 'name="path" value="sources/a b&lt;i&gt;.txt"' in answer.text
    assert "../x" in answer.text
    assert pod.requests[0].path == "sources"
    _, pod = look(browser, "/archives/main/a-2?path=sources&continue=n%2520link", lambda _: page)
    assert pod.requests[0].after == "n link"
    assert '<form method="post" action="/new/restore?namespace=team">' in answer.text
    folder = browser.get("/new/restore?repository=main&archive=a-2&path=sources%2Fa+b").text
    assert ">sources/a b</textarea>" in folder


def test_what_is_called_like_that_is_shown_with_where_it_is(browser: Browser) -> None:
    found, pod = look(browser, "/archives/main/a-2?q=l%C3%ADnk+%26", lambda _: answers.TreeAnswer((LINK,)))
    assert "sources/link" in found.text
    assert (pod.requests[0].operation, pod.requests[0].q) == (SessionOperation.FIND, "línk &")
    none, _ = look(browser, "/archives/main/a-2?q=nothing", lambda _: answers.TreeAnswer(()))
    assert "Nothing is called like that" in none.text


def test_where_nothing_was_found_so_far_it_is_looked_for_further_on(browser: Browser) -> None:
    """A search goes by time: a page of it may be empty, and what is meant stands behind it."""

    def answer(wanted: ReadRequest) -> answers.TreeAnswer:
        return answers.TreeAnswer((LINK,)) if wanted.after == "250001" else answers.TreeAnswer((), next="250001")

    found, pod = look(browser, "/archives/main/a-2?q=li", answer)
    assert "sources/link" in found.text
    assert [wanted.after for wanted in pod.requests] == ["", "250001"]
    change = answers.Change("sources/new", answers.ADDED, None, LINK)

    def differ(wanted: ReadRequest) -> answers.DiffAnswer:
        return answers.DiffAnswer((change,)) if wanted.after else answers.DiffAnswer((), next="1s")

    changed, _ = look(browser, "/compare/main?a=a-1&b=a-2", differ)
    assert "sources/new" in changed.text


def test_a_search_that_takes_long_says_so_and_offers_to_go_on(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inside, "SEARCH_SECONDS", 0.0)
    found, _ = look(browser, "/archives/main/a-2?q=li", lambda _: answers.TreeAnswer((), next="250001"))
    assert "Nothing so far." in found.text
    assert "Nothing is called like that" not in found.text
    assert re.search(r'rel="next" href="/archives/main/a-2\?namespace=team&amp;q=li&amp;continue=250001"', found.text)


@pytest.mark.parametrize(
    "path",
    [
        "/archives/main/a-2?path=sources&continue=1f499",
        "/compare/main?a=a-1&b=a-2&continue=1s%252Ff",
        "/archives/main/a-2/versions?path=x&continue=ab",
    ],
)
def test_a_later_page_that_looks_again_looks_at_the_same(browser: Browser, path: str) -> None:
    waiting, _ = look(browser, path, lambda _: (202, answers.Pending(entries=3)))
    (asked,) = re.findall(r'hx-get="([^"]+)" hx-trigger="every 2s"', waiting.text)
    assert asked.endswith(path.rpartition("&")[2])


def test_a_page_is_there_while_the_archive_is_opened_and_looks_again_by_itself(browser: Browser) -> None:
    waiting = browser.get("/archives/main/a-2")
    assert "The archive is being opened" in waiting.text
    assert 'hx-trigger="every 2s"' in waiting.text
    assert [kind for verb, kind, _ in browser.world.cluster.requests if verb == "create"] == ["BorgSession"]


STATES = {"none": (202, answers.Pending(entries=1204)), "not that folder": answers.TreeAnswer((), pending=True)}


@pytest.mark.parametrize("read", sorted(STATES))
def test_what_was_not_read_yet_is_no_empty_folder(browser: Browser, read: str) -> None:
    opening, _ = look(browser, "/archives/main/a-2", lambda _: STATES[read])
    assert "is being opened" in opening.text
    assert ("1,204 entries so far" in opening.text) == (read == "none")
    assert 'hx-trigger="every 2s"' in opening.text


def test_a_folder_that_is_still_being_read_says_so_and_keeps_what_is_ticked(browser: Browser) -> None:
    some, _ = look(browser, "/archives/main/a-2", lambda _: answers.TreeAnswer((SOURCES,), pending=True))
    assert "still being read" in some.text
    assert "hx-trigger" not in some.text  # it would take away what is ticked


def test_what_the_pod_refuses_is_said_and_asked_for_again(browser: Browser) -> None:
    locked = answers.Refusal("RepositoryLocked", "Locked by nightly-7 since 02:00")
    for path in ("/archives/main/a-2", "/compare/main?a=a-1&b=a-2", "/archives/main/a-2/versions?path=x"):
        answer, _ = look(browser, path, lambda _: (409, locked))
        assert (answer.status_code, "Locked by nightly-7 since 02:00." in answer.text) == (200, True)
        assert 'hx-trigger="every 2s"' in answer.text
    download, _ = look(browser, "/archives/main/a-2/file?path=x", lambda _: (409, locked))
    assert (download.status_code, download.headers["content-type"]) == (409, "text/html; charset=utf-8")
    assert "Locked by nightly-7 since 02:00." in download.text


def test_what_changed_is_shown_with_sizes_before_and_after(browser: Browser) -> None:
    larger = answers.Item("a b<i>.txt", FILE.path, "file", 4096)
    changes = answers.DiffAnswer(
        (
            answers.Change(FILE.path, answers.MODIFIED, FILE, larger),
            answers.Change("sources/new", answers.ADDED, None, LINK),
        ),
        next="n sources/new",
    )
    answer, pod = look(browser, "/compare/main?a=a-1&b=a-2", lambda _: changes)
    assert "sources/new" in answer.text
    assert "2.0 KiB" in answer.text
    assert "4.0 KiB" in answer.text
    assert "continue=n%2520sources%252Fnew" in answer.text
    assert (pod.requests[0].a, pod.requests[0].b) == ("a-1", "a-2")
    same, _ = look(browser, "/compare/main?a=a-1&b=a-2", lambda _: answers.DiffAnswer(()))
    assert "the two are the same" in same.text


def test_a_long_way_down_a_comparison_goes_on(browser: Browser) -> None:
    deep = "n " + "ü/" * 500
    token = quote(quote(deep, safe=""), safe="")
    _, pod = look(browser, f"/compare/main?a=a-1&b=a-2&continue={token}", lambda _: answers.DiffAnswer(()))
    assert pod.requests[0].after == deep


def test_one_file_is_shown_in_each_archive(browser: Browser) -> None:
    versions = answers.VersionsAnswer(
        (
            answers.Version("a-2", KNOWN, "2026-11-24T03:00:02Z", FILE),
            answers.Version("a-1", "ab" * 32, "2026-11-23T03:00:02Z", None),
            answers.Version("of-another-time", "ef" * 32, "2026-11-22T03:00:02Z", FILE),
        ),
        total=5,
        looked=2,
        pending=True,
    )
    path = "/archives/main/a-2/versions?path=" + quote(FILE.path)
    answer, pod = look(browser, path, lambda _: versions)
    assert "<td>new</td>" in answer.text
    assert "not in it" in answer.text
    assert f"/archives/main/{KNOWN}/file" in answer.text
    assert "ef" * 32 not in answer.text, "the cluster does not know it, so no link leads there"
    assert "<td>changed</td>" in answer.text, "of the oldest so far, nobody knows"
    assert "spec.archiveLimit" in answer.text
    assert "2 of 5 archives" in answer.text
    assert 'hx-trigger="every 2s"' in answer.text
    assert (pod.requests[0].operation, pod.requests[0].path) == (SessionOperation.VERSIONS, FILE.path)


def test_of_the_oldest_archive_that_has_a_file_it_is_not_said_that_it_changed(browser: Browser) -> None:
    versions = answers.VersionsAnswer(
        (answers.Version("a-1", "ab" * 32, "2026-11-23T03:00:02Z", FILE),), total=1, looked=1
    )
    answer, _ = look(browser, "/archives/main/a-2/versions?path=" + quote(FILE.path), lambda _: versions)
    assert "<td>the oldest</td>" in answer.text


def test_a_damaged_file_is_called_damaged_wherever_one_chooses_it(browser: Browser) -> None:
    bad = answers.Item("f", "sources/f", "file", 10, healthy=False)
    folder = answers.TreeAnswer((bad,), total=1)
    versions = answers.VersionsAnswer((answers.Version("a-2", KNOWN, "2026-11-24T03:00:02Z", bad),), total=1, looked=1)
    changes = answers.DiffAnswer((answers.Change(bad.path, answers.MODIFIED, FILE, bad),))
    for path, page in (
        ("/archives/main/a-2?path=sources", folder),
        ("/archives/main/a-2/versions?path=sources%2Ff", versions),
        ("/compare/main?a=a-1&b=a-2", changes),
    ):
        answer, _ = look(browser, path, partial(_always, page))
        assert answer.text.count('<span class="tag">damaged</span>') == 1, path


def test_nothing_in_a_name_is_hidden_or_turns_it_around(browser: Browser) -> None:
    item = answers.Item("\u202etxt.exe", "sources/\u202etxt.exe", "file", 1)
    answer, _ = look(browser, "/archives/main/a-2?path=sources", lambda _: answers.TreeAnswer((item,)))
    assert "\\u202etxt.exe" in answer.text
    shown = re.sub('(href|value)="[^"]*"', "", answer.text)
    assert "\u202e" not in shown


def test_a_name_that_is_no_utf8_leads_to_the_very_file_and_is_not_ticked(browser: Browser) -> None:
    item = answers.Item(ODD.rpartition("/")[2], ODD, "file", 1)
    answer, _ = look(browser, "/archives/main/a-2?path=sources", lambda _: answers.TreeAnswer((item,)))
    exact = "sources%2Fcaf%E9%0A%26.txt"
    assert f"/file?namespace=team&amp;path={exact}" in answer.text
    assert 'type="checkbox"' not in answer.text
    download, pod = look(browser, f"/archives/main/a-2/file?path={exact}", lambda _: b"x")
    assert download.content == b"x"
    assert pod.requests[0].path == ODD
    folder, pod = look(browser, f"/archives/main/a-2?path={exact}", lambda _: answers.TreeAnswer(()))
    assert pod.requests[0].path == ODD
    assert "Restore this folder" not in folder.text


def test_hostile_names_in_archives_are_text_and_lead_to_their_files(browser: Browser) -> None:
    random = Random(12)
    names = [f"«{make_hostile(random)}»" for _ in range(2_000)]
    shown = 0
    for number in range(0, len(names), 500):
        part = names[number : number + 500]
        page = answers.TreeAnswer(tuple(answers.Item(name, f"d/{name}", "file", target=name) for name in part))
        answer, _ = look(browser, "/archives/main/a-2?path=d", partial(_always, page))
        for found in re.findall("«(.*?)»", answer.text, re.DOTALL):
            shown += 1
            assert not re.search("[<>\"']", found), found
            assert not re.search(r"&(?!(amp|lt|gt|#34|#39);)", found), found
        links = re.findall(r'/file\?namespace=team&amp;path=([^"]*)"', answer.text)
        assert [unquote_plus(link) for link in links] == [f"d/{name}" for name in part]
    assert shown >= 3 * len(names)


def test_a_file_is_passed_on_to_be_kept_and_never_shown(browser: Browser) -> None:
    content = bytes(range(256)) * 5000
    answer, pod = look(browser, "/archives/main/a-2/file?path=sources%2Fa+b%3Ci%3E.txt", lambda _: content)
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["content-disposition"].startswith('attachment; filename="a b_i_.txt"')
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "set-cookie" not in answer.headers
    assert pod.requests[0].path == FILE.path
    tar, pod = look(browser, "/archives/main/a-2/tar?path=sources", lambda _: b"tar")
    assert (tar.content, tar.headers["content-type"]) == (b"tar", "application/x-tar")
    assert 'filename="sources.tar"' in tar.headers["content-disposition"]


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 65536


@pytest.mark.parametrize("path", ["file?path=sources%2Fa", "tar?path=sources"])
def test_of_a_head_nothing_is_read(browser: Browser, path: str) -> None:
    answer, _ = look(browser, f"/archives/main/a-2/{path}", lambda _: endless(), "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-disposition"].startswith("attachment; ")


def test_who_may_not_look_sees_no_file_though_a_session_is_open(browser: Browser) -> None:
    browser.world.cluster.denied.add("borgsessions")
    answer, pod = look(browser, "/archives/main/a-2", lambda _: answers.TreeAnswer((FILE,)))
    assert (answer.status_code, pod.requests) == (200, [])
    assert "the right to create BorgSessions" in answer.text
    assert "the right to create BorgSessions" in browser.get("/compare/main").text
    for path in ("file?path=x", "tar", "versions?path=x"):
        refused, pod = look(browser, f"/archives/main/a-2/{path}", lambda _: b"x")
        assert (refused.status_code, pod.requests) == (403, [])
        assert "You may not create borgsessions" in refused.text

"""Looking into archives over REST: with a session's pod that checks signatures, against a cluster that is a dict."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import aiohttp
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter

from borg_api.keys import PRIVATE, PUBLIC, Keys, render_pair
from borg_api.looking.client import AwayError, derive_url
from borg_api.picture.records import derive_id
from borg_api.picture.timetable import whole_now
from borg_api.resources.contents import reading
from borg_api.resources.contents.download import render_disposition
from borg_api.resources.contents.response import Contents, Differences, Pending, Versions
from borg_cluster.errors import ApiError, Forbidden, Unanswered, Unreachable
from borg_contract.session import answers
from borg_contract.session.request import ReadRequest, SessionOperation
from borg_core.formats import format_time
from borg_operator.keys import PublicKeys
from support.rest_world import World
from support.session_pod import Cut, Pod, add_session, opened, serving

MAIN = {
    "local": {"volume": {"persistentVolumeClaim": {"claimName": "repo-main"}}},
    "encryption": {"mode": "none"},
}
REPOSITORY = derive_id("BorgRepository", "team", "main")
NIGHTLY = "nightly-2026-11-24T03:00:02"
BROWSE = f"/api/browse/{REPOSITORY}/{NIGHTLY}"
DOWNLOAD = f"/api/archives/download?repository={REPOSITORY}&archive={NIGHTLY}&file_path="
FILE = answers.Item("app.conf", "sources/data/app.conf", "file", 12, "2026-11-24T00:00:00Z", "-rw-r--r--", "u", "g")
FOLDER = answers.Item("etc", "sources/data/etc", "directory", 300, entries=2)
TREE = answers.TreeAnswer((FOLDER, FILE), total=2, entries=2)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    world.cluster.add("BorgRepository", "main", MAIN)
    world.keys.private = Ed25519PrivateKey.generate()
    monkeypatch.setattr(reading, "PAGE_SECONDS", 0.0)
    monkeypatch.setattr(reading, "STREAM_SECONDS", 0.0)
    monkeypatch.setattr(reading, "_LOOK_SECONDS", 0.01)
    return world


def ask(world: World, path: str, answer: Callable[[ReadRequest], Any], **more: Any) -> tuple[httpx.Response, Pod]:
    async def run() -> tuple[httpx.Response, Pod]:
        async with opened(world, answer) as pod:
            return await world("GET", path, **more), pod

    return asyncio.run(run())


def created(world: World) -> list[str]:
    return [name for verb, kind, name in world.cluster.requests if (verb, kind) == ("create", "BorgSession")]


def valid(kind: Any, response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return TypeAdapter(kind).validate_python(response.json())


def test_the_first_who_looks_opens_a_session_that_goes_with_its_repository(world: World) -> None:
    answer = asyncio.run(world("GET", BROWSE))
    pending = valid(Pending, answer, 202)
    assert (pending["status"], answer.headers["retry-after"]) == ("pending", "1")
    (name,) = created(world)
    assert name.startswith("main-")
    made = world.cluster.objects["BorgSession", name]
    assert made["spec"] == {"repositoryRef": {"name": "main"}}
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("BorgRepository", "main")
    assert pending["jobId"] == derive_id("BorgSession", "team", name)
    asyncio.run(world("GET", BROWSE))
    assert created(world) == [name]


def test_who_asks_at_once_through_other_replicas_opens_the_same_one(world: World) -> None:
    other = World()
    other.cluster.objects, other.cluster.silent = world.cluster.objects, True
    other.cluster._index("BorgRepository").put(world.cluster.objects["BorgRepository", "main"])
    asyncio.run(world("GET", BROWSE))
    asyncio.run(other("GET", BROWSE))
    assert created(other) == created(world)


def test_a_folder_is_listed_as_borg_ui_has_it(world: World) -> None:
    answer, pod = ask(world, f"{BROWSE}?path=/sources/data/", lambda _: TREE)
    body = valid(Contents, answer)
    first, second = body["items"]
    assert {key: first[key] for key in ("name", "path", "type", "size", "mtime")} == {
        "name": "etc",
        "path": "sources/data/etc",
        "type": "directory",
        "size": 300,
        "mtime": None,
    }
    assert (second["type"], second["size"], second["mtime"]) == ("file", 12, "2026-11-24T00:00:00Z")
    (request,) = pod.requests
    assert (request.operation, request.archive, request.path) == (SessionOperation.TREE, NIGHTLY, "sources/data")


def test_an_archive_is_called_by_borgs_id_too(world: World) -> None:
    spec = {"repositoryRef": {"name": "main"}, "archive": NIGHTLY, "id": "ab" * 32, "time": "2026-11-24T03:00:02Z"}
    world.cluster.add("BorgArchive", "a1", spec)
    _, pod = ask(world, f"/api/browse/main/{'ab' * 32}", lambda _: TREE)
    assert pod.requests[0].archive == NIGHTLY


def test_without_a_limit_all_pages_come_as_one_and_none_before_all_was_read(world: World) -> None:
    def answer(request: ReadRequest) -> answers.TreeAnswer:
        if request.after:
            return answers.TreeAnswer((FILE,), total=2)
        return answers.TreeAnswer((FOLDER,), next="etc", total=2)

    whole, pod = ask(world, BROWSE, answer)
    assert [item["name"] for item in valid(Contents, whole)["items"]] == ["etc", "app.conf"]
    assert [request.after for request in pod.requests] == ["", "etc"]
    partial = answers.TreeAnswer((FOLDER,), total=1, pending=True, entries=7)
    assert valid(Pending, ask(world, BROWSE, lambda _: partial)[0], 202)["entries"] == 7
    page = valid(Contents, ask(world, f"{BROWSE}?limit=1", lambda _: partial)[0])
    assert (page["pending"], len(page["items"])) == (True, 1)


def test_what_was_joined_while_it_was_read_may_lack_something(world: World) -> None:
    """The reading may end between two pages, and what came before the first one's end was not in it."""

    def answer(request: ReadRequest) -> answers.TreeAnswer:
        if request.after:
            return answers.TreeAnswer((FILE,), total=2)
        return answers.TreeAnswer((FOLDER,), next="etc", pending=True)

    joined = valid(Contents, ask(world, f"{BROWSE}?limit=5000", answer)[0])
    assert (len(joined["items"]), joined["pending"]) == (2, True)


def test_a_page_leads_to_the_next_one(world: World) -> None:
    odd = b"\xff&=".decode(errors="surrogateescape")
    page, _ = ask(world, f"{BROWSE}?limit=1", lambda _: answers.TreeAnswer((FOLDER,), next=odd))
    token = valid(Contents, page)["continue"]
    _, pod = ask(world, f"{BROWSE}?limit=1&continue={quote(token)}", lambda _: TREE)
    assert pod.requests[0].after == odd


HOSTILE = [
    b"caf\xe9.txt",
    b"\xff\xfe",
    b"a b+c%41&path=x#?",
    b"\xf0\x9f\x92\xbe",
    b"..",
    b"-rf",
    b"a\nb\r\nX: y",
    b'"><script>',
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_bytes_are_never_lost(world: World, name: bytes) -> None:
    text = name.decode(errors="surrogateescape")
    item = answers.Item(text, f"d/{text}", "file", 1)
    listed, _ = ask(world, BROWSE, lambda _: answers.TreeAnswer((item,)))
    encoded = valid(Contents, listed)["items"][0]["encoded_path"]
    assert unquote_to_bytes(encoded) == b"d/" + name
    answer, pod = ask(world, DOWNLOAD + encoded, lambda _: b"x")
    assert answer.content == b"x"
    assert pod.requests[0].path == f"d/{text}"


def test_find_diff_and_versions_ask_what_was_asked(world: World) -> None:
    found, pod = ask(world, f"{BROWSE}/find?q=APP+%26&path=sources", lambda _: TREE)
    assert len(valid(Contents, found)["items"]) == 2
    assert (pod.requests[0].operation, pod.requests[0].q, pod.requests[0].path) == ("find", "APP &", "sources")
    changes = answers.DiffAnswer((answers.Change("a", answers.MODIFIED, FILE, FILE),), next="a")
    compared, pod = ask(world, "/api/archives/diff?repository=main&a=one&b=two&limit=5", lambda _: changes)
    assert valid(Differences, compared)["changes"][0]["change"] == "modified"
    assert (pod.requests[0].a, pod.requests[0].b, pod.requests[0].limit) == ("one", "two", 5)
    versions = answers.VersionsAnswer((answers.Version("one", "id", "2026-01-01T00:00:00Z", FILE),), total=2, looked=1)
    listed, _ = ask(world, "/api/archives/versions?repository=main&file_path=sources/a", lambda _: versions)
    assert valid(Versions, listed)["versions"][0]["item"]["size"] == 12


def test_a_file_comes_to_the_byte_with_its_length_and_name_and_is_never_shown(world: World) -> None:
    content = bytes(range(256)) * 5000
    answer, pod = ask(world, DOWNLOAD + "sources/data/app.conf", lambda _: content)
    assert answer.content == content
    headers = answer.headers
    assert headers["content-length"] == str(len(content))
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == "attachment; filename=\"app.conf\"; filename*=UTF-8''app.conf"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cache-control"] == "private, no-store"
    assert (pod.requests[0].operation, pod.requests[0].path) == ("file", "sources/data/app.conf")


@pytest.mark.parametrize(
    ("name", "plain", "exact"),
    [
        ("a.txt", "a.txt", "a.txt"),
        ('a"b\\c.txt', "a_b_c.txt", "a%22b_c.txt"),
        ("a\r\nSet-Cookie: x", "a__Set-Cookie_ x", "a__Set-Cookie%3A%20x"),
        ("bücher.pdf", "b_cher.pdf", "b%C3%BCcher.pdf"),
        (b"\xff.bin".decode(errors="surrogateescape"), "_.bin", "%EF%BF%BD.bin"),
        ("exe\u202etxt.scr", "exe_txt.scr", "exe_txt.scr"),
        ("100%.txt", "100_.txt", "100%25.txt"),
        ("..", "download", "download"),
        ("", "download", "download"),
        ("x" * 300 + ".txt", "x" * 196 + ".txt", "x" * 196 + ".txt"),
    ],
)
def test_a_name_is_a_name_whatever_is_in_it(name: str, plain: str, exact: str) -> None:
    assert render_disposition(name) == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 65536


def test_a_folder_is_a_tar_of_its_name_and_of_a_head_nothing_is_read(world: World) -> None:
    async def three() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"tar"

    answer, pod = ask(world, f"{BROWSE}/tar?path=sources/data", lambda _: three())
    assert (answer.content, answer.headers["content-type"]) == (b"tartartar", "application/x-tar")
    assert 'filename="data.tar"' in answer.headers["content-disposition"]
    assert "content-length" not in answer.headers
    assert pod.requests[0].operation == "tar"

    async def head() -> httpx.Response:
        async with opened(world, lambda _: endless()):
            return await asyncio.wait_for(world("HEAD", f"{BROWSE}/tar"), 20)

    assert asyncio.run(head()).status_code == 200


def test_what_breaks_off_is_no_whole_file(world: World) -> None:
    async def run() -> None:
        async with opened(world, lambda _: Cut(b"begun", 10)):
            transport = httpx.ASGITransport(world.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://facade") as client:
                await client.get(DOWNLOAD + "a", headers={"Authorization": "Bearer token"})

    with pytest.raises(aiohttp.ClientError):
        asyncio.run(run())


@pytest.mark.parametrize("ends", [True, False], ids=["its session ends", "its session goes on"])
def test_a_download_of_a_pod_that_is_lost_breaks_off_when_its_session_has_ended(
    world: World, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("borg_api.resources.contents.reading._PULSE_SECONDS", 0.05)

    async def silent() -> AsyncIterator[bytes]:
        yield b"begun"
        if ends:
            world.cluster.report("BorgSession", "main-1", phase="Failed", reason="PodLost")
        await asyncio.sleep(0.5)
        yield b" and whole"

    async def run() -> bytes:
        async with opened(world, lambda _: silent()):
            transport = httpx.ASGITransport(world.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://facade") as client:
                return (await client.get(DOWNLOAD + "a", headers={"Authorization": "Bearer token"})).content

    if ends:
        with pytest.raises(ConnectionResetError):
            asyncio.run(asyncio.wait_for(run(), 5))
    else:
        assert asyncio.run(run()) == b"begun and whole"


def test_the_pods_side_ends_with_who_downloads(world: World) -> None:
    async def run() -> tuple[Pod, int]:
        async with opened(world, lambda _: endless()) as pod:
            sent: list[Any] = []
            gone = asyncio.Event()

            async def send(message: Any) -> None:
                sent.append(message)
                if len(sent) > 3:
                    gone.set()
                    await asyncio.sleep(0)

            async def receive() -> Any:
                await gone.wait()
                return {"type": "http.disconnect"}

            path, _, query = (DOWNLOAD + "a").partition("?")
            scope = {
                "type": "http",
                "method": "GET",
                "path": path,
                "raw_path": path.encode(),
                "query_string": query.encode(),
                "headers": [(b"authorization", b"Bearer token")],
                "http_version": "1.1",
                "scheme": "http",
                "server": ("facade", 80),
                "client": ("127.0.0.1", 1),
                "root_path": "",
            }
            await asyncio.wait_for(world.app(scope, receive, send), 30)
            await asyncio.wait_for(pod.left.wait(), 30)
            return pod, sum(len(message.get("body", b"")) for message in sent)

    pod, received = asyncio.run(asyncio.wait_for(run(), 60))
    assert pod.requests[0].operation == "file"
    assert received < 64 * 1024 * 1024


def test_who_may_not_create_sessions_sees_nothing_though_one_is_open(world: World) -> None:
    world.cluster.denied.add("borgsessions")
    for path in (BROWSE, f"{BROWSE}/find?q=a", f"{BROWSE}/tar", DOWNLOAD + "a"):
        answer, pod = ask(world, path, lambda _: TREE)
        assert answer.status_code == 403
        assert answer.json()["detail"] == 'You may not create borgsessions in namespace "team".'
        assert pod.requests == []
    assert created(world) == []


def test_whom_the_cluster_forbids_to_open_one_is_told_so(world: World) -> None:
    words = 'borgsessions.borgoperator.io is forbidden: User "u" cannot create resource "borgsessions" in API group "b"'
    world.cluster.troubles["create"] = [Forbidden(words)]
    assert asyncio.run(world("GET", BROWSE)).status_code == 403


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [(404, "ArchiveGone", 404), (409, "RepositoryLocked", 409), (422, "InvalidArgument", 400), (503, "Busy", 503)],
)
def test_what_the_pod_refuses_is_said_in_its_words(world: World, status: int, reason: str, expected: int) -> None:
    refusal = answers.Refusal(reason, "Locked by run x since noon")
    for path in (BROWSE, DOWNLOAD + "a"):
        answer, _ = ask(world, path, lambda _: (status, refusal))
        assert answer.status_code == expected
        assert answer.json()["detail"] == "Locked by run x since noon."


def test_a_listing_that_is_read_is_pending_and_a_download_of_it_is_asked_for_again(world: World) -> None:
    reads = (202, answers.Pending(entries=5000))
    assert valid(Pending, ask(world, BROWSE, lambda _: reads)[0], 202)["entries"] == 5000
    answer, _ = ask(world, DOWNLOAD + "a", lambda _: reads)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_pod_that_has_just_gone_is_pending_and_one_that_stays_silent_is_told(world: World) -> None:
    add_session(world)
    valid(Pending, asyncio.run(world("GET", BROWSE)), 202)
    long_ago = format_time(whole_now() - timedelta(minutes=1))
    ready = {"type": "Ready", "status": "True", "reason": "SessionReady", "lastTransitionTime": long_ago}
    add_session(world, conditions=[ready])
    answer = asyncio.run(world("GET", BROWSE))
    assert answer.status_code == 503
    assert "NetworkPolicy" in answer.json()["detail"]


def test_after_a_session_has_ended_the_next_look_opens_another_one(world: World) -> None:
    add_session(world, "main-1", phase="Ended", reason="SessionEnded", endTime=format_time(whole_now()))
    valid(Pending, asyncio.run(world("GET", BROWSE)), 202)
    (name,) = created(world)
    assert name != "main-1"


@pytest.mark.parametrize(("failed", "is_tried", "left"), [(1, True, 0), (2, True, 0), (3, False, 20), (9, False, 200)])
def test_after_each_that_failed_it_is_tried_more_rarely(world: World, failed: int, is_tried: bool, left: int) -> None:
    ended = format_time(whole_now() - timedelta(seconds=100))
    told = {"phase": "Failed", "reason": "PassphraseWrong", "message": "The passphrase is wrong", "endTime": ended}
    for number in range(failed):
        add_session(world, f"main-{number}", **told)
    answer = asyncio.run(world("GET", BROWSE, headers={"Prefer": "wait=0"}))
    assert (answer.status_code, len(created(world))) == ((202, 1) if is_tried else (503, 0))
    assert is_tried or int(answer.headers["retry-after"]) in range(left - 5, left + 1)


@pytest.mark.parametrize("lost", [Unreachable("no route"), Unanswered("no answer in time")], ids=["sent", "done"])
def test_who_looks_is_to_try_again_whatever_became_of_the_session_that_was_asked_for(
    world: World, lost: ApiError
) -> None:
    world.cluster.troubles["create"] = [lost]
    answer = asyncio.run(world("GET", BROWSE))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_one_that_failed_by_a_clock_that_is_an_hour_fast_is_waited_for_no_longer_than_others(world: World) -> None:
    ended = format_time(whole_now() + timedelta(hours=1))
    add_session(world, phase="Failed", reason="PassphraseWrong", message="The passphrase is wrong", endTime=ended)
    valid(Pending, asyncio.run(world("GET", BROWSE)), 202)


@pytest.mark.parametrize(("phase", "reason"), [("Failed", "PassphraseWrong"), ("Ended", "GaveWay")])
def test_why_the_last_one_failed_is_said_and_then_it_is_tried_again(world: World, phase: str, reason: str) -> None:
    told = {"phase": phase, "reason": reason, "message": "The passphrase is wrong"}
    add_session(world, **told, endTime=format_time(whole_now()))
    answer = asyncio.run(world("GET", BROWSE))
    assert (answer.status_code, answer.json()["detail"]) == (503, "The passphrase is wrong.")
    assert created(world) == []
    add_session(world, **told, endTime=format_time(whole_now() - timedelta(seconds=31)))
    valid(Pending, asyncio.run(world("GET", BROWSE)), 202)
    assert len(created(world)) == 1


def test_a_pod_that_obeys_another_key_is_replaced_and_no_more_than_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_SECONDS", 30.0)
    assert world.keys.private
    world.cluster.add("Secret", "key", {}, data=render_pair(world.keys.private))
    old = add_session(world)

    create = world.cluster.create

    async def create_and_begin(resource: Any, manifest: Any) -> Any:
        made = await create(resource, manifest)
        if resource.kind == "BorgSession":
            add_session(world, made["metadata"]["name"])
        return made

    monkeypatch.setattr(world.cluster, "create", create_and_begin)

    async def run() -> httpx.Response:
        pod = Pod(old, Ed25519PrivateKey.generate().public_key(), lambda _: TREE)
        await world.sessions.start()
        try:
            async with serving(pod) as url:
                world.pods["10.0.0.1"] = url
                return await world("GET", BROWSE)
        finally:
            await world.sessions.stop()

    answer = asyncio.run(asyncio.wait_for(run(), 60))
    assert answer.status_code == 503, answer.text
    assert "does not obey" in answer.json()["detail"]
    assert ("BorgSession", "main-1") not in world.cluster.objects
    assert len(created(world)) == 1


def test_a_pod_whose_clock_differs_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_SECONDS", 30.0)
    late = answers.Refusal("NotInTime", "The request is not obeyed. It comes too late.")
    answer, _ = ask(world, BROWSE, lambda _: (401, late))
    assert (answer.status_code, "It comes too late" in answer.json()["detail"]) == (503, True)
    assert ("BorgSession", "main-1") in world.cluster.objects
    assert created(world) == []


def test_a_facade_that_does_not_look_into_archives_says_so() -> None:
    world = World(looks=False)
    answer = asyncio.run(world("GET", BROWSE))
    assert (answer.status_code, "api.sessions.enabled" in answer.text, created(world)) == (404, True, [])


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "example.com", "1.2.3.4/x", ""],
)
def test_a_status_sends_the_facade_to_pods_alone(address: str) -> None:
    with pytest.raises(AwayError):
        derive_url(address)


def test_pods_of_both_families_are_asked_at_the_sessions_port() -> None:
    assert derive_url("10.1.2.3") == "http://10.1.2.3:8080"
    assert derive_url("fd00::5") == "http://[fd00::5]:8080"


def test_the_key_is_made_once_for_all_replicas_and_the_operator_reads_its_public_half(
    world: World, tmp_path: Path
) -> None:
    world.cluster.add("Secret", "key", {})
    one, two = (Keys(world.cluster, ("team", "key")) for _ in range(2))

    async def run() -> None:
        one.start()
        assert one._task
        await one._task
        two.start()
        assert two._task
        await two._task
        await one.stop()
        await two.stop()

    asyncio.run(run())
    assert one.private
    assert two.private
    assert one.private.private_bytes_raw() == two.private.private_bytes_raw()
    data = world.cluster.objects["Secret", "key"]["data"]
    assert data.keys() == {PRIVATE, PUBLIC}
    file = tmp_path / PUBLIC
    assert PublicKeys(str(file)).read() == ()
    file.write_bytes(base64.b64decode(data[PUBLIC]))
    (known,) = PublicKeys(str(file)).read()
    assert base64.urlsafe_b64decode(known + "=") == one.private.public_key().public_bytes_raw()


def test_of_two_replicas_that_make_a_key_at_once_the_first_ones_counts(world: World) -> None:
    world.cluster.add("Secret", "key", {})
    winner = Ed25519PrivateKey.generate()

    def be_faster() -> None:
        world.cluster.add("Secret", "key", {}, data=render_pair(winner))

    world.cluster.meanwhile["replace"] = be_faster
    keys = Keys(world.cluster, ("team", "key"))

    async def run() -> None:
        keys.start()
        assert keys._task
        await keys._task
        await keys.stop()

    asyncio.run(run())
    assert keys.private
    assert keys.private.private_bytes_raw() == winner.private_bytes_raw()


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"])
def test_what_is_no_key_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / PUBLIC
    file.write_text(text)
    assert PublicKeys(str(file)).read() == ()

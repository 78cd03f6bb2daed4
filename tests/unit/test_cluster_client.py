"""Whatever comes back over the wire is raised as the type that says what to do about it, by every verb alike."""

import asyncio
import errno
import os
import resource
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from borg_cluster.client import ApiServer
from borg_cluster.errors import (
    AlreadyExists,
    ApiError,
    Busy,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    Unanswered,
    Unauthorized,
    Unreachable,
    WebhookFailed,
)
from borg_cluster.transport import Request, network
from borg_core.registry import ResourceType
from support.http_server import (
    PATIENT,
    QUICK,
    Answer,
    body,
    connected,
    cut_off,
    hang_up,
    raw,
    refusal,
    silence,
    streamed,
    text,
)

THINGS = ResourceType("Thing", "example.org", "v1", "things")
METADATA = {"namespace": "team", "name": "one", "uid": "u", "resourceVersion": "5"}
THING: dict[str, Any] = {"kind": "Thing", "metadata": METADATA}


async def _first(api: ApiServer) -> Any:
    async with api.watch(THINGS, "team", "5") as events:
        async for event in events:
            return event
    return None


async def _log(api: ApiServer) -> bytes:
    async with api.log("team", "pod", "borg") as pieces:
        return b"".join([piece async for piece in pieces])


VERBS: dict[str, Callable[[ApiServer], Awaitable[Any]]] = {
    "ping": lambda api: api.ping(),
    "get": lambda api: api.get(THINGS, "team", "one"),
    "list_labelled": lambda api: api.list_labelled(THINGS, "team", "a=b"),
    "list_page": lambda api: api.list_page(THINGS, "team"),
    "list_page of metadata": lambda api: api.list_page(THINGS, None, metadata_only=True),
    "watch": _first,
    "log": _log,
    "create": lambda api: api.create(THINGS, THING),
    "replace": lambda api: api.replace(THINGS, THING),
    "merge": lambda api: api.merge(THINGS, "team", "one", {}),
    "patch": lambda api: api.patch(THINGS, "team", "one", []),
    "delete": lambda api: api.delete(THINGS, "team", "one", "u"),
}

QUOTA = 'things "one" is forbidden: exceeded quota: few'
WEBHOOK = 'Internal error occurred: failed calling webhook "vet.example.org": no service "vet"'
NAMESPACE_GOES = {"causes": [{"reason": "NamespaceTerminating", "message": "namespace team is being terminated"}]}

ANSWERS: dict[str, tuple[Answer, type[ApiError]]] = {
    "401": (refusal(401, "Unauthorized", "Unauthorized"), Unauthorized),
    "401 of a proxy": (text("log in first", 401), Unauthorized),
    "403 by RBAC": (refusal(403, "Forbidden", 'User "x" cannot create resource "things"'), Forbidden),
    "403 by a quota": (refusal(403, "Forbidden", QUOTA), Forbidden),
    "403 of a namespace that goes": (refusal(403, "Forbidden", "it goes", NAMESPACE_GOES), Forbidden),
    "403 of a proxy": (text("<h1>no</h1>", 403), Unreachable),
    "400": (refusal(400, "BadRequest", "no"), Refused),
    "405": (refusal(405, "MethodNotAllowed", "no"), Refused),
    "409 of a name": (refusal(409, "AlreadyExists", 'things "one" already exists'), AlreadyExists),
    "409 of a version": (refusal(409, "Conflict", "the object has been modified"), Conflict),
    "409 of a quota": (refusal(409, "Conflict", "Operation cannot be fulfilled on resourcequotas"), Conflict),
    "410": (refusal(410, "Expired", "too old resource version"), Expired),
    "413": (refusal(413, "RequestEntityTooLarge", "limit is 3145728"), Refused),
    "415": (refusal(415, "UnsupportedMediaType", "no"), Refused),
    "422": (refusal(422, "Invalid", "must be", {"name": "one"}), Invalid),
    "429": (text("Too many requests, please try again later.", 429, {"Retry-After": "7"}), Busy),
    "500": (refusal(500, "InternalError", "etcdserver: leader changed"), Unanswered),
    "500 by a webhook": (refusal(500, "InternalError", WEBHOOK), WebhookFailed),
    "503": (refusal(503, "ServiceUnavailable", "apiserver is shutting down"), Unreachable),
    "504": (refusal(504, "Timeout", "the server was unable to return a response in time"), Unanswered),
    "502 of a proxy": (text("<h1>Bad Gateway</h1>", 502), Unanswered),
    "cut off": (cut_off, Unanswered),
    "hung up": (hang_up, Unanswered),
    "silent": (silence, Unanswered),
}


def ask(answer: Answer, *verbs: Callable[[ApiServer], Awaitable[Any]], quick: bool = False) -> list[Any]:
    """Return what each verb gives or raises, all asked at once."""

    async def run() -> list[Any]:
        async with connected(answer, QUICK if quick else PATIENT) as api:
            return await asyncio.gather(*(verb(api) for verb in verbs), return_exceptions=True)

    return asyncio.run(run())


@pytest.mark.parametrize(("answer", "kind"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_raised_as_its_type_by_every_verb(answer: Answer, kind: type[ApiError]) -> None:
    found = dict(zip(VERBS, ask(answer, *VERBS.values(), quick=answer is silence), strict=True))
    assert {verb: type(error) for verb, error in found.items()} == dict.fromkeys(VERBS, kind)
    assert all(str(error) for error in found.values())


@pytest.mark.parametrize(
    "answer",
    [refusal(404, "NotFound", 'things "one" not found'), text("404 page not found\n", 404)],
    ids=["object", "kind"],
)
def test_what_is_not_there_is_none_for_get_and_not_found_for_all_others(answer: Answer) -> None:
    found = dict(zip(VERBS, ask(answer, *VERBS.values()), strict=True))
    assert found.pop("get") is None
    assert {type(error) for error in found.values()} == {NotFound}


@pytest.mark.parametrize(
    "answer",
    [text("<h1>Log in</h1>"), text("[1, 2]"), body({"some": "thing"}), text('{"kind": "Thing", "meta')],
    ids=["html", "list", "other", "cut by what is in between"],
)
def test_of_an_answer_that_is_no_object_nobody_knows_what_was_done(answer: Answer) -> None:
    writes = ("get", "list_page", "create", "replace", "merge", "patch", "delete")
    assert {type(error) for error in ask(answer, *(VERBS[verb] for verb in writes))} == {Unanswered}


@pytest.mark.parametrize("verb", ["list_labelled", "list_page", "list_page of metadata"])
@pytest.mark.parametrize(
    "answer",
    [
        refusal(200, "", "all is well"),
        body({"kind": "ThingList", "metadata": {}}),
        body({"kind": "ThingList", "items": []}),
        body({"kind": "ThingList", "metadata": {}, "items": {"one": {}}}),
        body({"kind": "ThingList", "metadata": {}, "items": ["one"]}),
        body({"kind": "ThingList", "metadata": {}, "items": [{}]}),
        raw(b"\xff\xfe{"),
        text("[" * 100_000),
    ],
    ids=["a Status", "no items", "no metadata", "a mapping", "texts", "without metadata", "no text", "without end"],
)
def test_what_is_no_list_is_never_an_empty_one(answer: Answer, verb: str) -> None:
    (error,) = ask(answer, VERBS[verb])
    assert isinstance(error, Unreachable)


@pytest.mark.parametrize(
    "answer", [refusal(200, "", "all is well"), body({"kind": "ThingList", "metadata": {}, "items": []})]
)
def test_what_is_another_thing_is_not_the_object(answer: Answer) -> None:
    (error,) = ask(answer, VERBS["get"])
    assert type(error) is Unreachable


def test_a_list_of_nothing_may_be_null() -> None:
    answer = body({"kind": "ThingList", "metadata": {}, "items": None})
    assert ask(answer, VERBS["list_labelled"]) == [[]]


def test_an_error_has_all_that_the_api_server_said() -> None:
    details = {"name": "one", "causes": [{"message": "must be few"}]}
    (error,) = ask(refusal(422, "Invalid", "one is invalid", details), VERBS["create"])
    assert (error.status, error.reason, error.message, error.details) == (422, "Invalid", "one is invalid", details)
    (error,) = ask(ANSWERS["429"][0], VERBS["create"])
    assert (error.status, error.retry_after) == (429, 7)
    (error,) = ask(hang_up, VERBS["create"])
    assert error.status is None


def test_nobody_listens_and_no_such_host_are_unreachable() -> None:
    async def run(url: str) -> None:
        async with connected(silence) as api:
            api._api.configuration.host = url
            with pytest.raises(Unreachable):
                await api.get(THINGS, "team", "one")

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        asyncio.run(run(f"http://127.0.0.1:{unused.getsockname()[1]}"))
    asyncio.run(run("http://no-such-host.invalid"))


def test_something_that_speaks_no_tls_is_unreachable() -> None:
    async def run() -> None:
        async with connected(silence) as api:
            api._api.configuration.host = api._api.configuration.host.replace("http:", "https:")
            with pytest.raises(Unreachable):
                await api.get(THINGS, "team", "one")

    asyncio.run(run())


def test_a_fault_of_this_process_is_not_the_clusters() -> None:
    """A process that has no file descriptor left must not say that the API server is away."""

    async def run(host: str) -> None:
        async with connected(silence) as api:
            api._api.configuration.host = host
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            os.close(next_one := os.dup(0))
            resource.setrlimit(resource.RLIMIT_NOFILE, (next_one, limits[1]))
            try:
                with pytest.raises(OSError, match="Too many open files"):
                    await api.get(THINGS, "team", "one")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        asyncio.run(run(f"http://127.0.0.1:{listening.getsockname()[1]}"))


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "no space"), FileNotFoundError("token"), ValueError("ours")])
def test_what_is_not_of_the_network_passes_as_it_is(fault: Exception) -> None:
    with pytest.raises(type(fault)), network(Request("GET", "/")):
        raise fault


def test_who_gives_up_himself_gets_his_own_timeout() -> None:
    async def run() -> None:
        async with connected(silence) as api:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(api.get(THINGS, "team", "one"), 0.02)

    asyncio.run(run())


def event(kind: str, version: int = 6) -> dict[str, Any]:
    return {"type": kind, "object": {**THING, "metadata": {**METADATA, "resourceVersion": str(version)}}}


SILENT = streamed(event("ADDED"), then="wait")
ERROR = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


@pytest.mark.parametrize(
    ("answer", "seen", "kind"),
    [
        (streamed(event("ADDED"), event("BOOKMARK")), 2, None),
        (streamed(event("ADDED"), ERROR), 1, Expired),
        (streamed(event("ADDED"), then="cut"), 1, Unanswered),
        (streamed(event("ADDED"), b'{"type": "MODIF'), 1, Unreachable),
        (SILENT, 1, Unanswered),
        (streamed(b"<html>\n"), 0, Unreachable),
        (streamed({"object": THING}), 0, Unreachable),
        (streamed({"type": "ADDED", "object": []}), 0, Unreachable),
        (streamed({"type": "ADDED", "object": {}}), 0, Unreachable),
        (streamed({"type": "ERROR", "object": {"kind": "Status", "code": "soon"}}), 0, Unreachable),
        (streamed({"type": "ERROR", "object": None}), 0, Unreachable),
    ],
    ids=[
        "ends",
        "expired",
        "cut off",
        "cut off in a line",
        "silent",
        "a page",
        "no type",
        "no object",
        "no metadata",
        "an odd error",
        "an empty error",
    ],
)
def test_a_watch_gives_its_events_and_says_how_it_ended(answer: Answer, seen: int, kind: type[ApiError] | None) -> None:
    async def watch(api: ApiServer) -> tuple[int, type[ApiError] | None]:
        count = 0
        try:
            async with api.watch(THINGS, "team", "5") as events:
                async for _ in events:
                    count += 1
        except ApiError as error:
            return count, type(error)
        return count, None

    assert ask(answer, watch, quick=answer is SILENT) == [(seen, kind)]


def test_each_verb_asks_what_its_name_says() -> None:
    asked: list[tuple[str, str, str]] = []

    async def note(request: web.Request) -> web.StreamResponse:
        query = "&".join(f"{key}={value}" for key, value in request.query.items())
        asked.append((request.method, request.path, query))
        kinds = {"items": [THING], "metadata": {"name": "one"}}
        return web.json_response({"kind": "Thing", "type": "ADDED", "object": THING, **kinds})

    async def selecting(api: ApiServer) -> None:
        await api.list_page(THINGS, None, "next", label_selector="a=b", field_selector="c=d", limit=1)
        async with api.watch(THINGS, None, "5", label_selector="a=b", field_selector="c=d") as events:
            assert [event async for event in events]

    async def run() -> None:
        async with connected(note) as api:
            for verb in (*VERBS.values(), selecting):
                await verb(api)

    asyncio.run(run())
    one, pod = "/apis/example.org/v1/namespaces/team/things/one", "/api/v1/namespaces/team/pods/pod"
    things, everywhere = one.removesuffix("/one"), "/apis/example.org/v1/things"
    watch = "timeoutSeconds=600"
    assert asked == [
        ("GET", "/livez", ""),
        ("GET", one, ""),
        ("GET", things, "labelSelector=a=b"),
        ("GET", things, "limit=500"),
        ("GET", everywhere, "limit=500"),
        ("GET", things, f"watch=true&resourceVersion=5&allowWatchBookmarks=true&{watch}"),
        ("GET", f"{pod}/log", "container=borg"),
        ("POST", things, "fieldManager=tester"),
        ("PUT", one, "fieldManager=tester"),
        ("PATCH", one, "fieldManager=tester"),
        ("PATCH", one, "fieldManager=tester"),
        ("DELETE", one, ""),
        ("GET", everywhere, "limit=1&continue=next&labelSelector=a=b&fieldSelector=c=d"),
        (
            "GET",
            everywhere,
            f"watch=true&resourceVersion=5&allowWatchBookmarks=true&{watch}&labelSelector=a=b&fieldSelector=c=d",
        ),
    ]

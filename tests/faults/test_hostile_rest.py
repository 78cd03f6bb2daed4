"""Hostile requests against the facade's process: each is answered, in words, and nothing of others is in the answer."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from borg_core.kinds.schedule import SCHEDULES
from borg_core.registry import ResourceType
from faults.facing import Facade, play
from faults.hostile import as_kept, texts
from faults.seed import SEED
from faults.specs import GRAMMAR
from integration import resources
from support.control_plane import ControlPlane
from support.stage import Stage

NUMBERS = [600, pytest.param(6_000, marks=pytest.mark.long)]
AT_ONCE = 8
LONGEST_PROBLEM = 16 * 1024
MARK = "only-for-other-eyes"
NAMESPACES = ResourceType("Namespace", "", "v1", "namespaces")
HEADER = re.compile(rb"[\x20-\x7e]*")
NEW: dict[str, Any] = {
    "name": "Nightly",
    "cron_expression": "0 2 * * *",
    "timezone": "Europe/Berlin",
    "repository": "main",
    "repository_id": None,
    "repository_ids": [],
    "enabled": True,
    "description": "x",
    "archive_name_template": "{job_name}-{now}",
    "run_repository_scripts": False,
    "pre_backup_script_id": None,
    "pre_backup_script_parameters": {"HOST": "nas", "TOKEN": {"secretKeyRef": {"name": "a", "key": "b"}}},
    "run_prune_after": True,
    "prune_keep_daily": 7,
    "prune_keep_within": "7d",
}
LITERALS = (
    "NaN", "Infinity", "-Infinity", "1e999", "-0", "1" + "0" * 400, "9" * 5000, "0.1e-999", "01", "1.0", "7.0", "true",
    "null", "[]", "{}", '""', '"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"\\u2028"', '"\\x"', '"\n"', "'a'",
    "[" * 50_000,
    "[" * 2_000 + "]" * 2_000, '{"a":' * 2_000 + "1" + "}" * 2_000, "1,", "", '{"a":1,"a":2}', "[1e400]", "[null]",
)  # fmt: skip
"""What may stand in JSON in the place of a value, or may not."""
BODIES = (
    b"", b"null", b"[]", b'"x"', b"1", b"{", b"}", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b'{"name": "\xff\xfe"}',
    b"\x00", b"{}" * 2, b'{"name":"a","name":"b"}', b'{"\\ud800": 1}', b"a=b&c=d", b"--x\r\n\r\n--x--", b"{" * 70_000,
    b'{"name": "' + b"x" * 64_000 + b'"}', b'{"' + b"k" * 60_000 + b'": 1}', b"[" + b"{}," * 20_000 + b"{}]",
)  # fmt: skip
FIELDS: tuple[dict[str, Any], ...] = (
    {"pre_backup_script_parameters": {"k" * 60_000: 1}},
    {"pre_backup_script_parameters": {f"k{number}": 1 for number in range(4_000)}},
    {"pre_backup_script_parameters": {"\x1b\0" * 500: [1]}},
    {"repository_ids": ["x"] * 10_000},
)
"""What is wrong in thousands of places, or in one with a name without end."""
HEADERS = (
    "if-match", "if-none-match", "idempotency-key", "content-type", "accept", "authorization", "x-borg-authorization",
    "content-length", "range", "x-forwarded-for", "accept-encoding", "cookie",
)  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    method: str
    path: bytes
    body: bytes | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def what(self) -> str:
        return f"{self.method} {self.path[:300]!r} {self.headers!r:.300} {self.body!r:.400}"


@dataclass
class Maker:
    """Makes requests of every kind. `operations`: method, path, parameters of all there are; `known`: ids there are."""

    operations: list[tuple[str, str, list[str]]]
    known: list[str]
    namespace: str
    chance: Random = field(default_factory=lambda: Random(f"{SEED} rest"))
    words: list[str] = field(default_factory=lambda: list(texts(31, 3_000)))

    def __iter__(self) -> Iterator[Hostile]:
        while True:
            method, template, parameters = self.chance.choice(self.operations)
            where = self.chance.randrange(4)
            pieces = re.split(r"\{[^}]*\}", template)
            path = "".join(piece + self._reference(hostile=where == 0) for piece in pieces[:-1]) + pieces[-1]
            query = [b"namespace=" + self.namespace.encode()]
            if where == 1:
                names = [*parameters, "namespace", "limit", "continue", self._text()[:50]]
                query += [self._escaped(self.chance.choice(names)) + b"=" + self._escaped(self._text()) for _ in "ab"]
            target = path.encode() + b"?" + b"&".join(query)
            headers: tuple[tuple[bytes, bytes], ...] = ()
            if where == 2:
                value = re.sub(rb"[\x00-\x08\x0a-\x1f\x7f]", b"", self._text().encode("utf-8", "surrogatepass"))[:2000]
                headers = ((self.chance.choice(HEADERS[:7]).encode(), value.strip()),)
            body = self._body() if method in ("POST", "PUT", "PATCH") else None
            yield Hostile(method, target, body, headers)

    def _reference(self, *, hostile: bool) -> str:
        if not hostile:
            return self.chance.choice(self.known)
        ids = (
            "0",
            "-1",
            "1e3",
            "%D9%A7",
            "9" * 400,
            "9223372036854775808",
            "%00",
            "..",
            "%2e%2e%2f",
            ".",
            "None",
            "1/../2",
        )
        return self.chance.choice((*ids, self._escaped(self._text()).decode()))

    def _escaped(self, text: str) -> bytes:
        safe = self.chance.choice(("", "/?&=%+"))
        return re.sub(rb"[^\x21-\x7e]", b"", quote(text[:1500], safe=safe, errors="surrogatepass").encode())

    def _text(self) -> str:
        if self.chance.random() < 0.2:
            return self.chance.choice(self.chance.choice(list(GRAMMAR.values())))
        return self.chance.choice(self.words)

    def _body(self) -> bytes:
        kind = self.chance.randrange(6)
        if kind == 0:
            return self.chance.choice(BODIES)
        fields: dict[str, Any] = dict(NEW)
        key = self.chance.choice(list(fields))
        if kind == 1:  # as text, which json.dumps cannot write
            fields[key] = "@@"
            return json.dumps(fields).encode().replace(b'"@@"', self.chance.choice(LITERALS).encode())
        if kind == 2 and self.chance.random() < 0.5:
            fields |= self.chance.choice(FIELDS)
        elif kind == 2:
            fields["pre_backup_script_parameters"] = {self._text(): self.chance.choice((self._text(), 1, {}, None))}
        elif kind == 3:
            fields = {key: self._text()}
        else:
            texts_of = ("name", "cron_expression", "timezone", "repository", "description", "archive_name_template")
            fields[self.chance.choice(texts_of)] = self._text()
        return json.dumps(fields).encode()


def faults_in(answer: httpx.Response) -> Iterator[str]:
    """Yield what no answer may be."""
    if answer.status_code >= 500:
        yield f"status {answer.status_code}"
    if any(not HEADER.fullmatch(part) for item in answer.headers.raw for part in item):
        yield f"headers {answer.headers.raw}"
    if MARK in answer.text:
        yield "something of another namespace"
    kind = answer.headers.get("content-type", "")
    if answer.status_code >= 400:
        if kind != "application/problem+json" or not {"title", "status", "detail"} <= answer.json().keys():
            yield f"no problem but {kind}"
        if len(answer.content) > LONGEST_PROBLEM:
            yield f"a problem of {len(answer.content)} bytes"
        if re.search(r"pydantic|aiohttp|<class", answer.text):
            yield "what is nobody's business"
    elif kind == "application/json":
        json.loads(answer.content, parse_constant=lambda name: pytest.fail(f"{name} in {answer.text[:200]}"))


async def find_operations(facade: Facade) -> list[tuple[str, str, list[str]]]:
    described = (await facade("GET", "/openapi.json")).json()["paths"]
    return [
        (method.upper(), path, [item["name"] for item in operation.get("parameters", ()) if item["in"] == "query"])
        for path, methods in sorted(described.items())
        for method, operation in sorted(methods.items())
        if "delete" not in method
    ]


@pytest.mark.parametrize("number", NUMBERS)
def test_no_request_is_answered_by_a_stumble_or_with_what_is_of_others(plane: ControlPlane, number: int) -> None:
    async def test(stage: Stage, facade: Facade) -> None:
        other = f"{stage.namespace}-other"
        await stage.api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
        theirs = resources.schedule("theirs", title=MARK, description=MARK)
        await stage.api.create(SCHEDULES, {**theirs, "metadata": {"name": "theirs", "namespace": other}})
        made = [(await facade("POST", "/api/schedule/", {**NEW, "name": f"Known {each}"})).json() for each in "ab"]
        known = [*(str(answer["job"]["id"]) for answer in made), "known-a"]
        requests = iter(Maker(await find_operations(facade), known, stage.namespace))
        token = f"Bearer {facade.rest.token}".encode()
        statuses: Counter[int] = Counter()
        wrong: list[str] = []

        async def work(client: httpx.AsyncClient) -> None:
            for _ in range(number // AT_ONCE):
                hostile = next(requests)
                headers = {b"authorization": token, b"content-type": b"application/json", **dict(hostile.headers)}
                request = client.build_request(
                    hostile.method,
                    facade.rest.url,
                    headers=list(headers.items()),
                    content=hostile.body,
                    extensions={"target": hostile.path},  # as it is, for httpx would put it right
                )
                answer = await client.send(request)
                statuses[answer.status_code] += 1
                wrong.extend(f"{hostile.what}: {fault}: {answer.text[:300]!r}" for fault in faults_in(answer))

        async with httpx.AsyncClient(timeout=30) as client:
            await asyncio.gather(*(work(client) for _ in range(AT_ONCE)))
        assert not wrong, "\n".join(wrong[:20])
        assert {status: statuses[status] for status in (200, 400, 404, 422) if statuses[status] < number / 100} == {}
        # And it still does what it is for.
        assert (await facade("GET", "/api/schedule/")).status_code == 200

    play(plane, test)


@pytest.mark.parametrize("number", [60, pytest.param(1_000, marks=pytest.mark.long)])
def test_what_is_taken_is_told_as_it_was_written(plane: ControlPlane, number: int) -> None:
    async def test(_: Stage, facade: Facade) -> None:
        taken = 0
        for count, text in enumerate(texts(32, number)):
            name = f"{count} {as_kept(text)}".strip()[:253].strip()
            made = await facade("POST", "/api/schedule/", {**NEW, "name": name, "description": as_kept(text)[:4096]})
            if made.status_code != 200:
                assert made.status_code in (400, 413, 422), made.text
                continue
            taken += 1
            job = made.json()["job"]
            shown = await facade("GET", f"/api/schedule/{job['id']}")
            assert (shown.json()["job"]["name"], shown.json()["job"]["description"]) == (name, as_kept(text)[:4096])
            assert HEADER.fullmatch(shown.headers["etag"].encode("latin-1"))
            copied = (await facade("POST", f"/api/schedule/{job['id']}/duplicate")).json()["job"]["name"]
            assert copied == f"Copy of {name}"[:253].rstrip()
            for each in (job["id"], (await facade("GET", "/api/schedule/")).json()["jobs"][-1]["id"]):
                assert (await facade("DELETE", f"/api/schedule/{each}")).status_code == 200
        assert taken > number / 4

    play(plane, test)

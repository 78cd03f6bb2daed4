"""Answers as bytes, and their ETags. What is in them is described by the types of `resources.*.response`."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, TypeVar, cast

import orjson
from fastapi import Request, Response
from pydantic import ConfigDict, with_config

T = TypeVar("T")
C = TypeVar("C", bound=type)

_DIGEST_BYTES = 12


def answer(described: C) -> C:
    """Mark the type of an answer, a TypedDict: it has no other keys than those."""
    return with_config(ConfigDict(extra="forbid"))(described)


def send(body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer of status 200. `body` may be rendered already."""
    return Response(render(body), 200, dict(headers) if headers else None, "application/json")


def render(body: Any) -> bytes:
    return body if isinstance(body, bytes) else orjson.dumps(body)


def freeze(part: T) -> T:
    """Return a part of answers that is rendered now, once, and copied as it is into whatever it becomes a part of.

    Its type is what it stands for, so that answers are put together as if it was not: it can be sent, and not read.
    """
    return cast("T", orjson.Fragment(orjson.dumps(part)))


def derive_etag(body: Any, edition: str = "") -> str:
    """Return the ETag of an answer, or of the part of it that tells what may change. See `editions_of`."""
    content = blake2b(render(body), digest_size=_DIGEST_BYTES).hexdigest()
    return f'"{edition}-{content}"' if edition else f'"{content}"'


def send_tagged(request: Request, body: Any, etag: str) -> Response:
    """Return the body, or 304 when the client has it already."""
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    sent = request.headers.get("if-none-match")
    if sent and (sent == "*" or etag in {tag.removeprefix("W/") for tag in _tags(sent)}):
        return Response(status_code=304, headers=headers)
    return send(body, headers)


def editions_of(if_match: str | None) -> frozenset[str] | None:
    """Return the editions that If-Match names, None for any. A weak tag never matches."""
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(tag.strip('"').rpartition("-")[0] for tag in _tags(if_match) if not tag.startswith("W/"))


def _tags(header: str) -> set[str]:
    return {tag.strip() for tag in header.split(",")}

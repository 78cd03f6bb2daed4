"""Answers as bytes, with ETags and 304."""

from typing import Any

import orjson
from fastapi import Request, Response

_JSON = "application/json"


def answer(body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(body if isinstance(body, bytes) else orjson.dumps(body), 200, headers, _JSON)


def answer_tagged(request: Request, body: bytes, etag: str) -> Response:
    """Return the body, or 304 when the client has it already."""
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    sent = request.headers.get("if-none-match")
    if sent and (sent == "*" or etag in {tag.removeprefix("W/") for tag in _tags(sent)}):
        return Response(status_code=304, headers=headers)
    return answer(body, headers)


def editions_of(if_match: str | None) -> frozenset[str] | None:
    """Return the editions that If-Match names, None for any. A weak tag never matches."""
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(tag.strip('"').rpartition("-")[0] for tag in _tags(if_match) if not tag.startswith("W/"))


def _tags(header: str) -> set[str]:
    return {tag.strip() for tag in header.split(",")}

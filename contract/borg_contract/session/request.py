"""A request to a session: one GET, whose query the facade's signature repeats word by word.

    GET /tree?archive=db-1&path=sources%2Fdata&limit=200
    Authorization: Bearer <JWT, EdDSA>   iss, aud, iat, exp, jti, read: {"operation": "tree", "archive": "db-1", …}

Names of files are bytes. In Python they are texts with surrogates for what is not UTF-8 (`os.fsdecode`); in a query
and in `read` they are percent-encoded, byte by byte, so both are ASCII whatever the name is.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

ISSUER = "borg-facade"
ALGORITHM = "EdDSA"
LIFETIME_SECONDS = 30
"""From `iat` to `exp` at most; no `jti` is good twice in that time."""

READ_CLAIM = "read"
LIMIT_DEFAULT = 200
LIMIT_MOST = 1000
"""Items of one page."""

_PATH_BYTES = 8 * 1024
_OPERATION = "operation"


class SessionOperation(StrEnum):
    """The first part of the request's path."""

    ARCHIVES = "archives"
    TREE = "tree"
    FIND = "find"
    VERSIONS = "versions"
    DIFF = "diff"
    FILE = "file"
    TAR = "tar"


_TAKES: Mapping[SessionOperation, tuple[frozenset[str], frozenset[str]]] = {
    SessionOperation.ARCHIVES: (frozenset(), frozenset()),
    SessionOperation.TREE: (frozenset({"archive"}), frozenset({"path", "limit", "after"})),
    SessionOperation.FIND: (frozenset({"archive", "q"}), frozenset({"path", "limit", "after"})),
    SessionOperation.VERSIONS: (frozenset({"path"}), frozenset({"limit", "after"})),
    SessionOperation.DIFF: (frozenset({"a", "b"}), frozenset({"path", "limit", "after"})),
    SessionOperation.FILE: (frozenset({"archive", "path"}), frozenset()),
    SessionOperation.TAR: (frozenset({"archive"}), frozenset({"path"})),
}
"""What each must have, and what it may have."""


@dataclass(frozen=True)
class ReadRequest:
    """What is to be read. Empty: not given; `path` then means all of the archive."""

    operation: SessionOperation
    archive: str = ""
    """The archive's name."""
    path: str = ""
    """As the archive has it: without a slash at either end."""
    q: str = ""
    """What the name has to contain, whatever its case."""
    a: str = ""
    b: str = ""
    """Names of the archives to compare: the earlier one, the later one."""
    limit: int = LIMIT_DEFAULT
    after: str = ""
    """Goes on behind what another page ended with: its `next`, and nothing else."""


def render_read(request: ReadRequest) -> dict[str, str]:
    """Return the claim `read` for the request: percent-encoded, without what is not given."""
    found = {_OPERATION: request.operation.value}
    for field in fields(request)[1:]:
        value = getattr(request, field.name)
        if value != field.default:
            found[field.name] = quote(str(value))
    return found


def render_target(request: ReadRequest) -> str:
    """Return path and query of the request's URL."""
    read = render_read(request)
    query = "&".join(f"{name}={value}" for name, value in read.items() if name != _OPERATION)
    return f"/{request.operation}{'?' if query else ''}{query}"


def read_target(path: str, query: bytes) -> dict[str, str]:
    """Return what the claim `read` has to be for this path and query of a URL. Raises ValueError for what is twice."""
    found = {_OPERATION: quote(path.removeprefix("/"))}
    for part in query.split(b"&") if query else ():
        name, _, value = part.partition(b"=")
        key = quote_from_bytes(unquote_to_bytes(name), safe="")
        if key in found:
            raise ValueError(f"{key} is given twice")
        found[key] = quote_from_bytes(unquote_to_bytes(value), safe="")
    return found


def parse_read(read: Mapping[str, str]) -> ReadRequest:
    """Return the request that a claim `read` means. Raises ValueError for what is none."""
    operation = SessionOperation(read[_OPERATION])
    needed, allowed = _TAKES[operation]
    given = {name: unquote(value) for name, value in read.items() if name != _OPERATION}
    if missing := sorted(needed - {name for name, value in given.items() if value}):
        raise ValueError(f"{operation} needs {', '.join(missing)}")
    if strange := sorted(given.keys() - needed - allowed):
        raise ValueError(f"{operation} takes no {', '.join(strange)}")
    if any("\0" in value or len(value) > _PATH_BYTES for value in given.values()):
        raise ValueError("a parameter is too long, or has a NUL in it")
    limit = given.pop("limit", str(LIMIT_DEFAULT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= LIMIT_MOST):
        raise ValueError(f"limit is no number from 1 to {LIMIT_MOST}")
    return ReadRequest(operation, limit=int(limit), **given)


def make_claims(request: ReadRequest, *, session_uid: str, now: float, jti: str) -> dict[str, Any]:
    """Return the claims to sign; `now` in seconds since 1970, `jti` never the same twice."""
    return {
        "iss": ISSUER,
        "aud": session_uid,
        "iat": int(now),
        "exp": int(now) + LIFETIME_SECONDS,
        "jti": jti,
        READ_CLAIM: render_read(request),
    }


def quote(text: str) -> str:
    """Return the text percent-encoded, with the bytes that surrogates stand for."""
    return quote_from_bytes(os.fsencode(text), safe="")


def unquote(text: str) -> str:
    """Return what `quote` was given."""
    return os.fsdecode(unquote_to_bytes(text))

"""Lists page by page: `limit`, and an opaque `continue` that says after which object to go on."""

import base64
import binascii
from typing import Annotated, Any

import orjson
from fastapi import Query

from borg_api.problem import refused
from borg_api.records import Order

_TOKEN_LIMIT = 1024

Limit = Annotated[int | None, Query(ge=1, le=10_000, description="How many at the most; all without it.")]
Continue = Annotated[
    str | None,
    Query(alias="continue", max_length=_TOKEN_LIMIT, description="Where the page before ended, as it said."),
]


def encode_token(order: Order | None) -> str | None:
    """Return the token of what goes on after `order`, None when nothing does."""
    return base64.urlsafe_b64encode(orjson.dumps(order)).decode().rstrip("=") if order else None


def decode_token(token: str | None) -> Order | None:
    """Return after what to go on. Raises Problem 400 for a token that is none of ours."""
    if token is None:
        return None
    try:
        parts: Any = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error):
        parts = None
    if not isinstance(parts, list) or len(parts) != 3 or not all(isinstance(part, str) for part in parts):  # noqa: PLR2004
        raise refused("This token did not come from a list here: leave it out to begin anew.", "continue")
    return parts[0], parts[1], parts[2]

"""Lists page by page: `limit`, and an opaque `continue` that says after which object to go on."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NotRequired, TypeVar

import orjson
from fastapi import Query
from pydantic import Field
from typing_extensions import TypedDict

from borg_api.edge.errors import InvalidValueError
from borg_cluster.index import Order

T = TypeVar("T")

_TOKEN_LIMIT = 1024
_PARTS = 3

Limit = Annotated[int | None, Query(ge=1, le=10_000, description="How many at the most; all without it.")]
Continue = Annotated[
    str | None,
    Query(alias="continue", max_length=_TOKEN_LIMIT, description="Where the page before ended, as it said."),
]

Paged = TypedDict("Paged", {"continue": NotRequired[Annotated[str | None, Field(description="Only with `limit`.")]]})
"""What answers are that come page by page. The key is a word of Python, which no class can say."""


def cut_page(found: Sequence[T], limit: int | None, order_of: Callable[[T], Order]) -> tuple[Sequence[T], str | None]:
    """Return the page that `found` begins with, and the token of what comes after it, None when nothing does."""
    shown = found[:limit]
    return shown, encode_token(order_of(shown[-1])) if len(shown) < len(found) else None


def encode_token(order: Order) -> str:
    """Return the token of what goes on after `order`."""
    return base64.urlsafe_b64encode(orjson.dumps(order)).decode().rstrip("=")


def decode_token(token: str | None) -> Order | None:
    """Return after what to go on. Raises InvalidValueError for a token that is none of ours."""
    if token is None:
        return None
    try:
        parts: Any = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error):
        parts = None
    if not isinstance(parts, list) or len(parts) != _PARTS or not all(isinstance(part, str) for part in parts):
        raise foreign_token()
    return parts[0], parts[1], parts[2]


def foreign_token() -> InvalidValueError:
    return InvalidValueError("This token did not come from a list here: leave it out to begin anew.", "continue")

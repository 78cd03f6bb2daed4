"""Errors as RFC 9457 problems: what each says, and the one place where exceptions become answers."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from borg_cluster.api_server import ApiError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2
UNKNOWN_TOKEN = "The API server does not accept this token; it may have expired."  # noqa: S105 - a sentence

_VALUE = re.compile(r'^Invalid value: ("([^"\\]|\\.)*"|[^:]*): ')
"""How the API server begins what it says of a field."""
_TAGS = ("<text>", "<secret>")
"""Where pydantic says of which kind a parameter's value was (schedule.request), the body has nothing."""
_WRONG_TYPES = ("missing", "json_invalid")


@dataclass(frozen=True)
class FieldError:
    """`pointer`: a JSON pointer (RFC 6901) into the body, or the name of a query parameter."""

    pointer: str
    reason: str


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer of a status of 400 or more; `detail` is one sentence for people."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}

    def response(self) -> Response:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [{"pointer": error.pointer, "reason": error.reason} for error in self.errors]
        return Response(orjson.dumps(body), self.status, self.headers, MEDIA_TYPE)


def refused(detail: str, pointer: str = "") -> Problem:
    """Return the 400 for a value that cannot be taken."""
    return Problem(400, detail, (FieldError(pointer, detail),) if pointer else ())


def unavailable() -> Problem:
    """Return the 503 for when the API server cannot be asked."""
    detail = f"The Kubernetes API server cannot be reached at the moment; try again in {RETRY_SECONDS} seconds."
    return Problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def unauthorized(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})


def of_api_error(error: ApiError, verb: str, what: str) -> Problem:  # noqa: PLR0911 - an arm a status
    """Return the answer for what the API server said to `verb` on `what` ("borgschedules in namespace team")."""
    match error.status:
        case 401:
            return unauthorized(UNKNOWN_TOKEN)
        case 403:
            # RBAC's own words begin so; a policy at admission has reasons of its own.
            by_rbac = "cannot " in error.message and " resource " in error.message
            return Problem(403, f"You may not {verb} {what}." if by_rbac else sentence(error.message))
        case 404:
            return Problem(404, "It does not exist any more.")
        case 409:
            return Problem(409, "It was changed by somebody else at the same time; try again.")
        case 400 | 413 | 422:
            return _refused_at_admission(error)
        case 429:
            seconds = str(error.retry_after or 1)
            detail = f"The API server is busy; try again in {seconds} s."
            return Problem(429, detail, headers={"Retry-After": seconds})
        case _:
            return unavailable()


def of_validation(error: RequestValidationError) -> Problem:
    """Return 422 for a wrong type or a missing field, 400 where only a value is out of what is taken."""
    faults = [(fault["type"], _pointer(fault["loc"]), fault["msg"]) for fault in error.errors()]
    wrong = any(kind in _WRONG_TYPES or kind.endswith(("_type", "_parsing")) for kind, _, _ in faults)
    errors = [FieldError(pointer, message) for _, pointer, message in faults]
    first = errors[0]
    detail = sentence(f"{first.pointer or 'the body'}: {first.reason}")
    return Problem(422 if wrong else 400, detail, errors)


def _pointer(location: tuple[int | str, ...]) -> str:
    where, *path = (part for part in location if part not in _TAGS)
    if where != "body":
        return str(path[-1]) if path else str(where)
    if path and isinstance(path[0], int):
        return ""  # an offset into JSON that cannot be parsed
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _refused_at_admission(error: ApiError) -> Problem:
    """Return the API server's own reasons: they are the messages of the CRD's rules, written for people."""
    causes = [cause.get("message", "") for cause in error.details.get("causes") or []] or [error.message]
    reasons = [sentence(_VALUE.sub("", cause)) for cause in causes]
    return Problem(400, " ".join(reasons)[:1000], [FieldError("", reason) for reason in reasons])


def sentence(text: str) -> str:
    """Return the text as one: with a capital, and a full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def handle_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - as registered
    return error.response()


def handle_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as registered
    return of_validation(error).response()


def handle_http(request: Request, error: Exception, allowed: Callable[[str], str]) -> Response:
    """Answer for what the framework refuses: unknown paths and methods. `allowed`: the methods of a path."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as registered
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            detail = "There is nothing at this path."
        case 405:
            detail = "This path does not take this method."
            headers["Allow"] = allowed(request.scope["path"])
        case 400:
            detail = "The body cannot be read."
        case _:
            detail = str(error.detail)
    return Problem(error.status_code, detail, headers=headers).response()


def handle_lost_connection(_: Request, error: Exception) -> Response:
    logger.warning("the API server cannot be reached: %s", error or type(error).__name__)
    return unavailable().response()


def handle_unexpected(_: Request, error: Exception) -> Response:  # noqa: ARG001 - it is in the log, not in the answer
    return Problem(500, "Something unexpected went wrong here; the log of the facade tells more.").response()

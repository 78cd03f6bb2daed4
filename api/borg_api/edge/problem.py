"""The one place where errors become answers: problems as RFC 9457 has them."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, NotRequired, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from borg_api.edge.bodies import answer
from borg_api.edge.errors import (
    NOTHING_HERE,
    FieldError,
    HttpError,
    InUseError,
    InvalidShapeError,
    InvalidValueError,
    NoSuchObjectError,
    NotAllowedError,
    TooManyRequestsError,
    UnavailableError,
    UnknownCallerError,
    UnknownOutcomeError,
    sentence,
)
from borg_cluster import errors as cluster

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Exception)

MEDIA_TYPE = "application/problem+json"
_LONGEST_DETAIL, _LONGEST_REASON, _LONGEST_POINTER, _MOST_ERRORS = 1000, 400, 200, 20
"""Names of fields come from whoever sent the body, and each may be wrong: what is told of them has a limit."""

_VALUE = re.compile(r'^Invalid value: ("([^"\\]|\\.)*"|[^:]*): ')
"""How the API server begins what it says of a field."""
_RBAC = re.compile(
    r'cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "[^"]*"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
"""How it says what RBAC does not allow; a policy at admission has words of its own."""
_TAGS = ("<text>", "<secret>")
"""Where pydantic says of which kind a parameter's value was (resources.schedules.request), the body has nothing."""
_WRONG_TYPES = ("missing", "json_invalid")


@answer
class Fault(TypedDict):
    pointer: Annotated[str, Field(description="A JSON pointer into the body, or the name of a query parameter.")]
    reason: str


@answer
class ProblemAnswer(TypedDict):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: Annotated[str, Field(description="One sentence for people.")]
    errors: NotRequired[Annotated[list[Fault], Field(description="The first of the fields that are wrong.")]]


def add_error_handlers(app: FastAPI, allowed_methods: Callable[[str], str]) -> None:
    """Let the application answer every error with a problem. `allowed_methods`: those of a path."""
    app.add_exception_handler(HttpError, lambda _, error: render_problem(_as(HttpError, error)))
    app.add_exception_handler(cluster.ApiError, _answer_api_error)
    app.add_exception_handler(
        RequestValidationError, lambda _, error: render_problem(explain_validation(_as(RequestValidationError, error)))
    )
    app.add_exception_handler(
        HTTPException, lambda request, error: _answer_refusal(request, _as(HTTPException, error), allowed_methods)
    )
    app.add_exception_handler(Exception, _answer_unexpected)


def render_problem(error: HttpError) -> Response:
    return _problem(error.status, error.detail, error.errors, error.headers)


def explain_api_error(error: cluster.ApiError) -> HttpError:  # noqa: PLR0911 - an arm a type
    """Return what a caller is told of an answer of the API server, or of none."""
    match error:
        case cluster.Unauthorized():
            return UnknownCallerError()
        case cluster.Forbidden():
            return NotAllowedError(_explain_forbidden(error.message))
        case cluster.NotFound():
            return NoSuchObjectError("It does not exist any more.")
        case cluster.Conflict():
            return InUseError("It was changed by somebody else at the same time; try again.")
        case cluster.WebhookFailed():
            return UnavailableError("An admission webhook of the cluster does not answer: nothing can be written.")
        case cluster.Refused():
            return _explain_refused(error)
        case cluster.Busy():
            return TooManyRequestsError(error.retry_after or 1)
        case cluster.OutcomeUnknown():
            return UnknownOutcomeError()
        case _:
            return UnavailableError()


def explain_validation(error: RequestValidationError) -> HttpError:
    """Return 422 for a wrong type or a missing field, 400 where only a value is out of what is taken."""
    faults = [(fault["type"], _pointer(fault["loc"]), fault["msg"]) for fault in error.errors()]
    wrong = any(kind in _WRONG_TYPES or kind.endswith(("_type", "_parsing")) for kind, _, _ in faults)
    errors = [FieldError(pointer, message) for _, pointer, message in faults]
    first = errors[0]
    detail = sentence(f"{first.pointer or 'the body'}: {first.reason}")
    return InvalidShapeError(detail, errors) if wrong else InvalidValueError(detail, errors=errors)


def _problem(
    status: int, detail: str, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
) -> Response:
    body: ProblemAnswer = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": _cut(detail, _LONGEST_DETAIL),
    }
    if errors:
        body["errors"] = [
            {"pointer": _cut(error.pointer, _LONGEST_POINTER), "reason": _cut(error.reason, _LONGEST_REASON)}
            for error in errors[:_MOST_ERRORS]
        ]
    return Response(orjson.dumps(body), int(status), headers, MEDIA_TYPE)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 2]}…."


def _explain_forbidden(message: str) -> str:
    rbac = _RBAC.search(message)
    if rbac is None:
        return sentence(message)
    where = f' in namespace "{rbac["namespace"]}"' if rbac["namespace"] else ""
    return f"You may not {rbac['verb']} {rbac['resource']}{where}."


def _explain_refused(error: cluster.Refused) -> HttpError:
    """Return the API server's own reasons: they are the messages of the CRD's rules, written for people."""
    causes = [cause.get("message", "") for cause in error.details.get("causes") or []] or [error.message]
    reasons = [sentence(_VALUE.sub("", cause)) for cause in causes]
    return InvalidValueError(" ".join(reasons), errors=[FieldError("", reason) for reason in reasons])


def _pointer(location: tuple[int | str, ...]) -> str:
    where, *path = (part for part in location if part not in _TAGS)
    if where != "body":
        return str(path[-1]) if path else str(where)
    if path and isinstance(path[0], int):
        return ""  # an offset into JSON that cannot be parsed
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _answer_api_error(_: Request, error: Exception) -> Response:
    explained = explain_api_error(_as(cluster.ApiError, error))
    if isinstance(explained, UnavailableError):
        logger.warning("the API server cannot be reached: %s", error or type(error).__name__)
    return render_problem(explained)


def _answer_refusal(request: Request, error: HTTPException, allowed_methods: Callable[[str], str]) -> Response:
    """Answer for what the framework refuses: unknown paths and methods, bodies."""
    headers = dict(error.headers or {})
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            detail = NOTHING_HERE
        case HTTPStatus.METHOD_NOT_ALLOWED:
            detail = "This path does not take this method."
            headers["Allow"] = allowed_methods(request.scope["path"])
        case HTTPStatus.BAD_REQUEST:
            detail = "The body cannot be read."
        case _:
            detail = str(error.detail)
    return _problem(error.status_code, detail, headers=headers)


def _answer_unexpected(_: Request, error: Exception) -> Response:  # noqa: ARG001 - it is in the log, not in the answer
    detail = "Something unexpected went wrong here; the log of the facade tells more."
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def _as(kind: type[T], error: Exception) -> T:
    assert isinstance(error, kind)  # noqa: S101 - as registered
    return error

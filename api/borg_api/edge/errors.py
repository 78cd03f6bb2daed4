"""What the facade answers when it does not do what was asked, as types: each has its status and says one sentence.

They are sent as RFC 9457 problems by `problem`. What the cluster's answers are, `borg_cluster.errors` says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

_RETRY_SECONDS = 2
NOTHING_HERE = "There is nothing at this path."
_UNREACHABLE = f"The Kubernetes API server cannot be reached at the moment; try again in {_RETRY_SECONDS} seconds."
_LONGEST_QUOTE = 80


@dataclass(frozen=True)
class FieldError:
    """`pointer`: a JSON pointer (RFC 6901) into the body, or the name of a query parameter."""

    pointer: str
    reason: str


class HttpError(Exception):
    """An answer of status 400 or more. `detail`: one sentence for people."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str]

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = {}


class InvalidValueError(HttpError):
    """A value that cannot be taken. `pointer`: where it stands, empty where that cannot be said."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, detail: str, pointer: str = "", errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, errors or ((FieldError(pointer, detail),) if pointer else ()))


class InvalidShapeError(HttpError):
    """A field of the wrong type, or none where one is needed."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class UnknownCallerError(HttpError):
    """No token, or one that the API server does not accept."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str = "The API server does not accept this token; it may have expired.") -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": "Bearer"}


class NotAllowedError(HttpError):
    status = HTTPStatus.FORBIDDEN


class NoSuchObjectError(HttpError):
    status = HTTPStatus.NOT_FOUND


class InUseError(HttpError):
    """A conflict of the moment: it may be done later."""

    status = HTTPStatus.CONFLICT


class ChangedError(HttpError):
    """It is not at the edition that If-Match names."""

    status = HTTPStatus.PRECONDITION_FAILED


class TooLargeError(HttpError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self) -> None:
        super().__init__("The body is larger than 64 KiB.")


class NotJsonError(HttpError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def __init__(self) -> None:
        super().__init__('Send JSON, with the header "Content-Type: application/json".')


class TooManyRequestsError(HttpError):
    """The API server asks to be asked again in so many seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: int) -> None:
        super().__init__(f"The API server is busy; try again in {seconds} s.")
        self.headers = {"Retry-After": str(seconds)}


class UnavailableError(HttpError):
    """It cannot be done at the moment, and needs nobody's help to become possible again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str = _UNREACHABLE, seconds: int = _RETRY_SECONDS) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(seconds)}


class UnknownOutcomeError(HttpError):
    """Whether it was done is not known. No Retry-After: done twice, it might be undone, or be there twice."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__(
            "The API server did not answer, so it is not known whether this was done: look before you ask again."
        )


def sentence(text: str) -> str:
    """Return the text as one: with a capital, and a full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def quote(text: str) -> str:
    """Return the text in quotes, short enough for a sentence."""
    return f'"{text}"' if len(text) <= _LONGEST_QUOTE else f'"{text[:_LONGEST_QUOTE]}…"'

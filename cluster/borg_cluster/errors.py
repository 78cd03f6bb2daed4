"""What becomes of a request that was not done, as types: the only module that knows the numbers of HTTP.

`NotFound`, `Conflict`, `Refused`, `Unauthorized` and `Expired` are answers of the API server. `Unreachable` says that
it gave none, or cannot at the moment: the same request may do later. A fault of this process (a full disk, no file
descriptor left) is none of these, and stays the OSError that it is.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class ApiError(Exception):
    """A request was not done.

    `message`: the API server's own words, for people. `status`: of HTTP, None where no answer came. `reason`: the API
    server's word for its kind ("Forbidden"). `details`: those of its Status object. `retry_after`: seconds.
    """

    usual_status: ClassVar[int | None] = None

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = self.usual_status if status is None else status
        self.reason = reason
        self.details: Mapping[str, Any] = details or {}
        self.retry_after = retry_after


class NotFound(ApiError):  # noqa: N818 - as design.md names them: answers, not faults
    """There is no such object, namespace or kind."""

    usual_status = 404


class Conflict(ApiError):  # noqa: N818
    """Somebody else wrote at the same time, or the object is not the one that was meant: look again and try again."""

    usual_status = 409


class AlreadyExists(Conflict):
    """An object of this name exists."""


class Refused(ApiError):  # noqa: N818
    """It understood and will not have this request: the same one is useless until somebody changes something."""

    usual_status = 400


class Forbidden(Refused):
    """RBAC, a quota, a policy, or a namespace that is being deleted forbids it."""

    usual_status = 403


class Invalid(Refused):
    """The object breaks the rules of its kind; with JSON Patch also: a test failed, then without `details`."""

    usual_status = 422

    @property
    def is_of_another(self) -> bool:
        """Whether what was written names a uid, and another object has its name: a uid cannot be changed."""
        return "metadata.uid" in (cause.get("field") for cause in self.details.get("causes", ()))


class WebhookFailed(Refused):
    """An admission webhook of the cluster does not answer, so objects like this one are refused until it does."""

    usual_status = 500


class Unauthorized(ApiError):  # noqa: N818
    """It does not accept the credentials."""

    usual_status = 401


class Expired(ApiError):  # noqa: N818
    """The version that was asked for is too old: list again."""

    usual_status = 410


class Unreachable(ApiError):  # noqa: N818
    """No answer came, or one that says "not now", or one of something that is not the API server."""


class Unanswered(Unreachable):
    """It was sent, and no whole answer came: what it asks for may be done."""


class OutcomeUnknown(Unanswered):
    """What is unanswered is a change that somebody asked for: done twice, it might be undone, or be there twice."""


class Busy(Unreachable):
    """Too many requests; `retry_after` says when to come again."""

    usual_status = 429


_BY_STATUS: dict[int, type[ApiError]] = {
    kind.usual_status: kind for kind in (Unauthorized, Forbidden, NotFound, Conflict, Expired, Invalid, Busy)
}
_FIRST_ERROR, _REQUEST_TIMEOUT, _FIRST_OF_SERVER, _UNAVAILABLE = 400, 408, 500, 503
_PLAIN = (NotFound, Busy, Unauthorized)
"""What the API server, or an authenticating proxy before it, also says without a Status object."""


def error_of(status: int, answer: Mapping[str, Any] | None, otherwise: str, retry_after: int | None = None) -> ApiError:
    """Return the error that an answer of HTTP `status` (400 or more) is.

    `answer`: its JSON object, None when it has none. `otherwise`: what to say where it says nothing itself.
    """
    is_own = answer is not None and answer.get("kind") == "Status"
    status_object = answer if answer is not None and is_own else {}
    message = str(status_object.get("message") or otherwise)
    reason = str(status_object.get("reason") or "")
    found = _type_of(status, reason, message)
    if not is_own and not issubclass(found, (*_PLAIN, Unreachable)):
        found, message = Unreachable, f"{message}: no answer of an API server; is something else in between?"
    return found(message, status=status, reason=reason, details=status_object.get("details"), retry_after=retry_after)


def _type_of(status: int, reason: str, message: str) -> type[ApiError]:
    if reason == "AlreadyExists":
        return AlreadyExists
    if status >= _FIRST_OF_SERVER:
        if "failed calling webhook" in message:
            return WebhookFailed
        # All but the one that says "not now": etcd may have done it, or what is behind a proxy.
        return Unreachable if status == _UNAVAILABLE else Unanswered
    if status < _FIRST_ERROR or status == _REQUEST_TIMEOUT:
        return Unreachable
    return _BY_STATUS.get(status, Refused)

"""Pages are for whoever has a Kubernetes token: in the cookie of this page, or forwarded by a proxy in front of it.

The cookie counts for pages alone, never for /api/, so no other site can make a browser use REST.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from borg_api.configuration import Configuration
from borg_api.edge.errors import (
    NOTHING_HERE,
    HttpError,
    InvalidValueError,
    NoSuchObjectError,
    NotAllowedError,
    TooLargeError,
    UnknownCallerError,
)
from borg_api.edge.guard import GuardedRoute, read_media_type, read_token
from borg_api.edge.parts import part_of
from borg_api.edge.problem import explain_api_error, explain_validation, render_problem
from borg_api.page.frame.answers import is_partial, show
from borg_api.page.frame.headers import BROWSER, SESSION, harden, is_from_elsewhere
from borg_api.page.frame.seal import NoKeyError, Seal
from borg_cluster.errors import ApiError

FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 600
"""A page of an archive's files, each ticked, and some more."""
_WRITES = ("POST",)
_IN_FORMS = ("/new/schedule/times",)
"""Parts of forms: to go elsewhere by itself would lose what somebody is typing."""
_NO_KEY = """\
The facade has no key yet, with which it would encrypt your token in a cookie. It makes one itself, within seconds after
it has begun, in Secret {secret}. Where that lasts, its log says why: the Secret was deleted (helm upgrade, or kubectl
apply of deploy/install.yaml, brings it back), or the facade may not write into it.
"""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Form = list[tuple[str, str]]


class OpenRoute(APIRoute):
    """A page that asks for no token."""

    def get_route_handler(self) -> Handler:
        return _shown(super().get_route_handler())


class PageRoute(GuardedRoute):
    """A page of an endpoint that is marked with `requires`."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            token = find_token(request)
            if token is None:
                return _ask_to_sign_in(request)
            request.scope["headers"] = [
                *((name, value) for name, value in request.scope["headers"] if name != b"x-borg-authorization"),
                (b"x-borg-authorization", b"Bearer " + token.encode()),
            ]
            if request.method in _WRITES:
                await check_form(request)
            # Another one, since what was read of the headers before is kept.
            return await handle(Request(request.scope, request.receive))

        return _shown(guarded)


def find_token(request: Request) -> str | None:
    """Return the caller's token: that of the header, or of the cookie. Raises NoKeyError."""
    try:
        return read_token(request)
    except UnknownCallerError:  # there is none, or it is the password of a proxy
        return part_of(request, Seal).open(request.cookies.get(SESSION, ""))


async def check_form(request: Request) -> None:
    """Keep the form of this page for `read_form`. Raises NotAllowedError for one that another site may have sent."""
    if is_from_elsewhere(request):
        raise NotAllowedError("This was sent by another site, and is not done.")
    form = await _parse_form(request)
    sent = next((value for name, value in form if name == "csrf"), "")
    if not part_of(request, Seal).is_signed(sent, request.cookies.get(BROWSER, "")):
        raise NotAllowedError(
            "The form is of another time or browser, and nothing was done: load the page again. If that does not help, "
            "your browser keeps no cookies of it: open it over HTTPS, or on localhost."
        )
    request.scope["borg.form"] = form


def read_form(request: Request) -> Form:
    """Return the fields of the form that was sent."""
    form: Form = request.scope["borg.form"]
    return form


async def _parse_form(request: Request) -> Form:
    if read_media_type(request) != FORM:
        raise InvalidValueError("A form is needed.")
    try:
        text = (await request.body()).decode("ascii")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except HTTPException:  # its end was not read
        raise TooLargeError from None
    except ValueError:
        raise InvalidValueError("The form cannot be read.") from None


def _shown(handle: Handler) -> Handler:
    """Return the handler with its errors as pages."""

    async def shown(request: Request) -> Response:  # noqa: PLR0911 - an answer a type
        try:
            return harden(await handle(request))
        except NoKeyError:
            return _tell_of_key(request)
        except UnknownCallerError:
            return _ask_to_sign_in(request, expired=True)
        except RequestValidationError as error:
            return show_error(request, explain_validation(error))
        except ApiError as error:
            explained = explain_api_error(error)
            if isinstance(explained, UnknownCallerError):
                return _ask_to_sign_in(request, expired=True)
            return show_error(request, explained)
        except HttpError as error:
            return show_error(request, error)

    return shown


async def answer_unknown(request: Request, _: Exception) -> Response:
    """Answer for a path where nothing is: with a page for a browser that asks for one, else with a problem."""
    is_for_people = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    return await _shown(_find_nothing)(request) if is_for_people else render_problem(NoSuchObjectError(NOTHING_HERE))


async def _find_nothing(_: Request) -> Response:
    raise NoSuchObjectError(NOTHING_HERE)


def show_error(request: Request, error: HttpError) -> Response:
    response = show(request, "error.html", error.status, status=error.status, detail=error.detail)
    if is_partial(request):  # what is on the screen stays, and the page says that it may be old
        response.headers["HX-Reswap"] = "none"
    for name, value in error.headers.items():
        response.headers[name] = value
    return response


def _ask_to_sign_in(request: Request, *, expired: bool = False) -> Response:
    is_forwarded = expired and "authorization" in request.headers and SESSION not in request.cookies
    if is_forwarded:  # it would lead in a circle: the proxy sends the same again
        return show_error(request, UnknownCallerError())
    if request.method == "GET" and is_from_elsewhere(request) and not expired:
        # A strict cookie does not come along when one follows a link on another site, but when a page loads itself.
        return harden(
            Response(status_code=HTTPStatus.OK, headers={"Refresh": "0"}, content=b"", media_type="text/plain")
        )
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    query = {"next": here if request.method == "GET" else "/", **({"expired": "1"} if expired else {})}
    if request.url.path in _IN_FORMS:
        return show_error(request, UnknownCallerError())
    if is_partial(request):  # the page as a whole goes there, not a part of it
        return harden(Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Refresh": "true"}))
    return harden(RedirectResponse(f"/login?{urlencode(query)}", HTTPStatus.SEE_OTHER))


def _tell_of_key(request: Request) -> Response:
    text = _NO_KEY.format(secret="/".join(part_of(request, Configuration).key_secret or ()))
    return harden(Response(text, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "5"}, "text/plain"))

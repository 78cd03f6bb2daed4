"""What is done to every request and answer before and after the routes: plain ASGI, for it is on every path.

Slashes at the end make no difference; HEAD is GET without the body; a body has a limit; an answer from an old picture
says so; caches keep none that does not say otherwise; all is counted.
"""

import time
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from borg_api.edge.errors import TooLargeError
from borg_api.edge.problem import render_problem
from borg_api.metrics import Metrics

BODY_LIMIT = 64 * 1024
HEAD_ONLY = "borg_api.head_only"
"""In the scope: whether the body is wanted by nobody. What makes one at length leaves it."""
_OTHER = "other"
_KNOWN_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}


class Boundary:
    """`collections`: the paths that are written with a slash at their end. `age`: of the picture, in seconds."""

    def __init__(self, app: ASGIApp, collections: frozenset[str], age: Callable[[], int], metrics: Metrics) -> None:
        self._app = app
        self._collections = collections
        self._age = age
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        method = scope["method"]
        # A copy, since the server leaves the body of an answer away by the method in its own.
        path = self._canonical(scope["path"])
        scope = {**scope, "path": path, "method": "GET" if method == "HEAD" else method, HEAD_ONLY: method == "HEAD"}
        status = 500
        is_of_rest = scope["path"].startswith("/api/")
        age = self._age() if scope["method"] == "GET" and is_of_rest else 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if age and status < 400:  # noqa: PLR2004
                    message["headers"] = [
                        *message.get("headers", ()),
                        (b"age", str(age).encode()),
                        (b"warning", b'110 - "Response is Stale"'),
                    ]
                if is_of_rest:
                    MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            if is_of_rest and _declared_length(scope) > BODY_LIMIT:  # of a page, when it is read
                await render_problem(TooLargeError())(scope, receive, answer)
            else:
                await self._app(scope, _limited(receive), answer)
        finally:
            route = getattr(scope.get("route"), "path", _OTHER)
            seconds = time.perf_counter() - began
            self._metrics.observe(method if method in _KNOWN_METHODS else _OTHER, route, status, seconds)

    def _canonical(self, path: str) -> str:
        bare = path.rstrip("/") or "/"
        return bare + "/" if bare + "/" in self._collections else bare


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _limited(receive: Receive) -> Receive:
    """Return a `receive` that raises when a body of undeclared length becomes too large."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > BODY_LIMIT:
            # As the framework's own, or it would be taken for a body that cannot be read.
            raise HTTPException(TooLargeError.status, TooLargeError().detail)
        return message

    return limited

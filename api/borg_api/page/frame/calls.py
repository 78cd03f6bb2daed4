"""Operations of REST, asked for by the page: in this process, with the caller's token, through all that requests pass.

So what the page does is what REST does, with the same rights, checks and words, and nothing of it is written twice.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import NoMatchFound
from starlette.types import Receive, Scope, Send

from borg_api.edge.boundary import HEAD_ONLY
from borg_api.edge.errors import InvalidValueError, NoSuchObjectError
from borg_api.edge.guard import Caller, read_token
from borg_api.page.frame.answers import show

_GOOD = range(200, 300)
_PASSED = (
    b"content-type",
    b"content-length",
    b"content-disposition",
    b"content-security-policy",
    b"cache-control",
    b"accept-ranges",
)
"""What a download may say of itself."""


@dataclass(frozen=True)
class Operation:
    """An operation of REST on something. `values`: those of the path; `query`: besides the namespace."""

    name: str
    values: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Said:
    """What REST answered. `body`: parsed."""

    status: int
    body: Any
    etag: str = ""

    @property
    def good(self) -> bool:
        return self.status in _GOOD

    @property
    def detail(self) -> str:
        """What is wrong, for people."""
        return str(self.body.get("detail", "")) if isinstance(self.body, dict) else ""

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong, by the field of the body where it stands; "" for what is of no field."""
        found = self.body.get("errors", ()) if isinstance(self.body, dict) else ()
        return {str(fault["pointer"]).strip("/").partition("/")[0]: str(fault["reason"]) for fault in found}


def let_pages_call(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Let the pages of the application ask for the operations of these routers."""
    routes = (route for router in routers for route in router.routes if isinstance(route, APIRoute))
    app.state.operations = {route.name: route for route in routes}


def find_operation(request: Request, name: str) -> APIRoute | None:
    """Return the route of an operation, None where this facade has none of that name."""
    operations: dict[str, APIRoute] = request.app.state.operations
    return operations.get(name)


async def call(request: Request, operation: Operation) -> Said:
    """Return what the operation answers."""
    sent = b"" if operation.body is None else orjson.dumps(operation.body)
    status, headers, pieces = 500, {}, []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": sent, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], dict(message["headers"])
        else:
            pieces.append(message.get("body", b""))

    await request.app(_scope_of(request, operation, sent), receive, send)
    body = b"".join(pieces)
    is_json = b"json" in headers.get(b"content-type", b"")
    return Said(status, orjson.loads(body) if is_json else None, headers.get(b"etag", b"").decode("latin-1"))


class Relay(Response):
    """What the operation answers, passed on as it comes; a browser keeps it as a file and never shows it.

    Where it refuses, there is a page with its words.
    """

    def __init__(self, request: Request, operation: Operation) -> None:
        super().__init__()
        self._request = request
        self._scope = _scope_of(request, operation, b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused, words = 0, b""

        async def pass_on(message: MutableMapping[str, Any]) -> None:
            nonlocal refused, words
            if message["type"] == "http.response.start":
                if message["status"] not in _GOOD:
                    refused = message["status"]
                    return
                message = {**message, "headers": self._merge(message["headers"])}
            elif refused:
                words += message.get("body", b"")
                return
            await send(message)

        await self._request.app(self._scope, receive, pass_on)
        if refused:
            detail = Said(refused, orjson.loads(words)).detail
            await show(self._request, "error.html", refused, status=refused, detail=detail)(scope, receive, send)

    def _merge(self, told: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return what the operation says of the download, and what all pages say that it does not."""
        kept = {name: value for name, value in told if name in _PASSED}
        own = {name.encode(): value.encode("latin-1") for name, value in self.headers.items()}
        del own[b"content-length"]
        return [*({**own, **kept}).items()]


def _scope_of(request: Request, operation: Operation, sent: bytes) -> Scope:
    route = find_operation(request, operation.name)
    try:
        if route is None:
            raise NoSuchObjectError("This facade cannot do that yet.")
        path = str(route.url_path_for(operation.name, **operation.values))
    except (NoMatchFound, AssertionError):
        raise NoSuchObjectError("There is nothing of that name.") from None
    caller: Caller = request.state.caller
    query = urlencode(
        {"namespace": caller.namespace, **{key: value for key, value in operation.query.items() if value is not None}},
        doseq=True,
        errors="surrogateescape",
    )
    headers = {"authorization": f"Bearer {read_token(request)}", **(operation.headers or {})}
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise InvalidValueError("The form cannot be read.")
    if operation.body is not None:
        headers |= {"content-type": "application/json", "content-length": str(len(sent))}
    method = min(route.methods or {"GET"})
    kept = ("asgi", "http_version", "scheme", "client", "server", "state")
    return {
        **{key: request.scope[key] for key in kept if key in request.scope},
        "type": "http",
        "method": "HEAD" if method == "GET" and request.scope[HEAD_ONLY] else method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
    }

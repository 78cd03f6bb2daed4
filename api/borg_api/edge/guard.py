"""Who the caller is and what they may do: the API server says so, before a route looks at anything else.

It is asked with the caller's own token, and its answers are remembered for seconds. 401 and 403 so come before 404
and 422.
"""

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from borg_api.configuration import Configuration
from borg_api.edge.errors import InvalidValueError, NotAllowedError, NotJsonError, UnavailableError, UnknownCallerError
from borg_api.edge.parts import part_of
from borg_api.picture.picture import Picture, View
from borg_cluster.client import ApiServer
from borg_cluster.errors import Unauthorized, Unreachable
from borg_core.registry import ResourceType

_REVIEWS = ResourceType("SelfSubjectAccessReview", "authorization.k8s.io", "v1", "selfsubjectaccessreviews")
_ALLOWED_SECONDS = 5.0
_DENIED_SECONDS = 1.0
_REFUSED_SECONDS = 5
"""When to come again to a namespace that the facade may not look into: its watches ask so often."""
_OUTAGE_SECONDS = 600.0
"""For so long what was allowed stays allowed while the API server cannot be asked: reading goes on."""
_PATIENCE_SECONDS = 3.0
"""For so long a caller who was allowed before waits for a review; then it is an outage."""
_REMEMBERED = 10_000
_HEADERS = ("x-borg-authorization", "authorization")
"""Borg UI's client sends the first only; where both are given, it holds."""
_BEARABLE = r"[A-Za-z0-9._~+/-]+=*"
_BEARER = re.compile(rf"(?i:bearer) +({_BEARABLE}) *")


@dataclass(frozen=True, slots=True)
class Permission:
    """A verb on a kind, or on a subresource of it."""

    verb: str
    resource: ResourceType
    subresource: str = ""

    @property
    def writes(self) -> bool:
        return self.verb not in ("get", "list", "watch")

    def describe(self, namespace: str) -> str:
        """Return what RBAC calls it: `create borgruns in namespace "team"`."""
        subresource = f"/{self.subresource}" if self.subresource else ""
        return f'{self.verb} {self.resource.plural}{subresource} in namespace "{namespace}"'


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and in which namespace. `api` acts with the caller's token."""

    api: ApiServer
    namespace: str


@dataclass(frozen=True, slots=True)
class _Verdict:
    """`allowed` None: the API server does not know the token. `at`: when it was said, monotonic seconds."""

    allowed: bool | None
    at: float

    def is_fresh(self, now: float) -> bool:
        return now - self.at < (_ALLOWED_SECONDS if self.allowed else _DENIED_SECONDS)


_Question = tuple[bytes, Permission, str]
"""The token's hash, what is asked, and in which namespace."""


def read_token(request: Request) -> str:
    """Return the caller's token. Raises UnknownCallerError when there is none, or none that could be one."""
    header = next((request.headers[name] for name in _HEADERS if name in request.headers), "")
    match = _BEARER.fullmatch(header)
    if match is None:
        raise UnknownCallerError('Send a Kubernetes token in the header "Authorization: Bearer <token>".')
    return match[1]


def could_be_token(text: str) -> bool:
    """Whether it can stand in the header Authorization (RFC 6750)."""
    return re.fullmatch(_BEARABLE, text) is not None


class Access:
    """What the API server said about each question; a question is on its way once at a time.

    `anonymous`: a client without credentials, for the callers' own.
    """

    def __init__(self, anonymous: ApiServer, picture: Picture) -> None:
        self._anonymous = anonymous
        self._picture = picture
        self._verdicts: dict[_Question, _Verdict] = {}
        self._asking: dict[_Question, asyncio.Task[bool]] = {}

    async def authorize(self, token: str, permission: Permission, namespace: str) -> Caller:
        """Return the caller. Raises UnknownCallerError, NotAllowedError, or UnavailableError when nobody can tell."""
        api = self._anonymous.acting_as(token)
        key = (sha256(token.encode()).digest(), permission, namespace)
        known = self._verdicts.get(key)
        if known and known.is_fresh(time.monotonic()):
            if known.allowed is None:
                raise UnknownCallerError
            allowed = known.allowed
        elif self._picture.alive:
            allowed = await self._ask(key, api, known)
        elif _holds_in_outage(known):
            allowed = True
        else:
            raise UnavailableError
        if not allowed:
            raise NotAllowedError(f"You may not {permission.describe(namespace)}.")
        return Caller(api, namespace)

    async def _ask(self, key: _Question, api: ApiServer, known: _Verdict | None) -> bool:
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._review(key, api))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        fallback = _holds_in_outage(known)
        try:
            # Shielded: when one of those who wait goes away, the others still get their answer.
            async with asyncio.timeout(_PATIENCE_SECONDS if fallback else None):
                return await asyncio.shield(asking)
        except (Unreachable, TimeoutError):
            if fallback:
                return True
            raise
        except Unauthorized:
            self._remember(key, None)
            raise

    async def _review(self, key: _Question, api: ApiServer) -> bool:
        _, permission, namespace = key
        attributes = {
            "namespace": namespace,
            "verb": permission.verb,
            "group": permission.resource.group,
            "resource": permission.resource.plural,
            "subresource": permission.subresource,
        }
        manifest = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": _REVIEWS.kind,
            "spec": {"resourceAttributes": attributes},
        }
        review = await api.create(_REVIEWS, manifest)
        allowed = bool(review["status"].get("allowed"))
        self._remember(key, allowed)
        return allowed

    def _remember(self, key: _Question, allowed: bool | None) -> None:
        """Keep the verdict. Of too many, refusals go first, so that a flood of strangers pushes nobody else out."""
        self._verdicts.pop(key, None)
        self._verdicts[key] = _Verdict(allowed, time.monotonic())
        while len(self._verdicts) > _REMEMBERED:
            refused = next((other for other, verdict in self._verdicts.items() if not verdict.allowed), None)
            del self._verdicts[refused or next(iter(self._verdicts))]


def _holds_in_outage(known: _Verdict | None) -> bool:
    return known is not None and known.allowed is True and time.monotonic() - known.at < _OUTAGE_SECONDS


F = TypeVar("F", bound=Callable[..., Any])
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def requires(permission: Permission) -> Callable[[F], F]:
    """Mark an endpoint with what its caller must be allowed to do."""

    def mark(endpoint: F) -> F:
        endpoint.permission = permission  # type: ignore[attr-defined]
        return endpoint

    return mark


class GuardedRoute(APIRoute):
    """A route of an endpoint that is marked with `requires`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        permission: Permission = self.endpoint.permission  # type: ignore[attr-defined]

        async def guarded(request: Request) -> Response:
            configuration, picture = part_of(request, Configuration), part_of(request, Picture)
            token = read_token(request)
            namespace = request.query_params.get("namespace", configuration.default_namespace)
            if not _NAMESPACE.fullmatch(namespace):
                raise InvalidValueError(f'"{namespace[:63]}" cannot be the name of a namespace.', "namespace")
            request.state.caller = await part_of(request, Access).authorize(token, permission, namespace)
            if not configuration.serves(namespace):
                raise InvalidValueError(f'Namespace "{namespace}" is not served here.', "namespace")
            if picture.refuses(namespace):
                raise UnavailableError(f'The facade may not look into namespace "{namespace}".', _REFUSED_SECONDS)
            if not picture.filled:
                raise UnavailableError("The facade has just started and is still reading.", seconds=1)
            if permission.writes and not picture.alive:
                raise UnavailableError
            if takes_body and not _is_json(request):
                raise NotJsonError
            return await handle(request)

        return guarded


async def is_allowed(request: Request, permission: Permission) -> bool:
    """Return whether the caller of a guarded route may do something else besides, in the same namespace."""
    caller: Caller = request.state.caller
    try:
        await part_of(request, Access).authorize(read_token(request), permission, caller.namespace)
    except NotAllowedError:
        return False
    return True


def read_media_type(request: Request) -> str:
    """Return what the body is said to be, in lower case, without parameters; empty where nothing is said."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(request: Request) -> bool:
    kind = read_media_type(request)
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def _get_caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _get_view(request: Request) -> View:
    caller: Caller = request.state.caller
    return part_of(request, Picture).view(caller.namespace)


TheCaller = Annotated[Caller, Depends(_get_caller)]
TheView = Annotated[View, Depends(_get_view)]
"""What is known of the namespace that the caller asks about."""

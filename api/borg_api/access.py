"""Who may do what: asked of the API server with the caller's own token, and remembered for seconds."""

import asyncio
import re
import time
from dataclasses import dataclass
from hashlib import sha256

from fastapi import Request

from borg_api import problem
from borg_api.mirror import Mirror
from borg_api.problem import Problem
from borg_cluster.api_server import ApiError, ApiServer
from borg_core.registry import ResourceType

_REVIEWS = ResourceType("SelfSubjectAccessReview", "authorization.k8s.io", "v1", "selfsubjectaccessreviews")
_ALLOWED_SECONDS = 5.0
_DENIED_SECONDS = 1.0
_OUTAGE_SECONDS = 600.0
"""For so long what was allowed stays allowed while the API server cannot be asked: reading goes on."""
_PATIENCE_SECONDS = 3.0
"""For so long a caller who was allowed before waits for a review; then it is an outage."""
_REMEMBERED = 10_000
_UNAUTHORIZED = 401
_HEADERS = ("x-borg-authorization", "authorization")
"""Borg UI's client sends the first only; where both are given, it holds."""
_BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*) *")


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
        return f"{self.verb} {self.what(namespace)}"

    def what(self, namespace: str) -> str:
        plural = self.resource.plural + (f"/{self.subresource}" if self.subresource else "")
        return f'{plural} in namespace "{namespace}"'


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and in which namespace. `api` acts with the caller's token."""

    api: ApiServer
    namespace: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """`allowed` None: the API server does not know the token."""

    allowed: bool | None
    at: float

    def fresh(self, now: float) -> bool:
        return now - self.at < (_ALLOWED_SECONDS if self.allowed else _DENIED_SECONDS)


_Question = tuple[bytes, Permission, str]
"""The token's hash, what is asked, and in which namespace."""


def read_token(request: Request) -> str:
    """Return the caller's token. Raises Problem 401 when there is none, or none that could be one."""
    header = next((request.headers[name] for name in _HEADERS if name in request.headers), "")
    match = _BEARER.fullmatch(header)
    if match is None:
        raise problem.unauthorized('Send a Kubernetes token in the header "Authorization: Bearer <token>".')
    return match[1]


class Access:
    """Answers by (hash of the token, permission, namespace); each question is on its way once at a time."""

    def __init__(self, nobody: ApiServer, mirror: Mirror) -> None:
        self._nobody = nobody
        self._mirror = mirror
        self._answers: dict[_Question, _Answer] = {}
        self._asking: dict[_Question, asyncio.Task[bool]] = {}

    async def authorize(self, token: str, permission: Permission, namespace: str) -> Caller:
        """Return the caller. Raises Problem 401, 403, or 503 when nobody can tell."""
        api = self._nobody.acting_as(token)
        key = (sha256(token.encode()).digest(), permission, namespace)
        known = self._answers.get(key)
        if known and known.fresh(time.monotonic()):
            if known.allowed is None:
                raise problem.unauthorized(problem.UNKNOWN_TOKEN)
            allowed = known.allowed
        elif self._mirror.alive:
            allowed = await self._ask(key, api, known)
        elif _holds_in_outage(known):
            allowed = True
        else:
            raise problem.unavailable()
        if not allowed:
            raise Problem(403, f"You may not {permission.describe(namespace)}.")
        return Caller(api, namespace)

    async def _ask(self, key: _Question, api: ApiServer, known: _Answer | None) -> bool:
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._review(key, api))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        fallback = _holds_in_outage(known)
        try:
            # Shielded: when one of those who wait goes away, the others still get their answer.
            async with asyncio.timeout(_PATIENCE_SECONDS if fallback else None):
                return await asyncio.shield(asking)
        except ApiError as error:
            if error.is_passing and fallback:
                return True
            if error.status == _UNAUTHORIZED:
                self._remember(key, None)
            raise problem.of_api_error(error, "create", _REVIEWS.plural) from error
        except (OSError, TimeoutError) as error:
            if fallback:
                return True
            raise problem.unavailable() from error

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
        """Keep an answer, and of too many those that were given last: whoever asks for much forgets his own."""
        self._answers.pop(key, None)
        self._answers[key] = _Answer(allowed, time.monotonic())
        while len(self._answers) > _REMEMBERED:
            refused = next((other for other, answer in self._answers.items() if not answer.allowed), None)
            del self._answers[refused or next(iter(self._answers))]


def _holds_in_outage(known: _Answer | None) -> bool:
    return known is not None and known.allowed is True and time.monotonic() - known.at < _OUTAGE_SECONDS

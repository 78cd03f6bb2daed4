"""Routes that ask who is there before they look at anything else: 401 and 403 come before 404 and 422."""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from borg_api.access import Caller, Permission, read_token
from borg_api.facade import Facade
from borg_api.problem import Problem, refused, unavailable

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
            facade: Facade = request.app.state.facade
            token = read_token(request)
            namespace = request.query_params.get("namespace", facade.configuration.default_namespace)
            if not _NAMESPACE.fullmatch(namespace):
                raise refused(f'"{namespace[:63]}" cannot be the name of a namespace.', "namespace")
            request.state.caller = await facade.access.authorize(token, permission, namespace)
            if not facade.configuration.serves(namespace):
                raise refused(f'Namespace "{namespace}" is not served here.', "namespace")
            if not facade.mirror.filled:
                raise Problem(503, "The facade has just started and is still reading.", headers={"Retry-After": "1"})
            if permission.writes and not facade.mirror.alive:
                raise unavailable()
            if takes_body and not _is_json(request):
                raise Problem(415, 'Send JSON, with the header "Content-Type: application/json".')
            return await handle(request)

        return guarded


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


async def _get_caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


TheCaller = Annotated[Caller, Depends(_get_caller)]

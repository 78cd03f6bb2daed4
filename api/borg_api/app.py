"""The application: routes, errors, boundary, and the life of the facade's parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from borg_api import problem
from borg_api.boundary import Boundary
from borg_api.configuration import Configuration
from borg_api.facade import Facade
from borg_api.metrics import Metrics
from borg_api.routes import choices, cron, documents, health, runs, schedules
from borg_api.schema import ProblemAnswer

# The fixed paths of /api/schedule/ come before those with an id in them.
_ROUTERS = (cron.router, schedules.router, runs.router, choices.router, health.router, documents.router)
_TAGS = ("Schedules", "Runs", "Cron expressions", "Choices", "Health")
_NAMESPACE = {
    "name": "namespace",
    "in": "query",
    "required": False,
    "description": "The Kubernetes namespace; without it, the facade's own default.",
    "schema": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
}
_DESCRIPTION = """
Backup schedules of a Kubernetes cluster over HTTP: the schedule API of Borg UI on custom resources.

Send a Kubernetes token as `Authorization: Bearer …`; what it may do is RBAC's business. Errors are
`application/problem+json` (RFC 9457). Times are RFC 3339 in UTC.
"""


def create_app(configuration: Configuration) -> FastAPI:
    """Return the application. It connects to the cluster when it starts."""
    metrics = Metrics()

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        app.state.facade = facade = await Facade.create(configuration, metrics)
        try:
            yield
        finally:
            await facade.stop()

    app = FastAPI(
        title="Borg operator",
        description=_DESCRIPTION,
        version="0.1.0",
        lifespan=live,
        redirect_slashes=False,
        openapi_tags=[{"name": name} for name in _TAGS],
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    for router in _ROUTERS:
        app.include_router(router)
    documents.mount_assets(app)
    app.add_exception_handler(problem.Problem, problem.handle_problem)
    app.add_exception_handler(RequestValidationError, problem.handle_validation)
    app.add_exception_handler(HTTPException, lambda request, error: problem.handle_http(request, error, _allowed))
    for lost in (OSError, TimeoutError):
        app.add_exception_handler(lost, problem.handle_lost_connection)
    app.add_exception_handler(Exception, problem.handle_unexpected)

    def age() -> int:
        facade: Facade = app.state.facade
        return facade.mirror.age()

    paths = {getattr(route, "path", "") for router in _ROUTERS for route in router.routes}
    collections = frozenset(path for path in paths if path.endswith("/"))
    app.add_middleware(Boundary, collections=collections, age=age, metrics=metrics)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _allowed(path: str) -> str:
    """Return the methods that the path takes, as the header Allow says them."""
    routes = [route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    fixed = [route for route in routes if route.path == path]
    found = fixed or [route for route in routes if route.path_regex.match(path)]
    return ", ".join(sorted({method for route in found for method in route.methods or ()}))


def _document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document: FastAPI's, with our problems in place of its own validation errors."""
    if app.openapi_schema:
        return app.openapi_schema
    document = FastAPI.openapi(app)
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    described = ProblemAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= described.pop("$defs", {})
    schemas["ProblemAnswer"] = described
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A Kubernetes token."}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/api/"):
                operation["security"] = [{"token": []}]
                operation.setdefault("parameters", []).append(_NAMESPACE)
    return document

"""The application: its routes, its boundary, and the parts that live as long as it does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.routing import APIRoute

from borg_api.commands.writer import WriteTurns
from borg_api.configuration import Configuration
from borg_api.edge.boundary import Boundary
from borg_api.edge.guard import Access
from borg_api.edge.openapi import render_document
from borg_api.edge.parts import install_parts
from borg_api.edge.problem import add_error_handlers
from borg_api.keys import Keys
from borg_api.looking.client import SessionClient
from borg_api.metrics import Metrics
from borg_api.page.frame.calls import let_pages_call
from borg_api.page.frame.guard import answer_unknown
from borg_api.page.frame.seal import Seal
from borg_api.page.routes import ROUTERS as PAGES
from borg_api.picture.picture import WATCHES, Picture
from borg_api.picture.replicas import Replicas
from borg_api.picture.timetable import Timetable
from borg_api.resources.activity import route as activity
from borg_api.resources.archives import route as archives
from borg_api.resources.checks import drills
from borg_api.resources.checks import route as checks
from borg_api.resources.claims import route as claims
from borg_api.resources.contents import route as contents
from borg_api.resources.cron import route as cron
from borg_api.resources.repositories import route as repositories
from borg_api.resources.restores import route as restores
from borg_api.resources.runs import route as runs
from borg_api.resources.schedules import route as schedules
from borg_api.resources.schedules.listing import Listing
from borg_api.resources.scripts import route as scripts
from borg_api.resources.service import documents, health, replicas
from borg_cluster.client import ApiServer
from borg_cluster.connection import connect, without_credentials

MANAGER = "borg-api"
"""Field manager of the facade's writes, made with the callers' tokens."""

# The fixed paths of /api/schedule/ come before those with an id in them.
_ROUTERS = (
    cron.router,
    schedules.router,
    runs.router,
    repositories.router,
    archives.router,
    claims.router,
    contents.router,
    restores.router,
    checks.router,
    drills.router,
    activity.router,
    scripts.router,
    health.router,
    replicas.router,
    documents.router,
)
_TAGS = ("Schedules", "Runs", "Restores", "Contents", "Checks", "Activity", "Cron expressions", "Choices", "Health")
_DESCRIPTION = """
Backups of a Kubernetes cluster over HTTP, and restores of them: Borg UI's API on custom resources.

Send a Kubernetes token as `Authorization: Bearer …`; what it may do is RBAC's business. Errors are
`application/problem+json` (RFC 9457). Times are RFC 3339 in UTC.
"""
_OWN_CONNECTIONS = 20  # besides the watches: a heartbeat, and what is read once more
_CALLERS_CONNECTIONS = 64


def create_app(configuration: Configuration) -> FastAPI:
    """Return the application. It connects to the cluster when it starts."""
    metrics = Metrics()

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        async with run_parts(app, configuration, metrics):
            yield

    app = FastAPI(
        title="Borg operator",
        description=_DESCRIPTION,
        version="0.1.0",
        lifespan=live,
        redirect_slashes=False,
        openapi_tags=[{"name": name} for name in _TAGS],
        servers=[{"url": "."}],  # relative to the document, which an Ingress may serve below a path of its own
        docs_url=None,
        redoc_url=None,
    )
    # Their routes are as they should be: `include_router` would make each of them anew.
    for router in (*_ROUTERS, *(PAGES if configuration.page else ())):
        app.router.routes.extend(router.routes)
    let_pages_call(app, _ROUTERS)
    documents.mount_assets(app)
    add_error_handlers(app, _allowed_methods)
    if configuration.page:
        app.add_exception_handler(HTTPStatus.NOT_FOUND, answer_unknown)

    def age() -> int:
        picture: Picture = app.state.parts[Picture]
        return picture.age()

    paths = {getattr(route, "path", "") for router in _ROUTERS for route in router.routes}
    collections = frozenset(path for path in paths if path.endswith("/"))
    app.add_middleware(Boundary, collections=collections, age=age, metrics=metrics)
    app.openapi = lambda: render_document(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def run_parts(app: FastAPI, configuration: Configuration, metrics: Metrics) -> AsyncIterator[None]:
    """Connect to the cluster, begin to watch it, and let the routes find the parts, until this is left."""
    client = await connect(_OWN_CONNECTIONS + WATCHES * len(configuration.namespaces), manager=MANAGER)
    own = ApiServer(client, observe=metrics.asked_as_itself)
    anonymous = ApiServer(without_credentials(client, _CALLERS_CONNECTIONS), observe=metrics.asked_as_caller)
    picture, others, timetable = Picture(own, configuration.namespaces), Replicas(configuration), Timetable()
    access, listing = Access(anonymous, picture), Listing(timetable)
    keys = Keys(own, configuration.key_secret)
    client_of_sessions = SessionClient(keys)
    parts = (configuration, metrics, own, picture, others, timetable, access, listing, WriteTurns())
    install_parts(app, *parts, keys, client_of_sessions, Seal(keys))
    await others.start()
    await client_of_sessions.start()
    keys.start()
    picture.start()
    try:
        yield
    finally:
        await picture.stop()
        await others.stop()
        await keys.stop()
        await client_of_sessions.stop()
        await own.close()
        await anonymous.close()


def _allowed_methods(path: str) -> str:
    """Return the methods that the path takes, as the header Allow says them."""
    routes = [route for router in (*_ROUTERS, *PAGES) for route in router.routes if isinstance(route, APIRoute)]
    fixed = [route for route in routes if route.path == path]
    found = fixed or [route for route in routes if route.path_regex.match(path)]
    methods = {method for route in found for method in route.methods or ()}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))

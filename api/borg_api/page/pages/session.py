"""/login, /logout, /namespaces: who looks, and at what. And what every page loads."""

import asyncio
import base64
import re
from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from borg_api.configuration import Configuration
from borg_api.edge.errors import NOTHING_HERE, NoSuchObjectError, NotAllowedError, UnknownCallerError
from borg_api.edge.guard import Access, could_be_token
from borg_api.edge.parts import part_of
from borg_api.page.frame.answers import link, show
from borg_api.page.frame.assets import PREFIX, load_assets
from borg_api.page.frame.guard import OpenRoute, check_form, find_token, read_form
from borg_api.page.frame.headers import SESSION, drop_cookie, harden, safe_path, set_cookie
from borg_api.page.frame.seal import Seal, TooLongError
from borg_api.picture.picture import Picture
from borg_api.resources.schedules.route import LIST
from borg_cluster.errors import Unauthorized

router = APIRouter(route_class=OpenRoute, include_in_schema=False)

_MOST_NAMESPACES = 200
_ACCOUNT = re.compile(r"system:serviceaccount:([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?):.*")
_FOREVER = "public, max-age=31536000, immutable"

Next = Annotated[str, Query(alias="next", max_length=4096)]


@router.get("/login")
async def show_login(request: Request, wanted: Next = "/", expired: str = "") -> Response:
    return show(request, "login.html", wanted=safe_path(wanted), problem=_EXPIRED if expired else "")


_EXPIRED = (
    "The cluster does not accept the token any more: it has expired, or its account is gone. Log in with a new one."
)


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Keep the token in a cookie, once the API server has accepted it; what it may do is looked at later."""
    await check_form(request)
    form = dict(read_form(request))
    token, wanted = "".join(form.get("token", "").split()), safe_path(form.get("next", "/"))
    problem = await _find_problem(request, token)
    if problem:
        return show(request, "login.html", HTTPStatus.UNAUTHORIZED, wanted=wanted, problem=problem)
    try:
        sealed = part_of(request, Seal).close(token)
    except TooLongError:
        problem = (
            "This token is too long for a cookie. A proxy in front of the page can send it as Authorization instead."
        )
        return show(request, "login.html", HTTPStatus.BAD_REQUEST, wanted=wanted, problem=problem)
    if wanted == "/":
        wanted = await _find_home(request, token)
    response = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    set_cookie(response, SESSION, sealed)
    return response


async def _find_home(request: Request, token: str) -> str:
    """Return the page to begin with: of the default namespace, or of the account's own, where the token may see it."""
    for namespace in (part_of(request, Configuration).default_namespace, read_namespace(token)):
        if namespace and await _may_see(request, token, namespace):
            return link(namespace, "/")
    return "/namespaces"


def read_namespace(token: str) -> str:
    """Return the namespace that a token says its account is in; nobody has looked whether that is true."""
    try:
        payload = token.split(".")[1]
        told = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        found = _ACCOUNT.fullmatch(told["sub"])
    except (LookupError, ValueError, TypeError):
        return ""
    return found[1] if found else ""


async def _may_see(request: Request, token: str, namespace: str) -> bool:
    if not part_of(request, Configuration).serves(namespace):
        return False
    try:
        await part_of(request, Access).authorize(token, LIST, namespace)
    except NotAllowedError:
        return False
    return True


async def _find_problem(request: Request, token: str) -> str:
    """Return why one cannot log in with the token, nothing if one can."""
    if not token:
        return "Paste a token first."
    if not could_be_token(token):
        return "This is no token: a token is one long line of letters and digits."
    namespace = part_of(request, Configuration).default_namespace
    try:
        await part_of(request, Access).authorize(token, LIST, namespace)
    except NotAllowedError:
        return ""  # known, and perhaps at home in another namespace
    except (UnknownCallerError, Unauthorized):
        return "The cluster does not accept this token: it has expired, is incomplete, or is of another cluster."
    return ""


@router.post("/logout")
async def log_out(request: Request) -> Response:
    await check_form(request)
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    drop_cookie(response, SESSION)
    return response


@router.get("/namespaces")
async def list_namespaces(request: Request) -> Response:
    """Show the namespaces that have something of ours and that the token may see, to go there."""
    token = find_token(request)
    if token is None:
        return RedirectResponse("/login?next=/namespaces", HTTPStatus.SEE_OTHER)
    configuration = part_of(request, Configuration)
    picture = part_of(request, Picture)
    known = sorted({*picture.namespaces(), *configuration.namespaces, configuration.default_namespace})
    asked = known[:_MOST_NAMESPACES]
    allowed = await asyncio.gather(*(_may_see(request, token, namespace) for namespace in asked))
    seen = [item for item, may in zip(asked, allowed, strict=True) if may and not picture.refuses(item)]
    return show(
        request,
        "namespaces.html",
        namespaces=[(item, link(item, "/"), picture.view(item)) for item in seen],
        more=len(known) - len(asked),
        signed_in=True,
    )


@router.get(f"{PREFIX}/{{digest}}/{{name}}")
async def send_asset(
    request: Request, digest: Annotated[str, Path(max_length=64)], name: Annotated[str, Path(max_length=64)]
) -> Response:
    found = load_assets().get(name)
    if found is None or found.url != f"{PREFIX}/{digest}/{name}":
        raise NoSuchObjectError(NOTHING_HERE)
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding", **({"Content-Encoding": "gzip"} if zipped else {})}
    return harden(Response(found.zipped if zipped else found.body, headers=headers, media_type=found.media_type))

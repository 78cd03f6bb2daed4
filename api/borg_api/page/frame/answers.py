"""Pages as answers: a template, what all pages show, and what all answers carry."""

import gzip
import secrets
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import RedirectResponse

from borg_api.configuration import Configuration
from borg_api.edge.guard import Caller
from borg_api.edge.parts import part_of
from borg_api.page.frame.assets import load_assets
from borg_api.page.frame.headers import BROWSER, harden, set_cookie
from borg_api.page.frame.seal import Seal
from borg_api.page.show import charts, times, words
from borg_api.picture.picture import Picture
from borg_api.picture.timetable import whole_now

_ZIP_FROM = 1024
_NONCE_BYTES = 12

DONE = {
    "created": "Created.",
    "changed": "Saved.",
    "deleted": "Deleted. Its archives stay.",
    "started": "Asked for: it begins as soon as it is its turn.",
    "paused": "Paused. Nothing begins by itself until it goes on.",
    "resumed": "It goes on at its next time.",
    "copied": "Copied, and paused: look at it, then let it go on.",
    "cancelled": "Asked to stop.",
    "approved": "Approved: it begins as soon as it can.",
}
"""What may be said on the page that follows an action: the address names one of these."""


@cache
def templates() -> Environment:
    """Return the templates; all that they show is escaped."""
    made = Environment(
        loader=PackageLoader("borg_api.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "size": times.size,
        "span": times.span,
        "instant": times.instant,
        "sources": words.tell_sources,
        "seen": words.tell_seen,
    }
    made.globals |= {
        "count": times.count,
        "icons": words.ICONS,
        "operations": words.OPERATIONS,
        "phase": words.of_phase,
        "restore_phase": words.of_restore,
        "strip": charts.draw_strip,
        "assets": load_assets(),
    }
    return made


def spell(name: str) -> str:
    """Return a name as it stands in a path: browsers take the parts `.` and `..` out of it, however they are quoted."""
    return f"={name}" if name in (".", "..") or name.startswith("=") else name


def read_spelt(part: str) -> str:
    """Return the name that `spell` was given."""
    return part.removeprefix("=")


def link(namespace: str, path: str, /, *parts: str, **query: Any) -> str:
    """Return the address of a page: `parts` follow the path, each a name; values may have bytes as surrogates."""
    place = "/".join([path.rstrip("/"), *(quote(spell(part), safe="") for part in parts)]) or "/"
    given = [("namespace", namespace), *((key, value) for key, value in query.items() if value not in (None, ""))]
    return f"{place}?{urlencode(given, doseq=True, errors='surrogateescape')}"


def show(request: Request, template: str, code: int = 200, **values: Any) -> Response:
    """Return the page. Raises NoKeyError."""
    now = whole_now()
    caller: Caller | None = getattr(request.state, "caller", None)
    namespace = caller.namespace if caller else part_of(request, Configuration).default_namespace
    browser = request.cookies.get(BROWSER) or ""
    fresh = "" if browser else secrets.token_urlsafe(_NONCE_BYTES)
    body = (
        templates()
        .get_template(template)
        .render(
            {
                "namespace": namespace,
                "signed_in": caller is not None,
                "path": request.url.path,
                "csrf": part_of(request, Seal).sign(browser or fresh),
                "nonce": secrets.token_urlsafe(_NONCE_BYTES),
                "stale": part_of(request, Picture).age(),
                "now": now,
                "ago": lambda text: times.moment(text, now),
                "took": lambda start, end: times.between(start, end, now),
                "link": lambda *parts, **query: link(namespace, *parts, **query),
                "done": DONE.get(request.query_params.get("done", "")),
                **values,
            }
        )
        .encode("utf-8", "replace")
    )
    response = _zipped(request, body, code)
    if fresh:
        set_cookie(response, BROWSER, fresh)
    return harden(response)


def is_partial(request: Request) -> bool:
    """Whether a part of a page asks, which is on the screen already."""
    return "hx-request" in request.headers


def end_live(request: Request, response: Response) -> Response:
    """Return the page of what changes no more: where a part of it asks, all is loaded once more, and does not ask."""
    if is_partial(request):
        response.headers["HX-Refresh"] = "true"
    return response


def go_to(request: Request, path: str, /, *parts: str, **query: Any) -> Response:
    """Return the way to another page, after something was done."""
    caller: Caller = request.state.caller
    return harden(RedirectResponse(link(caller.namespace, path, *parts, **query), 303))


def _zipped(request: Request, body: bytes, status: int) -> Response:
    headers = {"Vary": "Accept-Encoding, Cookie"}
    if len(body) >= _ZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        # What must be secret in it, the signature of forms, is another text each time: its length tells nothing.
        body = gzip.compress(body, 5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, "text/html; charset=utf-8")

"""What every answer of the page tells the browser, cookies with it."""

from starlette.requests import Request
from starlette.responses import Response

SESSION = "__Host-borg-session"
"""The encrypted token."""
BROWSER = "__Host-borg-browser"
"""A number of no meaning that forms are signed for."""

_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types htmx"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def harden(response: Response) -> Response:
    """Return the answer with all that keeps other sites away from it, and it out of caches unless it says otherwise."""
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def set_cookie(response: Response, name: str, value: str) -> None:
    """Let the browser keep it until it is closed. Only over HTTPS, or on localhost, does it do so."""
    response.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="strict")


def drop_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="strict")


def is_from_elsewhere(request: Request) -> bool:
    """Tell whether another site made the browser ask; an old browser does not say."""
    return request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")


def safe_path(wanted: str) -> str:
    """Return where to go on after logging in: a path of this page, else the overview."""
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and " " not in wanted
    return wanted if plain and wanted.startswith("/") and not wanted.startswith("//") else "/"

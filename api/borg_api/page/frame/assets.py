"""Scripts, styles and pictures of the page: from the package, never from elsewhere, and kept by browsers for good."""

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from mimetypes import guess_type

PREFIX = "/assets"
NAMES = ("style.css", "htmx.js", "hx-sse.js", "hx-csp.js", "page.js", "favicon.svg")


@dataclass(frozen=True)
class Asset:
    """`url` changes with the content."""

    url: str
    media_type: str
    body: bytes
    zipped: bytes


@cache
def load_assets() -> dict[str, Asset]:
    """Return what there is, by its name."""
    folder = files("borg_api.page") / "static"
    return {name: _make(name, (folder / name).read_bytes()) for name in NAMES}


def _make(name: str, body: bytes) -> Asset:
    digest = sha256(body).hexdigest()[:16]
    media_type = guess_type(name)[0] or "application/octet-stream"
    return Asset(f"{PREFIX}/{digest}/{name}", media_type, body, gzip.compress(body, 9, mtime=0))

"""A secret that nobody else can have said: in which forms it may appear, and where in a text it does."""

import base64
import json
import secrets
from collections.abc import Iterable, Iterator
from urllib.parse import quote

_SHORTEST = 16
"""Shorter lines of a key may be anybody's."""


def make_canary() -> str:
    """Return a passphrase that is like no other word, and looks different in each encoding."""
    return f"canary {secrets.token_hex(16)}+/='ü"


class Canary:
    """All forms of the secret's lines: as they are, reversed, in hex, quoted for URLs, in base64 at any place."""

    def __init__(self, secret: str, *, without: Iterable[str] = ()) -> None:
        """`without`: lines of it that are no secret."""
        lines = {line.strip() for line in secret.splitlines()} - set(without)
        self.needles = {form for line in lines if len(line) >= _SHORTEST for form in _forms(line)}

    def find(self, text: str | bytes) -> str:
        """Return what is around the first form of it in the text, empty where there is none."""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        for needle in self.needles:
            if (at := data.find(needle)) >= 0:
                return repr(data[max(0, at - 150) : at + len(needle) + 50])
        return ""


def _forms(line: str) -> Iterator[bytes]:
    data = line.encode()
    yield data
    yield line[::-1].encode()
    yield data.hex().encode()
    yield data.hex().upper().encode()
    yield quote(line, safe="").encode()
    yield json.dumps(line)[1:-1].encode()
    for shift in range(3):  # base64 has three ways to write what begins somewhere in a longer text
        encoded = base64.b64encode(b"\0" * shift + data)
        yield encoded[4 if shift else 0 : -4]

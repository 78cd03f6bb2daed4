"""The search for secrets finds them, whatever somebody made of them."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from support.canary import Canary, make_canary

WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64, behind one character": lambda text: base64.b64encode(f"x{text}".encode()).decode(),
    "in base64, in a URL": lambda text: base64.b64encode(f"ab{text} and more".encode()).decode(),
    "in hex": lambda text: text.encode().hex(),
    "quoted": lambda text: quote(text, safe=""),
    "reversed": lambda text: text[::-1],
    "in JSON": json.dumps,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_canary_is_found_in_each_form(way: str) -> None:
    secret = make_canary()
    canary = Canary(secret)
    assert canary.find(f"before {WAYS[way](secret)} after")
    assert not canary.find(f"before {WAYS[way](make_canary())} after")


def test_each_line_of_a_key_is_one_and_what_all_keys_share_is_none() -> None:
    key = "-----BEGIN KEY-----\nAAAAB3NzaC1yc2EAAAADAQABAAAB\nbm9uZW5vbmVub25lbm9uZW5v\n-----END KEY-----\n"
    canary = Canary(key, without=["-----BEGIN KEY-----", "-----END KEY-----"])
    assert canary.find("xx bm9uZW5vbmVub25lbm9uZW5v xx")
    assert not canary.find("-----BEGIN KEY-----")

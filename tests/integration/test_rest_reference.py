"""Every example request of the reference page, sent with curl, is answered as the page says."""

import json
import re
import subprocess
from typing import Any

import pytest

from integration.reference_examples import EXAMPLES, Example
from support.rest import Rest

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NULLABLE = {"last_run", "next_run", "last_prune", "last_compact", "description"}


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """Keep what earlier examples made: they follow each other, as on the page."""
    return {}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_the_example_is_answered_as_documented(rest: Rest, known: dict[str, Any], example: Example) -> None:
    if example.method == "POST" and example.path == "/api/schedule/":
        repositories = rest.get("/api/repositories/")["repositories"]
        known["repositories"] = [repository["id"] for repository in repositories]

    status, body = curl(rest, example, known)

    assert status == 200, body
    if example.title == "Create Scheduled Job":
        known["id"] = body["job"]["id"]
    assert_like(body, example.answer, example.exact)


def curl(rest: Rest, example: Example, known: dict[str, Any]) -> tuple[int, Any]:
    """Send the request as the page writes it."""
    path = example.path.replace("{id}", str(known.get("id", "")))
    separator = "&" if "?" in path else "?"
    url = f"{rest.url}{path}{separator}namespace={rest.namespace}"
    command = ["curl", "-s", "-w", "\n%{http_code}", "-X", example.method, url]
    command += ["-H", f"Authorization: Bearer {rest.token}"]
    if example.body is not None:
        body = {
            key: known["repositories"] if value == "{repositories}" else value for key, value in example.body.items()
        }
        command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text, _, status = output.rpartition("\n")
    return int(status), json.loads(text)


def assert_like(found: Any, documented: Any, exact: tuple[str, ...], where: str = "") -> None:
    """Fail unless `found` has all keys of `documented`, and values of their types."""
    if isinstance(documented, dict):
        assert documented.keys() <= found.keys(), where
        for key, value in documented.items():
            if key in exact and not isinstance(value, dict | list):
                assert found[key] == value, f"{where}.{key}"
            elif not (key in NULLABLE and found[key] is None):
                assert_like(found[key], value, exact, f"{where}.{key}")
    elif isinstance(documented, list):
        assert isinstance(found, list), where
        assert len(found) >= len(documented), where
        for item in found:
            assert_like(item, documented[0], (), f"{where}[]")
    elif isinstance(documented, str) and TIME.fullmatch(documented):
        assert TIME.fullmatch(found), where
    else:
        assert type(found) is type(documented), f"{where}: {found!r} is not like {documented!r}"

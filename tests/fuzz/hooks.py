"""Hooks of Schemathesis: valid requests get ids that exist, or nearly all that it asks would end as 404.

What it makes invalid on purpose is left alone.
"""

import os
from collections.abc import MutableMapping
from itertools import count
from typing import Any
from urllib.parse import urlencode

import schemathesis
from schemathesis.generation import GenerationMode

_REPOSITORIES = [int(text) for text in os.environ["FUZZ_REPOSITORIES"].split(",")]
_SCRIPT = int(os.environ["FUZZ_SCRIPT"])
_SCHEDULES = os.environ["FUZZ_SCHEDULES"].split(",")
_ARCHIVE = os.environ["FUZZ_ARCHIVE"]
_RESTORES = os.environ["FUZZ_RESTORES"].split(",")
_EXPRESSIONS = ("0 2 * * *", "*/15 8-18 * * MON-FRI", "@daily", "0 0 29 2 *", "@every 90m", "30 2 * * 0")
_ZONES = ("Europe/Berlin", "UTC", "America/New_York", None)
_LONGEST = 30_000
_turn = count()


@schemathesis.hook
def before_call(context: Any, case: Any, **_: Any) -> None:  # noqa: ARG001 - the hook's own signature
    """Let three valid requests of four be about things that are there; none has a longer line than servers read."""
    number = next(_turn)
    for part in (case.query, case.headers):
        _shorten(part or {})
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE or number % 4 == 0:
        return
    path = case.operation.path
    phase = str(case.meta.phase.name).lower()
    if "/schedule/{job_id}" in path and not phase.endswith("stateful"):
        case.path_parameters["job_id"] = _SCHEDULES[number % len(_SCHEDULES)]
    if "{repository_id}" in path:
        case.path_parameters["repository_id"] = str(_REPOSITORIES[number % len(_REPOSITORIES)])
    if path == "/api/archives/{archive_id}/info":
        case.path_parameters["archive_id"] = _ARCHIVE
        case.query = {**(case.query or {}), "repository": "main"}
    if "/restore/" in path and "{job_id}" in path and not phase.endswith("stateful"):
        case.path_parameters["job_id"] = _RESTORES[number % len(_RESTORES)]
    if isinstance(case.body, dict) and path.startswith("/api/schedule/"):
        _mend(case.body, number)
    if isinstance(case.body, dict) and path.startswith("/api/restore/"):
        _mend_restore(case.body, number)
    if isinstance(case.body, dict) and path.endswith("check-schedule"):
        _mend(case.body, number)


def _shorten(part: MutableMapping[str, Any]) -> None:
    while len(urlencode(list(part.items()), doseq=True, errors="replace")) > _LONGEST:
        name = max(part, key=lambda name: len(str(part[name])))
        part[name] = str(part[name])[: len(str(part[name])) // 2]


def _mend(body: dict[str, Any], number: int) -> None:
    if body.get("repository_ids"):
        body["repository_ids"] = [_REPOSITORIES[(number + n) % len(_REPOSITORIES)] for n in range(number % 3 + 1)]
    if isinstance(body.get("repository"), str):
        body["repository"] = "main"
    if isinstance(body.get("repository_id"), int):
        body["repository_id"] = _REPOSITORIES[0]
    for when in ("pre", "post"):
        if isinstance(body.get(f"{when}_backup_script_id"), int):
            body[f"{when}_backup_script_id"] = _SCRIPT
            body[f"{when}_backup_script_parameters"] = {"HOST": "nas"}
    if isinstance(body.get("cron_expression"), str):
        body["cron_expression"] = _EXPRESSIONS[number % len(_EXPRESSIONS)]
    if isinstance(body.get("timezone"), str):
        body["timezone"] = _ZONES[number % len(_ZONES)]


def _mend_restore(body: dict[str, Any], number: int) -> None:
    if isinstance(body.get("repository_id"), int):
        body["repository_id"] = _REPOSITORIES[0]
    if isinstance(body.get("repository"), str):
        body["repository"] = "main"
    if isinstance(body.get("archive"), str) and number % 2:
        body["archive"] = _ARCHIVE
    if isinstance(body.get("preview_id"), int):
        body["preview_id"] = int(_RESTORES[number % len(_RESTORES)])
    if isinstance(body.get("destination"), str):
        body["destination"] = f"claim-{number % 7}/restored"
    if isinstance(body.get("paths"), list):
        body["paths"] = [path.strip("/.\0") or "etc" for path in body["paths"]]

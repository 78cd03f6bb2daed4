"""Repositories over REST: what runs found out about them is there to be seen."""

from typing import Any

from borg_api.resources.repositories.response import render_repositories
from borg_core.kinds.repository import BorgRepository
from support.builders import local_repository


def rendered(status: dict[str, Any]) -> dict[str, Any]:
    body = local_repository().model_dump(by_alias=True, mode="json", exclude_none=True)
    [shown] = render_repositories([BorgRepository.model_validate({**body, "status": status})], {})
    return dict(shown)


def condition(type_: str) -> dict[str, str]:
    return {"type": type_, "status": "True", "reason": type_, "message": f"about {type_}"}


def test_what_runs_found_out_is_shown() -> None:
    conditions = [condition(name) for name in ("Ready", "AppendOnly", "Missing", "Replaced", "RolledBack", "Aliased")]
    shown = rendered({"conditions": conditions, "identity": {"id": "a" * 64}})
    assert (shown["repository_id"], shown["append_only"]) == ("a" * 64, True)
    told = ["about Aliased", "about AppendOnly", "about Missing", "about Replaced", "about RolledBack"]
    assert sorted(shown["notices"]) == told


def test_what_nobody_has_found_out_is_not_known() -> None:
    shown = rendered({})
    assert (shown["repository_id"], shown["append_only"], shown["notices"]) == (None, None, [])
    assert rendered({"lastCompactTime": "2026-03-01T01:00:00Z"})["append_only"] is False

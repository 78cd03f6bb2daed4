"""Repositories over REST: what runs found out about them is there to be seen."""

import asyncio
from typing import Any

import pytest
from pydantic import TypeAdapter

from borg_api.resources.repositories.info import RepositoryInfo
from borg_api.resources.repositories.response import render_repositories
from borg_core.kinds.repository import BorgRepository
from support.builders import local_repository
from support.rest_world import World

MAIN = {
    "local": {"volume": {"persistentVolumeClaim": {"claimName": "repo-main"}}},
    "encryption": {"mode": "none"},
}


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


def test_when_it_was_checked_and_compacted_is_shown() -> None:
    checked, compacted = "2026-03-01T01:00:00Z", "2026-03-01T02:00:00Z"
    shown = rendered({"lastCheckTime": checked, "lastCompactTime": compacted})
    assert (shown["last_check"], shown["last_compact"]) == (checked, compacted)
    assert (rendered({})["last_check"], rendered({})["last_compact"]) == (None, None)


def test_what_nobody_has_found_out_is_not_known() -> None:
    shown = rendered({})
    assert (shown["repository_id"], shown["append_only"], shown["notices"]) == (None, None, [])
    assert rendered({"lastCompactTime": "2026-03-01T01:00:00Z"})["append_only"] is False


def get_info(world: World, **headers: str) -> Any:
    answer = asyncio.run(world("GET", "/api/repositories/main/info", headers=headers))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    TypeAdapter(RepositoryInfo).validate_python(body, strict=True)
    assert body["success"] is True
    return body["info"]


def test_the_info_of_a_repository_is_what_its_status_knows_and_no_more() -> None:
    world = World()
    world.cluster.add("BorgRepository", "main", MAIN)
    info = get_info(world)
    assert info["repository"] == {"id": None, "location": "/repositories/main", "last_modified": None}
    assert info["encryption"] == {"mode": "none"}
    assert (info["summary_stats"], info["cache"]) == (None, {"stats": None})
    at = "2026-03-01T01:00:00Z"
    sizes = {"originalSize": 5000, "deduplicatedSize": 700, "lastBackupTime": at, "identity": {"id": "a" * 64}}
    world.cluster.report("BorgRepository", "main", **sizes)
    info = get_info(world)
    assert (info["repository"]["id"], info["repository"]["last_modified"]) == ("a" * 64, at)
    stats = info["cache"]["stats"]
    assert (stats["total_size"], stats["unique_csize"], stats["total_csize"]) == (5000, 700, None)
    assert info["summary_stats"] == {
        "original_size": 5000,
        "compressed_size": None,
        "deduplicated_size": 700,
        "total_files": None,
    }


@pytest.mark.parametrize(("name", "denied", "status"), [("no-such", set(), 404), ("main", {"borgrepositories"}, 403)])
def test_the_info_needs_a_repository_and_the_right_to_list_them(name: str, denied: set[str], status: int) -> None:
    world = World()
    world.cluster.add("BorgRepository", "main", MAIN)
    world.cluster.denied = denied
    assert asyncio.run(world("GET", f"/api/repositories/{name}/info")).status_code == status

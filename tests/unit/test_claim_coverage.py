"""Which claims are backed up, and by whom: as the metric tells it, and over REST."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from borg_api.resources.claims.response import Claims
from borg_cluster.client import Object
from borg_cluster.errors import Expired
from borg_contract.ownership import (
    ArchiveContent,
    ArchiveOwner,
    fit_comment,
    parse_comment,
    parse_content,
    render_comment,
)
from borg_core.claims.coverage import derive_coverage
from borg_core.claims.selection import select_sources
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.schedule import SCHEDULES, BorgSchedule
from borg_core.native.claim import CLAIMS, ObservedClaim
from borg_core.workload import bundle as bundle_module
from borg_operator.store import Store
from borg_operator.telemetry import claims as claims_module
from borg_operator.telemetry.snapshot import Snapshot
from support import builders
from support.builders import NOW
from support.rest_world import World

READY = {"type": "Ready", "status": "True", "reason": "Scheduled", "lastTransitionTime": "2026-03-01T01:00:00Z"}
NOT_READY = {**READY, "status": "False", "lastTransitionTime": "2026-03-01T05:00:00Z"}
SUSPENDED = {**READY, "type": "Suspended", "lastTransitionTime": "2026-03-01T04:00:00Z"}
CHOSEN = {"name": "chosen", "claimSelector": {"matchLabels": {"backup": "nightly"}}}


def body(name: str, labels: dict[str, str] | None = None, **more: Any) -> Object:
    return {"metadata": builders.metadata(name, labels=labels or {}, **more), "status": {"phase": "Bound"}}


def claim(name: str, labels: dict[str, str] | None = None, **more: Any) -> ObservedClaim:
    return CLAIMS.parse(body(name, labels, **more))


def schedule(name: str, *conditions: dict[str, str], **spec: Any) -> BorgSchedule:
    return builders.with_status(builders.schedule(name, **spec), {"conditions": list(conditions)})


NIGHTLY = {"backup": "nightly"}
IGNORED = {"borgoperator.io/ignore": "true"}
CLAIMS_THERE = (
    claim("app-data"),
    claim("chosen", NIGHTLY),
    claim("going", deletionTimestamp="2026-03-02T00:00:00Z"),
    claim("ignored", IGNORED),
    claim("ignored-and-named", IGNORED),
    claim("nobodys"),
    claim("repo-main"),
)


def covered(*schedules: BorgSchedule) -> dict[str, tuple[bool, bool]]:
    """Return of each claim whether it matters, and whether it is protected."""
    found = derive_coverage(schedules, [builders.local_repository()], CLAIMS_THERE)
    return {item.claim.name: (item.matters, item.protected) for item in found}


def test_a_claim_is_protected_by_a_schedule_that_is_ready_and_not_suspended() -> None:
    named = schedule("named", READY, sources=[builders.source("x", "ignored-and-named"), CHOSEN])
    assert covered(schedule("db", READY), named) == {
        "app-data": (True, True),
        "chosen": (True, True),
        "going": (False, False),
        "ignored": (False, False),
        "ignored-and-named": (True, True),
        "nobodys": (True, False),
        "repo-main": (False, False),
    }


@pytest.mark.parametrize(
    ("schedules", "protected", "since"),
    [
        ((schedule("db", READY),), True, ""),
        ((schedule("db"),), False, ""),
        ((schedule("db", NOT_READY),), False, "2026-03-01T05:00:00Z"),
        ((schedule("db", READY, SUSPENDED, suspend=True),), False, "2026-03-01T04:00:00Z"),
        ((schedule("db", NOT_READY, SUSPENDED, suspend=True),), False, "2026-03-01T04:00:00Z"),
        ((schedule("a", NOT_READY), schedule("b", READY)), True, "2026-03-01T05:00:00Z"),
        ((schedule("elsewhere", READY, repositories=("gone",)),), False, ""),
    ],
    ids=["ready", "never looked at", "not ready", "suspended", "both", "one of two", "without its repository"],
)
def test_since_when_a_schedule_does_not_do_it(schedules: tuple[BorgSchedule, ...], protected: bool, since: str) -> None:
    (found,) = derive_coverage(schedules, [builders.local_repository()], [claim("app-data")])
    assert (found.protected, max((cover.failing_since for cover in found.covers), default="")) == (protected, since)


def test_schedules_that_read_the_same_choose_among_the_claims_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []

    def counting(*args: Any, **more: Any) -> Any:
        looks.append(args)
        return select_sources(*args, **more)

    monkeypatch.setattr(bundle_module, "select_sources", counting)
    repositories = [builders.local_repository(name, sources=[CHOSEN]) for name in ("main", "other")]
    other_labels = {"name": "chosen", "claimSelector": {"matchLabels": {"backup": "weekly"}}}
    kinds: tuple[dict[str, Any], ...] = (
        {},
        {"sources": [CHOSEN]},
        {"sources": [other_labels]},
        {"repositories": ("other",)},
    )
    schedules = [schedule(f"s-{number}", READY, **kinds[number % 4]) for number in range(40)]
    together = derive_coverage(schedules, repositories, CLAIMS_THERE)
    assert len(looks) == len(kinds)
    apart = [
        derive_coverage([each], repositories, CLAIMS_THERE) for each in sorted(schedules, key=lambda s: s.metadata.name)
    ]
    assert [item.covers for item in together] == [
        tuple(cover for item in items for cover in item.covers) for items in zip(*apart, strict=True)
    ]


# The metric


def samples(store: Store, *, with_claims: bool = True) -> dict[str, float]:
    families = {family.name: family for family in Snapshot.of(store, NOW, with_claims=with_claims).collect()}
    return {sample.labels["claim"]: sample.value for sample in families["borg_claim_protected"].samples}


def filled() -> Store:
    store = Store()
    for name, labels in (("a", NIGHTLY), ("b", {}), ("c", IGNORED), ("repo-main", {})):
        store.put(CLAIMS, body(name, labels))
    repository = builders.local_repository(sources=[CHOSEN])
    for kind, resource in ((SCHEDULES, schedule("db", READY)), (REPOSITORIES, repository)):
        store.put(kind, resource.model_dump(by_alias=True, mode="json", exclude_none=True))
    return store


def test_the_metric_tells_of_each_claim_that_is_to_be_backed_up_where_it_is_asked_for() -> None:
    assert samples(filled()) == {"a": 1.0, "b": 0.0}
    assert samples(filled(), with_claims=False) == {}


class Counted(Sequence[Any]):
    """Counts how often it is gone through."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items, self.times = items, 0

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        self.times += 1
        return iter(self.items)


def test_the_metric_goes_through_schedules_and_repositories_once_for_all_namespaces() -> None:
    def move(resource: Any, namespace: str) -> Any:
        return resource.model_copy(update={"metadata": resource.metadata.model_copy(update={"namespace": namespace})})

    namespaces = ("a", "b", "c", "d")
    schedules = Counted([move(schedule("db", READY), namespace) for namespace in namespaces[:3]])
    repositories = Counted([move(builders.local_repository(), namespace) for namespace in namespaces[1:]])
    claims = [replace(claim("app-data"), namespace=namespace) for namespace in namespaces]
    found = claims_module.read_claims(schedules, repositories, claims)
    assert {labels["namespace"]: value for labels, value in found} == {"a": 0.0, "b": 1.0, "c": 1.0, "d": 0.0}
    assert (schedules.times, repositories.times) == (1, 1)


def test_the_metric_is_bounded_and_those_that_nobody_backs_up_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_module, "MOST_CLAIMS", 1)
    assert samples(filled()) == {"b": 0.0}


# REST


@pytest.fixture
def world() -> World:
    world = World()
    main = {
        "local": {"volume": {"persistentVolumeClaim": {"claimName": "repo-main"}}},
        "encryption": {"mode": "none"},
        "sources": [CHOSEN],
    }
    world.cluster.add("BorgRepository", "main", main)
    spec = {"schedule": "0 2 * * *", "repositoryRefs": [{"name": "main"}]}
    world.cluster.add("BorgSchedule", "db", spec, status={"conditions": [READY]})
    world.cluster.add("BorgSchedule", "off", {**spec, "suspend": True}, status={"conditions": [READY, SUSPENDED]})
    for claim_body in (body("a", NIGHTLY), body("b"), body("c", IGNORED), body("repo-main")):
        world.cluster.objects["PersistentVolumeClaim", claim_body["metadata"]["name"]] = claim_body
    return world


def archive(world: World, name: str, time: str, *sources: str, comment: str = "") -> None:
    spec = {
        "repositoryRef": {"name": "main"},
        "archive": name,
        "id": name * 32,
        "time": time,
        "scheduleRef": {"name": "db"},
        "sources": list(sources),
        "comment": comment or None,
    }
    world.cluster.add("BorgArchive", f"main-{name}", {key: value for key, value in spec.items() if value is not None})


def send(world: World, path: str) -> httpx.Response:
    return asyncio.run(world("GET", path))


def listed(world: World, query: str = "") -> dict[str, Any]:
    answer = send(world, f"/api/claims{query}")
    assert answer.status_code == 200, answer.text
    TypeAdapter(Claims).validate_python(answer.json(), strict=True)
    found: dict[str, Any] = answer.json()
    return found


def test_claims_are_listed_with_who_backs_them_up(world: World) -> None:
    archive(world, "a1", "2026-03-01T02:00:00Z", "a")
    archive(world, "a2", "2026-03-02T02:00:00Z", "a")
    archive(world, "a3", "2026-03-03T02:00:00Z", "other")
    found = {item["name"]: item for item in listed(world)["claims"]}
    assert [(cover["name"], cover["source"], cover["suspended"]) for cover in found["a"]["schedules"]] == [
        ("db", "a", False),
        ("off", "a", True),
    ]
    shown = {
        name: (item["protected"], item["ignored"], item["repository"], item["last_backup"], item["uncovered_since"])
        for name, item in found.items()
    }
    assert shown == {
        "a": (True, False, None, "2026-03-02T02:00:00Z", None),
        "b": (False, False, None, None, "2026-03-01T00:00:00Z"),
        "c": (False, True, None, None, "2026-03-01T00:00:00Z"),
        "repo-main": (False, False, "main", None, "2026-03-01T00:00:00Z"),
    }


def test_an_archive_of_more_sources_than_are_told_counts_for_all_that_were_there(world: World) -> None:
    archive(
        world, "a1", "2026-03-04T02:00:00Z", "other", comment="borgoperator.io team/db r repository=main files=o:1,*:5"
    )
    assert listed(world)["claims"][0]["last_backup"] == "2026-03-04T02:00:00Z"


def test_pages_are_those_of_the_api_server(world: World) -> None:
    first = listed(world, "?limit=3")
    assert ([item["name"] for item in first["claims"]], first["continue"]) == (["a", "b", "c"], "3")
    last = listed(world, "?limit=3&continue=3")
    assert ([item["name"] for item in last["claims"]], last["continue"]) == (["repo-main"], None)
    world.cluster.troubles["list"] = [Expired("too old")]
    answer = send(world, "/api/claims?limit=3&continue=3")
    assert (answer.status_code, "begin anew" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("plural", ["borgrepositories", "borgschedules", "persistentvolumeclaims"])
def test_who_may_not_see_what_it_tells_of_does_not_see_it(world: World, plural: str) -> None:
    world.cluster.denied.add(plural)
    answer = send(world, "/api/claims")
    assert (answer.status_code, plural in answer.json()["detail"]) == (403, True)


def test_who_may_not_see_archives_does_not_learn_of_them(world: World) -> None:
    archive(world, "a1", "2026-03-01T02:00:00Z", "a")
    world.cluster.denied.add("borgarchives")
    assert listed(world)["claims"][0]["last_backup"] is None


# What archives say of many sources

OWNER = ArchiveOwner("team", "db", "main", "cluster-1")


@pytest.mark.parametrize("count", [0, 1, 20, 500])
@pytest.mark.parametrize("suspect", [False, True])
def test_a_comment_that_is_cut_still_says_whose_the_archive_is(count: int, suspect: bool) -> None:
    content = ArchiveContent({f"{'c' * 40}-{n:03}": n + 1 for n in range(count)}, suspect, {"c": "0" * 8})
    comment = render_comment(OWNER, "db-1/12345678", content)
    cut = fit_comment(comment, 1024)
    assert len(cut) <= 1024
    assert parse_comment(cut) == OWNER
    told = parse_content(cut)
    assert (told.suspect, sum(told.files.values())) == (suspect, sum(content.files.values()))
    assert (cut == comment) is (count < 20)
    assert ("*" in told.files) is (count >= 20)


def test_where_only_the_paths_are_too_long_all_files_are_told() -> None:
    files = {f"{'c' * 40}-{n}": n for n in range(9)}
    comment = render_comment(OWNER, "r", ArchiveContent(files, False, dict.fromkeys(files, "0" * 8)))
    assert parse_content(fit_comment(comment, len(comment) - 1)) == ArchiveContent(files)


def test_what_is_nobodys_comment_is_cut_as_it_is() -> None:
    assert fit_comment("x" * 2000, 1024) == "x" * 1024


@pytest.mark.parametrize("limit", range(120, 400, 7))
def test_a_comment_is_cut_to_any_length_that_its_head_leaves(limit: int) -> None:
    owner = replace(OWNER, cluster="")
    content = ArchiveContent({"c" * (number % 60 + 1) + str(number): number for number in range(99)})
    cut = fit_comment(render_comment(owner, "r", content), limit)
    assert len(cut) <= limit
    assert (parse_comment(cut), sum(parse_content(cut).files.values())) == (owner, sum(range(99)))

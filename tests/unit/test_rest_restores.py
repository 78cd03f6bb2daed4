"""Archives, restores and previews over REST, against a cluster that is a dict."""

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from borg_api.picture.records import derive_id
from borg_api.picture.timetable import whole_now
from borg_api.resources.archives.response import ArchiveInfo, Archives
from borg_api.resources.restores.response import PreviewAnswer, RestoreJob, RestoreJobs
from borg_cluster.errors import ApiError, Forbidden, Unanswered, Unreachable
from borg_contract.ownership import UndoOf, render_undo_comment
from borg_contract.session.answers import OTHERS
from borg_core.formats import format_time
from support.rest_world import World

PATH = "/api/restore"
CLAIM = {"persistentVolumeClaim": {"claimName": "app-data"}}
MAIN = {
    "local": {"volume": {"persistentVolumeClaim": {"claimName": "repo-main"}}},
    "encryption": {"mode": "none"},
    "sources": [{"name": "data", "volume": CLAIM}],
}
NIGHTLY = "nightly-2026-11-24T03:00:02"
BORG_ID = "ab" * 32
SCHEDULE = {"schedule": "0 2 * * *", "repositoryRefs": [{"name": "main"}]}
OTHER = {"persistentVolumeClaim": {"claimName": "other-data"}}
UNDO = render_undo_comment(UndoOf("team", "back", "main", BORG_ID), "back-restore/0123abcd")
START = {"repository_id": derive_id("BorgRepository", "team", "main"), "archive": NIGHTLY, "destination": "app-data"}
PREVIEW = {
    "create": 2,
    "overwrite": 1,
    "delete": 0,
    "same": 1204,
    "keep": 0,
    "bytes": 2048,
    "sample": ["~ etc/app.conf", "+ uploads"],
    "digest": "d1",
}
RESOLVED = {"archive": NIGHTLY, "id": BORG_ID, "time": "2026-11-24T03:00:02Z", "source": "data"}
PREVIEWED = {"phase": "Previewed", "preview": PREVIEW, "resolved": RESOLVED}


def archive(world: World, name: str, **spec: Any) -> None:
    world.cluster.add(
        "BorgArchive",
        name,
        {
            "repositoryRef": {"name": "main"},
            "archive": NIGHTLY,
            "id": BORG_ID,
            "time": "2026-11-24T03:00:02Z",
            "sources": ["data"],
            **spec,
        },
    )


@pytest.fixture
def world() -> World:
    world = World()
    world.cluster.add("BorgRepository", "main", MAIN)
    archive(world, "main-1")
    return world


def send(world: World, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(world(method, path, body, named))


def good(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def restores(world: World) -> dict[str, Any]:
    return {name: body for (kind, name), body in world.cluster.objects.items() if kind == "BorgRestore"}


def start(world: World, **fields: Any) -> Any:
    return good(send(world, "POST", f"{PATH}/start", {**START, **fields}))["job_id"]


def spec_of(world: World, **fields: Any) -> Any:
    """Return what the only restore is to do once that was asked for."""
    start(world, **fields)
    ((_, body),) = restores(world).items()
    return body["spec"]


def test_archives_are_listed_as_borg_ui_does_and_with_the_run_that_made_them(world: World) -> None:
    run = {"phase": "Completed", "trigger": "Scheduled", "repositories": [
        {"name": "main", "phase": "Completed", "archive": NIGHTLY, "compressedSize": 60, "seconds": 1.5}
    ]}  # fmt: skip
    world.cluster.add("BorgRun", "nightly-1", {"scheduleRef": {"name": "nightly"}}, status=run)
    refs = {"scheduleRef": {"name": "nightly"}, "runRef": {"name": "nightly-1"}}
    archive(world, "main-0", archive="earlier", id="cd" * 32, time="2026-11-23T03:00:02Z", files=7, **refs)
    world.cluster.add("BorgRepository", "other", MAIN)
    archive(world, "other-1", repositoryRef={"name": "other"})

    body = good(send(world, "GET", "/api/repositories/main/archives"))
    TypeAdapter(Archives).validate_python(body, strict=True)
    assert body["repository"] == {"id": START["repository_id"], "name": "main", "path": "/repositories/main"}
    assert [item["name"] for item in body["archives"]] == ["earlier", NIGHTLY]
    earlier, nightly = body["archives"]
    assert (earlier["triggered_by"], earlier["nfiles"]) == ("schedule", 7)
    assert earlier["scheduled_job_id"] == derive_id("BorgSchedule", "team", "nightly")
    assert earlier["backup_job_id"] == derive_id("BorgRun", "team", "nightly-1")
    assert (nightly["id"], nightly["triggered_by"], nightly["backup_job_id"]) == (BORG_ID, None, None)


def test_an_undo_archive_was_made_by_somebody_and_not_by_the_clock(world: World) -> None:
    comment = render_undo_comment(UndoOf("team", "back", "main", "ab" * 32, "here"), "back-restore/0123abcd")
    archive(world, "main-1", archive="back-undo-2026-11-24T03:00:02Z", sources=[], comment=comment)
    [shown] = good(send(world, "GET", "/api/repositories/main/archives"))["archives"]
    assert (shown["triggered_by"], shown["backup_job_id"]) == ("manual", None)


def test_archives_come_page_by_page(world: World) -> None:
    for number in range(2, 6):
        archive(world, f"main-{number}", archive=f"a{number}", time=f"2026-11-24T03:00:0{number}Z")
    shown: list[str] = []
    token = ""
    while token is not None:
        page = good(send(world, "GET", f"/api/repositories/main/archives?limit=2{token and f'&continue={token}'}"))
        shown += [item["name"] for item in page["archives"]]
        token = page["continue"]
    assert shown == [NIGHTLY, "a2", "a3", "a4", "a5"]


@pytest.mark.parametrize("reference", [BORG_ID, NIGHTLY, "main-1"])
@pytest.mark.parametrize("repository", ["/repositories/main", "main", str(START["repository_id"])])
def test_an_archive_is_found_by_each_of_its_names(world: World, reference: str, repository: str) -> None:
    body = good(send(world, "GET", f"/api/archives/{reference}/info?repository={repository}"))
    TypeAdapter(ArchiveInfo).validate_python(body, strict=True)
    assert (body["info"]["name"], body["info"]["archive"]["resource"]) == (NIGHTLY, "main-1")


def test_an_archive_of_another_repository_or_none_is_not_found(world: World) -> None:
    world.cluster.add("BorgRepository", "other", MAIN)
    for query in ("?repository=other", "?repository=no-such"):
        assert send(world, "GET", f"/api/archives/{NIGHTLY}/info{query}").status_code == 404
    assert send(world, "GET", f"/api/archives/{NIGHTLY}/info").status_code == 422


def test_a_name_that_looks_like_an_id_is_a_name(world: World) -> None:
    archive(world, "main-2", archive=BORG_ID, id="ef" * 32)
    body = good(send(world, "GET", f"/api/archives/{BORG_ID}/info?repository=main"))
    assert body["info"]["id"] == "ef" * 32


@pytest.mark.parametrize(
    ("paths", "fields", "source", "below"),
    [
        ([], {}, None, None),
        (["sources/data/etc/app.conf", "/sources/data//uploads/"], {}, "data", ["etc/app.conf", "uploads"]),
        (["sources/data"], {}, "data", None),
        (["sources/data/a", "sources/data"], {}, "data", None),
        (["sources"], {}, "data", None),
        (["/sources/", "sources/data/a"], {}, "data", None),
        (["sources"], {"source": "data"}, "data", ["sources"]),
        (["etc/app.conf", "./etc/app.conf"], {}, None, ["etc/app.conf"]),
        (["sources/other/x"], {}, None, ["sources/other/x"]),  # a folder of that name, in the only source
        (["sources/data/x"], {"source": "data"}, "data", ["sources/data/x"]),
    ],
)
def test_paths_of_the_archive_become_paths_of_the_source(
    world: World, paths: list[str], fields: dict[str, Any], source: str | None, below: list[str] | None
) -> None:
    spec = spec_of(world, paths=paths, **fields)
    assert (spec.get("source"), spec.get("paths")) == (source, below)


def test_paths_of_a_strangers_archive_are_left_as_they_are(world: World) -> None:
    archive(world, "main-1", sources=[])
    assert spec_of(world, paths=["sources/data/x"])["paths"] == ["sources/data/x"]


def test_an_archive_that_the_cluster_does_not_know_may_be_restored_by_its_name(world: World) -> None:
    spec = spec_of(world, archive="by-hand", paths=["sources/data/x"])
    assert (spec["archive"], spec["source"], spec["paths"]) == ("by-hand", "data", ["x"])


def test_the_folder_of_all_sources_of_an_unknown_archive_is_its_only_source(world: World) -> None:
    spec = spec_of(world, archive="by-hand", paths=["sources"])
    assert (spec.get("source"), spec.get("paths")) == (None, None)


def test_borgs_id_of_an_archive_names_it(world: World) -> None:
    assert spec_of(world, archive=BORG_ID)["archive"] == NIGHTLY


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({"destination": "app-data/restored/x/"}, {"claim": {"claimName": "app-data", "path": "restored/x"}}),
        ({"destination": "/"}, {"claim": {"claimName": "app-data"}}),
        ({"destination": "/", "destination_type": "local"}, {"claim": {"claimName": "app-data"}}),
        ({"destination": "fresh", "destination_type": "new_claim"}, {"newClaim": {"name": "fresh"}}),
    ],
    ids=["a folder", "where it came from", "as Borg UI's client says it", "a new claim"],
)
def test_the_destination_is_a_claim(world: World, fields: dict[str, Any], target: Any) -> None:
    world.cluster.add("BorgSchedule", "nightly", SCHEDULE)
    archive(world, "main-1", scheduleRef={"name": "nightly"})
    assert spec_of(world, **fields)["target"] == target


def test_where_an_archive_came_from_its_schedule_says_first(world: World) -> None:
    world.cluster.add("BorgSchedule", "nightly", {**SCHEDULE, "sources": [{"name": "data", "volume": OTHER}]})
    archive(world, "main-1", scheduleRef={"name": "nightly"})
    assert spec_of(world, destination="/")["target"] == {"claim": {"claimName": "other-data"}}


SELECTED = [{"name": "all", "claimSelector": {"matchLabels": {"backup": "yes"}}}]


@pytest.mark.parametrize(
    ("sources", "spec", "fields", "claim"),
    [
        ([{"name": "new", "volume": OTHER}], {}, {}, None),
        ([{"name": "new", "volume": OTHER}], {}, {"source": "new"}, "other-data"),
        ([{"name": "data", "volume": CLAIM}, {"name": "new", "volume": OTHER}], {}, {}, "app-data"),
        ([{"name": "data", "volume": CLAIM}], {"sources": ["data", "old"]}, {}, None),
        ([{"name": "data", "volume": CLAIM}], {"sources": []}, {}, None),
        ([{"name": "data", "volume": {"nfs": {"server": "nas", "path": "/"}}}], {}, {}, None),
        (None, {"scheduleRef": {"name": "another"}}, {}, None),
        (None, {"scheduleRef": None}, {}, None),
        (SELECTED, {"sources": ["claim-1"]}, {}, "claim-1"),
        (SELECTED, {"sources": ["all"]}, {}, "all"),
        (None, {"comment": UNDO}, {}, None),
        (None, {"archive": "nobody-knows-it"}, {"archive": "by-hand"}, None),
    ],
    ids=[
        "its source is none of today's",
        "that source is meant",
        "of several the one that it is of",
        "it is of several",
        "it does not say of what it is",
        "no claim",
        "its schedule is gone",
        "it has no schedule",
        "a claim that was chosen",
        "a claim called like the selector",
        "what a restore that is gone replaced",
        "an archive that nobody knows",
    ],
)
def test_an_archive_goes_by_itself_only_where_it_is_known_to_be_from(
    world: World, sources: Any, spec: dict[str, Any], fields: dict[str, Any], claim: str | None
) -> None:
    own = {"sources": sources} if sources else {}
    world.cluster.add("BorgSchedule", "nightly", {**SCHEDULE, **own})
    known = {"scheduleRef": {"name": "nightly"}, **spec}
    archive(world, "main-1", **{key: value for key, value in known.items() if value is not None})
    answer = send(world, "POST", f"{PATH}/start", {**START, "destination": "/", **fields})
    if claim is None:
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/destination")
        assert restores(world) == {}
    else:
        assert [body["spec"]["target"] for body in restores(world).values()] == [{"claim": {"claimName": claim}}]


@pytest.mark.parametrize("made", ["before", "after"])
def test_an_undo_archive_goes_to_where_its_restore_went(world: World, made: str) -> None:
    time = {"before": "2026-01-24T03:00:02Z", "after": "2026-11-24T03:00:02Z"}[made]  # the restore is of March
    target = {"claim": {"claimName": "elsewhere", "path": "restored"}}
    world.cluster.add("BorgRestore", "back", {"repositoryRef": {"name": "main"}, "archive": NIGHTLY, "target": target})
    archive(world, "main-1", archive="back-undo-1", sources=[], comment=UNDO, time=time)
    call = {**START, "archive": "back-undo-1", "destination": "/"}
    answer = send(world, "POST", f"{PATH}/start", call)
    new = [body["spec"]["target"] for name, body in restores(world).items() if name != "back"]
    assert (answer.status_code, new) == ((200, [target]) if made == "after" else (400, []))


@pytest.mark.parametrize(
    ("fields", "status", "pointer", "words"),
    [
        ({"paths": ["../etc/passwd"]}, 400, "/paths/0", "leads out"),
        ({"paths": ["x", "sources/data/../../y"]}, 400, "/paths/1", "leads out"),
        ({"destination": "app-data/../.."}, 400, "/destination", "leads out"),
        ({"destination": "App Data"}, 400, "/destination", "cannot be the name of a claim"),
        ({"destination": "fresh/x", "destination_type": "new_claim"}, 400, "/destination", "no folder yet"),
        ({"destination": "", "destination_type": "new_claim"}, 400, "/destination", "cannot be the name"),
        ({"destination_type": "ssh"}, 400, "/destination_type", "new_claim"),
        ({"repository": "other"}, 400, "/repository_id", "send one of them"),
        ({"repository_id": None}, 422, "/repository_id", "which repository"),
        ({"archive": None}, 422, "/archive", "which archive"),
        ({"repository_id": 7}, 404, None, "no repository"),
        ({"paths": ["uploads/2024"], "restore_layout": "contents_only"}, 400, "/restore_layout", "preserve_path"),
        ({"preview_id": 7}, 404, None, "no restore"),
        ({"mode": "Burn"}, 400, "/mode", "Mirror"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else None,
)
def test_what_cannot_be_restored_is_said(
    world: World, fields: dict[str, Any], status: int, pointer: str | None, words: str
) -> None:
    world.cluster.add("BorgRepository", "other", MAIN)
    answer = send(world, "POST", f"{PATH}/start", {**START, **fields})
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
    assert [error["pointer"] for error in answer.json().get("errors", [])] == ([pointer] if pointer else [])
    assert not restores(world)


def test_two_sources_are_two_restores(world: World) -> None:
    archive(world, "main-1", sources=["data", "more"])
    fields = {**START, "paths": ["sources/data/x", "sources/more/y"]}
    answer = send(world, "POST", f"{PATH}/start", fields)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/paths")
    answer = send(world, "POST", f"{PATH}/start", {**START, "paths": ["sources"]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/paths/0")
    assert 'name one, "sources/data" for example' in answer.json()["detail"]
    assert not restores(world)


@pytest.mark.parametrize(
    ("paths", "types"),
    [
        (["app.conf"], {}),
        (["sources/data"], {"sources/data": "directory"}),
        (["sources/data/etc/a", "sources/data/var/b"], {}),
        (["sources/data/etc", "sources/data/var"], {"sources/data/etc": "directory", "sources/data/var": "directory"}),
    ],
)
def test_contents_only_is_taken_where_it_takes_nothing_away(
    world: World, paths: list[str], types: dict[str, str]
) -> None:
    metadata = [{"path": path, "type": kind} for path, kind in types.items()]
    assert spec_of(world, paths=paths, restore_layout="contents_only", path_metadata=metadata)


@pytest.mark.parametrize("kind", ["file", "symlink", *OTHERS])
def test_every_type_that_looking_into_archives_tells_may_be_sent_back(world: World, kind: str) -> None:
    def of(path: str) -> Any:
        metadata = [{"path": path, "type": kind}]
        return {"paths": [path], "path_metadata": metadata, "restore_layout": "contents_only"}

    stripped = send(world, "POST", f"{PATH}/start", {**START, **of("sources/data/etc/x")})
    assert (stripped.status_code, stripped.json()["errors"][0]["pointer"]) == (400, "/restore_layout")
    assert spec_of(world, **of("sources/data/x"))["paths"] == ["x"]


def test_the_archive_of_a_restore_is_a_text_also_where_none_was_found(world: World) -> None:
    target = {"claim": {"claimName": "app-data"}}
    world.cluster.add("BorgRestore", "latest", {"repositoryRef": {"name": "main"}, "target": target})
    for status in ({}, {"phase": "Failed", "message": "There is no archive that fits."}):
        world.cluster.report("BorgRestore", "latest", **status)
        told = good(send(world, "GET", f"{PATH}/status/latest"))
        TypeAdapter(RestoreJob).validate_python(told, strict=True)
        assert (told["archive"], good(send(world, "GET", f"{PATH}/jobs"))["jobs"]) == ("", [told])


def test_the_same_restore_runs_once_and_a_key_gets_the_same_answer(world: World) -> None:
    first = good(send(world, "POST", f"{PATH}/start", START, Idempotency_Key="one"))
    assert good(send(world, "POST", f"{PATH}/start", START, Idempotency_Key="one")) == first
    (name,) = restores(world)
    busy = send(world, "POST", f"{PATH}/start", START)
    assert (busy.status_code, name in busy.json()["detail"]) == (409, True)
    other = send(world, "POST", f"{PATH}/start", {**START, "mode": "OnlyMissing"}, Idempotency_Key="one")
    assert (other.status_code, "another restore" in other.json()["detail"]) == (409, True)
    world.cluster.report("BorgRestore", name, phase="Failed")
    assert start(world) != first["job_id"]
    assert len(restores(world)) == 2


def test_another_replica_that_knows_nothing_of_it_yet_meets_the_same_name(world: World) -> None:
    start(world)
    (name,) = restores(world)
    world.cluster.picture.view("team").restores.index.discard("team", name, restores(world)[name]["metadata"]["uid"])
    world.cluster.silent = True
    assert send(world, "POST", f"{PATH}/start", START).status_code == 409
    assert len(restores(world)) == 1


def ask(world: World, **fields: Any) -> Any:
    body = good(send(world, "POST", f"{PATH}/preview", {**START, **fields}))
    TypeAdapter(PreviewAnswer).validate_python(body, strict=True)
    return body


def test_a_preview_is_asked_for_once_and_then_shown(world: World) -> None:
    asked = ask(world)
    assert (asked["status"], asked["counts"], "being made" in asked["preview"]) == ("pending", None, True)
    ((name, made),) = restores(world).items()
    assert made["spec"]["preview"] is True
    assert [owner["name"] for owner in made["metadata"]["ownerReferences"]] == ["main-1"]
    world.cluster.report("BorgRestore", name, phase="Pending", message="waits for its turn")
    assert ask(world)["preview"] == "waits for its turn"
    world.cluster.add("BorgRun", f"{name}-preview", {"restoreRef": {"name": name}, "operation": "Preview"},
                      status={"phase": "Completed", "completionTime": format_time(whole_now())})  # fmt: skip
    world.cluster.report("BorgRestore", name, **PREVIEWED, runName=f"{name}-preview")
    shown = ask(world)
    assert (shown["job_id"], shown["status"], shown["counts"]["digest"]) == (asked["job_id"], "previewed", "d1")
    assert shown["preview"].splitlines() == [
        f"Archive {NIGHTLY} of 2026-11-24T03:00:02Z, source data, into app-data",
        "2 to create, 1 to replace, 0 to delete",
        "1,204 are as in the archive, 0 differ and are left alone",
        "2.0KiB to write",
        "~ etc/app.conf",
        "+ uploads",
        "and 1 more: the log of the run has all",
    ]


def test_a_preview_of_long_ago_gives_way_to_a_new_one(world: World) -> None:
    old = ask(world)
    (name,) = restores(world)
    world.cluster.report("BorgRestore", name, **PREVIEWED)  # of March
    new = ask(world)
    assert new["job_id"] != old["job_id"]
    assert name not in restores(world)
    assert len(restores(world)) == 1
    assert ask(world)["job_id"] == new["job_id"]


def test_who_may_not_delete_leaves_the_old_preview(world: World) -> None:
    ask(world)
    (name,) = restores(world)
    world.cluster.report("BorgRestore", name, **PREVIEWED)
    world.cluster.troubles["delete"] = [Forbidden("no")]
    new = ask(world)
    assert name in restores(world)
    assert ask(world)["job_id"] == new["job_id"]


@pytest.mark.parametrize("lost", [Unreachable("no route"), Unanswered("no answer in time")], ids=["sent", "done"])
def test_a_new_preview_is_answered_though_it_is_not_known_whether_the_old_one_went(
    world: World, lost: ApiError
) -> None:
    old = ask(world)
    (name,) = restores(world)
    world.cluster.report("BorgRestore", name, **PREVIEWED)  # of March
    world.cluster.troubles["delete"] = [lost]
    assert ask(world)["job_id"] != old["job_id"]


@pytest.mark.parametrize("status", [{"phase": "Failed"}, {"phase": "Cancelled"}])
def test_a_preview_that_has_ended_is_asked_for_anew(world: World, status: dict[str, str]) -> None:
    old = ask(world)
    (name,) = restores(world)
    world.cluster.report("BorgRestore", name, **status)
    assert ask(world)["job_id"] != old["job_id"]


def test_a_preview_that_is_approved_becomes_a_restore_that_stays(world: World) -> None:
    preview_id = ask(world)["job_id"]
    (name,) = restores(world)
    early = send(world, "POST", f"{PATH}/start", {"preview_id": preview_id})
    assert (early.status_code, "still being made" in early.json()["detail"]) == (409, True)
    world.cluster.report("BorgRestore", name, **PREVIEWED)
    assert good(send(world, "GET", f"{PATH}/jobs"))["jobs"] == []
    other = send(world, "POST", f"{PATH}/start", {**START, "preview_id": preview_id, "mode": "Mirror"})
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (400, "/preview_id")
    assert good(send(world, "POST", f"{PATH}/start", {**START, "preview_id": preview_id}))["job_id"] == preview_id
    body = restores(world)[name]
    assert body["spec"]["approve"] == "d1"
    assert "ownerReferences" not in body["metadata"]
    writes = len(world.cluster.requests)
    assert good(send(world, "POST", f"{PATH}/start", {"preview_id": preview_id}))["job_id"] == preview_id
    assert not [verb for verb, _, _ in world.cluster.requests[writes:] if verb == "merge"]
    assert [job["id"] for job in good(send(world, "GET", f"{PATH}/jobs"))["jobs"]] == [preview_id]
    assert send(world, "POST", f"{PATH}/start", START).status_code == 409  # it is what is going on now
    assert ask(world)["job_id"] != preview_id
    world.cluster.report("BorgRestore", name, phase="Failed")
    assert send(world, "POST", f"{PATH}/start", {"preview_id": preview_id}).status_code == 400


@pytest.mark.parametrize(
    ("fields", "status", "pointer"),
    [
        ({"dry_run": True}, 400, "/dry_run"),
        ({"destination": "another"}, 400, "/preview_id"),
        ({"mode": "Mirror"}, 400, "/preview_id"),
        ({"archive": NIGHTLY, "undo": False}, 400, "/preview_id"),
        ({"repository": "main", "paths": ["x"]}, 400, "/preview_id"),
        ({"repository": "main", "archive": NIGHTLY, "destination": "another"}, 400, "/preview_id"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
def test_what_is_sent_beside_a_preview_is_not_passed_over(
    world: World, fields: dict[str, Any], status: int, pointer: str
) -> None:
    preview_id = ask(world)["job_id"]
    (name,) = restores(world)
    world.cluster.report("BorgRestore", name, **PREVIEWED)
    answer = send(world, "POST", f"{PATH}/start", {"preview_id": preview_id, **fields})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer)
    assert "approve" not in restores(world)[name]["spec"]


def test_a_mirror_that_waits_for_approval_is_listed_and_can_be_approved(world: World) -> None:
    job_id = start(world, mode="Mirror")
    (name,) = restores(world)
    world.cluster.report("BorgRestore", name, **PREVIEWED)
    (job,) = good(send(world, "GET", f"{PATH}/jobs"))["jobs"]
    assert (job["status"], job["is_preview"], job["preview"]["digest"]) == ("previewed", False, "d1")
    start(world, mode="Mirror", preview_id=job_id)
    assert restores(world)[name]["spec"]["approve"] == "d1"


def test_what_nobody_has_seen_is_not_approved_by_sending_a_call_again(world: World) -> None:
    preview_id = ask(world)["job_id"]
    (name,) = restores(world)
    world.cluster.report("BorgRestore", name, **PREVIEWED)
    call = {"preview_id": preview_id}
    wrong = send(world, "POST", f"{PATH}/start", {**call, "preview_digest": "d0"})
    assert (wrong.status_code, "preview_digest" in wrong.json()["detail"]) == (409, True)
    good(send(world, "POST", f"{PATH}/start", {**call, "preview_digest": "d1"}))
    outdated = {**PREVIEWED, "preview": {**PREVIEW, "digest": "d2"}, "reason": "PreviewOutdated"}
    world.cluster.report("BorgRestore", name, **outdated)
    for again in (call, {**call, "preview_digest": "d1"}):
        assert send(world, "POST", f"{PATH}/start", again).status_code == 409
    assert restores(world)[name]["spec"]["approve"] == "d1"
    (job,) = good(send(world, "GET", f"{PATH}/jobs"))["jobs"]
    assert (job["status"], job["reason"], job["preview"]["digest"]) == ("previewed", "PreviewOutdated", "d2")
    good(send(world, "POST", f"{PATH}/start", {**call, "preview_digest": "d2"}))
    assert restores(world)[name]["spec"]["approve"] == "d2"


def test_a_dry_run_is_a_preview(world: World) -> None:
    job_id = start(world, dry_run=True)
    assert ask(world)["job_id"] == job_id


def running(world: World, log: str) -> str:
    """Let the only restore run; return its path."""
    job_id = start(world)
    (name,) = restores(world)
    run = {"restoreRef": {"name": name}, "operation": "Restore"}
    status = {"phase": "Running", "jobUid": "job", "startTime": "2026-03-01T01:00:00Z"}
    world.cluster.add("BorgRun", f"{name}-restore", run, status=status)
    world.cluster.report("BorgRestore", name, phase="Running", runName=f"{name}-restore", resolved=RESOLVED)
    world.cluster.pods = [{"metadata": {"name": "pod", "creationTimestamp": "2026-03-01T01:00:00Z"}}]
    world.cluster.logs["borg"] = log.encode()
    return f"{PATH}/status/{job_id}"


LOG = """restoring: 3 % (12 of 2,931 files, 1.0 MiB, 1.0 MiB/s)
something else
restoring: 41 % (1,204 of 2,931 files, 1.2 GiB, 85.0 MiB/s, about 40 s left) at "etc/caf\\u00e9"
  restoring: 99 % (1 files, 1 B, 1 B/s)
restoring: 42 % (1,3"""


def test_how_far_a_restore_has_come_stands_in_its_log(world: World) -> None:
    path = running(world, LOG)
    job = good(send(world, "GET", path))
    TypeAdapter(RestoreJob).validate_python(job, strict=True)
    assert job["progress_details"] == {
        "nfiles": 1204,
        "current_file": "etc/caf\u00e9",
        "progress_percent": 41,
        "restore_speed": 89.13,
        "estimated_time_remaining": 40,
    }
    listed = good(send(world, "GET", f"{PATH}/jobs"))
    TypeAdapter(RestoreJobs).validate_python(listed, strict=True)
    assert listed["jobs"] == [job]
    run = good(send(world, "GET", f"/api/backup/status/{job['run_id']}"))
    assert (run["repository"], run["scheduled_job_id"]) == ("/repositories/main", None)


def test_who_may_not_read_logs_sees_the_rest(world: World) -> None:
    path = running(world, LOG)
    world.cluster.denied = {"pods"}
    job = good(send(world, "GET", path))
    assert (job["status"], job["progress"]) == ("running", 0)
    world.cluster.denied = set()
    world.cluster.troubles["list"] = [Forbidden("no pods")]
    assert good(send(world, "GET", path, Authorization="Bearer other"))["progress"] == 0


def test_a_restore_that_has_ended_tells_what_it_did(world: World) -> None:
    path = running(world, LOG)
    (name,) = restores(world)
    done = {"phase": "CompletedWithWarnings", "files": 2931, "undoArchive": "undo", "warnings": ["w"]}
    world.cluster.report("BorgRestore", name, **done, verified={"files": 2900, "mismatches": 0}, message="some")
    answer = send(world, "GET", path)
    job = good(answer)
    assert (job["status"], job["progress"], job["progress_details"]["nfiles"]) == ("completed_with_warnings", 100, 2931)
    assert (job["undo_archive"], job["verified_files"], job["error_message"]) == ("undo", 2900, "some")
    assert send(world, "GET", path, If_None_Match=answer.headers["ETag"]).status_code == 304
    assert send(world, "POST", path.replace("status", "cancel")).status_code == 400


def test_a_restore_is_cancelled_once_it_is_there(world: World) -> None:
    job_id = start(world)
    assert good(send(world, "POST", f"{PATH}/cancel/{job_id}"))["process_terminated"] is True
    ((_, body),) = restores(world).items()
    assert body["spec"]["cancel"] is True
    assert send(world, "POST", f"{PATH}/cancel/no-such").status_code == 404


def test_restores_come_page_by_page_newest_first(world: World) -> None:
    ids = [start(world, destination=f"claim-{number}") for number in range(3)]
    page = good(send(world, "GET", f"{PATH}/jobs?limit=2"))
    rest = good(send(world, "GET", f"{PATH}/jobs?limit=2&continue={page['continue']}"))
    assert [job["id"] for job in page["jobs"] + rest["jobs"]] == list(reversed(ids))
    assert rest["continue"] is None

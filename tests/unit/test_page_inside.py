"""Looking into archives: the page on the operations of REST that do so, which stand here as the contract has them."""

# ruff: noqa: ARG001 - what stands for an operation takes its parameters

from pathlib import Path

import pytest
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from borg_api.edge.guard import GuardedRoute, requires
from borg_api.page.frame.calls import let_pages_call
from borg_api.resources.archives.route import LIST
from support.page_world import add_archive, add_repository, ago, make_key
from support.rest_world import World
from support.visitor import Browser


def inside_router() -> APIRouter:
    """Return the operations that look into archives, as the contract has them, on a small tree."""
    router = APIRouter(route_class=GuardedRoute)
    items = {
        "": [{"name": "sources", "path": "sources", "type": "directory", "size": 10, "mtime": "2026-11-24T03:00:02Z"}],
        "sources": [
            {
                "name": "a b<i>.txt",
                "path": "sources/a b<i>.txt",
                "type": "file",
                "size": 2048,
                "mtime": "2026-11-24T03:00:02Z",
            },
            {"name": "link", "path": "sources/link", "type": "symlink", "size": 0, "mtime": None, "target": "../x"},
        ],
    }

    @router.get("/api/browse/{repository_id}/diff")
    @requires(LIST)
    async def diff_archives(repository_id: str, a: str, b: str) -> Response:
        return JSONResponse({"items": [{"path": "sources/new", "change": "added", "size": 3}], "next": "more"})

    @router.get("/api/browse/{repository_id}/{archive}")
    @requires(LIST)
    async def browse_archive(repository_id: str, archive: str, path: str = "") -> Response:
        if path == "opening":
            return JSONResponse({"status": "pending", "jobId": "1", "entries": 1204}, 202)
        if path == "locked":
            return JSONResponse({"status": 409, "detail": "The repository is locked by nightly-7 since 02:00."}, 409)
        return JSONResponse({"items": items[path], "next": None, "total": len(items[path]), "pending": False})

    @router.get("/api/browse/{repository_id}/{archive}/find")
    @requires(LIST)
    async def find_in_archive(repository_id: str, archive: str, q: str) -> Response:
        return JSONResponse({"items": [item for item in items["sources"] if q in str(item["name"])]})

    @router.get("/api/archives/download")
    @requires(LIST)
    async def download_from_archive(repository: str, archive: str, file_path: str) -> Response:
        name = {"Content-Disposition": 'attachment; filename="x"', "Set-Cookie": "a=b"}
        return PlainTextResponse(f"{archive} {file_path}", headers=name, media_type="application/octet-stream")

    @router.get("/api/browse/{repository_id}/{archive}/tar")
    @requires(LIST)
    async def download_folder_from_archive(repository_id: str, archive: str, path: str = "") -> Response:
        return PlainTextResponse("tar", media_type="application/x-tar")

    return router


@pytest.fixture
def looking(tmp_path: Path) -> Browser:
    world = World(make_key(tmp_path))
    add_repository(world, "main")
    add_archive(world, "main-1", "a-1")
    add_archive(world, "main-2", "a-2", time=ago(hours=1))
    router = inside_router()
    world.app.include_router(router)
    before = world.app.state.operations
    let_pages_call(world.app, [router])
    world.app.state.operations = {**before, **world.app.state.operations}
    return Browser(world, "token")


def test_where_the_facade_can_look_into_archives_the_page_shows_the_tree(looking: Browser) -> None:
    page = looking.get("/archives/main/a-2").text
    assert ">sources</bdi>/" in page
    assert "What changed?" in page
    page = looking.get("/archives/main/a-2?path=sources").text
    assert "a b&lt;i&gt;.txt" in page
    assert "2.0 KiB" in page
    assert 'name="path" value="sources/a b&lt;i&gt;.txt"' in page
    assert "../x" in page
    found = looking.get("/archives/main/a-2?q=link").text
    assert "sources/link" in found
    assert "txt" not in found
    assert "Nothing is called like that" in looking.get("/archives/main/a-2?q=nothing").text
    opening = looking.get("/archives/main/a-2?path=opening").text
    assert "is being opened: 1,204 entries" in opening
    assert 'hx-trigger="every 1s"' in opening
    assert "locked by nightly-7" in looking.get("/archives/main/a-2?path=locked").text
    changed = looking.get("/archives/main/compare?a=a-1&b=a-2").text
    assert "sources/new" in changed
    assert "after=more" in changed
    ticked = looking.get("/restores/new?repository=main&archive=a-2&path=sources%2Fa+b&path=c").text
    assert ">sources/a b\nc</textarea>" in ticked


def test_a_file_is_passed_on_to_be_kept_and_never_shown(looking: Browser) -> None:
    answer = looking.get("/archives/main/a-2/file?path=sources%2Fa+b%3Ci%3E.txt")
    assert answer.text == "a-2 sources/a b<i>.txt"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert "set-cookie" not in answer.headers
    assert looking.get("/archives/main/a-2/tar?path=sources").headers["content-type"] == "application/x-tar"

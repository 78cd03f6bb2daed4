"""What is said of an archive that could not be read."""

import asyncio
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from borg_contract.reasons import Reason
from borg_contract.session.request import ReadRequest, SessionOperation
from borg_runner.verbs.list import StoredArchive
from borg_session.index import shelf
from borg_session.index.writer import Writer
from borg_session.looking.versions import Versions
from borg_session.refusal import RefusedError, gone

ARCHIVE = StoredArchive(id="ab" * 32, time="2026-03-02T12:00:00Z")
OTHER = StoredArchive(id="cd" * 32, time="2026-03-01T12:00:00Z")


class Locked:
    """Borgs that find the repository locked, by another run each time."""

    def __init__(self) -> None:
        self.asked = 0

    async def read(self, _work: Callable[..., Any]) -> Any:
        self.asked += 1
        raise RefusedError(Reason.REPOSITORY_LOCKED, f"locked by run {self.asked}")


class Slow:
    """Borgs that read an archive for as long as anybody looks."""

    async def read(self, _work: Callable[..., Any]) -> Any:
        await asyncio.Event().wait()


class Quick:
    """Borgs that read an empty archive at once, into these places one after the other."""

    def __init__(self, *paths: Path) -> None:
        self.paths = list(paths)

    async def read(self, _work: Callable[..., Any]) -> Any:
        with closing(Writer(self.paths.pop(0), bytes(32))) as writer:
            writer.write([])
        return subprocess.Popen(["true"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: ASYNC220 - at once


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "locked by run 2"), (60.0, "locked by run 1")])
def test_why_it_could_not_be_read_is_told_to_who_asked_and_not_to_who_comes_later(
    tmp_path: Path, seconds: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "FAILURE_SECONDS", seconds)

    async def run() -> str:
        found = shelf.Shelf(Locked(), tmp_path, 1_000_000)  # type: ignore[arg-type]
        asking = asyncio.create_task(found.take("a", ARCHIVE))
        await asyncio.sleep(0)
        asking.cancel()  # who asked goes, before it is known
        await asyncio.sleep(0.1)
        with pytest.raises(RefusedError) as refused:
            await found.take("a", ARCHIVE)
        return refused.value.message

    assert asyncio.run(run()) == said


def test_who_waits_for_all_of_an_archive_that_is_pruned_meanwhile_learns_of_it(tmp_path: Path) -> None:
    async def run() -> None:
        found = shelf.Shelf(Slow(), tmp_path, 1_000_000)  # type: ignore[arg-type]
        asking = asyncio.create_task(found.take_whole("a", ARCHIVE))
        await asyncio.sleep(0.05)
        found.keep_only({OTHER.id})
        with pytest.raises(RefusedError, match="was deleted or pruned meanwhile"):
            await asyncio.wait_for(asking, 5)
        found.close()

    asyncio.run(run())


def test_what_made_room_just_when_somebody_waited_for_it_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MOST", 1)
    monkeypatch.setattr(shelf, "_LOOK_SECONDS", 0.2)
    mine, other = (tmp_path / f"{archive.id}.sqlite" for archive in (ARCHIVE, OTHER))

    async def run() -> None:
        found = shelf.Shelf(Quick(mine, other, mine), tmp_path, 1_000_000)  # type: ignore[arg-type]
        asking = asyncio.create_task(found.take_whole("a", ARCHIVE))
        await asyncio.sleep(0.1)
        beside = asyncio.create_task(found.take("b", OTHER))
        await asyncio.sleep(0)
        beside.cancel()
        index = await asyncio.wait_for(asking, 5)
        assert index.progress().listed

    asyncio.run(run())


def test_an_archive_that_is_pruned_meanwhile_takes_no_version_of_the_others_away(tmp_path: Path) -> None:
    class Pruned:
        async def take_whole(self, name: str, archive: StoredArchive) -> shelf.Index:
            if archive is ARCHIVE:
                raise gone(name)
            path = tmp_path / "other.sqlite"
            with closing(Writer(path, bytes(32))) as writer:
                writer.write([])
            return shelf.Index(name, path)

    async def run() -> None:
        versions = Versions(Pruned())  # type: ignore[arg-type]
        wanted = ReadRequest(SessionOperation.VERSIONS, path="x")
        for _ in range(2):
            assert versions.look({"a": ARCHIVE, "b": OTHER}, wanted).pending
            await asyncio.sleep(0.05)
        left = versions.look({"b": OTHER}, wanted)
        assert [item.archive for item in left.items] == ["b"]
        assert not left.pending

    asyncio.run(run())

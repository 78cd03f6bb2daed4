"""What is said of an archive that could not be read."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from borg_contract.reasons import Reason
from borg_runner.verbs.list import StoredArchive
from borg_session.index import shelf
from borg_session.refusal import RefusedError


class Locked:
    """Borgs that find the repository locked, by another run each time."""

    def __init__(self) -> None:
        self.asked = 0

    async def read(self, _work: Callable[..., Any]) -> Any:
        self.asked += 1
        raise RefusedError(Reason.REPOSITORY_LOCKED, f"locked by run {self.asked}")


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "locked by run 2"), (60.0, "locked by run 1")])
def test_why_it_could_not_be_read_is_told_to_who_asked_and_not_to_who_comes_later(
    tmp_path: Path, seconds: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "FAILURE_SECONDS", seconds)
    archive = StoredArchive(id="ab" * 32, time="2026-03-02T12:00:00Z")

    async def run() -> str:
        found = shelf.Shelf(Locked(), tmp_path, 1_000_000)  # type: ignore[arg-type]
        asking = asyncio.create_task(found.take("a", archive))
        await asyncio.sleep(0)
        asking.cancel()  # who asked goes, before it is known
        await asyncio.sleep(0.1)
        with pytest.raises(RefusedError) as refused:
            await found.take("a", archive)
        return refused.value.message

    assert asyncio.run(run()) == said

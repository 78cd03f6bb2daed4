"""Which archives a session knows: new ones are found, and borg is not asked for each wrong name."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from borg_contract.reasons import Reason
from borg_runner.verbs.list import StoredArchive
from borg_session.borgs import Borgs
from borg_session.catalogue import Catalogue
from borg_session.refusal import RefusedError, StillReadingError


@dataclass
class Asked:
    """In place of borg: tells the archives that are there now, and counts how often it was asked."""

    there: set[str]
    is_reading: bool = False
    times: int = 0
    now: float = 100.0
    refusal: RefusedError | None = None
    held: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, _work: Callable[..., Any]) -> Mapping[str, StoredArchive]:
        self.times += 1
        if self.is_reading:
            await self.held.wait()
        if self.refusal:
            raise self.refusal
        return {name: cast(StoredArchive, SimpleNamespace(id=name)) for name in self.there}


def catalogue(borg: Asked) -> Catalogue:
    return Catalogue(cast(Borgs, borg), clock=lambda: borg.now)


def test_an_archive_that_was_made_since_is_found() -> None:
    async def play() -> None:
        borg = Asked({"first"})
        known = catalogue(borg)
        await known.look()
        borg.there.add("second")
        borg.now += 3
        assert (await known.find("second")).id == "second"
        assert borg.times == 2

    asyncio.run(play())


def test_many_wrong_names_ask_borg_once_in_a_while() -> None:
    async def play() -> None:
        borg = Asked({"first"})
        known = catalogue(borg)
        await known.look()
        borg.now += 3
        for number in range(50):
            with pytest.raises(RefusedError, match="no archive"):
                await known.find(f"wrong-{number}")
        assert borg.times == 2

    asyncio.run(play())


def test_while_borg_reads_something_else_an_unknown_archive_is_not_denied() -> None:
    async def play() -> None:
        borg = Asked({"first"})
        known = catalogue(borg)
        await known.look()
        borg.there.add("second")
        borg.now, borg.is_reading = borg.now + 3, True
        with pytest.raises(StillReadingError):
            await known.find("second")
        borg.is_reading = False
        borg.held.set()
        assert (await known.find("second")).id == "second"

    asyncio.run(play())


def test_while_the_repository_is_locked_an_unknown_archive_is_not_denied() -> None:
    async def play() -> None:
        borg = Asked({"first"})
        known = catalogue(borg)
        await known.look()
        borg.there.add("second")
        borg.refusal = RefusedError(Reason.REPOSITORY_LOCKED, "Locked by nightly-7 since 02:00")
        for _ in range(3):
            borg.now += 3
            with pytest.raises(RefusedError, match="Locked by nightly-7"):
                await known.find("second")
            with pytest.raises(RefusedError, match="Locked by nightly-7"):
                await known.find("second")
        assert (await known.find("first")).id == "first", "what was indexed can still be looked at"
        borg.refusal = None
        borg.now += 3
        assert (await known.find("second")).id == "second"

    asyncio.run(play())

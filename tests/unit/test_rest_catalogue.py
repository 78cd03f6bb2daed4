"""What the facade knows of one kind: the newest of each object, oldest first, whatever comes late or twice."""

import asyncio
from typing import Any

import pytest

from borg_api.catalogue import Catalogue
from borg_api.identifiers import derive_id
from borg_api.mirror import Shelf
from support import builders


def body(name: str, version: int, *, uid: str = "", created: str = "2026-03-01T00:00:00Z", value: str = "") -> Any:
    metadata = {
        "namespace": "team",
        "name": name,
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": created,
    }
    return {"metadata": metadata, "value": value}


@pytest.fixture
def catalogue() -> Catalogue[str]:
    return Catalogue("Thing", lambda item: str(item["value"]))


def test_objects_are_found_by_id_and_by_name_in_their_namespace(catalogue: Catalogue[str]) -> None:
    catalogue.put(body("one", 1, value="first"))
    identifier = derive_id("Thing", "team", "one")
    assert [catalogue.find("team", which) for which in (identifier, str(identifier), "one")] == ["first"] * 3
    assert catalogue.find("other", identifier) is None
    assert catalogue.find("team", "9" * 100) is None


def test_they_are_listed_oldest_first_and_from_any_place_on(catalogue: Catalogue[str]) -> None:
    for name, day in (("c", 1), ("a", 2), ("b", 2), ("d", 3)):
        catalogue.put(body(name, day, created=f"2026-03-0{day}T00:00:00Z", value=name))
    assert catalogue.in_order("team") == ["c", "a", "b", "d"]
    assert catalogue.in_order("team", ("2026-03-02T00:00:00Z", "team", "a")) == ["b", "d"]
    # The place of one that is gone still is a place.
    place = ("2026-03-02T00:00:00Z", "team", "b")
    catalogue.remove(body("b", 9))
    assert catalogue.in_order("team", place) == ["d"]
    assert catalogue.in_order("nowhere") == []


def test_what_comes_late_does_not_undo_what_is_newer(catalogue: Catalogue[str]) -> None:
    catalogue.put_own(body("one", 5, value="written here"))
    catalogue.put(body("one", 4, value="older event"))
    assert catalogue.get("team", "one") == "written here"
    catalogue.put(body("one", 6, value="newer event"))
    assert catalogue.get("team", "one") == "newer event"


def test_the_answer_to_a_write_does_not_bring_back_what_is_deleted(catalogue: Catalogue[str]) -> None:
    catalogue.put(body("one", 1))
    catalogue.remove(body("one", 3))
    catalogue.put_own(body("one", 2, value="a ghost"))
    assert catalogue.get("team", "one") is None
    catalogue.put_own(body("one", 4, uid="another", value="made again"))
    assert catalogue.get("team", "one") == "made again"


def test_one_of_the_same_name_takes_its_own_place_in_the_order(catalogue: Catalogue[str]) -> None:
    catalogue.put(body("one", 1, created="2026-03-01T00:00:00Z", value="old"))
    catalogue.put(body("two", 2, created="2026-03-02T00:00:00Z", value="two"))
    catalogue.put(body("one", 3, uid="another", created="2026-03-03T00:00:00Z", value="new"))
    catalogue.remove(body("one", 2, uid="uid-one"))  # of the first
    assert catalogue.in_order("team") == ["two", "new"]


def test_a_new_listing_takes_away_what_is_not_in_it(catalogue: Catalogue[str]) -> None:
    catalogue.put(body("gone", 1))
    catalogue.put(body("stays", 2, value="stays"))
    revision = catalogue.revision("team")
    for listed in (body("stays", 2, value="stays"), body("new", 7, value="new")):
        catalogue.put_listed(listed)
    catalogue.retain({"uid-stays", "uid-new"}, 8)
    assert sorted(catalogue.in_order("team")) == ["new", "stays"]
    assert catalogue.revision("team") > revision
    assert catalogue.find("team", derive_id("Thing", "team", "gone")) is None


def test_an_object_that_cannot_be_read_does_not_hide_the_others(caplog: pytest.LogCaptureFixture) -> None:
    schedules = Shelf().schedules
    good = builders.schedule("good").model_dump(by_alias=True, exclude_none=True, mode="json")
    bad = builders.schedule("bad").model_dump(by_alias=True, exclude_none=True, mode="json")
    del bad["spec"]["schedule"]
    for listed in (bad, good):
        schedules.put_listed(listed)
    schedules.put({**bad, "metadata": {**bad["metadata"], "resourceVersion": "7"}})
    assert [record.name for record in schedules.in_order("team")] == ["good"]
    assert "BorgSchedule team/bad cannot be read" in caplog.text


def test_who_waits_for_a_version_is_woken_when_the_watch_has_come_to_it(catalogue: Catalogue[str]) -> None:
    async def scenario() -> None:
        waiting = [asyncio.create_task(catalogue.seen(version)) for version in (7, 5, 6)]
        await asyncio.sleep(0)
        catalogue.put(body("one", 5))
        catalogue.put_own(body("two", 9))  # one's own write is not yet seen by the watch
        await asyncio.sleep(0)
        assert [task.done() for task in waiting] == [False, True, False]
        catalogue.advance(8)
        await asyncio.gather(*waiting)
        await catalogue.seen(3)

    asyncio.run(scenario())


def test_who_deletes_learns_when_the_watch_has_seen_it_go(catalogue: Catalogue[str]) -> None:
    async def scenario() -> None:
        catalogue.put(body("one", 1))
        catalogue.put(body("two", 2))
        with catalogue.goodbye("uid-one") as first, catalogue.goodbye("uid-one") as second:
            catalogue.remove(body("one", 6))
            assert [await first, await second] == [6, 6]
        with catalogue.goodbye("uid-two") as gone:
            catalogue.retain(set(), 9)
            assert await gone == 9
        with catalogue.goodbye("uid-never"):
            pass
        assert not catalogue._goodbyes

    asyncio.run(scenario())

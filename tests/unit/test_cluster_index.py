"""What is known of the objects of one kind: the newest of each object, oldest first, whatever comes late or twice."""

import asyncio
from typing import Any

import pytest

from borg_cluster.index import Change, Index
from borg_core.kinds.schedule import SCHEDULES
from borg_core.registry import Kind, Reference


def body(name: str, version: int, *, uid: str = "", created: str = "2026-03-01T00:00:00Z", value: str = "") -> Any:
    metadata = {
        "namespace": "team",
        "name": name,
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": created,
    }
    return {"metadata": metadata, "value": value}


def number_of(kind: str, namespace: str, name: str) -> int:
    return int.from_bytes(f"{kind}/{namespace}/{name}".encode())


@pytest.fixture
def index() -> Index[str]:
    kind = Kind("Thing", "example.org", "v1", "things", lambda item: str(item["value"]))
    return Index(kind, identify=number_of, ordered=True)


def test_objects_are_found_by_id_and_by_name_in_their_namespace(index: Index[str]) -> None:
    index.put(body("one", 1, value="first"))
    identifier = number_of("Thing", "team", "one")
    assert [index.find("team", which) for which in (identifier, str(identifier), "one")] == ["first"] * 3
    assert index.find("other", identifier) is None
    assert index.find("team", "9" * 100) is None


def test_they_are_listed_oldest_first_and_from_any_place_on(index: Index[str]) -> None:
    for name, day in (("c", 1), ("a", 2), ("b", 2), ("d", 3)):
        index.put(body(name, day, created=f"2026-03-0{day}T00:00:00Z", value=name))
    assert index.in_order("team") == ["c", "a", "b", "d"]
    assert index.in_order("team", ("2026-03-02T00:00:00Z", "team", "a")) == ["b", "d"]
    # The place of one that is gone still is a place.
    place = ("2026-03-02T00:00:00Z", "team", "b")
    index.remove(body("b", 9))
    assert index.in_order("team", place) == ["d"]
    assert index.in_order("nowhere") == []


def test_what_comes_late_does_not_undo_what_is_newer(index: Index[str]) -> None:
    index.put_answer(body("one", 5, value="written here"))
    index.put(body("one", 4, value="older event"))
    assert index.get("team", "one") == "written here"
    index.put(body("one", 6, value="newer event"))
    assert index.get("team", "one") == "newer event"


def test_the_answer_to_a_write_does_not_bring_back_what_is_deleted(index: Index[str]) -> None:
    index.put(body("one", 1))
    index.remove(body("one", 3))
    index.advance(3)
    index.put_answer(body("one", 2, value="a ghost"))
    assert index.get("team", "one") is None
    index.put_answer(body("one", 4, uid="another", value="made again"))
    assert index.get("team", "one") == "made again"


def test_one_of_the_same_name_takes_its_own_place_in_the_order(index: Index[str]) -> None:
    index.put(body("one", 1, created="2026-03-01T00:00:00Z", value="old"))
    index.put(body("two", 2, created="2026-03-02T00:00:00Z", value="two"))
    index.put(body("one", 3, uid="another", created="2026-03-03T00:00:00Z", value="new"))
    index.remove(body("one", 2, uid="uid-one"))  # of the first
    assert index.in_order("team") == ["two", "new"]


def test_a_new_listing_takes_away_what_is_not_in_it(index: Index[str]) -> None:
    index.put(body("gone", 1))
    index.put(body("stays", 2, value="stays"))
    revision = index.revision("team")
    for listed in (body("stays", 2, value="stays"), body("new", 7, value="new")):
        index.put(listed)
    index.retain({"uid-stays", "uid-new"}, 8)
    assert sorted(index.in_order("team")) == ["new", "stays"]
    assert index.revision("team") > revision
    assert index.find("team", number_of("Thing", "team", "gone")) is None


def test_a_new_listing_of_one_namespace_takes_away_nothing_of_another(index: Index[str]) -> None:
    index.put(body("one", 1))
    index.put({**body("two", 2), "metadata": {**body("two", 2)["metadata"], "namespace": "other"}})
    index.retain(set(), 8, "team")
    assert list(index) == [("other", "two")]


def test_an_object_that_cannot_be_read_does_not_hide_the_others(caplog: pytest.LogCaptureFixture) -> None:
    schedules = Index(SCHEDULES, ordered=True)
    spec = {"schedule": "0 2 * * *", "repositoryRefs": [{"name": "main"}]}
    good = {**body("good", 1), "spec": spec}
    bad = {**body("bad", 1), "spec": {**spec, "schedule": 7}}
    for listed in (bad, good):
        schedules.put(listed)
    schedules.put({**bad, "metadata": {**bad["metadata"], "resourceVersion": "7"}})
    assert [found.metadata.name for found in schedules.in_order("team")] == ["good"]
    assert "BorgSchedule team/bad cannot be read" in caplog.text


def test_who_waits_for_a_version_is_woken_when_the_watch_has_come_to_it(index: Index[str]) -> None:
    async def scenario() -> None:
        waiting = [asyncio.create_task(index.seen(version)) for version in (7, 5, 6)]
        await asyncio.sleep(0)
        index.put(body("one", 5))
        index.advance(5)
        index.put_answer(body("two", 9))  # one's own write is not yet seen by the watch
        await asyncio.sleep(0)
        assert [task.done() for task in waiting] == [False, True, False]
        index.advance(8)
        await asyncio.gather(*waiting)
        await index.seen(3)

    asyncio.run(scenario())


def test_who_deletes_learns_when_the_watch_has_seen_it_go(index: Index[str]) -> None:
    async def scenario() -> None:
        index.put(body("one", 1))
        index.put(body("two", 2))
        with index.deletion("uid-one") as first, index.deletion("uid-one") as second:
            index.remove(body("one", 6))
            assert [await first, await second] == [6, 6]
        with index.deletion("uid-two") as gone:
            index.retain(set(), 9)
            assert await gone == 9
        with index.deletion("uid-never"):
            pass
        assert not index._arrivals._deletions

    asyncio.run(scenario())


def thing(name: str, version: int = 1, *, uid: str = "", value: str = "", of: str = "") -> Any:
    return {**body(name, version, uid=uid, value=value or f"{name}@{version}"), "of": of}


def parse(item: Any) -> tuple[str, str]:
    if item["value"].startswith("bad"):
        raise ValueError(item["value"])
    return item["value"], item["of"]


PODS = Kind(
    "Pod",
    "",
    "v1",
    "pods",
    parse,
    references=lambda pod: [Reference("Job", "team", pod[1])],
    groups=lambda pod: [("owner", pod[1])],
)


def last_states(pods: Index[tuple[str, str]], of: str = "") -> list[tuple[str, str]]:
    return pods.referring_to("Job", "team", of, deleted=True)


@pytest.fixture
def pods() -> Index[tuple[str, str]]:
    return Index(PODS, keep=2)


def test_what_was_news_is_told_and_what_was_not_is_none(pods: Index[tuple[str, str]]) -> None:
    assert pods.put(thing("a", 1)) == Change(None, ("a@1", ""))
    assert pods.put(thing("a", 1)) is None
    assert pods.put(thing("a", 2)) == Change(("a@1", ""), ("a@2", ""))
    assert pods.put(thing("a", 3, uid="another")) == Change(("a@2", ""), ("a@3", ""))
    assert pods.remove(thing("a", 4)) is None, "the first one's end"
    assert pods.remove(thing("a", 5, uid="another")) == Change(("a@5", ""), None)
    assert pods.remove(thing("a", 5, uid="another")) is None
    pods.put(thing("b", 6))
    assert pods.discard("team", "b", "uid-a") is None
    assert pods.discard("team", "b", "uid-b") == Change(("b@6", ""), None)


def test_the_last_words_of_a_deleted_object_stay_until_they_are_released(pods: Index[tuple[str, str]]) -> None:
    pods.put(thing("a", 1, of="job"))
    assert last_states(pods, "job") == [("a@1", "job")]
    pods.remove(thing("a", 2, value="its end", of="job"))
    assert pods.get("team", "a") is None
    assert pods.get_by_uid("uid-a") is None
    assert pods.referring_to("Job", "team", "job") == pods.grouped("owner", "team", "job") == []
    assert last_states(pods, "job") == [("its end", "job")]
    pods.release("uid-a")
    assert last_states(pods, "job") == []


@pytest.mark.parametrize("how", ["removed", "discarded", "not listed", "replaced"])
def test_however_it_went_its_last_words_stay(pods: Index[tuple[str, str]], how: str) -> None:
    pods.put(thing("a", 1))
    match how:
        case "removed":
            pods.remove(thing("a", 2, value="bad end"))
        case "discarded":
            pods.discard("team", "a", "uid-a")
        case "not listed":
            pods.retain(set(), 2)
        case "replaced":
            pods.put(thing("a", 2, uid="another"))
    assert ("a@1", "") in last_states(pods)


def test_of_too_many_last_words_the_newest_stay_and_of_released_ones_none(pods: Index[tuple[str, str]]) -> None:
    for name in ("a", "b", "c", "d"):
        pods.put(thing(name))
    pods.release("uid-d")  # while it is there
    pods.release("uid-never")
    for name in ("a", "b", "c", "d"):
        pods.remove(thing(name, 2))
    assert last_states(pods) == [("b@2", ""), ("c@2", "")]
    assert not pods._departed._released


def test_without_a_wish_for_them_no_last_words_are_kept(index: Index[str]) -> None:
    index.put(body("one", 1, value="one"))
    index.remove(body("one", 2))
    assert index._departed._states == {}


def test_what_went_comes_back_only_with_a_newer_version(index: Index[str]) -> None:
    """A late answer brings nothing back; one that got back its label, by which it is watched, is there again."""
    index.put(body("one", 1, value="old"))
    index.remove(body("one", 5))
    index.put(body("one", 4, value="late"))
    assert index.get("team", "one") is None
    index.put(body("one", 7, value="again"))
    assert index.get("team", "one") == index.get_by_uid("uid-one") == "again"


def test_one_that_cannot_be_read_takes_the_old_one_out_and_is_logged_once_a_version(
    pods: Index[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    pods.put(thing("a", 1, of="job"))
    for _ in range(2):
        change = pods.put(thing("a", 2, value="bad spec"))
    assert change is None
    assert len(caplog.records) == 1
    assert pods.get("team", "a") is None
    assert last_states(pods, "job") == [], "it is there, and cannot be read"
    assert pods.unreadable("team", "a") == "bad spec"
    assert pods.put(thing("a", 3, value="bad again")) == Change(None, None)
    assert len(caplog.records) == 2
    assert pods.put(thing("a", 4)) == Change(None, ("a@4", ""))
    assert pods.unreadable("team", "a") is None


@pytest.mark.parametrize("how", ["removed", "not listed", "replaced"])
def test_one_that_could_not_be_read_is_forgotten_when_it_goes(pods: Index[tuple[str, str]], how: str) -> None:
    pods.put(thing("a", 1, value="bad"))
    match how:
        case "removed":
            pods.remove(thing("a", 2, value="bad"))
        case "not listed":
            pods.retain(set(), 2)
        case "replaced":
            pods.put(thing("a", 2, uid="another"))
    assert pods.unreadable("team", "a") is None


def test_a_parser_with_a_fault_of_its_own_ends_no_watch(caplog: pytest.LogCaptureFixture) -> None:
    index = Index(Kind("Thing", "", "v1", "things", lambda item: item["missing"]))
    assert index.put(body("one", 1)) == Change(None, None)
    assert "Thing team/one cannot be read" in caplog.text
    assert index.unreadable("team", "one") == "'missing'"


def test_a_listing_keeps_what_is_newer_than_itself(pods: Index[tuple[str, str]]) -> None:
    pods.put(thing("old", 1))
    pods.put(thing("new", 9))
    assert pods.retain(set(), 5) == [Change(("old@1", ""), None)]
    assert list(pods) == [("team", "new")]


def test_uids_are_found_however_objects_come_and_go(pods: Index[tuple[str, str]]) -> None:
    pods.put(thing("a", 1))
    pods.put(thing("a", 2))
    pods.put(thing("a", 3, uid="another"))
    assert pods.get_by_uid("uid-a") is None
    assert pods.get_by_uid("another") == ("a@3", "")
    pods.remove(thing("a", 4, uid="another"))
    assert not pods._keys
    assert not pods._marked

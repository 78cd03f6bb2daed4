"""BorgArchives in a cluster that lives: whatever happens to a repository, they become what it holds, and then rest."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from borg_cluster.errors import Forbidden
from borg_contract.archives.part import ArchiveRow, Part, pack_part
from borg_contract.ownership import ArchiveContent, ArchiveOwner, mark_suspect, render_comment
from borg_contract.result import RunResult
from borg_contract.run import Phase
from borg_core.kinds.archive import parse_archive
from borg_core.registry import find_kind
from support import builders
from support.recorder import CrashError, Request
from support.running import BEGIN, claims, run_by_hand
from support.vault import Archivist, Vault
from support.virtual_time import run_virtually

CRDS = Path(__file__).parents[2] / "crds"
NEVER = "0 0 1 1 *"
BY_HAND: dict[str, Any] = {"scheduleRef": None, "repositoryRef": {"name": "main"}, "operation": "List"}
FIRST = 75.0
"""Seconds after which the first listing has ended."""


def play(act: Callable[[Archivist], Awaitable[Any]], vault: Vault | None = None, **more: Any) -> Archivist:
    """Return the cluster after `act`, in which there is the repository `main`, and a schedule into it."""
    spec = {"archiveLimit": more.pop("limit", 200)}
    times = more.pop("times", NEVER)
    prune = {"enabled": more.pop("prunes", False)}

    async def work() -> Archivist:
        cluster = Archivist(vault=vault or Vault(), **more)
        for claim in claims():
            cluster.recorder.add("PersistentVolumeClaim", claim)
        cluster.add(builders.local_repository(**spec), builders.schedule(schedule=times, prune=prune))
        await cluster.begin()
        await act(cluster)
        await cluster.stop()
        return cluster

    return run_virtually(work())


def filled(count: int) -> Vault:
    vault = Vault()
    vault.fill(count)
    return vault


@cache
def validator(kind: str) -> jsonschema.Draft202012Validator:
    crd = yaml.load((CRDS / f"{find_kind(kind).plural}.yaml").read_text(), Loader=yaml.CSafeLoader)
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return jsonschema.Draft202012Validator(_closed(schema))


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema so that a field that it does not know is a mistake."""
    properties = {name: _closed(child) for name, child in schema.get("properties", {}).items()}
    if not properties:
        return schema
    return {**schema, "properties": properties, "additionalProperties": False}


def assert_valid(cluster: Archivist) -> None:
    """Raise what the API server would not have taken of all that the operator wrote."""
    for kind in ("BorgArchive", "BorgRepository", "BorgRun"):
        for body in cluster.recorder.all_of(kind):
            validator(kind).validate({**body, "metadata": {"name": body["metadata"]["name"]}})


def assert_whole(cluster: Archivist, limit: int = 200) -> None:
    assert_valid(cluster)
    assert cluster.known == cluster.vault.newest(limit)
    found = cluster.condition()
    assert found
    assert found[:2] == ("True", "ArchivesListed")


async def assert_rests(cluster: Archivist, seconds: float = 600) -> None:
    before = len(cluster.recorder.requests)
    await cluster.live(seconds)
    assert [str(request) for request in cluster.recorder.requests[before:]] == []


@pytest.mark.parametrize(("count", "limit"), [(30, 200), (450, 200)])
def test_a_repository_that_others_filled_is_listed_in_parts_within_minutes_and_then_left_alone(
    count: int, limit: int
) -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(600, until=lambda: cluster.known == cluster.vault.newest(limit))
        await cluster.live(5)
        assert_whole(cluster, limit)
        await assert_rests(cluster)

    cluster = play(act, filled(count), limit=limit)
    assert len(cluster.listings) <= 1 + min(count, limit) // 50
    assert len([run for run in cluster.runs if "-list-" in run.metadata.name]) <= 3
    assert all("part" not in body["status"] for body in cluster.recorder.all_of("BorgRun"))


def test_an_archive_of_a_time_that_cannot_be_told_hides_no_other() -> None:
    async def act(cluster: Archivist) -> None:
        others = cluster.vault.newest(200)
        cluster.vault.add("old", datetime(1969, 12, 31, 23, tzinfo=UTC))
        await cluster.live(600)
        assert cluster.known == others
        assert cluster.condition() == ("True", "ArchivesListed", "the newest 20 of 21 archives are BorgArchives")
        await assert_rests(cluster)

    assert len(play(act, filled(20)).listings) == 1


def test_a_damaged_archive_takes_the_comments_of_no_other() -> None:
    vault = Vault()
    for name in ("db-1", "db-[2]", "db-3"):
        vault.add(name, BEGIN - timedelta(days=1), render_comment(ArchiveOwner("team", "db", "main", ""), name))
    vault.damaged.add("db-1")

    async def act(cluster: Archivist) -> None:
        await cluster.live(600)
        assert_whole(cluster)
        specs = {body["spec"]["archive"]: body["spec"] for body in cluster.recorder.all_of("BorgArchive")}
        made_by = {name: spec.get("scheduleRef", {}).get("name") for name, spec in specs.items()}
        assert made_by == {"db-1": None, "db-[2]": "db", "db-3": "db"}

    play(act, vault)


def test_an_archive_that_a_run_made_needs_no_listing_and_tells_of_what_it_is() -> None:
    async def act(cluster: Archivist) -> None:
        cluster.vault.is_there = False
        cluster.add(run_by_hand(at=cluster.recorder.now))
        await cluster.live(FIRST * 2)
        assert_whole(cluster)
        await assert_rests(cluster)

    cluster = play(act)
    assert cluster.listings == []
    [body] = cluster.recorder.all_of("BorgArchive")
    [stored] = cluster.vault.archives.values()
    assert body["metadata"]["name"] == f"main-{stored.id[:12]}"
    assert body["metadata"]["ownerReferences"][0]["uid"] == "uid-main"
    assert body["metadata"]["labels"]["borgoperator.io/schedule"] == "db"
    assert body["spec"] == {
        "repositoryRef": {"name": "main"},
        "archive": stored.name,
        "id": stored.id,
        "time": f"{stored.time:%Y-%m-%dT%H:%M:%SZ}",
        "scheduleRef": {"name": "db"},
        "runRef": {"name": "now"},
        "sources": ["data"],
        "originalSize": 2**30,
        "deduplicatedSize": 10,
        "size": "1.0Gi",
        "files": 3,
        "comment": stored.comment,
    }


def test_a_repository_that_is_not_there_yet_is_no_failure_and_asked_for_once() -> None:
    async def act(cluster: Archivist) -> None:
        cluster.vault.is_there = False
        await cluster.live(FIRST)
        await assert_rests(cluster)
        assert cluster.condition("Ready") is None
        cluster.add(run_by_hand(at=cluster.recorder.now))
        await cluster.live(30)
        assert_whole(cluster)

    cluster = play(act)
    assert cluster.listings == ["main-list-1"]
    assert cluster.events.keys() == {'RunCompleted: BorgRun "now" (Backup) completed'}


def test_nights_that_prune_are_followed_without_a_listing_and_without_a_word() -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(3600)
        assert_whole(cluster)

    cluster = play(act, Vault(is_there=False), times="*/5 * * * *", keep=4)
    assert len(cluster.vault.archives) == 4
    assert cluster.listings == ["main-list-1"], "before the first night, when there was no repository"
    assert cluster.condition("RolledBack") is None
    changes = [str(request) for request in cluster.recorder.requests if request.kind == "BorgArchive"]
    assert {change.split()[0] for change in changes} == {"create", "delete"}, "made once, never patched"
    assert len(changes) == 12 + 8


def test_what_a_run_pruned_without_naming_it_is_found_out_quietly() -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(1800)
        await cluster.live(3600, until=lambda: cluster.known == cluster.vault.newest(200))

    cluster = play(act, Vault(is_there=False), times="*/20 * * * *", keep=1, names_pruned=False)
    assert cluster.listings
    assert cluster.condition("RolledBack") is None
    assert not any("ArchiveVanished" in event for event in cluster.events)


def cut(told: RunResult) -> RunResult:
    [result] = told.repositories
    return replace(told, repositories=(replace(result, prune=None, totals=None),))


def killed(told: RunResult) -> RunResult:
    [result] = cut(told).repositories
    failed = replace(result, phase=Phase.FAILED, reason="Interrupted", error="It was killed.")
    return RunResult(Phase.FAILED, (failed,), "RepositoriesFailed", "main (Interrupted).")


LITTLE_WORD: dict[str, Callable[[RunResult], RunResult]] = {
    "the result was cut": cut,
    "it was killed before it had counted": killed,
    "its node was lost": lambda _: RunResult(Phase.FAILED, (), "Interrupted", "lost"),
}


@pytest.mark.parametrize("kind", LITTLE_WORD)
def test_what_a_backup_pruned_that_could_not_tell_is_found_out_quietly(kind: str) -> None:
    nights = itertools.count(1)
    seen: list[int] = []

    def tell(told: RunResult) -> RunResult:
        seen.append(next(nights))
        return LITTLE_WORD[kind](told) if seen[-1] == 4 else told

    async def act(cluster: Archivist) -> None:
        await cluster.live(3700)
        await cluster.live(700, until=lambda: cluster.known == cluster.vault.newest(200))
        assert_whole(cluster)

    cluster = play(act, Vault(is_there=False), times="*/10 * * * *", keep=2, prunes=True, tell=tell)
    assert seen[-1] > 4
    assert cluster.condition("RolledBack") is None
    assert not any("ArchiveVanished" in event for event in cluster.events)


def test_that_a_backup_withheld_prune_takes_no_blame_for_what_vanished() -> None:
    def withhold(told: RunResult) -> RunResult:
        [result] = told.repositories
        return replace(told, repositories=(replace(result, prune=None),))

    async def act(cluster: Archivist) -> None:
        await cluster.live(1900)
        del cluster.vault.archives[min(cluster.vault.archives)]
        await cluster.live(1900)

    cluster = play(act, Vault(is_there=False), times="*/10 * * * *", prunes=True, tell=withhold)
    told = cluster.condition("RolledBack")
    assert told
    assert told[:2] == ("True", "ArchiveVanished")


def test_that_a_schedule_wrote_elsewhere_before_takes_no_blame_for_what_vanished() -> None:
    async def act(cluster: Archivist) -> None:
        at = f"{BEGIN + timedelta(minutes=4):%Y-%m-%dT%H:%M:%SZ}"
        told = [{"name": "other", "phase": "Completed", "archive": "db-x", "prune": {"kept": 1, "deleted": 0}}]
        status = {"phase": "Completed", "startTime": at, "completionTime": at, "repositories": told}
        cluster.add(builders.run("db-before", status))
        await cluster.live(1300)
        del cluster.vault.archives[min(cluster.vault.archives)]
        await cluster.live(1300)
        assert "db-before" in cluster.recorder.names("BorgRun")

    told = play(act, Vault(is_there=False), times="*/10 * * * *", prunes=True).condition("RolledBack")
    assert told
    assert told[:2] == ("True", "ArchiveVanished")


def test_archives_of_others_that_come_go_and_are_renamed_are_noticed_with_the_next_run() -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(FIRST)
        assert_whole(cluster)
        old = cluster.vault.archives.pop("host-0003")
        cluster.vault.add("renamed", old.time)
        cluster.vault.add("by hand", cluster.recorder.now)
        del cluster.vault.archives["host-0004"]
        cluster.add(run_by_hand(at=cluster.recorder.now))
        await cluster.live(900)
        assert_whole(cluster)
        await assert_rests(cluster)

    cluster = play(act, filled(20))
    assert len(cluster.listings) == 2
    assert cluster.condition("RolledBack") is None, "others may do with theirs as they like"
    assert [event for event in cluster.events if event.startswith("ArchiveVanished: 2 archives that others made")]


def test_what_is_pruned_through_another_name_of_the_repository_is_not_called_vanished() -> None:
    async def act(cluster: Archivist) -> None:
        for number in range(4):
            comment = render_comment(ArchiveOwner("team", "db", "twin"), f"db-{number}", ArchiveContent({"data": 3}))
            cluster.vault.add(f"db-{number}", BEGIN - timedelta(days=4 - number), comment)
        await cluster.live(FIRST)
        assert_whole(cluster)
        assert not any("scheduleRef" in body["spec"] for body in cluster.recorder.all_of("BorgArchive"))
        del cluster.vault.archives["db-0"]
        cluster.add(run_by_hand("look", at=cluster.recorder.now, **BY_HAND))
        await cluster.live(60)
        assert_whole(cluster)

    assert play(act).condition("RolledBack") is None


def test_an_archive_of_ours_that_vanishes_is_told_with_its_name_until_somebody_acknowledges_it() -> None:
    names: list[str] = []

    async def act(cluster: Archivist) -> None:
        await cluster.live(1300)
        assert_whole(cluster)
        names.append(next(iter(cluster.vault.archives)))
        del cluster.vault.archives[names[0]]
        await cluster.live(1300)
        assert_whole(cluster)
        told = cluster.condition("RolledBack")
        assert told
        assert told[:2] == ("True", "ArchiveVanished")
        assert names[0] in told[2]
        found_by = cluster.recorder.find("BorgRepository", "main")["status"]["listing"]["vanished"]["runName"]
        for _ in range(4):  # it outlives the history of listings
            victim = cluster.recorder.names("BorgArchive")[0]
            cluster.recorder.remove("BorgArchive", victim)
            await cluster.live(1300)
        assert found_by in cluster.recorder.names("BorgRun")
        assert cluster.condition("RolledBack") is not None
        cluster.recorder.remove("BorgRun", found_by)
        await cluster.live(30)
        assert cluster.condition("RolledBack") is None
        assert_whole(cluster)

    cluster = play(act, Vault(is_there=False), times="*/10 * * * *")
    told = [event for event in cluster.events if event.startswith("ArchiveVanished: 1 archives that runs of this")]
    assert len(told) == 1
    assert cluster.events[told[0]] == 1


async def go_unwatched(cluster: Archivist, nights: int, *, kept: int) -> None:
    """Let nights of five minutes pass in which there is no operator; so many Jobs are kept."""
    await cluster.stop()
    cluster.recorder.on_news = lambda *_: None
    for _ in range(nights):
        await cluster.live(300)
        jobs = sorted(cluster.recorder.all_of("Job"), key=lambda job: job["metadata"]["creationTimestamp"])
        for job in jobs[:-kept]:
            cluster.recorder.remove("Job", job["metadata"]["name"])
            cluster.recorder.collect_garbage()
    cluster._start()
    await cluster.begin()


def write_unrecorded(cluster: Archivist, count: int) -> None:
    """Let runs of the schedule go by of which there is no record: each made an archive and pruned the oldest."""
    for number in range(count):
        del cluster.vault.archives[min(cluster.vault.archives.values(), key=lambda stored: stored.time).name]
        at = cluster.recorder.now - timedelta(seconds=count - number)
        comment = render_comment(ArchiveOwner("team", "db", "main"), f"db-lost-{number}", ArchiveContent({"data": 3}))
        cluster.vault.add(f"db-{at:%Y-%m-%dT%H:%M:%S}", at, comment)


async def assert_a_loss_is_told(cluster: Archivist) -> None:
    listing = cluster.recorder.find("BorgRepository", "main")["status"]["listing"]
    assert not listing.get("unrecorded")
    oldest = min(cluster.vault.archives.values(), key=lambda stored: stored.time).name
    del cluster.vault.archives[oldest]
    await cluster.live(1300)
    told = cluster.condition("RolledBack")
    assert told
    assert oldest in told[2]


@pytest.mark.parametrize("kept", [1, 3, 10])
def test_what_runs_pruned_of_which_no_record_is_left_is_not_called_vanished(kept: int) -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(3600)
        await go_unwatched(cluster, 16, kept=kept)
        await cluster.live(2400)
        assert_whole(cluster)
        assert cluster.condition("RolledBack") is None
        assert not any(event.startswith("ArchiveVanished: 4 archives that runs") for event in cluster.events)
        await assert_a_loss_is_told(cluster)

    play(act, Vault(is_there=False), times="*/5 * * * *", keep=4, prunes=True)


@pytest.mark.parametrize("others", [0, 150], ids=["in one part", "in several parts"])
@pytest.mark.parametrize("is_asked", [False, True], ids=["a backup is first", "a listing is first"])
def test_a_cluster_that_was_put_back_to_an_earlier_moment_takes_no_run_since_for_a_loss(
    is_asked: bool, others: int
) -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(3550)
        write_unrecorded(cluster, 3)
        for number in range(others):
            cluster.vault.add(f"other-{number}", cluster.recorder.now + timedelta(seconds=number))
        if is_asked:
            cluster.add(run_by_hand("look", at=cluster.recorder.now, **BY_HAND))
        await cluster.live(1500)
        assert_whole(cluster)
        assert cluster.condition("RolledBack") is None
        told = [event for event in cluster.events if "nobody knows whether it was prune" in event]
        assert len(told) == 1
        assert told[0].startswith("ArchiveVanished: 3 archives are gone")
        await assert_a_loss_is_told(cluster)

    play(act, Vault(is_there=False), times="*/10 * * * *", keep=4, prunes=True)


@pytest.mark.parametrize("others", [0, 150], ids=["in one part", "in several parts"])
def test_an_archive_that_has_another_id_since_it_was_marked_is_not_called_vanished(others: int) -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(1900)
        assert_whole(cluster)
        marked = min(cluster.vault.archives.values(), key=lambda stored: stored.time)
        cluster.vault.add(marked.name, marked.time, mark_suspect(marked.comment))
        for number in range(others):
            cluster.vault.add(f"other-{number}", cluster.recorder.now + timedelta(seconds=number))
        await cluster.live(2500)
        assert_whole(cluster, 300)
        assert marked.id not in cluster.known

    cluster = play(act, Vault(is_there=False), times="*/10 * * * *", limit=300)
    assert cluster.condition("RolledBack") is None
    assert not any("ArchiveVanished" in event for event in cluster.events)


@pytest.mark.parametrize(("count", "dies"), [(6, True), (209, False)], ids=["the operator dies", "many"])
def test_archives_that_vanish_are_counted_once(count: int, *, dies: bool) -> None:
    async def act(cluster: Archivist) -> None:
        for number in range(count + 3):
            comment = render_comment(ArchiveOwner("team", "db", "main"), f"db-{number}", ArchiveContent({"data": 3}))
            cluster.vault.add(f"db-{number:03}", BEGIN - timedelta(hours=400 - number), comment)
        await cluster.live(3700, until=lambda: len(cluster.known) == count + 3)
        await cluster.live(700)
        for number in range(count):
            del cluster.vault.archives[f"db-{number:03}"]

        def refuse(request: Request) -> BaseException | None:
            if dies and not cluster.restarts and str(request).startswith("delete BorgArchive"):
                cluster.die()
                return CrashError()
            return None

        cluster._refuse = refuse
        cluster.add(run_by_hand("look", at=cluster.recorder.now, **BY_HAND))
        await cluster.live(900)
        assert cluster.restarts == dies
        assert_whole(cluster, 400)

    cluster = play(act, limit=400)
    assert cluster.recorder.find("BorgRepository", "main")["status"]["listing"]["vanished"]["count"] == count
    assert [times for event, times in cluster.events.items() if "ArchiveVanished" in event] == [1]


def test_what_a_listing_finds_gone_is_told_also_where_one_of_its_name_told_before() -> None:
    async def act(cluster: Archivist) -> None:
        for number in range(6):
            comment = render_comment(ArchiveOwner("team", "db", "main"), f"db-{number}", ArchiveContent({"data": 3}))
            cluster.vault.add(f"db-{number}", BEGIN - timedelta(hours=40 - number), comment)
        await cluster.live(700)
        for gone in (("db-0",), ("db-1", "db-2", "db-3")):
            if "look" in cluster.recorder.names("BorgRun"):
                cluster.recorder.remove("BorgRun", "look")
            for name in gone:
                del cluster.vault.archives[name]
            look = run_by_hand("look", at=cluster.recorder.now, **BY_HAND)
            metadata = look.metadata.model_copy(update={"uid": f"uid-look-{len(gone)}"})
            cluster.add(look.model_copy(update={"metadata": metadata}))
            await cluster.live(700)
            assert_whole(cluster)
            vanished = cluster.recorder.find("BorgRepository", "main")["status"]["listing"]["vanished"]
            assert vanished["count"] == len(gone)

    assert len([event for event in play(act).events if "ArchiveVanished" in event]) == 2


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "of others"])
def test_what_vanished_is_counted_once_where_its_objects_are_not_let_go_for_a_while(*, ours: bool) -> None:
    async def act(cluster: Archivist) -> None:
        for number in range(9):
            comment = render_comment(ArchiveOwner("team", "db", "main"), f"db-{number}", ArchiveContent({"data": 3}))
            cluster.vault.add(f"db-{number}", BEGIN - timedelta(hours=40 - number), comment if ours else "")
        await cluster.live(700)
        gone = {cluster.vault.archives.pop(f"db-{number}").id for number in range(6)}
        allowed = cluster._refuse

        def refuse(request: Request) -> BaseException | None:
            return Forbidden("no") if str(request).startswith("delete BorgArchive") else allowed(request)

        cluster._refuse = refuse
        for name, more in (("look", BY_HAND), ("now", {}), ("look-again", BY_HAND)):
            cluster.add(run_by_hand(name, at=cluster.recorder.now, **more))
            await cluster.live(700)
            assert gone < cluster.known
            assert cluster.condition() == ("False", "RefusedByApiServer", "BorgArchives are refused: no")
        cluster._refuse = allowed
        await cluster.live(700)
        assert_whole(cluster)
        assert all(run.finished for run in cluster.runs)
        await assert_rests(cluster)

    cluster = play(act)
    told = {event: times for event, times in cluster.events.items() if "ArchiveVanished" in event}
    assert list(told.values()) == [1]
    assert next(iter(told)).startswith("ArchiveVanished: 6 archives that")
    listing = cluster.recorder.find("BorgRepository", "main")["status"]["listing"]
    assert listing.get("vanished", {}).get("count") == (6 if ours else None)
    assert {event: times for event, times in cluster.events.items() if times > 1} == {}


def test_an_object_that_somebody_deletes_comes_back_also_again_and_again_but_ever_later() -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(FIRST)
        assert_whole(cluster)
        cluster.recorder.remove("BorgArchive", cluster.recorder.names("BorgArchive")[3])
        await cluster.live(90)
        assert_whole(cluster)
        before = len(cluster.listings)
        for _ in range(600):
            if len(cluster.known) == 20:
                cluster.recorder.remove("BorgArchive", cluster.recorder.names("BorgArchive")[3])
            await cluster.live(2)
        assert len(cluster.listings) - before < 10

    cluster = play(act, filled(20))
    assert not any("ArchiveVanished" in event for event in cluster.events)


def test_an_object_of_an_archive_that_a_run_made_comes_back_by_that_runs_word() -> None:
    async def act(cluster: Archivist) -> None:
        cluster.add(run_by_hand(at=cluster.recorder.now))
        await cluster.live(FIRST)
        cluster.recorder.remove("BorgArchive", cluster.recorder.names("BorgArchive")[0])
        await cluster.live(10)
        assert_whole(cluster)

    assert play(act, Vault(is_there=False)).listings == []


def test_listing_comes_to_rest_while_others_make_archives_every_minute() -> None:
    async def act(cluster: Archivist) -> None:
        for minute in range(40):
            cluster.vault.add(f"other-{minute}", cluster.recorder.now)
            await cluster.live(60)
        assert len(cluster.known & cluster.vault.newest(200)) > 150

    cluster = play(act, filled(300), times="*/5 * * * *")
    assert len(cluster.listings) < 40 / 10 + 8


def test_listings_that_fail_are_no_news_but_in_their_condition_and_become_rare() -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(2 * 3600)
        found = cluster.condition()
        assert found
        assert found[:2] == ("False", "ListingFailed")
        assert "No way there" in found[2]
        assert cluster.condition("Ready") is None
        cluster.failing = False
        cluster.add(run_by_hand(at=cluster.recorder.now))
        await cluster.live(900)
        assert_whole(cluster)

    cluster = play(act, filled(20), failing=True)
    assert len(cluster.listings) <= 10
    assert cluster.events.keys() == {'RunCompleted: BorgRun "now" (Backup) completed'}


@pytest.mark.parametrize("kept", ["", "1!!!!", "rows of nothing"])
def test_pods_that_tell_nonsense_make_no_objects_and_no_endless_runs(kept: str) -> None:
    row = ArchiveRow("ab" * 32, "invented", "2026-03-01T00:00:00Z")
    part = pack_part(Part((row,), ("0" * 12,))) if kept == "rows of nothing" else kept

    async def act(cluster: Archivist) -> None:
        await cluster.live(2 * 3600)

    cluster = play(act, filled(120), junk_part=part)
    assert len(cluster.listings) <= 12
    assert cluster.known <= {"ab" * 32}


def test_where_the_kubelet_keeps_little_of_a_result_the_parts_are_small() -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(3600, until=lambda: cluster.known == cluster.vault.newest(200))
        await cluster.live(5)
        assert_whole(cluster)

    play(act, filled(40), shows_brief=True)


def test_objects_that_are_refused_are_said_and_made_when_they_may_be() -> None:
    def refuse(request: Request) -> BaseException | None:
        return Forbidden("exceeded quota: archives") if str(request).startswith("create BorgArchive") else None

    async def act(cluster: Archivist) -> None:
        cluster._refuse = refuse
        await cluster.live(1800)
        found = cluster.condition()
        assert found
        assert found[:2] == ("False", "RefusedByApiServer")
        assert "exceeded quota" in found[2]
        tried = [str(r) for r in cluster.recorder.requests if str(r).startswith("create BorgArchive")]
        assert len(tried) <= 12
        cluster._refuse = lambda _: None
        await cluster.live(3600, until=lambda: cluster.known == cluster.vault.newest(200))
        await cluster.live(5)
        assert_whole(cluster)

    play(act, filled(60))


def test_the_limit_can_be_lowered_raised_and_taken_away() -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(FIRST)
        for limit in (10, 60, 0, 30):
            cluster.recorder.edit("BorgRepository", "main", {"spec": {"archiveLimit": limit}})
            await cluster.live(1500)
            assert cluster.known == cluster.vault.newest(limit)

    play(act, filled(80), limit=40)


def test_another_repository_that_a_person_accepts_leaves_nothing_of_the_one_before_and_no_alarm() -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(1300)
        assert_whole(cluster)
        cluster.vault.archives.clear()
        cluster.vault.id = "1e" * 32
        cluster.vault.fill(30, "new")
        notes = {"metadata": {"annotations": {"borgoperator.io/repository-id": cluster.vault.id}}}
        cluster.recorder.edit("BorgRepository", "main", notes)
        cluster.add(run_by_hand(at=cluster.recorder.now))
        await cluster.live(1300)
        assert_whole(cluster)
        assert cluster.condition("RolledBack") is None

    play(act, Vault(is_there=False), times="*/10 * * * *")


def test_strangers_of_the_name_are_replaced() -> None:
    async def act(cluster: Archivist) -> None:
        for name in ("host-0001", "host-0002"):
            stored = cluster.vault.archives[name]
            spec = {"repositoryRef": {"name": "main"}, "archive": "x", "id": stored.id, "time": "2026-01-01T00:00:00Z"}
            metadata = {"name": f"main-{stored.id[:12]}", "namespace": "team", "uid": f"old-{name}"}
            cluster.recorder.add("BorgArchive", {"metadata": metadata, "spec": spec})
        await cluster.live(FIRST)
        assert_whole(cluster)
        found = [parse_archive(body) for body in cluster.recorder.all_of("BorgArchive")]
        assert {archive.owner_uid for archive in found} == {"uid-main"}
        assert "x" not in {archive.archive for archive in found}

    play(act, filled(5))


def test_a_list_that_a_person_asks_for_tells_archives_too_and_counts_sizes() -> None:
    async def act(cluster: Archivist) -> None:
        asked = run_by_hand("look", **BY_HAND)
        cluster.add(asked)
        await cluster.live(20)
        assert_whole(cluster)
        await assert_rests(cluster)

    cluster = play(act, filled(20))
    assert cluster.listings == []
    assert cluster.recorder.find("BorgRepository", "main")["status"]["size"] == "1"


def test_the_operator_may_die_at_any_request_and_all_becomes_known() -> None:
    async def act(cluster: Archivist) -> None:
        allowed = cluster._refuse
        deaths = 0

        def die(request: Request) -> BaseException | None:
            nonlocal deaths
            if request.writes and len(cluster.recorder.requests) % 7 == 0 and deaths < 40:
                deaths += 1
                cluster.die()
            return allowed(request)

        cluster._refuse = die
        await cluster.live(900, until=lambda: cluster.known == cluster.vault.newest(200))
        await cluster.live(30)
        assert_whole(cluster)
        assert deaths > 20

    play(act, filled(150))


def test_backups_are_not_hindered_while_archives_are_listed() -> None:
    async def act(cluster: Archivist) -> None:
        await cluster.live(1500)

    cluster = play(act, filled(900), limit=900, times="*/2 * * * *")
    by_clock = [run for run in cluster.runs if run.status.scheduled_time]
    assert all(run.status.phase == "Completed" for run in by_clock)
    newest = max(run.status.start_time or "" for run in by_clock)
    assert newest >= f"{cluster.recorder.now - timedelta(minutes=3):%Y-%m-%dT%H:%M:%SZ}"
    worked = [run for run in cluster.runs if "-list-" not in run.metadata.name]
    assert len(worked) >= 10, "listings push nobody's runs out of the history"

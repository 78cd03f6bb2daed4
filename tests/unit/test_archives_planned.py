"""Planning many BorgArchives: small in memory, linear in time, and nothing where nothing changed."""

import hashlib
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from time import process_time
from typing import Any

import pytest

from borg_contract.archives.ids import digest_newest, unpack_ids
from borg_contract.codec import decode_plan
from borg_contract.pod import PLAN_ENV
from borg_contract.result import PruneResult
from borg_contract.run import Operation
from borg_core import labels
from borg_core.actions import Action, CreateJob, CreateRun, DeleteArchive, PatchStatus
from borg_core.archives.asking import FIRST_PAUSE, LONGEST_PAUSE
from borg_core.archives.told import Account, read_accounts
from borg_core.archives.vanished import is_finder
from borg_core.kinds.archive import ARCHIVES, RepositoryListing, VanishedArchives
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import RUNS, BorgRun, BorgRunStatus
from borg_core.native.claim import CLAIMS
from borg_core.reconcile.repository import reconcile_repository
from borg_core.reconcile.status.identity import derive_identity
from borg_core.registry import Reference
from borg_core.runs.entry import Entry
from borg_core.runs.world import World
from borg_core.workload.identity import derive_own_place
from borg_operator.store import Store
from support import builders
from support.builders import NOW, SETTINGS

MAIN = Reference("BorgRepository", "team", "main")
IDS = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(2000)]


def body(number: int, repository: str = "main", **spec: Any) -> dict[str, Any]:
    at = NOW - timedelta(hours=number)
    id_ = IDS[number]
    owner = {"apiVersion": "v", "kind": "BorgRepository", "name": repository, "uid": f"uid-{repository}"}
    return {
        "metadata": {
            **builders.metadata(f"{repository}-{id_[:12]}", uid=f"{repository}-{number}"),
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": {
            "repositoryRef": {"name": repository},
            "archive": f"nightly-{number}",
            "id": id_,
            "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "scheduleRef": {"name": "db"},
            "comment": f"borgoperator.io team/db db-{number} repository={repository} files=data:3",
            **spec,
        },
    }


def known(count: int, limit: int) -> str:
    dated = [(body(number)["spec"]["time"], IDS[number]) for number in range(count)]
    return digest_newest(dated, limit)


def repository(limit: int, **listing: Any) -> BorgRepository:
    fresh = builders.local_repository(archiveLimit=limit)
    identity = {"id": "ab" * 32, "place": derive_own_place(fresh), "since": "2026-03-01T00:00:00Z"}
    status = {"identity": identity, "archives": 2000}
    dumped = fresh.model_dump(by_alias=True, exclude_none=True, mode="json")
    return BorgRepository.model_validate({**dumped, "status": {**status, "listing": listing} if listing else {}})


def store_with(found: BorgRepository, archives: int, *runs: BorgRun) -> Store:
    store = Store()
    for name in ("app-data", "repo-main"):
        store.put(CLAIMS, {"metadata": builders.metadata(name)})
    store.put(REPOSITORIES, found.model_dump(by_alias=True, exclude_none=True, mode="json"))
    for number in range(archives):
        store.put(ARCHIVES, body(number))
    for run in runs:
        store.put(RUNS, run.model_dump(by_alias=True, exclude_none=True, mode="json"))
    return store


def plan(store: Store, now: datetime = NOW) -> tuple[Action, ...]:
    runs = tuple(store.values(RUNS))
    return reconcile_repository(World(MAIN, SETTINGS, runs=runs), store, now).actions


def test_a_known_archive_takes_little_memory() -> None:
    store = Store()
    store.put(ARCHIVES, body(0))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(1, 2000):
        store.put(ARCHIVES, body(number, comment="c" * 1000))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken / 1999 < 2048, "bytes: twenty thousand are forty megabytes at most"


def test_what_another_repository_has_costs_nothing_and_many_archives_little() -> None:
    def seconds(store: Store) -> float:
        plan(store)
        began = process_time()
        for _ in range(5):
            plan(store)
        return process_time() - began

    few, many = (store_with(repository(2000), count) for count in (200, 2000))
    for number in range(2000):
        few.put(ARCHIVES, body(number, "other"))
    assert seconds(many) < 40 * seconds(few), "ten times as many: not a hundred times as long"


class Names(tuple[str, ...]):
    """Counts how often anybody looks for a name in here."""

    __slots__ = ()
    asked = 0

    def __contains__(self, name: object) -> bool:
        Names.asked += 1
        return super().__contains__(name)


def backup(schedule: str, hours_ago: int, *, deleted: int, pruned: tuple[str, ...] = ()) -> Account:
    at = f"{NOW - timedelta(hours=hours_ago):%Y-%m-%dT%H:%M:%SZ}"
    id_ = hashlib.sha256(f"{schedule} {hours_ago}".encode()).hexdigest()
    made = {"archive": f"{schedule}-{hours_ago}", "archiveId": id_, "archiveTime": at, "repositoryId": "ab" * 32}
    status = {"phase": "Completed", "startTime": at, "completionTime": at}
    status["repositories"] = [{"name": "main", "phase": "Completed", **made}]  # type: ignore[assignment]
    run = builders.run(f"{schedule}-{hours_ago}", status, scheduleRef={"name": schedule})
    return run, replace(run.status.repositories[0], prune=PruneResult(2, deleted, Names(pruned)))


def test_a_prune_is_held_against_the_archives_of_its_own_schedule_alone() -> None:
    accounts = [
        backup(f"s-{number}", hour, deleted=1, pruned=(f"s-{number}-{hour + 2}",))
        for hour in reversed(range(5))
        for number in range(40)
    ]
    accounts += [backup("s-0", 0, deleted=3), backup("s-1", 0, deleted=0, pruned=("s-2-1",))]
    Names.asked = 0
    told = read_accounts(accounts, (), RepositoryListing(), "ab" * 32, (), own=())
    assert Names.asked < 5 * len(accounts), "few for each, however many schedules there are"
    left = {result.archive for _, result in told.made.values()}
    assert left == {"s-0-0"} | {f"s-{number}-{hour}" for number in range(1, 40) for hour in (0, 1)}
    assert told.silent == {"s-0"}


def test_the_runs_are_read_once_for_all_that_follows_from_them(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def reads(found: BorgRepository, done: Sequence[Account], now: datetime) -> Any:
        read.append(len(done))
        return derive_identity(found, done, now)

    monkeypatch.setattr("borg_core.reconcile.status.repository.derive_identity", reads)
    plan(store_with(repository(200), 3, backup("db", 1, deleted=0)[0]))
    assert read == [1]


def test_a_listing_is_told_what_is_known_and_no_other_run_is() -> None:
    run = builders.run("main-list-1", scheduleRef=None, repositoryRef={"name": "main"}, operation="List").model_copy(
        deep=True
    )
    dumped = run.model_dump(by_alias=True, exclude_none=True, mode="json")
    dumped["metadata"]["annotations"] = {labels.LISTING: "1"}
    for operation in (Operation.LIST, Operation.CHECK):
        dumped["spec"]["operation"] = operation.value
        store = store_with(repository(300), 250, BorgRun.model_validate(dumped))
        [made] = [action for action in plan(store) if isinstance(action, CreateJob)]
        container = made.manifest["spec"]["template"]["spec"]["containers"][0]
        asked = decode_plan(next(item["value"] for item in container["env"] if item["name"] == PLAN_ENV))
        assert asked.repositories[0].archive_limit == 300
        if operation is Operation.LIST:
            assert asked.listing is not None
            assert set(unpack_ids(asked.listing.known)) == {id_[:12] for id_ in IDS[:250]}
            assert asked.listing.automatic
        else:
            assert asked.listing is None


def test_where_all_is_known_nothing_is_asked_for_and_beyond_the_limit_the_oldest_go() -> None:
    told = {"repositoryId": "ab" * 32, "newest": known(100, 100), "time": "2026-03-02T00:00:00Z"}
    assert not [a for a in plan(store_with(repository(100, **told), 100)) if isinstance(a, CreateRun | DeleteArchive)]
    gone = [a for a in plan(store_with(repository(100, **told), 130)) if isinstance(a, DeleteArchive)]
    assert {action.uid for action in gone} == {f"main-{number}" for number in range(100, 130)}
    assert not [a for a in plan(store_with(repository(100, **told), 130)) if isinstance(a, CreateRun)]
    [asked] = [a for a in plan(store_with(repository(100, **told), 99)) if isinstance(a, CreateRun)]
    assert asked.manifest["metadata"]["name"] == "main-list-1"
    assert asked.manifest["spec"] == {"repositoryRef": {"name": "main"}, "operation": "List"}


@pytest.mark.parametrize(
    ("uid", "is_told"), [("uid-look", True), ("of the one before", False), ("", True)], ids=["its", "another's", "none"]
)
def test_what_vanished_is_told_as_long_as_the_run_is_there_that_found_it(uid: str, *, is_told: bool) -> None:
    vanished = {"runName": "look", "runUid": uid, "count": 1, "archives": ["db-0"]}
    told = {"repositoryId": "ab" * 32, "newest": known(100, 100), "time": "2026-03-02T00:00:00Z", "vanished": vanished}
    at = "2026-03-01T12:00:00Z"
    status = {"phase": "Completed", "startTime": at, "completionTime": at}
    look = builders.run("look", status, scheduleRef=None, repositoryRef={"name": "main"}, operation="List")
    actions = plan(store_with(repository(100, **told), 100, look))
    [said] = [action.status["conditions"] for action in actions if isinstance(action, PatchStatus)]
    assert ("RolledBack" in {condition["type"] for condition in said}) is is_told


def test_what_was_told_without_a_uid_is_of_no_run_of_another_name() -> None:
    told = VanishedArchives(run_name="look", run_uid="", count=1)
    look = builders.run("look", scheduleRef=None, repositoryRef={"name": "main"}, operation="List")
    assert is_finder(Entry(look, None, None, look.status), told)
    assert not is_finder(Entry(None, builders.job("another"), None, BorgRunStatus()), told)


@pytest.mark.parametrize(("newest", "asks"), [("another", True), (known(100, 100), False)])
def test_the_undo_archive_of_a_restore_is_listed_soon(newest: str, *, asks: bool) -> None:
    told = {"repositoryId": "ab" * 32, "newest": known(100, 100), "time": "2026-03-02T00:00:00Z"}
    totals = {"archives": 101, "originalSize": 1, "deduplicatedSize": 1, "newest": newest}
    at = f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    status = {"phase": "Completed", "startTime": at, "completionTime": at}
    status["repositories"] = [{"name": "main", "phase": "Completed", "totals": totals}]  # type: ignore[assignment]
    run = builders.run("back-restore", status, scheduleRef=None, restoreRef={"name": "back"}, operation="Restore")
    made = [a for a in plan(store_with(repository(100, **told), 100, run)) if isinstance(a, CreateRun)]
    assert bool(made) is asks


def listing(number: int, attempt: int, minutes_ago: float, **result: Any) -> BorgRun:
    ended = NOW - timedelta(minutes=minutes_ago)
    phase = "Completed" if result else "Failed"
    told = [{"name": "main", "phase": phase, "repositoryId": "ab" * 32, "listing": result}] if result else []
    status = {
        "phase": phase,
        "startTime": f"{ended - timedelta(seconds=5):%Y-%m-%dT%H:%M:%SZ}",
        "completionTime": f"{ended:%Y-%m-%dT%H:%M:%SZ}",
        "repositories": told,
    }
    spec = {"scheduleRef": None, "repositoryRef": {"name": "main"}, "operation": "List"}
    run = builders.run(f"main-list-{number}", status, **spec)
    notes = {labels.LISTING: str(number), labels.ATTEMPT: str(attempt)}
    return run.model_copy(update={"metadata": run.metadata.model_copy(update={"annotations": notes})})


def part(found: int, left: int) -> dict[str, Any]:
    return {"archives": 90, "newest": "elsewhere", "found": found, "gone": 0, "left": left}


PACE = {
    "goes on at once": ([listing(1, 1, 0, **part(50, 40))], True, 1),
    "goes on while it leaves less": ([listing(1, 1, 1, **part(50, 90)), listing(2, 1, 0, **part(50, 40))], True, 1),
    "waits where it leaves as much": ([listing(1, 1, 1, **part(50, 40)), listing(2, 1, 0, **part(50, 40))], False, 0),
    "waits where it told nothing": ([listing(1, 1, 0, **part(0, 40))], False, 0),
    "waits where it leaves too much": ([listing(1, 1, 0, **part(50, 5000))], False, 0),
    "failed just now": ([listing(1, 1, 0.5)], False, 0),
    "failed a minute ago": ([listing(1, 1, 1.1)], True, 2),
    "failed thrice, two minutes ago": ([listing(3, 3, 2)], False, 0),
    "failed thrice, four minutes ago": ([listing(3, 3, 4.1)], True, 4),
    "failed often, five hours ago": ([listing(30, 30, 300)], False, 0),
    "failed often, six hours ago": ([listing(30, 30, 361)], True, 31),
    "failed often, long ago": ([listing(30, 30, 800)], True, 1),
    "was whole, and an object is gone": ([listing(4, 1, 300, **part(5, 0))], True, 2),
}


@pytest.mark.parametrize("name", sorted(PACE))
def test_the_pace_of_listings(name: str) -> None:
    runs, is_asked, attempt = PACE[name]
    made = [action for action in plan(store_with(repository(200), 3, *runs)) if isinstance(action, CreateRun)]
    assert bool(made) is is_asked
    if made:
        assert made[0].manifest["metadata"]["annotations"][labels.ATTEMPT] == str(attempt)


def test_the_pauses_are_as_told() -> None:
    assert (timedelta(minutes=1), timedelta(hours=6)) == (FIRST_PAUSE, LONGEST_PAUSE)

"""What pages say: whether all is well, what needs somebody, and that at once, however many schedules there are."""

import asyncio
import gzip
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from borg_api.page.frame.assets import load_assets
from borg_api.page.insight import attention
from borg_api.page.insight.attention import find_matters, is_late, of_schedule
from borg_api.page.insight.overview import find_proof, find_underway
from borg_api.page.show.times import NOTHING, size, span
from borg_api.picture.records import RunRecord, ScheduleRecord
from borg_api.picture.timetable import Timetable, whole_now
from borg_api.resources.claims import listing
from borg_cluster.errors import Unreachable
from borg_cluster.index import Index
from borg_contract.restore.progress import Progress
from borg_core.formats import format_time, parse_time
from borg_core.kinds.run import RUNS
from borg_core.native.claim import CLAIMS
from borg_core.registry import Body, ResourceType
from support.page_world import add_archive, add_repository, add_run, add_schedule, ago, condition, fill
from support.rest_world import World
from support.visitor import Browser


def make_many(count: int) -> World:
    world = World(page=True)
    add_repository(world, "main", archives=4)
    for number in range(count):
        add_schedule(
            world, f"schedule-{number:03}", f"Schedule {number}", runs="g" * 9 + ("f" if number % 10 == 0 else "g")
        )
    return world


@pytest.fixture(scope="module")
def crowded() -> Browser:
    return Browser(make_many(500), "token")


@pytest.mark.parametrize(
    "path", ["/", "/schedules", "/schedules?page=3", "/runs", "/repositories/main", "/schedules/schedule-007"]
)
def test_with_500_schedules_a_page_takes_50_milliseconds_at_the_server(crowded: Browser, path: str) -> None:
    """Processor time, since other tests run beside this one; the best of some, since that is what it takes."""
    crowded.get(path)
    times = []
    for _ in range(5):
        began = time.process_time()
        answer = crowded.get(path, accept_encoding="gzip")
        times.append(time.process_time() - began)
        assert answer.status_code == 200
    own = 0.015  # what the client of this test takes
    assert min(times) <= 0.05 + own
    assets = sum(len(asset.zipped) for asset in load_assets().values())
    assert len(gzip.compress(answer.content)) + assets <= 100_000


def test_five_hundred_schedules_come_a_hundred_at_a_time_those_that_need_somebody_first(crowded: Browser) -> None:
    page = crowded.get("/schedules").text
    assert page.count('<li class="row schedule">') == 100
    assert page.count("The last backup failed") == 50
    assert page.index("The last backup failed") < page.index(">Schedule 1<")
    assert "page=2" in page
    assert crowded.get("/schedules?q=schedule+499").text.count('<li class="row schedule">') == 1


VERDICTS: dict[str, tuple[dict[str, Any], str]] = {
    "all well": ({"runs": "gg"}, "The schedule has a good backup of the last 20 h."),
    "failed": ({"runs": "gf"}, "1 of 1 schedule needs somebody: its newest backup failed or is missing."),
    "failed, and one cancelled since": ({"runs": "gfc", "status": {"consecutiveFailures": 1}}, "1 of 1 schedule needs"),
    "failed, and its run was deleted": (
        {
            "runs": "g",
            "status": {
                "consecutiveFailures": 1,
                "conditions": [condition("LastRunSucceeded", "False", "RunFailed", "The passphrase is wrong.")],
            },
        },
        "1 of 1 schedule needs somebody",
    ),
    "cancelled, and never a good one": ({"runs": "c"}, "1 of 1 schedule needs somebody"),
    "paused": ({"runs": "g", "suspend": True}, "Nothing is backed up: all schedules are paused."),
    "overdue": ({"runs": "g", "status": {"lastSuccessTime": ago(days=4)}}, "1 of 1 schedule needs somebody"),
    "new": ({"runs": ""}, "1 new schedule has no backup yet."),
    "cannot run": (
        {
            "runs": "g",
            "status": {"conditions": [condition("Ready", "False", "RepositoryNotFound", "There is no main.")]},
        },
        "1 of 1 schedule needs somebody",
    ),
    "failed, and edited since, which the operator has not seen": (
        {"runs": "gf", "status": {"observedGeneration": 0, "lastSuccessTime": ago(hours=20)}},
        "1 of 1 schedule needs somebody",
    ),
    "cannot run, and edited since, which the operator has not seen": (
        {
            "runs": "g",
            "status": {
                "observedGeneration": 0,
                "conditions": [condition("Ready", "False", "RepositoryNotFound", "There is no main.")],
            },
        },
        "1 of 1 schedule needs somebody",
    ),
}


@pytest.mark.parametrize("case", sorted(VERDICTS))
def test_one_sentence_says_whether_all_is_well(case: str) -> None:
    given, sentence = VERDICTS[case]
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", "Nightly", **given)
    page = Browser(world, "token").get("/").text
    verdict = re.search('<h1 class="verdict">.*?</span><span>(.*?)</span>', page)
    assert verdict
    assert sentence in verdict[1]


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (0.5, "the last hour"),
        (19.8, "the last 20 h"),
        (34.9, "the last 35 h"),
        (35.2, "the last 2 d"),
        (59.5, "the last 3 d"),
        (71.9, "the last 3 d"),
        (84, "the last 4 d"),
    ],
)
def test_no_backup_is_called_newer_than_it_is(hours: float, words: str) -> None:
    good = whole_now() - timedelta(hours=hours)
    due = {"schedule": f"{good.minute} {good.hour} * * {good.isoweekday() % 7}", "timeZone": "Etc/UTC"}
    coming = format_time(good.replace(second=0) + timedelta(days=7))
    status = {"lastSuccessTime": format_time(good + timedelta(minutes=1)), "nextRunTime": coming}
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "weekly", "Weekly", "g", status=status, **due)
    assert f"The schedule has a good backup of {words}." in Browser(world, "token").get("/").text


@pytest.mark.parametrize(("minutes", "told"), [(1, False), (3, True)])
def test_what_the_operator_does_not_see_is_told(minutes: int, *, told: bool) -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", runs="g", status={"observedGeneration": 0})
    view = world.cluster.picture.view("team")
    [record] = view.schedules.in_order()
    later = parse_time(record.updated) + timedelta(minutes=minutes)
    found = [matter.headline for matter in of_schedule(record, view, Timetable(), later)]
    assert ("The operator has not seen it yet" in found) is told


QUOTA = 'FailedCreate: pods "first" is forbidden: exceeded quota: none, requested: pods=1'


@pytest.mark.parametrize(
    ("reason", "minutes", "told"),
    [
        ("WaitingForPod", 6, True),
        ("RefusedByApiServer", 6, True),
        ("CopyFailed", 6, True),
        ("JobSuspended", 6, True),
        ("WaitingForPod", 3, False),
        ("WaitingForRun", 600, False),
        ("WaitingForLock", 600, False),
        ("WaitingForCopy", 600, False),
        ("WaitingForRestore", 600, False),
        (None, 600, False),
    ],
)
@pytest.mark.parametrize("runs", ["", "g", "gf"], ids=["the first", "after a good one", "after a failed one"])
def test_a_backup_that_cannot_begin_is_told_in_its_words(
    runs: str, reason: str | None, minutes: int, *, told: bool
) -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", runs=runs, status={"active": ["first"]})
    status = {"reason": reason, "message": QUOTA if reason else ""}
    add_run(world, "first", "nightly", "Pending", hours=minutes / 60, status=status)
    view = world.cluster.picture.view("team")
    [record] = view.schedules.in_order()
    found = [(matter.headline, matter.detail) for matter in of_schedule(record, view, Timetable(), whole_now())]
    assert (("A backup cannot begin", QUOTA) in found) is told
    assert ("The last backup failed" in [headline for headline, _ in found]) is (runs == "gf")
    page = Browser(world, "token").get("/").text
    assert ("1 of 1 schedule needs somebody" in page) is (told or runs == "gf")
    assert ("All is well" in page) is (not told and not runs)


def test_a_repository_that_cannot_be_used_is_not_well() -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_repository(world, "other", conditions=[condition("Ready", "False", "SecretMissing", "There is no Secret.")])
    add_schedule(world, "nightly", runs="g")
    assert "1 repository cannot be used." in Browser(world, "token").get("/").text


FRIDAY = datetime(2026, 3, 6, 3, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "good", "now", "late"),
    [
        ("0 3 * * 1-5", FRIDAY, FRIDAY + timedelta(days=2), False),
        ("0 3 * * 1-5", FRIDAY, FRIDAY + timedelta(days=3, hours=1), False),
        ("0 3 * * 1-5", FRIDAY, FRIDAY + timedelta(days=3, hours=2), True),
        ("0 3 * * 1-5", FRIDAY - timedelta(days=1), FRIDAY + timedelta(hours=3), True),
        ("0 8-18 * * *", FRIDAY + timedelta(hours=15), FRIDAY + timedelta(hours=28), False),
        ("0 8-18 * * *", FRIDAY + timedelta(hours=15), FRIDAY + timedelta(hours=31), True),
        ("0 8-18 * * *", FRIDAY + timedelta(hours=9), FRIDAY + timedelta(hours=13), True),
        ("0 3 1 * *", FRIDAY - timedelta(days=5), FRIDAY + timedelta(days=20), False),
        ("0 3 1 * *", FRIDAY - timedelta(days=5), FRIDAY + timedelta(days=27), True),
        ("@every 6h", FRIDAY, FRIDAY + timedelta(hours=7), False),
        ("@every 6h", FRIDAY, FRIDAY + timedelta(hours=9), True),
    ],
)
def test_a_backup_is_overdue_once_a_run_was_due_and_had_time_to_end(
    line: str, good: datetime, now: datetime, *, late: bool
) -> None:
    assert is_late_when(line, good, now) is late


def test_a_long_backup_that_is_at_work_is_not_overdue() -> None:
    good, now = FRIDAY + timedelta(hours=5), FRIDAY + timedelta(days=3, hours=2.5)
    assert is_late_when("0 3 * * 1-5", good, now)
    assert not is_late_when("0 3 * * 1-5", good, now, "office-9")
    assert is_late_when("0 3 * * 1-5", good, now + timedelta(hours=6), "office-9")


def is_late_when(line: str, good: datetime, now: datetime, *active: str) -> bool:
    status = {"lastSuccessTime": format_time(good), "observedGeneration": 0, "active": active, "nextRunTime": None}
    world = World(page=True)
    add_schedule(world, "office", runs="g", schedule=line, timeZone="Etc/UTC", status=status)
    return is_late(world.cluster.picture.view("team").schedules.in_order()[0], Timetable(), now)


def test_what_needs_somebody_comes_worst_first_each_with_what_to_do() -> None:
    world = World(page=True)
    fill(world)
    damage = {"time": ago(hours=2), "runName": "main-check-1", "reason": "Damaged", "message": "2 chunks are missing."}
    add_repository(world, "broken", damage=damage)
    add_repository(world, "gone", conditions=[condition("Missing", "True", "RepositoryMissing", "It is not there.")])
    add_schedule(world, "weekly", runs="gw", status={"observedGeneration": 2})
    add_run(
        world,
        "weekly-empty",
        "weekly",
        "CompletedWithWarnings",
        hours=1,
        status={
            "repositories": [
                {
                    "name": "main",
                    "phase": "CompletedWithWarnings",
                    "reason": "SourceEmpty",
                    "warnings": ["data is empty"],
                }
            ]
        },
    )
    view = world.cluster.picture.view("team")
    found = find_matters(view, Timetable(), whole_now())
    assert [matter.level for matter in found] == sorted(matter.level for matter in found)
    assert all(matter.advice and matter.headline for matter in found)
    told = {(matter.name, matter.headline) for matter in found}
    assert {
        ("broken", "Damage was found"),
        ("gone", "The repository is gone"),
        ("database", "The last 2 backups failed"),
        ("offsite", "Its lock is held"),
        ("waiting", "It waits for approval"),
        ("weekly", "The newest archive may not be whole"),
    } <= told
    page = Browser(world, "token").get("/").text
    assert "2 repositories need somebody now" in page
    assert "2 chunks are missing." in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (11_100, "3 h 5 min"), (93_600, "26 h"), (172_800, "2 d")],
)
def test_a_span_is_told_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_sizes_are_told_in_binary_units() -> None:
    assert [size(count) for count in (None, 0, 812, 1_288_490_189, 10**15)] == [
        NOTHING,
        "0 B",
        "812 B",
        "1.2 GiB",
        "909 TiB",
    ]


def test_claims_that_nobody_backs_up_are_told_on_the_overview_and_stand_first_among_all() -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", "Nightly", "g")
    marks = {"borgoperator.io/ignore": "true"}
    world.cluster.add("PersistentVolumeClaim", "app-data", {})
    world.cluster.add("PersistentVolumeClaim", "scratch", {}, metadata={"labels": marks})
    browser = Browser(world, "token")
    assert "nobody backs up" not in browser.get("/").text, "all is backed up, or is not to be"
    for name in ("photos", "zoo"):
        world.cluster.add("PersistentVolumeClaim", name, {})
    overview = browser.get("/").text
    assert "The schedule has a good backup of the last 20 h; nobody backs up 2 claims." in overview
    assert 'class="verdict"><span class="warn">' in overview
    page = browser.get("/claims").text
    places = [page.index(f"<bdi>{name}</bdi>") for name in ("photos", "zoo", "app-data", "scratch")]
    assert places == sorted(places)
    assert page.count("Not backed up") == 2
    assert browser.get("/claims?q=zoo").text.count('<li class="row repo">') == 1


@pytest.mark.parametrize(
    ("runs", "archived", "said"),
    [
        ("g", True, 'state good">{}Backed up<'),
        ("g", False, 'state idle">{}Has a schedule<'),
        ("fff", False, 'state warn">{}Has a schedule<'),
        ("gff", True, 'state warn">{}Has a schedule<'),
    ],
)
def test_a_claim_is_called_backed_up_when_its_schedule_is_well_and_an_archive_has_it(
    runs: str, said: str, *, archived: bool
) -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", "Nightly", runs)
    world.cluster.add("PersistentVolumeClaim", "app-data", {})
    if archived:
        add_archive(world, "main-1", "nightly-1", scheduleRef={"name": "nightly"})
    page = re.sub("<svg.*?</svg>", "{}", Browser(world, "token").get("/claims").text)
    assert said in page


def test_who_may_not_list_claims_is_told_that_the_overview_does_not_count_them() -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", "Nightly", "g")
    world.cluster.add("PersistentVolumeClaim", "photos", {})
    world.cluster.denied = {"persistentvolumeclaims"}
    browser = Browser(world, "token")
    page = browser.get("/").text
    assert "good backup of the last 20 h." in page
    assert "You may not list persistentvolumeclaims" in page
    assert browser.get("/claims").status_code == 403


def test_where_claims_cannot_be_read_the_overview_says_so_and_is_no_tick() -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", "Nightly", "g")
    browser = Browser(world, "token")
    assert 'class="verdict"><span class="good">' in browser.get("/").text
    world.cluster.troubles["list"] = [Unreachable("away")]
    page = browser.get("/")
    assert page.status_code == 200
    assert "nobody can tell now which claims are backed up" in page.text
    assert 'class="verdict"><span class="warn">' in page.text


def test_of_many_claims_the_overview_says_how_many_it_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "AT_ONCE", 2)
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", "Nightly", "g")
    for name in ("app-data", "a", "b"):
        world.cluster.add("PersistentVolumeClaim", name, {}, metadata={"labels": {"borgoperator.io/ignore": "true"}})
    assert "Of the claims, the first 2 were looked at" in Browser(world, "token").get("/").text
    del world.cluster.objects["PersistentVolumeClaim", "b"]
    assert "Of the claims" not in Browser(world, "token").get("/").text


LEFT_OUT = "2 claims: x, y; left out: z has lost its volume"


@pytest.mark.parametrize("reason", ["ClaimsLeftOut", "NoClaimMatches"])
def test_claims_that_are_left_out_need_somebody(reason: str) -> None:
    world = World(page=True)
    add_repository(world, "main")
    told = [condition("Ready", "True", "Scheduled"), condition("ClaimsSelected", "False", reason, LEFT_OUT)]
    add_schedule(world, "nightly", "Nightly", "gg", status={"conditions": told})
    page = Browser(world, "token").get("/").text
    assert "good backup of the last 20 h; 1 thing needs somebody." in page
    assert LEFT_OUT in page
    world.cluster.change("BorgSchedule", "nightly", suspend=True)
    add_schedule(world, "other", "Other", "g")
    assert LEFT_OUT not in Browser(world, "token").get("/").text


def test_a_restore_with_warnings_needs_somebody() -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", "Nightly", "g")
    spec = {"repositoryRef": {"name": "main"}, "archive": "x", "target": {"claim": {"claimName": "c"}}}
    status = {
        "phase": "CompletedWithWarnings",
        "completionTime": ago(hours=1),
        "verified": {"files": 5, "mismatches": 0},
        "warnings": ["17 files: not written, as the pod's user may not"],
    }
    world.cluster.add("BorgRestore", "r", spec, status=status)
    page = Browser(world, "token").get("/").text
    assert "1 thing needs somebody" in page
    assert "17 files: not written" in page
    world.cluster.report("BorgRestore", "r", **{**status, "completionTime": ago(days=8)})
    assert "17 files" not in Browser(world, "token").get("/").text


@pytest.mark.parametrize(
    ("phase", "verified", "proven"),
    [
        ("Completed", {"files": 5, "mismatches": 0}, True),
        ("CompletedWithWarnings", {"files": 5, "mismatches": 0}, True),
        ("Completed", {"files": 0, "mismatches": 0}, False),
        ("Completed", {"files": 5, "mismatches": 1}, False),
        ("Failed", {"files": 5, "mismatches": 0}, False),
        ("Cancelled", {"files": 5, "mismatches": 0}, False),
    ],
)
def test_a_restore_proves_something_when_it_ended_well_and_files_were_read_back(
    phase: str, verified: dict[str, int], *, proven: bool
) -> None:
    world = World(page=True)
    add_repository(world, "main")
    spec = {"repositoryRef": {"name": "main"}, "archive": "x", "target": {"claim": {"claimName": "c"}}}
    status = {"phase": phase, "completionTime": ago(hours=1), "verified": verified}
    world.cluster.add("BorgRestore", "r", spec, status=status)
    view = world.cluster.picture.view("team")
    assert (find_proof(view, view.repositories.in_order()) is not None) is proven


def test_what_runs_has_the_title_and_the_progress_of_no_other_of_its_name() -> None:
    world = World(page=True)
    add_repository(world, "app")
    add_schedule(world, "app", "Shop", "gg", repositories=("app",))
    add_run(world, "app-now", "app", "Running", hours=0.1)
    add_run(world, "app-check", "", "Running", hours=0.1, operation="Check", repositoryRef={"name": "app"})
    told = {"app": Progress(50, 100, 5, 10, seconds_left=12)}
    found = find_underway(world.cluster.picture.view("team"), told, {"app": "Shop"}, whole_now(), 10)
    assert {(item.run.name, item.title, item.measured) for item in found} == {
        ("app-now", "Shop", False),
        ("app-check", "app", False),
    }


def test_of_many_that_wait_only_those_that_are_shown_are_reckoned(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", "Nightly", "gg")
    for number in range(30):
        add_run(world, f"waits-{number:02}", "nightly", "Pending", hours=0.1)
    add_run(world, "works", "nightly", "Running", hours=0.1)
    reckoned: list[str] = []

    def reckon(_view: object, run: RunRecord) -> float:
        reckoned.append(run.name)
        return 60.0

    monkeypatch.setattr("borg_api.page.insight.overview.usual_seconds", reckon)
    page = Browser(world, "token").get("/").text
    assert len(reckoned) == 10
    assert reckoned[0] == "works"
    assert all(name in page for name in reckoned)


def test_the_overview_asks_once_whether_a_schedule_is_late_and_looks_at_no_run_that_it_does_not_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def ask(record: ScheduleRecord, timetable: Timetable, now: datetime) -> bool:
        asked.append(record.name)
        return is_late(record, timetable, now)

    monkeypatch.setattr(attention, "is_late", ask)
    world = World(page=True)
    add_repository(world, "main")
    for number in range(3):
        add_schedule(world, f"s-{number}", f"S {number}", "gg")
    add_schedule(world, "late", "Late", "gg", status={"lastSuccessTime": ago(days=4)})
    browser = Browser(world, "token")
    monkeypatch.setattr(Index, "in_order", _refuse_runs(Index.in_order))
    assert "1 of 4 schedules needs somebody" in browser.get("/").text
    assert sorted(asked) == ["late", "s-0", "s-1", "s-2"]
    assert browser.get("/repositories").status_code == 200


def _refuse_runs(in_order: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    def read(index: Index[Any], *args: Any) -> list[Any]:
        assert index.kind.kind != RUNS.kind
        return in_order(index, *args)

    return read


def test_a_repository_in_danger_is_counted_once_and_not_called_ready() -> None:
    world = World(page=True)
    rolled_back = [condition("Ready", "True", "LastRunSucceeded"), condition("RolledBack", "True", "ArchiveVanished")]
    damage = {"time": ago(hours=3), "reason": "DamageFound", "message": "x", "runName": "r"}
    add_repository(world, "main", conditions=rolled_back, damage=damage)
    add_repository(world, "held", lock={"holder": "somebody", "runName": "", "time": ago(hours=1)})
    add_schedule(world, "nightly", "Nightly", "g")
    assert "1 repository needs somebody now" in Browser(world, "token").get("/").text
    world.cluster.report("BorgRepository", "main", conditions=rolled_back)
    page = re.sub("<svg.*?</svg>", "", Browser(world, "token").get("/repositories").text)
    assert 'state bad">In danger<' in page
    assert "It is an older copy of itself" in page
    assert 'state warn">Look at it<' in page
    assert 'state good">Ready<' not in page


def test_the_overview_does_not_wait_for_an_api_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(page=True)
    add_schedule(world, "nightly", "Nightly", "g")
    browser = Browser(world, "token")
    hung = asyncio.Event()

    async def hang(*_: Any, **__: Any) -> None:
        hung.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(listing, "GLANCE_SECONDS", 0.01)
    monkeypatch.setattr(world.cluster, "list_page", hang)
    assert browser.get("/").status_code == 200
    assert hung.is_set()


def test_the_overview_does_not_wait_to_hear_who_may_list_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(page=True)
    add_schedule(world, "nightly", "Nightly", "g")
    browser = Browser(world, "token")
    answer, hung = world.cluster.create, asyncio.Event()

    async def hang(resource: ResourceType, manifest: dict[str, Any]) -> Body:
        if manifest["spec"]["resourceAttributes"]["resource"] == CLAIMS.plural:
            hung.set()
            await asyncio.sleep(2)
            raise Unreachable("away")
        return await answer(resource, manifest)

    monkeypatch.setattr(listing, "GLANCE_SECONDS", 0.01)
    monkeypatch.setattr(world.cluster, "create", hang)
    assert browser.get("/").status_code == 200
    assert hung.is_set()


def test_a_backup_with_warnings_is_told_and_the_sentence_is_no_tick() -> None:
    world = World(page=True)
    add_repository(world, "main")
    add_schedule(world, "nightly", "Nightly", "g")
    warnings = ["/sources/data/todo.md: Permission denied"]
    told = {"name": "main", "phase": "CompletedWithWarnings", "warnings": warnings, "warningCount": 3}
    add_run(world, "nightly-w", "nightly", "CompletedWithWarnings", hours=1, status={"repositories": [told]})
    world.cluster.report(
        "BorgSchedule",
        "nightly",
        **{**world.cluster.objects["BorgSchedule", "nightly"]["status"], "lastRunPhase": "CompletedWithWarnings"},
    )
    page = Browser(world, "token").get("/").text
    assert '<h1 class="verdict"><span class="warn">' in page
    assert "1 thing needs somebody" in page
    assert "todo.md: Permission denied (and 2 more)" in page

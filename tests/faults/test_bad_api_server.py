"""The operator's process behind an API server that is real, and as bad as can be: by chance, from seeds."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from borg_cluster.errors import ApiError
from borg_core.formats import format_time
from borg_core.kinds.repository import REPOSITORIES
from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES
from borg_core.native.cron_job import CRON_JOBS
from borg_core.native.job import JOBS
from integration import resources
from support.checker import find_wrongs
from support.control_plane import ControlPlane
from support.proxy import Answer, Call, Fault, Stream, nothing
from support.stage import Stage, staged
from support.weather import bad_day

Object = dict[str, Any]

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Watches that are cut off leave connections half closed, on the test's side of them."""

EVERY_MINUTE = "* * * * *"


_ON_REPOSITORY = ("prune", "on repository", "checks")
_EDITS = ("delete run", "edit", "suspend", "anew", "cron job")


class Person:
    """Does what people do, by chance."""

    def __init__(self, stage: Stage, random: Random, names: tuple[str, ...]) -> None:
        self.stage, self.random, self.names = stage, random, names
        self.number = 0

    async def act(self) -> None:
        name, stage = self.random.choice(self.names), self.stage
        match act := self.random.choice(("run", "run", "run", *_ON_REPOSITORY, "cancel", *_EDITS)):
            case "run" | "prune":
                self.number += 1
                what = "Backup" if act == "run" else self.random.choice(("Prune", "Compact", "Check", "BreakLock"))
                await stage.create(RUNS, resources.run(f"by-hand-{self.number}", name, operation=what))
            case "on repository":
                self.number += 1
                what = self.random.choice(("Check", "Compact", "List", "BreakLock"))
                run = resources.run(f"by-hand-{self.number}")
                await stage.create(RUNS, {**run, "spec": {"repositoryRef": {"name": "main"}, "operation": what}})
            case "checks":
                check = self.random.choice(({"schedule": EVERY_MINUTE}, {"schedule": EVERY_MINUTE}, None))
                await stage.edit(REPOSITORIES, "main", {"spec": {"verification": {"check": check}}})
            case "cancel":
                await stage.edit(RUNS, f"by-hand-{self.number}", {"spec": {"cancel": True}})
            case "delete run":
                await stage.delete(RUNS, f"by-hand-{self.random.randint(1, max(1, self.number))}")
            case "edit":
                spec = {"runHistoryLimit": self.random.randint(2, 5)}
                await stage.edit(SCHEDULES, name, {"spec": spec})
            case "suspend":
                await stage.edit(SCHEDULES, name, {"spec": {"suspend": self.random.random() < 0.3}})
            case "anew":
                await stage.delete(SCHEDULES, name)
                await stage.create(SCHEDULES, resources.schedule(name, schedule=EVERY_MINUTE, runHistoryLimit=3))
            case "cron job":
                await stage.edit(CRON_JOBS, name, {"spec": {"concurrencyPolicy": "Allow"}})


async def live_through(plane: ControlPlane, seed: int, seconds: float, *, nasty: bool, kills: int) -> list[str]:
    random = Random(seed)
    names = ("a", "b", "c")
    async with staged(plane, seed, failing=0.3) as stage:
        await stage.prepare(*names, schedule=EVERY_MINUTE, runHistoryLimit=3)
        stage.proxy.meddle = bad_day(random, nasty=nasty)
        stage.proxy.cut()
        stage.proxy.away = False
        person = Person(stage, random, names)
        for number in range(int(seconds)):
            with suppress(ApiError):  # what it meant is not there any more
                await person.act()
            if kills and number % max(2, int(seconds) // kills) == 1:
                stage.operator.restart()
            await asyncio.sleep(1)
        stage.proxy.meddle = nothing
        stage.proxy.cut()
        stage.proxy.away = False
        for name in names:
            with suppress(ApiError):
                await stage.edit(SCHEDULES, name, {"spec": {"suspend": True}})
        await stage.edit(REPOSITORIES, "main", {"spec": {"verification": None}})
        await stage.settle(120)
        wrongs = find_wrongs(stage)
        wrongs += find_unbounded(await stage.all_of(RUNS), await stage.all_of(SCHEDULES))
        if stage.operator.ends:
            wrongs.append(f"the operator ended by itself: {stage.operator.ends}")
        before = len(stage.proxy.writes)
        await asyncio.sleep(3)
        wrongs += [f"idle, and writes {call}" for call in stage.proxy.writes[before:]]
        if wrongs:
            wrongs.append(stage.operator.said()[-4000:])
        return wrongs


def find_unbounded(runs: list[Object], schedules: list[Object]) -> Iterator[str]:
    """Yield the schedules that keep more runs than they may.

    So many that did something, as many that did not, as many that removed locks; and the last one with an archive.
    """
    of_schedules = (run for run in runs if "scheduleRef" in run["spec"])
    kept = Counter((run["spec"]["scheduleRef"]["name"], _sort_of(run)) for run in of_schedules)
    limits = {schedule["metadata"]["name"]: schedule["spec"]["runHistoryLimit"] for schedule in schedules}
    for (name, sort), count in kept.items():
        if count > limits.get(name, 0) + (sort == _WORKED):
            yield f"schedule {name} keeps {count} runs ({sort})"


_WORKED = "worked"


def _sort_of(run: Object) -> str:
    status = run["status"]
    if status["phase"] == "Skipped":
        return "skipped"
    return "automatic" if status.get("trigger") == "Automatic" else _WORKED


def test_a_bad_day_ends_well(plane: ControlPlane) -> None:
    assert asyncio.run(live_through(plane, 1, 12, nasty=False, kills=2)) == []


@pytest.mark.long
@pytest.mark.parametrize("nasty", [False, True])
@pytest.mark.parametrize("seed", range(2, 6))
def test_many_bad_days_end_well(plane: ControlPlane, seed: int, nasty: bool) -> None:
    assert asyncio.run(live_through(plane, seed, 90, nasty=nasty, kills=4)) == []


async def story(stage: Stage) -> dict[str, Any]:
    """Let a run by hand and a tick go by, a run be cancelled and the schedule be edited; return what is there then."""
    await stage.prepare("db", schedule="0 0 1 1 *")
    await stage.create(RUNS, resources.run("one"))
    await finished(stage, "one")
    past = datetime.now(UTC) - timedelta(minutes=1)
    await set_back(stage, "db", f"{past.minute} {past.hour} * * *", past - timedelta(minutes=1))
    await finished(stage, await stage.until(lambda: find(stage, "db-"), "the tick's run", 90))
    await stage.edit(SCHEDULES, "db", {"spec": {"suspend": True}})
    await stage.create(RUNS, resources.run("two"))
    await stage.edit(RUNS, "two", {"spec": {"cancel": True}})
    await stage.settle(120)
    schedule = await stage.get(SCHEDULES, "db")
    return {
        "conditions": {item["type"]: item["status"] for item in schedule["status"]["conditions"]},
        "failures": schedule["status"].get("consecutiveFailures"),
        "runs": {run["metadata"]["name"][:3]: run["status"]["phase"] for run in await stage.all_of(RUNS)},
        "suspended": (await stage.get(CRON_JOBS, "db"))["spec"]["suspend"],
    }


async def finished(stage: Stage, name: str) -> None:
    async def is_finished() -> bool:
        return bool((await stage.get(RUNS, name)).get("status", {}).get("completionTime"))

    await stage.until(is_finished, f"{name} is finished", 90)


async def find(stage: Stage, prefix: str) -> str:
    """Return the name of a run that begins so, empty when there is none."""
    names = [run["metadata"]["name"] for run in await stage.all_of(RUNS)]
    return next((name for name in names if name.startswith(prefix)), "")


async def set_back(stage: Stage, name: str, schedule: str, since: datetime) -> None:
    """Give the schedule that line of times, and let its CronJob reckon from that moment on."""
    await stage.edit(SCHEDULES, name, {"spec": {"schedule": schedule}})

    async def is_applied() -> bool:
        return bool((await stage.get(CRON_JOBS, name)).get("spec", {}).get("schedule") == schedule)

    await stage.until(is_applied, "the CronJob has the times", 60)
    await stage.edit(CRON_JOBS, name, {"status": {"lastScheduleTime": format_time(since)}}, "status")


async def die_at(plane: ControlPlane, number: int | None, moment: str) -> tuple[dict[str, Any], list[str], int]:
    """Play the story; kill the operator at the write of that number, before or after it went through."""
    async with staged(plane, 1) as stage:

        def on_write(_: Call, when: str) -> None:
            if (
                number is not None
                and when == moment
                and len(stage.proxy.writes) == number + 1
                and stage.operator.lives == 1
            ):
                stage.operator.restart()
                raise ConnectionResetError

        stage.proxy.on_write = on_write
        found = await story(stage)
        assert number is None or stage.operator.lives == 2
        return found, find_wrongs(stage), len(stage.proxy.writes)


WRITES = range(20)
"""The first of the story; it takes a few more, whose number depends on what meets."""


@pytest.fixture(scope="module")
def undisturbed(plane: ControlPlane) -> dict[str, Any]:
    """Return what comes of the story when nobody kills anything."""
    found, wrongs, count = asyncio.run(die_at(plane, None, ""))
    assert wrongs == []
    assert count >= len(WRITES)
    return found


@pytest.mark.long
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", WRITES)
def test_killed_at_each_of_its_writes_the_operator_goes_on(
    plane: ControlPlane, undisturbed: dict[str, Any], number: int, moment: str
) -> None:
    found, wrongs, _ = asyncio.run(die_at(plane, number, moment))
    assert (found, wrongs) == (undisturbed, [])


@pytest.mark.long
def test_200_missed_ticks_are_one_run(plane: ControlPlane) -> None:
    """The controllers were away for hours; the clock cannot be turned here, so the CronJob's last tick is set back."""

    async def work() -> None:
        async with staged(plane, 1) as stage:
            await stage.prepare("db", schedule="0 0 1 1 *", startingDeadlineSeconds=20_000)
            await stage.until(lambda: stage.get(CRON_JOBS, "db"), "the CronJob")
            await set_back(stage, "db", EVERY_MINUTE, datetime.now(UTC) - timedelta(minutes=250))
            await stage.until(lambda: find(stage, "db-"), "the newest of the missed ticks has its run", 30)
            await stage.edit(SCHEDULES, "db", {"spec": {"suspend": True}})
            await stage.settle()
            assert find_wrongs(stage) == []
            assert 1 <= len(await stage.all_of(JOBS)) <= 2  # a minute may have begun meanwhile

    asyncio.run(work())


@pytest.mark.long
def test_a_tick_that_no_controller_took_in_time_is_noticed(plane: ControlPlane) -> None:
    """So that the tests above can fail: the next tick, or the late one, begins only half a minute after its time."""

    async def work() -> None:
        async with staged(plane, 1) as stage:
            await stage.prepare("db", schedule=EVERY_MINUTE)
            await stage.until(lambda: stage.get(CRON_JOBS, "db"), "the CronJob")
            plane.end("controller-manager")
            try:
                await asyncio.sleep(60 - time.time() % 60 + 30)
                assert [wrong for wrong in find_wrongs(stage) if "has no Job" in wrong] != []
            finally:
                plane.begin("controller-manager")

    asyncio.run(work())


@pytest.mark.long
@pytest.mark.parametrize("how", [Stream(0, 500), Answer(410), Stream(0, "halved"), Answer(503)])
def test_watches_that_never_hold_do_not_end_the_operator(plane: ControlPlane, how: Fault) -> None:
    async def work() -> None:
        async with staged(plane, 1) as stage:
            await stage.prepare("db")
            await stage.create(RUNS, resources.run("before"))
            await finished(stage, "before")
            stage.proxy.meddle = lambda call: how if call.watches else None
            stage.proxy.cut()
            stage.proxy.away = False
            began = len(stage.proxy.calls)
            await asyncio.sleep(4)
            assert len(stage.proxy.calls) - began < 4 * 9 * 4, "it asks without end"
            stage.proxy.meddle = nothing
            await stage.create(RUNS, resources.run("after"))
            await finished(stage, "after")
            assert stage.operator.ends == []
            assert stage.operator.lives == 1

    asyncio.run(work())


@pytest.mark.long
def test_the_api_server_and_etcd_are_away_for_half_a_minute(plane: ControlPlane) -> None:
    async def work() -> None:
        async with staged(plane, 1) as stage:
            await stage.prepare("db")
            await stage.create(RUNS, resources.run("before"))
            await asyncio.sleep(2)
            for name in ("apiserver", "etcd"):
                plane.end(name)
            await asyncio.sleep(30)
            for name in ("etcd", "apiserver"):
                plane.begin(name)
            await plane.await_api(stage.api)
            await finished(stage, "before")
            await stage.create(RUNS, resources.run("after"))
            await finished(stage, "after")
            await stage.settle()
            assert find_wrongs(stage) == []
            assert stage.operator.ends == []

    asyncio.run(work())

"""The facade's process behind an API server that is real, and as bad as can be."""

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest

from borg_core.kinds.run import RUNS
from borg_core.kinds.schedule import SCHEDULES
from faults.facing import Facade, play
from support.control_plane import ControlPlane
from support.proxy import Answer, Call, Delay, Fault, HangUp, Stream, nothing
from support.rest import problem
from support.stage import Stage

LIST = "/api/schedule/"
NEW = {"name": "Nightly", "cron_expression": "0 2 * * *", "repository": "main"}
HOWS = [Stream(0, 500), Answer(410), Answer(503), Stream(2, "halved"), HangUp()]
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Watches that are cut off leave connections half closed, on the test's side of them."""
CREATED = "/apis/borgoperator.io/v1alpha1/namespaces/"


def of_writes(fault: Fault) -> Callable[[Call], Fault | None]:
    return lambda call: fault if call.writes and call.path.startswith(CREATED) else None


REFUSED: dict[str, tuple[Fault, int]] = {
    "a conflict": (Answer(409), 409),
    "a conflict, after it was done": (Answer(409, after=True), 409),
    "too many requests": (Answer(429, retry_after=7), 429),
    "an error": (Answer(500), 503),
    "away": (Answer(503), 503),
    "a timeout, after it was done": (Answer(504, after=True), 503),
    "no answer": (HangUp(), 503),
    "the answer is lost": (HangUp(after=True), 503),
}


def test_a_create_that_nobody_can_know_of_is_told_so_and_not_done_twice(plane: ControlPlane) -> None:
    async def test(stage: Stage, facade: Facade) -> None:
        for number, (what, (fault, status)) in enumerate(REFUSED.items()):
            body = {**NEW, "name": f"Nightly {number}"}
            facade.proxy.meddle = of_writes(fault)
            answer = await facade("POST", LIST, body)
            assert problem(answer, status), what
            assert answer.headers.get("Retry-After") == {"too many requests": "7", "away": "2"}.get(what), what
            assert ("look before you ask again" in problem(answer, status)) == (status == 503 and what != "away"), what
            facade.proxy.meddle = nothing
            again = await facade("POST", LIST, body)
            done = getattr(fault, "after", False)
            assert again.status_code == (400 if done else 200), f"{what}: {again.text}"
            if done:
                assert "exists already" in problem(again, 400)
        titles = [found["spec"]["title"] for found in await stage.all_of(SCHEDULES)]
        assert sorted(titles) == [f"Nightly {number}" for number in range(len(REFUSED))]

    play(plane, test)


def test_a_run_that_was_asked_for_with_a_key_is_one_run_however_often_the_answer_is_lost(plane: ControlPlane) -> None:
    async def test(stage: Stage, facade: Facade) -> None:
        job = (await facade("POST", LIST, NEW)).json()["job"]["id"]
        facade.proxy.meddle = of_writes(HangUp(after=True))
        key = {"headers": {"Idempotency-Key": "before the upgrade"}}
        problem(await facade("POST", f"{LIST}{job}/run-now", **key), 503)
        facade.proxy.meddle = nothing
        for _ in range(2):
            assert (await facade("POST", f"{LIST}{job}/run-now", **key)).status_code == 200
        assert len(await stage.all_of(RUNS)) == 1

    play(plane, test)


@pytest.mark.long
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_in_the_middle_of_a_create_it_leaves_one_schedule_or_none(plane: ControlPlane, moment: str) -> None:
    async def test(stage: Stage, facade: Facade) -> None:
        def on_write(call: Call, when: str) -> None:
            if when == moment and call.path.startswith(CREATED):
                facade.proxy.on_write = lambda _call, _when: None
                facade.process.kill()
                raise ConnectionResetError

        facade.proxy.on_write = on_write
        with pytest.raises(httpx.TransportError):
            await facade("POST", LIST, NEW)
        facade.process.begin()
        await facade.ready()
        again = await facade("POST", LIST, NEW)
        assert again.status_code == (200 if moment == "before" else 400), again.text
        assert len(await stage.all_of(SCHEDULES)) == 1
        assert len((await facade("GET", LIST)).json()["jobs"]) == 1

    play(plane, test)


@pytest.mark.long
@pytest.mark.parametrize("how", HOWS)
def test_with_watches_that_do_not_hold_it_says_how_old_its_picture_is_and_heals(
    plane: ControlPlane, how: Fault
) -> None:
    async def test(stage: Stage, facade: Facade) -> None:
        await facade("POST", LIST, NEW)
        facade.proxy.meddle = lambda call: how if call.watches else None
        facade.proxy.cut()
        facade.proxy.away = False
        name = (await stage.all_of(SCHEDULES))[0]["metadata"]["name"]
        await stage.edit(SCHEDULES, name, {"spec": {"title": "Renamed meanwhile"}})
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            answer = await facade("GET", LIST)
            assert answer.status_code == 200
            is_new = answer.json()["jobs"][0]["name"] == "Renamed meanwhile"
            assert is_new or "Age" in answer.headers or time.monotonic() < deadline - 5, "it is old and does not say so"
            await asyncio.sleep(0.2)
        facade.proxy.meddle = nothing

        async def is_well() -> bool:
            answer = await facade("GET", LIST)
            return "Age" not in answer.headers and answer.json()["jobs"][0]["name"] == "Renamed meanwhile"

        await stage.until(is_well, "it is well again", 20)

    play(plane, test)


@pytest.mark.long
def test_slow_answers_are_waited_for(plane: ControlPlane) -> None:
    async def test(stage: Stage, facade: Facade) -> None:
        facade.proxy.meddle = of_writes(Delay(2, after=True))
        assert (await facade("POST", LIST, NEW)).status_code == 200
        assert len(await stage.all_of(SCHEDULES)) == 1

    play(plane, test)

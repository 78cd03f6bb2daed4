"""The work queue: never twice at once, nothing lost, failures come back later and later."""

import asyncio
import contextlib
from itertools import pairwise

from borg_operator.loop.queue import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, WorkQueue
from support.virtual_time import run_virtually


def test_a_key_added_twice_is_worked_on_once() -> None:
    async def check() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        queue.add("a")
        assert await queue.get() == "a"
        queue.done("a")
        assert len(queue) == 0

    asyncio.run(check())


def test_a_key_added_while_it_is_worked_on_comes_again_afterwards_and_not_before() -> None:
    async def check() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        assert len(queue) == 0
        queue.done("a")
        assert await queue.get() == "a"

    asyncio.run(check())


def test_a_key_that_comes_again_lets_past_what_nobody_has_looked_at_but_not_for_ever() -> None:
    async def check() -> None:
        queue: WorkQueue[int] = WorkQueue()
        queue.add(-1)
        assert await queue.get() == -1
        queue.add(0)
        queue.add(-1)
        queue.done(-1)
        for key in range(1, 5000):
            queue.add(key)
        order = [await queue.get() for _ in range(len(queue))]
        assert [key for key in order if key >= 0] == list(range(5000))
        assert 100 < order.index(-1) < 2000

    asyncio.run(check())


def test_failures_come_back_later_each_time_up_to_a_bound_until_forgotten() -> None:
    async def check() -> None:
        queue: WorkQueue[str] = WorkQueue()
        seconds = [queue.retry("a") for _ in range(20)]
        assert seconds[:3] == [FIRST_RETRY_SECONDS * factor for factor in (1, 2, 4)]
        assert seconds[-1] == LAST_RETRY_SECONDS
        queue.forget("a")
        assert queue.retry("a") == FIRST_RETRY_SECONDS
        queue.close()

    asyncio.run(check())


def test_of_two_later_times_the_earlier_counts() -> None:
    async def check() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add_after("a", 60)
        queue.add_after("a", 0.01)
        queue.add_after("a", 60)
        async with asyncio.timeout(5):
            assert await queue.get() == "a"
        queue.close()

    asyncio.run(check())


def test_a_key_that_is_paced_is_worked_on_at_once_and_then_once_in_so_many_seconds_whoever_adds_it() -> None:
    taken: list[float] = []

    async def check() -> None:
        queue: WorkQueue[str] = WorkQueue()
        loop = asyncio.get_running_loop()
        for step in range(50):  # five seconds of changes
            queue.pace("a", 1)
            queue.add("a")
            if step % 3 == 0:
                queue.add_after("a", 0.05)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    assert await queue.get() == "a"
                    taken.append(loop.time())
                    queue.add("a")  # while it is being worked on
                    queue.done("a")
        await asyncio.sleep(2)
        queue.add("a")
        taken.append(loop.time())
        async with asyncio.timeout(0.01):  # nothing changes any more
            assert await queue.get() == "a"
        queue.close()

    run_virtually(check(), still=True)
    assert len(taken) == 6
    assert all(later - earlier > 0.999 for earlier, later in pairwise(taken))


def test_a_key_that_is_at_work_when_its_pace_begins_has_to_wait_and_others_have_not() -> None:
    async def check() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        assert await queue.get() == "a"
        queue.pace("a", 1)
        queue.add("a")
        queue.done("a")
        queue.add("b")
        assert await queue.get() == "b"
        assert len(queue) == 0
        began = asyncio.get_running_loop().time()
        assert await queue.get() == "a"
        assert 0.999 < asyncio.get_running_loop().time() - began < 1.001
        queue.close()

    run_virtually(check(), still=True)


def test_of_keys_that_are_paced_no_more_nothing_stays() -> None:
    async def check() -> None:
        queue: WorkQueue[int] = WorkQueue()
        for key in range(100):
            queue.pace(key, 1)
            queue.add(key)
            assert await queue.get() == key
            queue.done(key)
            await asyncio.sleep(0.1)
        assert len(queue._paces) <= 11
        queue.close()

    run_virtually(check(), still=True)

"""The work queue: never twice at once, nothing lost, failures come back later and later."""

import asyncio

from borg_operator.loop.queue import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, WorkQueue


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

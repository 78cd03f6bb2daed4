"""Long work in the event loop, in parts, so that other requests get their turn."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

_AT_ONCE = 40


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield the items; after so many, let others work first."""
    for number, item in enumerate(items, start=1):
        yield item
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)

"""An event loop in which waiting takes no time: when all wait for the clock, the clock is put forward."""

import asyncio
import selectors
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Waits for nobody: what it was to wait is added to `skipped`."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("all wait, and nothing will ever happen")
        found = super().select(0)
        if not found:
            self.skipped += max(timeout, 0)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """`still`: to compute takes no time either, so that times do not depend on the machine and what else it does."""

    def __init__(self, *, still: bool = False) -> None:
        self._skipping = _Selector()
        self._still = still
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.skipped if self._still else super().time() + self._skipping.skipped


def run_virtually(work: Coroutine[Any, Any, T], *, still: bool = False) -> T:
    """Return what comes of `work`; its seconds pass as fast as there is nothing to do."""
    with asyncio.Runner(loop_factory=partial(VirtualLoop, still=still)) as runner:
        return runner.run(work)

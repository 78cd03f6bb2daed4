"""What is left out of every run that does not ask for it, and what tests of every folder borrow."""

import signal
from collections.abc import Iterator

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `long`, unless `-m` speaks of it: a `-m` in addopts would give way to any other."""
    if "long" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture
def own_signals() -> Iterator[None]:
    """Let the test change who listens to the signals that end pytest."""
    listeners = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, listener in listeners.items():
        signal.signal(number, listener)

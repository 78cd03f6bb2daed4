"""A control plane of processes for the tests that need one: the real API server, with nobody but the test in it."""

from collections.abc import Iterator

import pytest

from support.control_plane import ControlPlane, find_missing


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    if missing := find_missing():
        pytest.skip(missing)
    plane = ControlPlane(tmp_path_factory.mktemp("plane") / "state")
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()

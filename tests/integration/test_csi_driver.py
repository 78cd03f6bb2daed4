"""The CSI driver of the local cluster, by the standard's own test suite."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cluster import REPOSITORY

_SETTINGS = (
    f'source "{REPOSITORY}/dev/lib/settings.sh"; "$REPO/dev/csi/build" csi-driver csi-sanity >&2; echo "$CSI_TOOLS"'
)


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder with a short name: that of a socket may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="csi-") as folder:
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="a driver mounts, and so is root")
def test_the_driver_keeps_to_the_standard(place: Path) -> None:
    tools = subprocess.run(["bash", "-ec", _SETTINGS], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    kubelet, root = place / "kubelet", place / "root"
    socket = kubelet / "plugins" / "folders.csi.dev" / "csi.sock"
    driver = subprocess.Popen([f"{tools}/csi-driver", "--root", root, "--node", "here", "--kubelet", kubelet])
    try:
        sanity = [f"{tools}/csi-sanity", "--ginkgo.no-color", "--csi.endpoint", str(socket)]
        places = ["--csi.mountdir", f"{place}/mount", "--csi.stagingdir", f"{place}/stage"]
        done = subprocess.run([*sanity, *places], capture_output=True, text=True, timeout=300, check=False)
    finally:
        driver.kill()
        driver.wait()
    assert done.returncode == 0, done.stdout[-4000:]
    assert " 0 Failed" in done.stdout

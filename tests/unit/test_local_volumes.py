"""The local cluster's volumes: used ones are offered again, each in its own time and once."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from support.cluster import REPOSITORY

KUBECTL = """#!/usr/bin/env bash
case "$*" in
  *--watch*) cat "$WATCHED" ;;
  "delete persistentvolume disk-00 "*) echo "delete disk-00" >>"$DONE"; cat "$HELD" >/dev/null ;;
  "delete persistentvolume "*) echo "delete $3" >>"$DONE" ;;
  "create -f -") echo "create $(grep -o 'disk-[0-9]*' | head -n 1)" >>"$DONE" ;;
esac
"""
WATCHED = """disk-00 uid-0 Released
disk-01 uid-1 Released
other uid-9 Released
disk-01 uid-1 Released
disk-02 uid-2 Bound
disk-01 uid-3 Bound
"""


def test_a_volume_that_is_still_held_keeps_no_other_waiting_and_none_is_renewed_twice(tmp_path: Path) -> None:
    checkout, tools = tmp_path / "checkout", tmp_path / "cache"
    for path in ("dev/lib", "dev/local/volumes", "dev/tools", "dev/csi"):
        source, target = REPOSITORY / path, checkout / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    constants = checkout / "dev/lib/settings.sh"
    constants.write_text(constants.read_text().replace("VOLUMES=40", "VOLUMES=3"))
    environment = {**os.environ, "BORG_DEV_CACHE": str(tools)}
    settings = ["bash", "-c", f"source {constants}; echo $TOOLS $STATE"]
    folders = subprocess.run(settings, capture_output=True, text=True, env=environment, check=True).stdout.split()
    bin_, state = map(Path, folders)
    assert tmp_path in bin_.parents
    assert tmp_path in state.parents
    bin_.mkdir(parents=True)
    (state / "config").mkdir(parents=True)
    (bin_ / "kubectl").write_text(KUBECTL)
    (bin_ / "kubectl").chmod(0o755)
    held, watched, done = tmp_path / "held", tmp_path / "watched", tmp_path / "done"
    os.mkfifo(held)
    watched.write_text(WATCHED)
    environment |= {"WATCHED": str(watched), "DONE": str(done), "HELD": str(held)}
    keeper = subprocess.Popen([checkout / "dev/local/volumes"], env=environment)
    try:
        deadline = time.monotonic() + 20
        while "create disk-01" not in (said := done.read_text() if done.exists() else ""):
            assert time.monotonic() < deadline, said
            time.sleep(0.01)
        assert "create disk-00" not in said
        with held.open("w"):
            pass  # nothing holds it any more
        assert keeper.wait(20) == 0
    finally:
        keeper.kill()
    lines = done.read_text().splitlines()
    assert sorted(line for line in lines if line.startswith("delete")) == ["delete disk-00", "delete disk-01"]
    assert lines[-1] == "create disk-00"

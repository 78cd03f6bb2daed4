"""The steps of the development scripts: what is left of one that was told to end, with Ctrl-C for example."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.cluster import REPOSITORY


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", ["sleep 321", "work"])
def test_a_step_that_is_told_to_end_leaves_no_process(how: signal.Signals, command: str) -> None:
    script = f"set -e; source {REPOSITORY}/dev/lib/progress.sh; work() {{ sleep 321; echo on; }}; step it {command}"
    # Whoever runs the tests may ignore signals (nohup does), and a shell cannot catch what was ignored when it began.
    shell = subprocess.Popen(["env", "--default-signal", "bash", "-c", script], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not (begun := _sleepers(shell.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    shell.send_signal(how)
    said, _ = shell.communicate(timeout=20)
    assert shell.returncode == 130
    assert said == "==> it\n"
    while [pid for pid in begun if _sleeps(pid)]:  # told to end, but nobody's child any more whom one could wait for
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _sleepers(pid: int) -> list[int]:
    """Return the processes below `pid` that sleep for as long as those of no other test."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [found for child in children for found in ([child] if _sleeps(child) else _sleepers(child))]


def _sleeps(pid: int) -> bool:
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes() == b"sleep\x00321\x00"

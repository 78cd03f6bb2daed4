"""What is known of a run that did not come to its end, or whose scripts did what nobody expects."""

import os
from pathlib import Path

import pytest

from borg_contract.codec import decode_result
from borg_contract.run import Phase
from runner_kit.borg_binary import find_borg
from runner_kit.killer import kill_tree
from runner_kit.pod import Pod, wait_until


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path, find_borg())


def test_a_run_killed_in_its_second_repository_has_told_of_the_first(pod: Pod) -> None:
    (pod.data / "slow").write_bytes(os.urandom(16_000_000))
    quick, slow = pod.repository(compression="none"), pod.repository("slow", compression="lzma,9")
    with pod.running(pod.plan(quick, slow)) as process:
        wait_until(lambda: pod.written_bytes(slow) > 1_000_000, 60)
        kill_tree(process.pid)
        process.wait()
    told = decode_result((pod.root / "dev/termination-log").read_text())
    assert told.provisional
    assert (told.phase, told.reason) == (Phase.FAILED, "Interrupted")
    [done] = told.repositories
    assert (done.phase, [done.archive]) == (Phase.COMPLETED, pod.archives(quick))
    assert "Until then: main (Completed). Not done: slow." in told.message


def test_a_run_that_comes_to_its_end_leaves_nothing_provisional(pod: Pod) -> None:
    ended = pod.run(pod.plan(pod.repository("one"), pod.repository("two")))
    assert (ended.result.phase, ended.result.provisional) == (Phase.COMPLETED, False)
    assert [item.name for item in ended.result.repositories] == ["one", "two"]

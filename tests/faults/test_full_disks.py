"""Disks that are full: the cache, the pod's scratch folder, the place of logs. What is done stays done and is told."""

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import HooksPlan, SshPlan
from borg_contract.run import Phase
from runner_kit.borg_binary import find_borg
from runner_kit.pod import Pod, during, hook, powerless

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small volume")


@contextmanager
def small(folder: Path, size: str) -> Iterator[None]:
    """Let the folder be a volume of that size."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this machine lets nobody mount: {mounted.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{'b3BlbnNzaC1rZXk' * 500}\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path, find_borg())


def fill(folder: Path, *, leave: int = 0) -> Path:
    """Fill the volume of the folder up to so many bytes; return the file with which."""
    free = os.statvfs(folder)
    path = folder / "filler"
    path.write_bytes(b"x" * (free.f_bavail * free.f_frsize - leave))
    return path


@only_root
@pytest.mark.parametrize(
    "kilobytes",
    [30, *(pytest.param(left, marks=pytest.mark.long) for left in (0, 300))],
    ids=lambda kilobytes: f"{kilobytes} kB are left",
)
def test_a_cache_that_is_full_costs_one_run_at_most_and_no_archive(pod: Pod, kilobytes: int) -> None:
    for number in range(3_000):
        (pod.data / f"file {number}").write_bytes(random.Random(number).randbytes(100))
    with small(pod.root / "var/cache/borg", "64m"):
        first = pod.run(pod.plan(archive_name_template="{job_name}-1"))
        assert first.result.phase is Phase.COMPLETED, first.log
        filler = fill(pod.root / "var/cache/borg", leave=kilobytes * 1024)
        (pod.data / "new").write_bytes(random.Random(0).randbytes(1_000_000))
        hurt = pod.run(pod.plan(archive_name_template="{job_name}-2"))
        [result] = hurt.result.repositories
        print(hurt.log, hurt.result)  # noqa: T201 - shown when the test fails
        if result.phase is Phase.FAILED:
            assert result.reason == "DiskFull"
            assert "of the cache" in (result.error or "")
        filler.unlink()
        ended = pod.run(pod.plan(archive_name_template="{job_name}-3"))
        assert ended.result.phase.succeeded, ended.log
        pod.ask_borg(pod.repository(), "check", "--verify-data", "REPO")
        names = pod.archives(pod.repository())
        assert {"db-1", "db-3"} <= set(names) <= {"db-1", "db-2", "db-3"}
        assert result.archive is None or result.archive in names


@only_root
def test_a_scratch_folder_that_is_full_is_named_and_loses_no_result(pod: Pod) -> None:
    tell = HooksPlan(None, hook("echo told", script="tell"))
    with small(pod.root / "tmp", "1m"):
        during(pod, "create", f"head -c 2000000 /dev/zero > {pod.root}/tmp/filler || true")
        hurt = pod.run(pod.plan(hooks=tell))
        assert (hurt.result.phase, hurt.result.reason) == (Phase.COMPLETED_WITH_WARNINGS, "HookFailed"), hurt.log
        assert "No space left on device" in hurt.result.message
        key = pod.secret("borg-ssh", "id", KEY)
        remote = pod.repository(location="ssh://borg@localhost:9/./main", ssh=SshPlan(key, key))
        full = pod.run(pod.plan(remote))
        [result] = full.result.repositories
        assert (result.phase, result.reason) == (Phase.FAILED, "DiskFull"), full.log
        assert "/tmp is on the node's disk" in (result.error or "")
        (pod.root / "tmp/filler").unlink()
        pod.borg = find_borg()
        assert pod.run(pod.plan(hooks=tell)).result.phase is Phase.COMPLETED
        assert pod.archives(pod.repository())[0] == hurt.result.repositories[0].archive


def test_a_log_that_cannot_be_written_costs_no_backup(pod: Pod) -> None:
    full = ["sh", "-c", 'exec "$@" > /dev/full', "sh", *powerless()]
    chatty = HooksPlan(hook("seq 50000", script="chatty"))
    ended = replace(pod, user=full).run(pod.plan(hooks=chatty))
    assert (ended.code, ended.result.phase) == (0, Phase.COMPLETED)
    assert ended.result.repositories[0].archive in pod.archives(pod.repository())


def test_a_log_whose_reader_is_gone_costs_no_backup(pod: Pod) -> None:
    """So it is when the container runtime stops to copy it: its disk is full, or it was begun anew."""
    gone = ["sh", "-c", '{ sleep 1; "$@"; echo $? >"$0"; } | true', str(pod.root / "code"), *powerless()]
    ended = replace(pod, user=gone).run(pod.plan(hooks=HooksPlan(hook("seq 50000", script="chatty"))))
    assert ((pod.root / "code").read_text(), ended.result.phase) == ("0\n", Phase.COMPLETED)
    assert len(pod.archives(pod.repository())) == 1


@only_root
def test_a_result_that_cannot_be_written_is_said_in_the_log(pod: Pod) -> None:
    with small(pod.root / "dev", "4k"):
        (pod.root / "dev/termination-log").touch()
        (pod.root / "dev/termination-log").chmod(0o666)
        fill(pod.root / "dev")
        with pod.running(pod.plan()) as process:
            log, _ = process.communicate(timeout=120)
    assert "error: the result could not be written: [Errno 28] No space left on device" in log
    assert len(pod.archives(pod.repository())) == 1

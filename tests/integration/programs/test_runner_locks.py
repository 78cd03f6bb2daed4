"""Locks of a real borg: waited for, broken only when proven dead; and what happens when a run is stopped."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import HooksPlan, SourcePlan
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from borg_runner.locks.cache import put_cache_aside
from runner_kit.borg_binary import find_borg
from runner_kit.locking import locked
from runner_kit.pod import Pod, children_of, during, hook, powerless, wait_until


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    pod = Pod(tmp_path, find_borg())
    assert pod.run(pod.plan(archive_name_template="{job_name}-first")).code == 0
    return pod


def die(process: "subprocess.Popen[bytes]") -> None:
    """Kill as a node does that loses power: the lock stays."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_lock_of_somebody_else_is_waited_for_within_the_bound_and_named(pod: Pod) -> None:
    repository = pod.repository()
    with locked(pod, repository, pod.holder("db-7", "uid-7")):
        began = time.monotonic()
        ended = pod.run(pod.plan(repository, lock_wait_seconds=3))
        assert time.monotonic() - began < 60
    [result] = ended.result.repositories
    assert result.reason == "Locked"
    assert result.locked_by == pod.holder("db-7", "uid-7")
    said = r'locked by run "db-7" in namespace "team" since \w{3} \d\d \d\d:\d\d UTC; waited 3 s'
    assert re.search(said, result.error or "")
    assert (result.lock_wait_seconds or 0) >= 2
    assert "BreakLock" in (result.error or "")


@pytest.mark.parametrize("seconds", [0, 3], ids=["between two attempts", "in an attempt"])
def test_a_run_that_is_stopped_while_it_waits_says_for_whose_lock(pod: Pod, seconds: int) -> None:
    repository = pod.repository()
    with (
        locked(pod, repository, pod.holder("db-7", "uid-7")),
        pod.running(pod.plan(repository, lock_wait_seconds=60)) as process,
    ):
        assert process.stdout is not None
        assert any('locked by run "db-7"' in line for line in process.stdout)
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        ended = pod.wait(process)
    [result] = ended.result.repositories
    assert (result.reason, result.locked_by) == ("Interrupted", pod.holder("db-7", "uid-7")), ended.log
    assert 'while it waited for the lock: the repository is locked by run "db-7" in namespace "team"' in (
        result.error or ""
    )


def test_a_lock_that_is_released_in_time_only_delays_the_backup_and_the_result_says_for_how_long(pod: Pod) -> None:
    repository = pod.repository()
    with (
        locked(pod, repository, pod.holder("db-7", "uid-7")) as locker,
        pod.running(pod.plan(repository, lock_wait_seconds=60)) as process,
    ):
        assert process.stdout is not None
        assert any('locked by run "db-7"' in line for line in process.stdout)
        os.killpg(locker.pid, signal.SIGTERM)
        ended = pod.wait(process)
    assert ended.code == 0
    [result] = ended.result.repositories
    assert result.seconds is not None
    assert result.lock_wait_seconds is not None
    assert 10 <= result.lock_wait_seconds <= result.seconds


def test_the_lock_of_an_earlier_pod_of_the_same_job_is_removed(pod: Pod) -> None:
    repository = pod.repository()
    with locked(pod, repository, pod.holder(pod.job_name, pod.job_uid)) as locker:
        die(locker)
    ended = pod.run(pod.plan(repository, lock_wait_seconds=1))
    assert ended.code == 0, ended.log
    assert 'removed the lock that run "db-1" in namespace "team" left behind' in ended.log


@pytest.mark.parametrize("operation", [Operation.BACKUP, Operation.BREAK_LOCK])
def test_the_lock_of_a_job_proven_dead_is_removed(pod: Pod, operation: Operation) -> None:
    repository = pod.repository()
    with locked(pod, repository, pod.holder("db-7", "uid-7")) as locker:
        die(locker)
    plan = pod.plan(repository, operation=operation, lock_wait_seconds=1, dead_holders=(pod.holder("db-7", "uid-7"),))
    ended = pod.run(plan)
    assert ended.code == 0, ended.log
    assert not (Path(repository.location) / "lock.exclusive").exists()


@pytest.mark.parametrize("holder", ["host.example.org@42", "borgoperator.io_team_db-8_uid-8"])
def test_an_automatic_break_lock_leaves_every_other_holder_alone(pod: Pod, holder: str) -> None:
    repository = pod.repository()
    with locked(pod, repository, holder):
        ended = pod.run(
            pod.plan(repository, operation=Operation.BREAK_LOCK, dead_holders=(pod.holder("db-7", "uid-7"),))
        )
        assert (Path(repository.location) / "lock.exclusive").exists()
    assert ended.code == 0
    assert ended.result.repositories[0].locked_by == holder
    assert "is not proven dead: left alone" in ended.log


def test_a_person_who_asks_for_break_lock_gets_it_and_the_log_says_whose_it_was(pod: Pod) -> None:
    repository = pod.repository()
    with locked(pod, repository, "host.example.org@42") as locker:
        die(locker)
    ended = pod.run(pod.plan(repository, operation=Operation.BREAK_LOCK))
    assert ended.code == 0, ended.log
    assert 'on host "host.example.org@42"' in ended.log
    assert pod.run(pod.plan(repository, lock_wait_seconds=1)).code == 0


def test_a_dead_jobs_lock_on_the_cache_is_removed_too(pod: Pod) -> None:
    [cache] = [path for path in (pod.root / "var/cache/borg/main/.cache/borg").iterdir() if path.is_dir()]
    holder = pod.holder("db-7", "uid-7")
    (cache / "lock.exclusive").mkdir()
    (cache / "lock.exclusive" / f"{holder}.1-0").touch()
    (cache / "lock.roster").write_text(json.dumps({"exclusive": [[holder, 1, 0]]}))
    assert pod.run(pod.plan(lock_wait_seconds=1)).result.repositories[0].reason == "Locked"
    assert pod.run(pod.plan(lock_wait_seconds=1, dead_holders=(pod.holder("db-7", "uid-7"),))).code == 0


def test_a_borg_that_is_killed_leaves_no_lock_and_the_error_says_why(pod: Pod) -> None:
    (pod.data / "slow").write_bytes(os.urandom(16_000_000))
    repository = pod.repository(compression="lzma,9")
    before = pod.written_bytes(repository)
    with pod.running(pod.plan(repository)) as process:
        wait_until(lambda: pod.written_bytes(repository) > before + 1_000_000)
        [borg] = children_of(process.pid)
        os.kill(borg, signal.SIGKILL)  # as the kernel does when memory runs out
        ended = pod.wait(process)
    [result] = ended.result.repositories
    assert result.reason == "Killed"
    assert "job.resources.limits.memory" in (result.error or "")
    assert not (Path(repository.location) / "lock.exclusive").exists()
    assert pod.run(pod.plan(pod.repository(), lock_wait_seconds=1)).code == 0


def test_sigterm_lets_borg_write_its_checkpoint_and_the_next_run_goes_on(pod: Pod, tmp_path: Path) -> None:
    (pod.data / "slow").write_bytes(os.urandom(16_000_000))
    told = {"WHERE": str(tmp_path / "told")}
    post = hook('echo "$BORG_RUN_PHASE" > "$WHERE"', parameters=told)
    repository = pod.repository(compression="lzma,9")
    plan = pod.plan(repository, pod.repository("second"), hooks=HooksPlan(post_backup=post))
    before = pod.written_bytes(repository)
    with pod.running(plan) as process:
        wait_until(lambda: pod.written_bytes(repository) > before + 2_000_000)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        ended = pod.wait(process)
    assert time.monotonic() - began < 60
    assert ended.code == 1
    assert ended.result.phase is Phase.FAILED
    assert ended.result.reason == "Interrupted"
    first, second = ended.result.repositories
    assert (first.phase, first.reason) == (Phase.FAILED, "Interrupted"), ended.log
    assert (second.phase, second.reason) == (Phase.SKIPPED, "Interrupted")
    assert (tmp_path / "told").read_text() == "Failed\n"
    assert ".checkpoint" in pod.ask_borg(repository, "list", "--short", "--consider-checkpoints", "REPO")
    again = pod.run(replace(plan, archive_name_template="{job_name}-again", lock_wait_seconds=1))
    assert again.code == 0, again.log
    assert (again.result.repositories[0].deduplicated_size or 0) < 15_000_000


def test_sigterm_in_the_second_repository_keeps_the_archive_of_the_first_in_the_result(pod: Pod) -> None:
    (pod.data / "slow").write_bytes(os.urandom(16_000_000))
    quick = pod.repository(compression="none")
    slow = pod.repository("slow", compression="lzma,9")
    with pod.running(pod.plan(quick, slow, pod.repository("never"))) as process:
        wait_until(lambda: pod.written_bytes(slow) > 2_000_000, 60)
        process.send_signal(signal.SIGTERM)
        ended = pod.wait(process)
    assert (ended.code, ended.result.phase, ended.result.reason) == (1, Phase.FAILED, "Interrupted"), ended.log
    first, second, third = ended.result.repositories
    assert (first.phase, first.reason) == (Phase.COMPLETED, None)
    assert first.archive in pod.archives(quick)
    assert (first.files, first.totals and first.totals.archives) == (2, 2)
    assert (second.phase, second.reason, second.archive) == (Phase.FAILED, "Interrupted", None)
    assert (third.phase, third.reason) == (Phase.SKIPPED, "Interrupted")
    assert not (Path(slow.location) / "lock.exclusive").exists()


def test_sigterm_during_prune_keeps_the_archive_that_was_written_before_it(pod: Pod) -> None:
    repository = pod.repository()
    assert pod.run(pod.plan(repository)).code == 0
    during(pod, "delete", f"touch {pod.root}/pruning; exec sleep 600")
    with pod.running(pod.plan(repository, prune=Retention.only(keep_daily=1))) as process:
        wait_until((pod.root / "pruning").exists, 60)
        process.send_signal(signal.SIGTERM)
        ended = pod.wait(process)
    [result] = ended.result.repositories
    assert (result.phase, result.reason) == (Phase.FAILED, "Interrupted"), ended.log
    assert result.archive in pod.archives(repository)
    assert result.files == 1
    assert (result.error or "").startswith(f'Archive "{result.archive}" was written, but prune failed')


def test_sigterm_after_an_archive_that_lacks_a_source_hides_not_that_it_does(pod: Pod) -> None:
    during(pod, "compact", f"touch {pod.root}/compacting; exec sleep 600")
    repository = pod.repository(sources=(SourcePlan("data"), SourcePlan("gone")))
    with pod.running(pod.plan(repository, compact_threshold=10)) as process:
        wait_until((pod.root / "compacting").exists, 60)
        process.send_signal(signal.SIGTERM)
        ended = pod.wait(process)
    [result] = ended.result.repositories
    assert (result.phase, result.reason) == (Phase.FAILED, "Interrupted"), ended.log
    assert f'Archive "{result.archive}" holds "data", but not all' in (result.error or "")


def test_sigterm_while_waiting_for_a_lock_ends_the_run_at_once(pod: Pod) -> None:
    repository = pod.repository()
    with locked(pod, repository, "elsewhere@1"), pod.running(pod.plan(repository, lock_wait_seconds=600)) as process:
        # Borg has such a folder while it waits for a lock, and no longer.
        wait_until(lambda: any(Path(repository.location).glob("lock.exclusive.*.tmp")))
        process.send_signal(signal.SIGTERM)
        ended = pod.wait(process)  # far sooner than the wait for the lock would end
    assert ended.result.repositories[0].reason == "Interrupted"


def test_sigterm_during_the_pre_backup_script_skips_the_backup(pod: Pod, tmp_path: Path) -> None:
    pre = hook('touch "$HERE"; sleep 600', parameters={"HERE": str(tmp_path / "here")}, timeout=600)
    with pod.running(pod.plan(hooks=HooksPlan(pre))) as process:
        wait_until((tmp_path / "here").exists)
        process.send_signal(signal.SIGTERM)
        ended = pod.wait(process)
    assert (ended.code, ended.result.reason) == (1, "Interrupted")
    assert ended.result.repositories[0].phase is Phase.SKIPPED


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scramble(path: Path) -> None:
    path.write_bytes(os.urandom(max(300, path.stat().st_size)))


def forbid(path: Path) -> None:
    path.chmod(0)


def replace_with_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def cache_of(pod: Pod) -> Path:
    [cache] = [path for path in (pod.root / "var/cache/borg/main/.cache/borg").iterdir() if path.is_dir()]
    return cache


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("chunks", cut),
        ("chunks", empty),
        ("chunks", forbid),
        ("chunks", replace_with_folder),
        ("config", empty),
        ("config", scramble),
        ("files.db", replace_with_folder),
        ("../../../.config/borg/security/*/nonce", empty),
        ("../../../.config/borg/security/*/manifest-timestamp", scramble),
    ],
)
def test_a_broken_cache_is_made_anew_and_said_and_the_backup_is_good(
    pod: Pod, name: str, damage: Callable[[Path], None]
) -> None:
    cache = cache_of(pod)
    [path] = [found for found in cache.glob(name if "*" in name else f"{name}*") if found.name != "chunks.archive.d"]
    damage(path)
    ended = pod.run(pod.plan(lock_wait_seconds=1))
    [result] = ended.result.repositories
    assert result.phase is Phase.COMPLETED_WITH_WARNINGS, ended.log
    assert "cache was broken" in result.warnings[0]
    assert result.archive in pod.archives(pod.repository())
    assert list((pod.root / "var/cache/borg/main").glob("cache-aside-*")) == []
    again = pod.run(pod.plan(lock_wait_seconds=1, archive_name_template="{job_name}-again"))
    assert again.result.phase is Phase.COMPLETED, again.log


def test_a_cache_that_is_not_to_blame_comes_back(pod: Pod) -> None:
    cache = cache_of(pod)
    before = {path.name: path.read_bytes() for path in cache.iterdir() if path.is_file()}
    during(pod, "create", "echo 'File \"borg/cache.py\", line 1' >&2; exit 2")
    ended = pod.run(pod.plan(lock_wait_seconds=1))
    [result] = ended.result.repositories
    assert (result.phase, result.warnings) == (Phase.FAILED, ())
    assert "trying once more with an empty one" in ended.log
    assert {path.name: path.read_bytes() for path in cache.iterdir() if path.is_file()} == before


def test_a_cache_that_does_not_come_back_hides_not_why_borg_failed(pod: Pod) -> None:
    """Another run of the same cache claim has cleared up meanwhile, say."""
    cache_of(pod)
    asides = pod.root / "var/cache/borg/main/cache-aside-*"
    during(pod, "create", f"rm -rf {asides}; echo 'File \"borg/cache.py\", line 1' >&2; exit 2")
    [result] = pod.run(pod.plan(lock_wait_seconds=1)).result.repositories
    assert result.reason == "BorgFailed", result.error


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a disk that is full")
def test_a_repository_on_a_full_disk_is_not_the_caches_fault_and_is_not_backed_up_twice(pod: Pod) -> None:
    """Borg's traceback then leads through its cache as well, which hands each chunk on to the repository."""
    folder = pod.root / "repositories/full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=777", "tmpfs", str(folder)], check=True)
    try:
        repository = pod.repository("full", location=str(folder / "repository"))
        assert pod.run(pod.plan(repository)).result.phase is Phase.COMPLETED
        (pod.data / "big").write_bytes(os.urandom(8_000_000))
        ended = pod.run(pod.plan(repository, archive_name_template="full"))
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    assert ended.result.repositories[0].reason == "DiskFull", ended.log
    assert "empty one" not in ended.log


def test_a_rollback_is_seen_although_the_record_of_the_newest_state_is_broken(pod: Pod) -> None:
    repository, cache = pod.repository(), cache_of(pod)
    shutil.copytree(repository.location, pod.root / "old")
    assert pod.run(pod.plan(repository, archive_name_template="newer")).result.phase is Phase.COMPLETED
    shutil.rmtree(repository.location)
    shutil.copytree(pod.root / "old", repository.location)
    [record] = cache.glob("../../../.config/borg/security/*/manifest-timestamp")
    scramble(record)
    result = pod.run(pod.plan(repository, archive_name_template="newest")).result.repositories[0]
    assert (result.phase, result.reason) == (Phase.FAILED, "RepositoryReplaced")


def test_what_guards_against_a_rollback_is_not_deleted_because_it_cannot_be_read(pod: Pod) -> None:
    cache_of(pod)
    base = pod.root / "var/cache/borg/main"
    guards = [*base.glob(".config/borg/security/*/nonce"), *base.glob(".config/borg/security/*/manifest-timestamp")]
    before = [path.read_bytes() for path in guards]
    put_aside = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from pathlib import Path; from borg_runner.locks.cache import put_cache_aside\n"
        f"put_cache_aside(Path({str(base)!r}), 'we')\n"
    )
    for path in guards:
        path.chmod(0)
    subprocess.run([*powerless(), sys.executable, "-c", put_aside], check=True)
    assert [path.read_bytes() for path in guards] == before


def test_a_cache_with_which_somebody_else_works_is_left_alone(pod: Pod) -> None:
    cache = cache_of(pod)
    cut(cache / "chunks")
    (cache / "lock.exclusive").mkdir()
    (cache / "lock.exclusive" / "elsewhere@1.1-0").touch()
    assert put_cache_aside(pod.root / "var/cache/borg/main", "we") is None
    assert (cache / "chunks").exists()


def test_a_borg_that_ends_with_a_traceback_leaves_no_lock(pod: Pod) -> None:
    """As it does over a broken cache; here the repository's own lock is left as well."""
    repository = pod.repository()
    here = pod.holder(pod.job_name, pod.job_uid)
    folder = Path(repository.location) / "lock.exclusive"
    during(pod, "create", f"mkdir {folder}; touch {folder}/{here}.7-0; echo Traceback >&2; exit 2")
    assert pod.run(pod.plan(repository)).result.repositories[0].reason == "BorgFailed"
    assert not folder.exists()


def test_the_lock_of_an_earlier_pod_of_the_same_job_on_another_node_is_left_for_it_is_not_proven_dead(
    pod: Pod,
) -> None:
    repository = pod.repository()
    holder = pod.holder(pod.job_name, pod.job_uid, "node-2")
    with locked(pod, repository, holder):
        result = pod.run(pod.plan(repository, lock_wait_seconds=1)).result.repositories[0]
    assert (result.reason, result.locked_by) == ("Locked", holder)


def test_what_a_run_waits_for_is_told_while_it_waits_and_no_longer(pod: Pod) -> None:
    repository = pod.repository()
    holder = pod.holder("db-7", "uid-7")
    with locked(pod, repository, holder) as locker, pod.running(pod.plan(repository, lock_wait_seconds=120)) as process:
        wait_until(pod.notice, 60)
        assert pod.notice().startswith(f'Locked by run "db-7" in namespace "team" ({holder}): waits until ')
        os.killpg(locker.pid, signal.SIGTERM)
        assert pod.wait(process).code == 0
    assert pod.notice() == ""


def test_what_a_run_waited_for_is_told_no_longer_once_borg_is_at_work(pod: Pod) -> None:
    (pod.data / "slow").write_bytes(os.urandom(16_000_000))
    repository = pod.repository(compression="lzma,9")
    before = pod.written_bytes(repository)
    begins, may_go_on = pod.root / "begins", pod.root / "may-go-on"
    during(pod, "create", f"touch {begins}; while [ ! -e {may_go_on} ]; do sleep 0.1; done")
    with pod.running(pod.plan(repository, lock_wait_seconds=120)) as process:
        wait_until(begins.exists, 60)
        with locked(pod, repository, pod.holder("db-7", "uid-7")) as locker:
            may_go_on.touch()
            wait_until(pod.notice, 60)
            os.killpg(locker.pid, signal.SIGTERM)
            wait_until(lambda: pod.written_bytes(repository) > before + 2_000_000, 60)
            assert process.poll() is None
            assert pod.notice() == ""
        assert pod.wait(process).code == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a disk that is full")
def test_a_cache_on_a_full_disk_is_said_and_needs_no_hand_once_there_is_room(pod: Pod) -> None:
    base = pod.root / "var/cache/borg/main"
    shutil.rmtree(base)
    base.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k,mode=777", "tmpfs", str(base)], check=True)
    try:
        for number in (1, 2):
            result = pod.run(pod.plan(archive_name_template=f"full-{number}")).result.repositories[0]
            assert result.reason == "DiskFull", result.error
            assert "of the cache" in (result.error or "")
        subprocess.run(["mount", "-o", "remount,size=10m", str(base)], check=True)
        ended = pod.run(pod.plan(archive_name_template="room", lock_wait_seconds=1))
        assert ended.result.repositories[0].phase in (Phase.COMPLETED, Phase.COMPLETED_WITH_WARNINGS), ended.log
    finally:
        subprocess.run(["umount", str(base)], check=True)

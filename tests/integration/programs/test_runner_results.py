"""What is known of a run that did not come to its end, or whose scripts did what nobody expects."""

import datetime as dt
import os
from pathlib import Path

import pytest

from borg_contract.codec import decode_result
from borg_contract.plan import HooksPlan, SourcePlan
from borg_contract.retention import Retention
from borg_contract.run import Phase
from runner_kit.borg_binary import find_borg
from runner_kit.killer import kill_tree
from runner_kit.pod import Pod, during, hook, wait_until


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


@pytest.mark.parametrize("step", ["list", "compact"])
def test_a_run_killed_in_what_comes_after_the_archive_has_told_of_it(pod: Pod, step: str) -> None:
    plan = pod.plan(prune=Retention.only(keep_daily=1), compact_threshold=10)
    borg = pod.borg
    during(pod, step, "kill -9 $PPID $$")
    with pod.running(plan) as process:
        process.wait()
    pod.borg = borg
    told = decode_result((pod.root / "dev/termination-log").read_text())
    assert (told.provisional, told.phase, told.reason) == (True, Phase.FAILED, "Interrupted")
    [result] = told.repositories
    assert (result.phase, result.reason, result.unjudged) == (Phase.FAILED, "Interrupted", False)
    assert result.archive in pod.archives(pod.repository())
    assert (
        result.error == f'Archive "{result.archive}" was written, but the runner was killed in what comes after that.'
    )
    assert result.files == 1
    assert result.archive_time is not None
    assert dt.datetime.fromisoformat(result.archive_time) <= dt.datetime.now(dt.UTC)


def test_a_run_killed_before_it_had_looked_at_its_archive_has_told_so(pod: Pod) -> None:
    """A source went away while borg worked, so borg is asked what it read; the pod is killed then."""
    borg, spool = pod.borg, pod.data / "spool"
    spool.mkdir()
    during(pod, "create|list", f'if [ "$1" = list ]; then kill -9 $PPID $$; fi; {borg} "$@"; rmdir {spool}; exit 0')
    with pod.running(pod.plan(pod.repository(sources=(SourcePlan("data", ("hello.txt", "spool")),)))) as process:
        process.wait()
    pod.borg = borg
    [result] = decode_result((pod.root / "dev/termination-log").read_text()).repositories
    assert ([result.archive], result.unjudged) == (pod.archives(pod.repository()), True)
    assert "killed before it had looked whether all is in it" in (result.error or "")


def test_a_run_that_comes_to_its_end_leaves_nothing_provisional(pod: Pod) -> None:
    ended = pod.run(pod.plan(pod.repository("one"), pod.repository("two")))
    assert (ended.result.phase, ended.result.provisional) == (Phase.COMPLETED, False)
    assert [(item.name, item.unjudged) for item in ended.result.repositories] == [("one", False), ("two", False)]


@pytest.mark.parametrize("careless", ["trap 'rm -rf \"$TMPDIR\"' EXIT", 'chmod 500 "$HOME"', 'rm -rf "$HOME"'])
def test_a_script_that_cleans_up_costs_neither_archives_nor_the_script_after_them(pod: Pod, careless: str) -> None:
    hooks = HooksPlan(hook(careless), hook("echo after it"))
    ended = pod.run(pod.plan(pod.repository("one", hooks=hooks), pod.repository("two"), hooks=hooks))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    assert [item.archive is not None for item in ended.result.repositories] == [True, True]
    assert ended.log.count("after it") == 2


AFTER_THE_COMMIT = """
{borg} "$@" > /dev/null || exit $?
printf 'Traceback\\n  File "borg/cache.py", line 1, in commit\\nOSError: [Errno 28] No space left on device\\n' >&2
exit 2
"""
KILLED_AFTER_THE_COMMIT = '{borg} "$@" > /dev/null || exit $?; kill -9 $$'


@pytest.mark.parametrize(
    ("command", "reason"), [(AFTER_THE_COMMIT, "DiskFull"), (KILLED_AFTER_THE_COMMIT, "Killed")], ids=["disk", "kill"]
)
def test_an_archive_that_was_written_before_borg_failed_is_named(pod: Pod, command: str, reason: str) -> None:
    borg = pod.borg
    during(pod, "create", command.format(borg=borg))
    [result] = pod.run(pod.plan()).result.repositories
    pod.borg = borg
    assert (result.phase, result.reason) == (Phase.FAILED, reason)
    assert [result.archive] == pod.archives(pod.repository())
    assert result.unjudged, "nobody looked at it"
    assert f'Archive "{result.archive}" was written, but borg failed then' in (result.error or "")


def test_no_archive_is_named_where_borg_failed_before_it(pod: Pod) -> None:
    assert pod.run(pod.plan()).code == 0
    during(pod, "create", "echo 'OSError: [Errno 5] Input/output error' >&2; exit 2")
    [result] = pod.run(pod.plan(archive_name_template="{job_name}-another")).result.repositories
    assert (result.reason, result.archive) == ("VolumeFailed", None)
    assert "was written" not in (result.error or "")


def test_where_nobody_can_look_an_archive_may_have_been_written(pod: Pod) -> None:
    borg = pod.borg
    during(pod, "create|list", f'[ "$1" = create ] || exit 80; {AFTER_THE_COMMIT.format(borg=borg)}')
    [result] = pod.run(pod.plan()).result.repositories
    assert (result.reason, result.archive, result.unjudged) == ("DiskFull", None, True)
    assert "may have been written" in (result.error or "")


def test_a_cache_that_was_put_aside_comes_back_when_the_second_try_gets_no_lock(pod: Pod) -> None:
    repository = pod.repository(encryption="none", passphrase=None)
    assert pod.run(pod.plan(repository)).code == 0
    base = pod.root / "var/cache/borg/main/.cache/borg"
    [cache] = [path for path in base.iterdir() if path.is_dir()]
    lock = f"{repository.location}/lock.exclusive"
    broken = "echo 'File \"borg/cache.py\", line 1' >&2; exit 2"
    during(pod, "create", f"[ -e {lock} ] || {{ mkdir {lock}; touch {lock}/elsewhere@1.1-0; {broken}; }}")
    [result] = pod.run(pod.plan(repository, lock_wait_seconds=2)).result.repositories
    assert result.reason == "Locked"
    assert (cache / "config").exists()
    assert not list(base.parent.parent.glob("cache-aside-*"))


def test_a_question_aside_that_cannot_be_asked_fails_no_good_run(pod: Pod) -> None:
    during(pod, "create", f'{pod.borg} "$@"; code=$?; rm "$0"; exit $code')
    pod.variables = {"PATH": f"{pod.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    ended = pod.run(pod.plan())
    assert ended.code == 0, ended.log
    assert ended.result.phase is Phase.COMPLETED_WITH_WARNINGS  # nobody could tell whether a source shrank
    assert "borg could not be asked" in ended.log

"""Kill anything: the run says what became of it, nothing stays locked, and the next run goes on."""

import pytest

from e2e.conftest import Operator
from e2e.team import Team, source
from support.pods import is_over

FREEZE = r"""#!/usr/bin/python3
# Stops borg, in runs that are to be killed, as soon as it holds the repository's lock, as a disk that hangs would.
import os, signal, sys, time
from pathlib import Path

if os.environ["BORG_RUN_NAME"] not in ("killed", "struck") or os.fork():
    sys.exit()
for stream in (0, 1, 2):
    os.dup2(os.open(os.devnull, os.O_RDWR), stream)
while True:
    if Path("/repositories/main/main/lock.exclusive").exists():
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"\0create\0" in command:
                os.kill(int(process.name), signal.SIGSTOP)
                Path("/repositories/main/frozen").touch()
                sys.exit()
    time.sleep(0.02)
"""
LONG = 40_000_000


@pytest.fixture(scope="module")
def fragile(team: Team) -> Team:
    """Make `night`, in which the runs `killed` and `struck` hang, and `long`, which takes a while to compress."""
    team.prepare()
    team.work(
        f"""
        mkdir /data/long /data/short
        echo hello > /data/short/hello
        head -c {LONG} /dev/urandom | split --bytes=1000000 - /data/long/part-
        """
    )
    team.script("freeze", FREEZE)
    team.repository("main", sources=source("short"))
    team.schedule("night", hooks={"preBackup": {"scriptRef": {"name": "freeze"}}})
    team.script("report", 'echo "told: $BORG_RUN_PHASE" > /repositories/long/told')
    team.repository("long", sources=source("long"), compression="lzma,9")
    team.schedule("long", "long", hooks={"postBackup": {"scriptRef": {"name": "report"}}})
    return team


def test_after_a_pod_was_killed_the_lock_it_left_is_removed_and_the_next_run_succeeds(fragile: Team) -> None:
    fragile.work("rm -f /repositories/frozen")
    fragile.begin("killed", "night")
    fragile.work("timeout 60 sh -c 'until [ -e /repositories/frozen ]; do sleep 0.1; done'")
    assert "_killed_" in fragile.lock_holders("main")

    fragile("delete", "pod", "--selector=batch.kubernetes.io/job-name=killed", "--grace-period=0", "--force")

    status = fragile.finished("killed", within=30)
    assert status["phase"] == "Failed"
    assert status["reason"] == "PodLost"
    assert "The next run goes on from borg's last checkpoint" in status["message"]
    fragile.eventually(lambda: fragile.find("brun", "killed-unlock"), "the operator asks for the lock's removal")
    unlock = fragile.finished("killed-unlock")
    assert (unlock["phase"], unlock["trigger"]) == ("Completed", "Automatic"), fragile.story()
    assert fragile.get("brun", "killed-unlock")["spec"]["operation"] == "BreakLock"
    assert 'run "killed"' in fragile.log("killed-unlock")
    assert "_killed_" not in fragile.lock_holders("main")
    fragile.completed("after", "night")
    made = {name for name in fragile.names("brun", "borgoperator.io/schedule=night") if not name.startswith("struck")}
    assert made == {"killed", "killed-unlock", "after"}


@pytest.mark.takes_minutes
def test_a_removal_of_a_lock_that_is_killed_itself_is_made_again(fragile: Team) -> None:
    fragile.work("rm -f /repositories/frozen")
    fragile.begin("struck", "night")
    fragile.work("timeout 60 sh -c 'until [ -e /repositories/frozen ]; do sleep 0.1; done'")
    full = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "1"}}}
    fragile.apply(full)  # so that the removal is not over before it is killed
    fragile("delete", "pod", "--selector=batch.kubernetes.io/job-name=struck", "--grace-period=0", "--force")
    fragile.eventually(lambda: fragile.find("job", "struck-unlock"), "the removal of the lock has a Job")
    fragile("delete", "job", "struck-unlock", "--wait=false")
    fragile("delete", "resourcequota", "full")

    failed = fragile.finished("struck-unlock")
    assert (failed["phase"], failed["reason"]) == ("Failed", "JobDeleted"), fragile.story()
    assert failed["message"].endswith("Attempt 1 of 5: made again after 1m00s, if a run needs it still")

    fragile.eventually(
        lambda: fragile.find("brun", "struck-unlock-2"), "it is made again", within=330
    )  # no pod proves it by now
    again = fragile.finished("struck-unlock-2")
    assert (again["phase"], again["trigger"]) == ("Completed", "Automatic"), fragile.story()
    assert "_struck_" not in fragile.lock_holders("main")


def test_a_cancelled_run_stops_with_a_checkpoint_and_the_post_backup_script_and_the_next_run_goes_on(
    fragile: Team,
) -> None:
    _begin_long(fragile, "regretted")

    fragile("patch", "brun", "regretted", "--type=merge", '--patch={"spec":{"cancel":true}}')

    status = fragile.finished("regretted", within=40)
    assert (status["phase"], status["reason"]) == ("Cancelled", "RunCancelled")
    assert "spec.cancel" in status["message"]
    assert is_over(fragile.items("pods", fragile.pods_of("regretted"))[0])
    assert "Interrupted" in fragile.log("regretted")
    _expect_checkpoint(fragile, "regretted")
    assert fragile.work("cat /repositories/told; rm /repositories/told") == "told: Failed\n"
    assert fragile.get("bsched", "long")["status"]["lastRunPhase"] == "Cancelled"


def test_a_run_whose_job_leaves_its_pod_behind_ends_as_that_pod_does(fragile: Team) -> None:
    fragile.script("linger", "until [ -e /repositories/left/left-goes-on ]; do sleep 0.1; done")
    fragile.repository("left", sources=source("short"))
    fragile.schedule("lingering", "left", hooks={"preBackup": {"scriptRef": {"name": "linger"}}})
    _begin_and_see(fragile, "left", "lingering")
    its_pods = fragile.pods_of("left")

    fragile("delete", "job", "left", "--cascade=orphan")

    fragile.eventually(
        lambda: fragile.get("brun", "left")["status"].get("message", ""),
        "it says that its Job left its pod behind",
        holds=lambda said: "left its pod" in said,
    )
    assert fragile.get("brun", "left")["status"]["phase"] == "Running"
    fragile.work("touch /repositories/left-goes-on")
    status = fragile.finished("left")
    assert status["phase"] == "Completed", fragile.story()
    (repository,) = status["repositories"]
    assert repository["archive"] == fragile.archives("left")[0]
    assert fragile.names("pods", its_pods), "its log is there as long as the run"
    fragile("delete", "brun", "left")
    fragile.eventually(lambda: fragile.names("pods", its_pods), "its pod is gone", holds=lambda names: not names)


def test_deleting_the_job_leaves_a_checkpoint_and_a_run_that_says_so(fragile: Team) -> None:
    before = set(fragile.archives("long", "--consider-checkpoints"))
    _begin_long(fragile, "orphaned")

    fragile("delete", "job", "orphaned", "--wait=false")

    status = fragile.finished("orphaned", within=40)
    assert (status["phase"], status["reason"]) == ("Failed", "JobDeleted")
    assert "Job was deleted" in status["message"]
    fragile.eventually(
        lambda: fragile.names("pods", fragile.pods_of("orphaned")), "its pod is gone", holds=lambda names: not names
    )
    _expect_checkpoint(fragile, "orphaned", before)
    fragile.repository("long", sources=source("long"), compression="none")
    (repository,) = fragile.completed("patient", "long")["repositories"]
    assert repository["originalSize"] >= LONG
    assert repository["deduplicatedSize"] < LONG * 0.97  # the checkpoints held some of it


@pytest.mark.disturbs
def test_a_run_during_which_the_operator_is_killed_is_recorded_in_full(fragile: Team, operator: Operator) -> None:
    fragile.script("dawdle", "until [ -e /repositories/other/go-on ]; do sleep 0.1; done")
    fragile.repository("other", sources=source("short"))
    fragile.schedule("slow", "other", hooks={"preBackup": {"scriptRef": {"name": "dawdle"}}})
    _begin_and_see(fragile, "unwatched", "slow")

    fragile.kubectl(
        *("--namespace", operator.namespace, "delete", "pod", f"--selector={operator.selector}"),
        *("--grace-period=0", "--force"),
    )
    fragile.work("touch /repositories/go-on")

    status = fragile.finished("unwatched")
    assert status["phase"] == "Completed"
    (repository,) = status["repositories"]
    assert repository["archive"] == fragile.archives("other")[0]
    assert repository["files"] == 1
    assert repository["totals"]["archives"] == 1
    assert len(fragile.items("pods", "batch.kubernetes.io/job-name=unwatched")) == 1
    assert fragile.names("brun", "borgoperator.io/schedule=slow") == {"unwatched"}


def _begin_and_see(team: Team, name: str, schedule: str) -> None:
    """Begin a run and wait until it says that it runs."""
    team.begin(name, schedule)
    team.eventually(
        lambda: team.get("brun", name),
        "the run is under way",
        holds=lambda seen: seen.get("status", {}).get("phase") == "Running",
    )


def _begin_long(team: Team, name: str) -> None:
    """Begin a run and wait until borg has written some of the data and not all."""
    team.begin(name, "long")
    team.grown("long", 5_000_000)


def _expect_checkpoint(team: Team, run: str, before: frozenset[str] | set[str] = frozenset()) -> None:
    """Expect that the lock of the run is gone, and that a new checkpoint is in the repository."""
    assert f"_{run}_" not in team.lock_holders("long")
    new = set(team.archives("long", "--consider-checkpoints")) - before
    assert [name for name in new if ".checkpoint" in name]

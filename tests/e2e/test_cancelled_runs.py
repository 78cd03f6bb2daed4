"""A run that is stopped keeps what it has done, and the next one begins only when nothing of it is at work any more."""

from collections.abc import Iterator

import pytest

from e2e.team import Team, source
from support.pods import PodWatch, watch_pods

LONG = 40_000_000


@pytest.fixture(scope="module")
def both(team: Team) -> Team:
    """Make the repositories `first`, done in a moment, and `second`, which takes a while; `night` is on both."""
    team.prepare()
    team.work(
        f"""
        mkdir /data/long /data/short
        echo hello > /data/short/hello
        head -c {LONG} /dev/urandom | split --bytes=1000000 - /data/long/part-
        """
    )
    team.script("dawdle", "sleep 600", timeout=900)
    hooks = {"preBackup": {"scriptRef": {"name": "dawdle"}}}
    team.repository("first", sources=source("short"))
    team.repository("second", sources=source("long"), compression="lzma,9", hooks=hooks)
    team.schedule("night", "first", "second")
    # The repository's own script makes it slow, whatever machine this is: a deadline is a minute at least.
    team.schedule("limited", "first", "second", runRepositoryHooks=True, activeDeadlineSeconds=60)
    return team


@pytest.fixture
def pods(both: Team) -> Iterator[PodWatch]:
    with watch_pods(both.kubectl, both.namespace, "borgoperator.io/schedule") as watch:
        yield watch


def test_what_was_done_before_the_deadline_is_in_the_status_and_the_next_run_waits_for_the_pod(
    both: Team, pods: PodWatch
) -> None:
    both.begin("late", "limited")

    status = both.finished("late", within=120)

    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded"), both.story()
    assert "spec.activeDeadlineSeconds" in status["message"]
    _expect_first_archive(both, status["repositories"])
    pods.ended(status["jobUid"], within=0)
    both.patch("bsched", "limited", runRepositoryHooks=False)
    both.repository("second", sources=source("short"))
    both.completed("in-time", "limited")
    assert pods.overlaps() == []


def test_what_was_done_before_the_cancellation_is_in_the_status_and_the_next_run_waits_for_the_pod(
    both: Team, pods: PodWatch
) -> None:
    both.repository("second", sources=source("long"), compression="lzma,9")
    both.begin("regretted", "night")
    both.grown("second", 5_000_000)

    both.cancel("regretted")
    both.repository("second", sources=source("short"))
    both.begin("next", "night")

    status = both.finished("regretted", within=60)
    assert (status["phase"], status["reason"]) == ("Cancelled", "RunCancelled"), both.story()
    _expect_first_archive(both, status["repositories"])
    after = both.finished("next")
    assert after["phase"] == "Completed", both.story()
    assert status["completionTime"] <= after["startTime"]
    assert pods.overlaps() == []
    assert both.names("brun", "borgoperator.io/operation=BreakLock") == set()


def _expect_first_archive(team: Team, repositories: list[dict[str, str]]) -> None:
    first, second = repositories
    assert (first["name"], first["phase"]) == ("first", "Completed")
    assert first["archive"] in team.archives("first")
    assert second["name"] == "second"
    assert second["phase"] not in ("Completed", "CompletedWithWarnings")

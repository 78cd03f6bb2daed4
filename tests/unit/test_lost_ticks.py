"""The checker of the fault tests finds a tick that nobody took, and takes nothing else for one."""

from typing import Any

import pytest

from support.ticks import find_lost_ticks

Object = dict[str, Any]

NOON = 1_772_452_800
"""2 March 2026, 12:00 UTC."""
TWELVE = "2026-03-02T12:00:00Z"


def cron_job(at: float, kind: str = "MODIFIED", *, active: bool = False, **spec: Any) -> Object:
    metadata = {"name": "db", "uid": "c", "creationTimestamp": "2026-03-02T11:59:30Z"}
    body = {"metadata": metadata, "spec": {"schedule": "* * * * *", **spec}}
    return {"type": kind, "at": NOON + at, "object": {**body, "status": {"active": [{"uid": "j"}] if active else []}}}


def job(at: float, tick: str | None = TWELVE, owner: str = "c") -> Object:
    marks = {"batch.kubernetes.io/cronjob-scheduled-timestamp": tick} if tick else {}
    metadata = {"name": "j", "uid": "j", "annotations": marks, "ownerReferences": [{"uid": owner}]}
    return {"type": "ADDED", "at": NOON + at, "object": {"metadata": metadata}}


BEFORE = cron_job(-30, "ADDED")
TAKEN = [BEFORE, cron_job(1, active=True), cron_job(5)]


@pytest.mark.parametrize(
    ("events", "jobs", "end", "lost"),
    [
        ([BEFORE], [], 50, 1),
        ([BEFORE], [], 15, 0),
        ([BEFORE], [], 100, 2),
        (TAKEN, [job(1)], 50, 0),
        (TAKEN, [], 50, 1),
        (TAKEN, [job(1)], 115, 1),
        (TAKEN, [job(1, None)], 50, 1),
        (TAKEN, [job(1, owner="another")], 50, 1),
        ([cron_job(-30, "ADDED", active=True)], [], 300, 0),
        ([cron_job(-30, "ADDED", active=True), cron_job(30)], [], 55, 1),
        ([cron_job(-30, "ADDED", active=True), cron_job(50)], [], 65, 0),
        ([cron_job(-30, "ADDED", suspend=True)], [], 300, 0),
        ([cron_job(-30, "ADDED", suspend=True), cron_job(20, suspend=False)], [], 59, 0),
        ([cron_job(-30, "ADDED", suspend=True), cron_job(20, suspend=False)], [], 100, 1),
        ([BEFORE, cron_job(10, suspend=True)], [], 300, 0),
        ([BEFORE, cron_job(40, suspend=True)], [], 300, 1),
        ([BEFORE, cron_job(10, "DELETED")], [], 300, 0),
        ([BEFORE, cron_job(10), cron_job(15), cron_job(30)], [], 50, 1),
        ([cron_job(-30, "ADDED", schedule="0 0 1 1 *")], [], 300, 0),
    ],
    ids=[
        "it is not taken",
        "it may still be",
        "nor is the next",
        "it is taken",
        "of something else that is at work",
        "the next one is not",
        "by hand is no tick",
        "of another CronJob",
        "something is at work for ever",
        "the work ends in time",
        "the next one takes its place",
        "suspended",
        "resumed after it",
        "resumed before the next",
        "suspended at once",
        "suspended when it was late already",
        "deleted",
        "written meanwhile, for other reasons",
        "not due every minute",
    ],
)
def test_a_tick_is_lost_only_if_nothing_kept_the_controller_from_it(
    events: list[Object], jobs: list[Object], end: float, lost: int
) -> None:
    found = list(find_lost_ticks(events, jobs, NOON + end))
    assert len(found) == lost, found
    if lost:
        assert "12:0" in found[0]

"""Ticks that nobody took: reckoned from what was seen of CronJobs that are due every minute, not by our own clock.

A tick is owed from its minute on. It may wait as long as something is in `active`, it goes with a suspension or with
the CronJob itself, and the next minute's takes its place. In all other cases the controller begins it within seconds.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

Object = dict[str, Any]

EVERY_MINUTE = "* * * * *"
PATIENCE_SECONDS = 20.0
"""So late the controller may be, and what is seen of it, on a machine that has much to do."""
_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_MINUTE = 60


@dataclass(frozen=True)
class Stretch:
    """From `since` to `until`, in seconds since 1970, a CronJob was like this."""

    since: float
    until: float
    is_due: bool
    """Whether it was there, fired every minute and was not suspended."""
    is_busy: bool


def find_lost_ticks(cron_jobs: Iterable[Object], jobs: Iterable[Object], end: float) -> Iterator[str]:
    """Yield a sentence for each tick without a Job and without a reason for that.

    `cron_jobs`, `jobs`: events of watches in their order, each with the time `at` which it was seen; `end`: of looking.
    """
    begun = set(_begun(jobs))
    by_uid: dict[str, list[Object]] = {}
    for event in cron_jobs:
        by_uid.setdefault(event["object"]["metadata"]["uid"], []).append(event)
    for uid, events in by_uid.items():
        name = events[0]["object"]["metadata"]["name"]
        stretches = list(_stretches(events, end))
        first = _seconds(events[0]["object"]["metadata"]["creationTimestamp"]) // _MINUTE + 1
        for minute in range(int(first), int(end // _MINUTE) + 1):
            tick = minute * _MINUTE
            idle = max(_idle(stretches, tick), default=0.0)
            if (uid, tick) not in begun and idle > PATIENCE_SECONDS:
                yield f"CronJob {name}: nothing was at work for {idle:.0f} s, and the tick of {_time(tick)} has no Job"


def _begun(jobs: Iterable[Object]) -> Iterator[tuple[str, int]]:
    for event in jobs:
        metadata = event["object"]["metadata"]
        if tick := metadata.get("annotations", {}).get(_SCHEDULED):
            yield metadata["ownerReferences"][0]["uid"], int(_seconds(tick))


def _stretches(events: Sequence[Object], end: float) -> Iterator[Stretch]:
    for event, until in pairwise([*events, {"at": end}]):
        spec, status = event["object"]["spec"], event["object"].get("status", {})
        fires = spec["schedule"] == EVERY_MINUTE and not spec.get("suspend")
        is_there = event["type"] != "DELETED" and "deletionTimestamp" not in event["object"]["metadata"]
        yield Stretch(event["at"], until["at"], fires and is_there, bool(status.get("active")))


def _idle(stretches: Iterable[Stretch], tick: int) -> Iterator[float]:
    """Yield, in seconds, how long it was idle in one piece after the tick, as long as the tick was owed."""
    idle_since = None
    for stretch in stretches:
        if stretch.until <= tick:
            continue
        if not stretch.is_due or stretch.since >= tick + _MINUTE:
            return
        idle_since = None if stretch.is_busy else max(tick, stretch.since) if idle_since is None else idle_since
        if idle_since is not None:
            yield min(stretch.until, tick + _MINUTE) - idle_since


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M}"

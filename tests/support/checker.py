"""What must hold of everything that was seen and written, whatever the API server was like meanwhile."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from borg_contract.run import Operation
from borg_core import labels
from support.pods import find_overlaps
from support.stage import Stage
from support.ticks import find_lost_ticks

Object = dict[str, Any]

_WRITES_PER_RUN = 40
"""Between a run's request and its end, faults and their repetition included: many times what is usual, and no storm."""


def find_wrongs(stage: Stage) -> list[str]:
    """Return a sentence for each thing that must not be."""
    checks = (_overlaps, _records, _ticks, _lost_ticks, _claims, _told_twice, _writes)
    return [wrong for check in checks for wrong in check(stage)]


def _overlaps(stage: Stage) -> Iterator[str]:
    """Yield each pod that began beside another one of its schedule, or of its repository alone.

    One that breaks locks keeps nobody waiting.
    """
    pods = [event for event in stage.seen["Pod"] if _labels(event).get(labels.OPERATION) != Operation.BREAK_LOCK.value]
    for label in labels.SUBJECTS.values():
        yield from find_overlaps((pod for pod in pods if label in _labels(pod)), label)


def _records(stage: Stage) -> Iterator[str]:
    """Yield the Jobs of two BorgRuns, and the runs that were finished and then something else."""
    runs_of: defaultdict[str, set[str]] = defaultdict(set)
    ended: dict[str, tuple[str, str]] = {}
    for event in stage.seen["BorgRun"]:
        run = event["object"]
        uid, status = run["metadata"]["uid"], run.get("status", {})
        if job := status.get("jobUid"):
            runs_of[job].add(uid)
        end = (status.get("phase", ""), status.get("completionTime", ""))
        if before := ended.get(uid):
            if end != before:
                yield f"BorgRun {run['metadata']['name']} was {before}, and then {end}"
        elif end[1]:
            ended[uid] = end
    yield from (f"Job {job} has {len(uids)} BorgRuns" for job, uids in runs_of.items() if len(uids) > 1)


def _ticks(stage: Stage) -> Iterator[str]:
    """Yield the ticks of two Jobs."""
    jobs: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for event in stage.seen["Job"]:
        metadata = event["object"]["metadata"]
        if tick := metadata.get("annotations", {}).get(labels.SCHEDULED_TIMESTAMP):
            jobs[metadata["ownerReferences"][0]["uid"], tick].add(metadata["uid"])
    yield from (f"tick {tick} has {len(uids)} Jobs" for (_, tick), uids in jobs.items() if len(uids) > 1)


def _lost_ticks(stage: Stage) -> Iterator[str]:
    """Yield the ticks that nobody took."""
    yield from find_lost_ticks(stage.seen["CronJob"], stage.seen["Job"], time.time())


def _claims(stage: Stage) -> Iterator[str]:
    """Yield the statuses that say more than a pod has told."""
    for event in stage.seen["BorgRun"]:
        run, status = event["object"], event["object"].get("status", {})
        repositories = status.get("repositories", [])
        told = stage.node.told.get(status.get("jobUid", ""))
        name = run["metadata"]["name"]
        if status.get("phase") in ("Completed", "CompletedWithWarnings") and not (told and told.phase.succeeded):
            yield f"BorgRun {name} is {status['phase']}, and its pod said {told}"
        archives = {repository.archive for repository in told.repositories} if told else set()
        yield from (
            f"BorgRun {name} has archive {each['archive']}, and its pod said {archives}"
            for each in repositories
            if each.get("archive") not in archives
        )


def _told_twice(stage: Stage) -> Iterator[str]:
    """Yield what was told more than twice of one run: names of runs by hand are given again by the test."""
    notes = Counter(
        event["object"].get("note", "")
        for event in stage.seen["Event"]
        if event["type"] == "ADDED" and event["object"].get("reportingController", "").endswith(labels.MANAGER)
    )
    yield from (f"told {times} times: {note}" for note, times in notes.items() if times > 2 and "BorgRun" in note)


def _writes(stage: Stage) -> Iterator[str]:
    """Yield that there were more writes than the runs there were can explain."""
    runs = {event["object"]["metadata"]["uid"] for event in stage.seen["BorgRun"]}
    schedules = {event["object"]["metadata"]["uid"] for event in stage.seen["BorgSchedule"]}
    allowed = _WRITES_PER_RUN * (len(runs) + len(schedules))
    if len(stage.proxy.writes) > allowed:
        most = Counter(call.path for call in stage.proxy.writes).most_common(3)
        yield f"{len(stage.proxy.writes)} writes for {len(runs)} runs: {most}"


def _labels(event: Object) -> dict[str, str]:
    found: dict[str, str] = event["object"]["metadata"].get("labels", {})
    return found

"""Pods as the API server tells of them, in its own order: nothing that happens between two looks is missed."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support.cluster import Kubectl

Object = dict[str, Any]

SCHEDULE = "borgoperator.io/schedule"


class PodWatch:
    """What became of pods since the watch began; `overlaps` is of all that was seen."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: list[Object] = []

    def record(self, event: Object) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def until(self, holds: Callable[[list[Object]], Any], what: str, within: float = 60) -> Any:
        """Return what `holds` makes of the pods as they are now, as soon as that is true."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self._pods()), within):
                states = [(pod["metadata"]["name"], pod["status"].get("phase")) for pod in self._pods()]
                pytest.fail(f"not within {within} s: {what}; pods: {states}")
            return holds(self._pods())

    def running(self, within: float = 60) -> Object:
        """Return the pod that runs, as soon as there is one."""
        pod: Object = self.until(
            lambda pods: next((pod for pod in pods if pod["status"].get("phase") == "Running"), None),
            "a pod is running",
            within,
        )
        return pod

    def ended(self, uid: str, within: float = 60) -> None:
        """Return when no pod of the Job of that uid is at work, and there was one."""
        self.until(lambda pods: any(_job_uid(pod) == uid for pod in pods), f"a pod of Job {uid} has begun", within)
        self.until(
            lambda pods: all(is_over(pod) for pod in pods if _job_uid(pod) == uid), f"no pod of {uid} is left", within
        )

    def overlaps(self) -> list[str]:
        """Return a sentence for each pod that began while another one of its schedule was not over."""
        with self._changed:
            return list(find_overlaps(self._events))

    def _pods(self) -> list[Object]:
        return list({event["object"]["metadata"]["uid"]: _with_end(event) for event in self._events}.values())


@contextmanager
def watch_pods(kubectl: Kubectl, namespace: str, selector: str) -> Iterator[PodWatch]:
    """Give a watch of the pods of a namespace that bear the labels, those that are there included."""
    path = f"/api/v1/namespaces/{namespace}/pods?watch=1&labelSelector={selector}"
    process = subprocess.Popen(["kubectl", "get", "--raw", path], stdout=subprocess.PIPE, env=kubectl.environment)
    assert process.stdout is not None
    lines = process.stdout
    watch = PodWatch()

    def read() -> None:
        for line in lines:
            watch.record(json.loads(line))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield watch
    finally:
        process.terminate()
        reader.join(timeout=10)
        process.wait(timeout=10)
        lines.close()


def find_overlaps(events: Iterable[Object], label: str = SCHEDULE) -> Iterator[str]:
    """Yield a sentence for each pod that began while another one of its schedule was not over.

    `label`: whose value tells the schedules, or whatever else it is, apart.
    """
    at_work: dict[str, dict[str, str]] = {}
    for event in events:
        pod = _with_end(event)
        metadata = pod["metadata"]
        of_schedule = at_work.setdefault(metadata["labels"][label], {})
        if is_over(pod):
            of_schedule.pop(metadata["uid"], None)
        elif metadata["uid"] not in of_schedule:
            yield from (f"{metadata['name']} began while {other} was not over" for other in of_schedule.values())
            of_schedule[metadata["uid"]] = metadata["name"]


def is_over(pod: Object) -> bool:
    """Tell whether none of the pod's containers is at work any more."""
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def container(pod: Object, name: str = "borg") -> Object:
    """Return the status of a container of the pod, empty when there is none."""
    statuses = pod["status"].get("containerStatuses", [])
    return next((status for status in statuses if status["name"] == name), {})


def _with_end(event: Object) -> Object:
    """Return the pod of the event; one that was deleted without an end is Failed."""
    pod: Object = event["object"]
    return pod if event["type"] != "DELETED" or is_over(pod) else {**pod, "status": {"phase": "Failed"}}


def _job_uid(pod: Object) -> str:
    uid: str = pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"]
    return uid

"""Replicas come and go: what was answered with 2xx is there, and an orderly end costs no request."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from support.cluster import Kubectl
from support.rest import Rest
from support.waiting import wait_for

FACADE = "app.kubernetes.io/component=api"


@pytest.fixture
def replicas(kubectl: Kubectl) -> Iterator[Callable[[], list[str]]]:
    """Give the names of the facade's ready pods; end when there are as many as before."""

    def ready() -> list[str]:
        pods = kubectl.get("pods", "--all-namespaces", f"--selector={FACADE}")["items"]
        return [
            pod["metadata"]["name"]
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
        ]

    before = len(ready())
    if before < 2:
        pytest.skip("the facade has one replica here")
    yield ready
    wait_for(ready, lambda names: len(names) == before, 180, "all replicas are back")


@contextmanager
def creating(rest: Rest, prefix: str, threads: int) -> Iterator[dict[str, int]]:
    """Create schedules from so many threads all the while; give each name's status, 0 where no answer came."""
    answers: dict[str, int] = {}
    over = threading.Event()

    def create(thread: int) -> None:
        number = 0
        while not over.is_set():
            name = f"{prefix} {thread} {number}"
            number += 1
            body = {"name": name, "cron_expression": "0 0 1 1 *", "repository": "main", "enabled": False}
            try:
                answers[name] = rest("POST", "/api/schedule/", body).status_code
            except httpx.TransportError:
                answers[name] = 0

    started = [threading.Thread(target=create, args=(thread,)) for thread in range(threads)]
    for thread in started:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in started:
            thread.join()


@pytest.mark.parametrize("how", ["orderly", "killed"])
def test_nothing_that_was_answered_is_lost_when_a_replica_ends(
    rest: Rest, kubectl: Kubectl, replicas: Callable[[], list[str]], how: str
) -> None:
    victim = replicas()[0]
    pods = kubectl.get("pods", "--all-namespaces", f"--selector={FACADE}")["items"]
    namespace = pods[0]["metadata"]["namespace"]
    force = [] if how == "orderly" else ["--grace-period=0", "--force"]
    with creating(rest, how, threads=4) as answers:
        wait_for(lambda: len(answers), lambda count: count >= 20, 30, "schedules are being created")
        kubectl("-n", namespace, "delete", "pod", victim, *force)  # waits until it is gone
        at_the_end = len(answers)
        wait_for(lambda: len(answers), lambda count: count >= at_the_end + 20, 30, "and go on being created")

    counted = Counter(answers.values())
    created = {name for name, status in answers.items() if status == 200}
    titles = [item["spec"].get("title") for item in kubectl.get("-n", rest.namespace, "bsched")["items"]]
    assert Counter(title for title in titles if title in created) == Counter(created)
    listed = {job["name"] for job in rest.get("/api/schedule/")["jobs"]}
    assert created <= listed
    if how == "orderly":
        assert counted == {200: len(answers)}
    else:
        assert counted.keys() <= {200, 0, 503}


def test_what_was_written_is_seen_through_a_replica_that_has_just_come(
    rest: Rest, kubectl: Kubectl, replicas: Callable[[], list[str]]
) -> None:
    jobs = [rest.create(f"seen at once {number}")["id"] for number in range(8)]
    before = replicas()
    namespace = kubectl.get("pods", "--all-namespaces", f"--selector={FACADE}")["items"][0]["metadata"]["namespace"]

    def write_and_read(job_id: int) -> list[tuple[str, str]]:
        pairs = []
        for number in range(100):
            rest.send("PUT", f"/api/schedule/{job_id}", {"description": str(number)})
            pairs.append((str(number), rest.job(job_id)["description"]))
        return pairs

    with creating(rest, "meanwhile", threads=1):  # so that the others have just looked up who is there
        kubectl("-n", namespace, "delete", "pod", before[0], "--grace-period=0", "--force")
        wait_for(replicas, lambda names: len(names) == len(before), 180, "another replica is ready")
    with ThreadPoolExecutor(len(jobs)) as threads:
        pairs = [pair for found in threads.map(write_and_read, jobs) for pair in found]
    assert [(written, seen) for written, seen in pairs if written != seen] == []

"""What the operator counts of its own work: it begins anew with each process, unlike what `snapshot` reads off."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from borg_core.reconcile.reconciler import find_reconcilers
from borg_core.registry import Reference, watched_kinds

CLUSTER, UNEXPECTED = "cluster", "unexpected"
"""Causes of a failed reconciliation: the API server refused or was away; a fault of ours."""


class Queue(Protocol):
    """What is shown of the controller's queue."""

    @property
    def failing(self) -> int:
        """How many keys failed when they were worked on last."""

    def __len__(self) -> int:
        """Return how many keys wait."""


class Metrics:
    """One per process. The gauges of time are seconds since 1970, as Prometheus wants them."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._duration = Histogram(
            "borg_operator_reconcile_duration_seconds",
            "Time from taking a schedule or repository off the queue until it is as it should be.",
            ["kind"],
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        self._errors = Counter(
            "borg_operator_reconcile_errors",
            "Reconciliations that failed and are tried again: for the cluster's sake, or for a fault of the operator.",
            ["kind", "cause"],
            registry=registry,
        )
        self._requests = Counter(
            "borg_operator_kubernetes_requests",
            "Requests to the API server without those of the watches, by HTTP status; lost: no answer came.",
            ["method", "status"],
            registry=registry,
        )
        self._events = Gauge(
            "borg_operator_last_event_timestamp_seconds",
            "When the watch of a kind brought something last; 0 before the first time.",
            ["kind"],
            registry=registry,
        )
        self._resync = Gauge(
            "borg_operator_last_resync_timestamp_seconds",
            "When everything was last compared with the cluster and looked at again; at first, when it began.",
            registry=registry,
        )
        self._refused = Gauge(
            "borg_operator_namespace_refused",
            "1 while the operator may not look into one of its namespaces, and goes on with the others.",
            ["namespace"],
            registry=registry,
        )
        build = Gauge("borg_operator_build_info", "Always 1; the version that runs.", ["version"], registry=registry)
        build.labels(version("borg-operator")).set(1)
        for kind in map(_label, find_reconcilers()):
            self._duration.labels(kind)
            for cause in (CLUSTER, UNEXPECTED):
                self._errors.labels(kind, cause)
        for resource in watched_kinds():
            self._events.labels(resource.kind).set(0)
        self.resynced()

    def watch_queue(self, queue: Queue) -> None:
        """Show the queue's state whenever somebody looks."""
        depth = Gauge("borg_operator_queue_depth", "Keys that wait for a worker.", registry=self.registry)
        depth.set_function(lambda: len(queue))
        failing = Gauge("borg_operator_queue_failing", "Keys whose last reconciliation failed.", registry=self.registry)
        failing.set_function(lambda: queue.failing)

    @contextmanager
    def reconciling(self, key: Reference) -> Iterator[None]:
        """Take the time of what is done to `key`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._duration.labels(_label(key.kind)).observe(time.perf_counter() - began)

    def failed(self, key: Reference, cause: str) -> None:
        self._errors.labels(_label(key.kind), cause).inc()

    def requested(self, method: str, status: int | None) -> None:
        """Count a request to the API server; `status` is None where no answer came."""
        self._requests.labels(method, str(status or "lost")).inc()

    def saw(self, kind: str) -> None:
        """Note an event of the watch."""
        self._events.labels(kind).set_to_current_time()

    def refuses(self, namespace: str, refuses: bool) -> None:
        """Note whether the operator may not look into the namespace."""
        self._refused.labels(namespace).set(refuses)

    def resynced(self) -> None:
        self._resync.set_to_current_time()


def _label(kind: str) -> str:
    """Return what a kind is called in labels: BorgSchedule is `schedule`."""
    return kind.removeprefix("Borg").lower()

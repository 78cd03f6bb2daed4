"""Kueue as far as Jobs depend on it, with `manageJobsWithoutQueueName`: see its `pkg/controller/jobframework`."""

from dataclasses import dataclass, field

from borg_cluster.client import Object
from support.controllers import is_finished
from support.recorder import Recorder


@dataclass
class Kueue:
    """Suspends each Job as it is made, and whenever it begins without being admitted; `has_room`: it admits all."""

    recorder: Recorder
    has_room: bool = False
    acted: int = 0
    """How often it suspended a Job that had begun, or let one begin."""
    _admitted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.recorder.admit = self._admit

    def act(self) -> None:
        for job in self.recorder.all_of("Job"):
            uid, suspended = job["metadata"]["uid"], bool(job["spec"].get("suspend"))
            if is_finished(job) or "deletionTimestamp" in job["metadata"]:
                continue
            if self.has_room:
                self._admitted.add(uid)
            if suspended is (uid in self._admitted):
                self.acted += 1
                self.recorder.edit("Job", job["metadata"]["name"], suspend(by="kueue", value=not suspended))

    def evict(self) -> None:
        """Take back all that it admitted, for something that matters more."""
        self.has_room = False
        self._admitted.clear()

    def _admit(self, kind: str, body: Object) -> Object:
        return {**body, "spec": {**body["spec"], "suspend": True}} if kind == "Job" else body


def suspend(*, by: str, value: bool = True) -> Object:
    """Return the change by which somebody suspends a Job, or lets it begin."""
    entry = {"manager": by, "operation": "Update", "fieldsV1": {"f:spec": {"f:suspend": {}}}}
    return {"metadata": {"managedFields": [entry]}, "spec": {"suspend": value}}

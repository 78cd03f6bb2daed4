"""Kubernetes' own controllers as far as runs depend on them, one step at a time: see `pkg/controller/cronjob`.

The CronJob controller sees the world at one moment and acts on it at another, as the real one does from its cache. One
key is synced by one worker, so between the two it begins nothing else.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from borg_cluster.client import Object
from borg_contract.codec import encode
from borg_contract.result import RunResult
from borg_contract.run import Phase
from borg_core import labels
from borg_core.clock import Clock, CronSchedule
from borg_core.formats import format_time, parse_time
from borg_core.native.metadata import holds
from support import builders
from support.recorder import Recorder, copied

_ONE_MINUTE = 60


def is_finished(job: Object) -> bool:
    found = job.get("status", {}).get("conditions", [])
    return any(item["status"] == "True" and item["type"] != "Suspended" for item in found)


@dataclass
class CronJobController:
    """Syncs the CronJob `name`: `look`, and at some later moment `act`."""

    recorder: Recorder
    name: str
    namespace: str = "team"

    def __post_init__(self) -> None:
        self.seen: tuple[Object, list[Object]] | None = None
        self.skipped: list[datetime] = []
        """When a tick that was due did not begin because of what is in `active`."""

    def look(self) -> None:
        """Take from the cache what the next `act` goes by, unless it is at it already."""
        key = ("CronJob", self.namespace, self.name)
        if self.seen is None and key in self.recorder.objects:
            self.seen = copied((self.recorder.objects[key], self._children(self.recorder.objects[key])))

    def act(self) -> None:
        """Do what follows from the last look."""
        if self.seen is None:
            return
        (cron_job, jobs), self.seen = self.seen, None
        key = ("CronJob", self.namespace, self.name)
        status, changed = cron_job["status"], False
        children = {job["metadata"]["uid"]: job for job in jobs}
        for uid, job in children.items():
            if uid not in _active(cron_job) and not is_finished(job) and key in self.recorder.objects:
                fresh = copied(self.recorder.objects[key])
                if uid in _active(fresh):
                    cron_job, status = fresh, fresh["status"]
            elif uid in _active(cron_job) and is_finished(job):
                status["active"] = [entry for entry in status["active"] if entry["uid"] != uid]
                changed = True
        for entry in list(status.get("active", [])):
            if entry["uid"] not in children and not self._exists(entry):
                status["active"] = [other for other in status["active"] if other["uid"] != entry["uid"]]
                changed = True
        changed = self._begin(cron_job) or changed
        if changed and key in self.recorder.objects:
            current = self.recorder.objects[key]
            if current["metadata"]["resourceVersion"] == cron_job["metadata"]["resourceVersion"]:
                self.recorder.edit("CronJob", self.name, {"status": status}, namespace=self.namespace)

    def _begin(self, cron_job: Object) -> bool:
        """Make the Job of the newest tick that is due; return whether the status is to say so."""
        spec, status, now = cron_job["spec"], cron_job["status"], self.recorder.now
        if spec.get("suspend"):
            return False
        since = parse_time(status.get("lastScheduleTime") or cron_job["metadata"]["creationTimestamp"])
        deadline = spec.get("startingDeadlineSeconds")
        times = CronSchedule.parse(spec["schedule"], spec.get("timeZone", "Etc/UTC"))
        due = Clock(times, since, timedelta(seconds=deadline) if deadline else None).due_at(now)
        if due is None:
            return False
        if status.get("active"):
            self.skipped.append(now)
            return False
        name = f"{self.name}-{int(due.timestamp()) // _ONE_MINUTE}"
        if ("Job", self.namespace, name) in self.recorder.objects:
            return False  # the real one has a bug there: it tries again and again, until the next tick is due
        template = spec["jobTemplate"]
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": self.name, "uid": cron_job["metadata"]["uid"]}
        made = self.recorder.add(
            "Job",
            {
                "metadata": {
                    "namespace": self.namespace,
                    "name": name,
                    "labels": template["metadata"]["labels"],
                    "annotations": {labels.SCHEDULED_TIMESTAMP: format_time(due)},
                    "ownerReferences": [{**owner, "controller": True}],
                },
                "spec": template["spec"],
            },
        )
        entry = {"kind": "Job", "namespace": self.namespace, "name": name, "uid": made["metadata"]["uid"]}
        status["active"] = [*status.get("active", []), entry]
        status["lastScheduleTime"] = format_time(due)
        return True

    def _children(self, cron_job: Object) -> list[Object]:
        uid = cron_job["metadata"]["uid"]
        return [
            job
            for job in self.recorder.all_of("Job")
            if any(o["uid"] == uid and o.get("controller") for o in job["metadata"].get("ownerReferences", []))
        ]

    def _exists(self, entry: Object) -> bool:
        return ("Job", entry["namespace"], entry["name"]) in self.recorder.objects


def _active(cron_job: Object) -> set[str]:
    return {entry["uid"] for entry in cron_job["status"].get("active", [])}


@dataclass
class Node:
    """The Job controller, the scheduler and the kubelet: pods that begin, end, and go.

    `ahead`: by so much the node's own clock is wrong, by which the kubelet tells when containers began and ended.
    """

    recorder: Recorder
    ahead: timedelta = timedelta(0)
    _began: dict[str, datetime] = field(default_factory=dict)

    def began(self, pod: Object) -> datetime:
        """Return when the pod's container really began."""
        return self._began[pod["metadata"]["uid"]]

    def begin(self) -> None:
        """Give each Job that is to have one its pod, at work at once."""
        for job in self.recorder.all_of("Job"):
            metadata = job["metadata"]
            if is_finished(job) or "deletionTimestamp" in metadata:
                continue
            if job["spec"].get("suspend"):
                self._pause(job)
                continue
            if self.pods_of(metadata["uid"]):
                continue
            now = format_time(self.recorder.now)
            resumed = [{"type": "Suspended", "status": "False"}] if job["status"].get("conditions") else []
            change = {"status": {"startTime": now, "ready": 1, "conditions": resumed}}
            self.recorder.edit("Job", metadata["name"], change)
            marks = {**metadata.get("labels", {}), labels.CONTROLLER_UID: metadata["uid"]}
            owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
            state = {"running": {"startedAt": format_time(self.recorder.now + self.ahead)}}
            pod = self.recorder.add(
                "Pod",
                {
                    "metadata": {
                        "namespace": metadata["namespace"],
                        "name": f"{metadata['name']}-pod",
                        "labels": marks,
                        "ownerReferences": [{**owner, "controller": True}],
                    },
                    "spec": {},
                    "status": {"phase": "Running", "containerStatuses": [{"name": "borg", "state": state}]},
                },
            )
            self._began[pod["metadata"]["uid"]] = self.recorder.now

    def _pause(self, job: Object) -> None:
        if not any(holds(condition) for condition in job["status"].get("conditions", [])):
            paused = {"type": "Suspended", "status": "True", "lastTransitionTime": format_time(self.recorder.now)}
            self.recorder.edit("Job", job["metadata"]["name"], {"status": {"conditions": [paused], "ready": 0}})
        for pod in self.pods_of(job["metadata"]["uid"]):
            gone = {"deletionTimestamp": format_time(self.recorder.now)}
            self.recorder.edit("Pod", pod["metadata"]["name"], {"metadata": gone})

    def at_work(self) -> list[Object]:
        known = self._began
        return [
            pod
            for pod in self.recorder.all_of("Pod")
            if pod["status"]["phase"] == "Running" and pod["metadata"]["uid"] in known
        ]

    def pods_of(self, job_uid: str) -> list[Object]:
        found = self.recorder.all_of("Pod")
        return [pod for pod in found if pod["metadata"]["labels"].get(labels.CONTROLLER_UID) == job_uid]

    def end(self, pod: Object, result: RunResult | None = None) -> None:
        """Let the container `borg` end, with its result."""
        now = format_time(self.recorder.now + self.ahead)
        message = encode(result or builders.result())
        terminated: dict[str, Any] = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}
        states = [{"name": "borg", "state": {"terminated": {**terminated, "message": message}}}]
        phase = "Failed" if pod["spec"].get("activeDeadlineSeconds") == 1 else "Succeeded"
        change = {"status": {"phase": phase, "containerStatuses": states}}
        self.recorder.edit("Pod", pod["metadata"]["name"], change)

    def notice(self) -> None:
        """Let pods that are to go or to end do so, and Jobs whose pod has ended be finished."""
        for pod in self.recorder.all_of("Pod"):
            metadata = pod["metadata"]
            if "deletionTimestamp" in metadata:
                self.recorder.remove("Pod", metadata["name"])
            elif pod["status"]["phase"] == "Running" and pod["spec"].get("activeDeadlineSeconds") == 1:
                self.end(pod, builders.result(Phase.FAILED, reason="Interrupted", message="main: interrupted"))
        for job in self.recorder.all_of("Job"):
            phases = [pod["status"]["phase"] for pod in self.pods_of(job["metadata"]["uid"])]
            if not is_finished(job) and phases and "Running" not in phases:
                kind = "Complete" if phases[-1] == "Succeeded" else "Failed"
                condition = {"type": kind, "status": "True", "lastTransitionTime": format_time(self.recorder.now)}
                change = {"status": {"conditions": [condition], "ready": 0}}
                self.recorder.edit("Job", job["metadata"]["name"], change)

"""A workload as a Job (one attempt, restarted only after a pod that the cluster took away) or as a CronJob."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from borg_core import labels
from borg_core.clock import CronSchedule, derive_deadline
from borg_core.copies.volume import HISTORY_LIMIT, render_job_rules
from borg_core.native.cron_job import CRON_JOBS
from borg_core.native.job import JOBS
from borg_core.registry import Reference
from borg_core.settings import Settings
from borg_core.workload.owner import Owner, render_labels, render_owner
from borg_core.workload.pod import render_pod_template
from borg_core.workload.workload import Workload

DEADLINE_SLACK_SECONDS = 600
"""The Job's own deadline comes so much after the pod's: for a pod that never got a node, and so no clock of its own."""


def render_job_template(workload: Workload, subject: Reference, settings: Settings) -> dict[str, Any]:
    """Return labels and spec of a Job, as a CronJob's `jobTemplate` has them. `subject`: see `render_labels`."""
    own_labels = render_labels(subject, workload.operation)
    deadline = workload.deadline_seconds
    template = render_pod_template(workload, settings, own_labels)
    deadline = deadline + DEADLINE_SLACK_SECONDS if deadline is not None else None
    spec = render_job_spec(template, deadline, once=workload.gives_to_command)
    annotations = {labels.OWN_SNAPSHOTS: "false"} if workload.reads_snapshots else {}
    return {
        "metadata": {"labels": own_labels, "annotations": annotations},
        "spec": {**spec, **render_job_rules(workload)},
    }


def render_job_spec(template: dict[str, Any], deadline_seconds: int | None, *, once: bool = False) -> dict[str, Any]:
    """Return the spec of a Job of such a pod; `once`: there is no other pod, whatever becomes of the first."""
    replaced = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}
    spec = {
        # A run is one attempt: the next tick is the next one. Only a pod that the cluster took away is replaced, and
        # only once it is gone, so that no two pods of a run write at the same time.
        "backoffLimit": 0,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": None if once else replaced,
        "activeDeadlineSeconds": deadline_seconds,
        "template": template,
    }
    return {key: item for key, item in spec.items() if item is not None}


def render_job(
    name: str,
    run_uid: str,
    *,
    workload: Workload,
    subject: Reference,
    controller: Owner,
    settings: Settings,
) -> dict[str, Any]:
    """Return the Job of a run by hand.

    One that a CronJob controls, as after `kubectl create job --from`, is suspended: it begins when it is its turn.
    """
    template = render_job_template(workload, subject, settings)
    by_cron_job = controller.kind == CRON_JOBS.kind
    annotations = {
        **template["metadata"]["annotations"],
        labels.RUN_UID: run_uid,
        **({labels.INSTANTIATE: "manual"} if by_cron_job else {}),
    }
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {
            "name": name,
            "namespace": workload.namespace,
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [render_owner(controller)],
        },
        "spec": {**template["spec"], **({"suspend": True} if by_cron_job else {})},
    }


@dataclass(frozen=True)
class Timing:
    """When a CronJob fires, and how late. `history_limit`: of how many finished Jobs of either kind it keeps."""

    schedule: str
    time_zone: str
    suspend: bool = False
    starting_deadline_seconds: int | None = None
    history_limit: int = 10


def render_cron_job(name: str, owner: Owner, timing: Timing, workload: Workload, settings: Settings) -> dict[str, Any]:
    """Return the CronJob that runs the workload for its owner."""
    template = render_job_template(workload, owner.reference, settings)
    # As many as BorgRuns: while the operator is away, finished Jobs are the only record.
    history_limit = min(timing.history_limit, HISTORY_LIMIT) if workload.copied else timing.history_limit
    template["metadata"]["annotations"] |= {
        labels.TIMES: f"{timing.time_zone} {timing.schedule}",
        labels.IMAGES: " ".join(sorted(workload.images)),
    }
    spec = {
        "schedule": timing.schedule,
        "timeZone": timing.time_zone,
        "suspend": timing.suspend,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": _derive_deadline(timing),
        "successfulJobsHistoryLimit": history_limit,
        "failedJobsHistoryLimit": history_limit,
        "jobTemplate": template,
    }
    given = {key: value for key, value in spec.items() if value is not None}
    digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:16]
    return render_cron_job_manifest(name, owner, given, digest)


def _derive_deadline(timing: Timing) -> int | None:
    """Return the deadline with which the CronJob controller lets a run begin as late as it may."""
    times = CronSchedule.try_parse(timing.schedule, timing.time_zone)
    if timing.starting_deadline_seconds is None or times is None:
        return timing.starting_deadline_seconds
    return int(derive_deadline(times, timedelta(seconds=timing.starting_deadline_seconds)).total_seconds())


def render_cron_job_manifest(
    name: str, owner: Owner, spec: dict[str, Any], rendered: str | None = None
) -> dict[str, Any]:
    """Return the CronJob with that spec. `rendered`: the digest of what it should be; None keeps the one it has."""
    return {
        "apiVersion": CRON_JOBS.api_version,
        "kind": CRON_JOBS.kind,
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": {labels.MANAGED_BY: labels.MANAGER, labels.SUBJECTS[owner.kind]: owner.name},
            **({"annotations": {labels.RENDERED: rendered}} if rendered else {}),
            "ownerReferences": [render_owner(owner)],
        },
        "spec": spec,
    }

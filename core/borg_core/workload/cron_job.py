"""A workload as a CronJob: Kubernetes is the clock, so that it goes on while the operator is down."""

from dataclasses import dataclass
from typing import Any

from borg_core import labels
from borg_core.settings import Settings
from borg_core.workload.job import render_job_template
from borg_core.workload.owner import Owner, render_owner
from borg_core.workload.workload import Workload


@dataclass(frozen=True)
class Timing:
    """When a CronJob fires. `history_limit`: of how many finished Jobs of either kind it keeps."""

    schedule: str
    time_zone: str
    suspend: bool = False
    starting_deadline_seconds: int | None = None
    history_limit: int = 10


def render_cron_job(name: str, owner: Owner, timing: Timing, workload: Workload, settings: Settings) -> dict[str, Any]:
    """Return the CronJob that runs the workload for its owner."""
    spec = {
        "schedule": timing.schedule,
        "timeZone": timing.time_zone,
        "suspend": timing.suspend,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": timing.starting_deadline_seconds,
        # As many as BorgRuns: while the operator is away, finished Jobs are the only record.
        "successfulJobsHistoryLimit": timing.history_limit,
        "failedJobsHistoryLimit": timing.history_limit,
        "jobTemplate": render_job_template(workload, owner.reference, settings),
    }
    return render_cron_job_manifest(name, owner, {key: value for key, value in spec.items() if value is not None})


def render_cron_job_manifest(name: str, owner: Owner, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the CronJob with that spec."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": {labels.MANAGED_BY: labels.MANAGER, labels.SUBJECTS[owner.kind]: owner.name},
            "ownerReferences": [render_owner(owner)],
        },
        "spec": spec,
    }

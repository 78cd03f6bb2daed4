"""The objects that the operator makes: the CronJob, the Job of a run by hand, the BorgRun of a Job."""

from typing import Any

from borg_contract.operations import Operation
from borg_core import labels
from borg_core.bundle import Bundle
from borg_core.kinds.base import API_VERSION
from borg_core.kinds.run import BorgRun, Trigger
from borg_core.kinds.schedule import BorgSchedule
from borg_core.native.cron_job import ObservedCronJob
from borg_core.native.job import ObservedJob
from borg_core.settings import Settings
from borg_core.workload.pod import render_pod_template
from borg_core.workload.run_plan import render_run_plan


def render_cron_job(bundle: Bundle, settings: Settings) -> dict[str, Any]:
    """Return the schedule's CronJob, of the same name."""
    schedule = bundle.schedule
    spec = schedule.spec
    own_labels = _labels(schedule.metadata.name, Operation.BACKUP)
    template = {"metadata": {"labels": own_labels}, "spec": _job_spec(bundle, Operation.BACKUP, settings, own_labels)}
    cron_job = {
        "schedule": spec.schedule,
        "timeZone": spec.time_zone,
        "suspend": spec.suspend,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": spec.starting_deadline_seconds,
        # As many as BorgRuns: while the operator is away, finished Jobs are the only record.
        "successfulJobsHistoryLimit": spec.run_history_limit,
        "failedJobsHistoryLimit": spec.run_history_limit,
        "jobTemplate": template,
    }
    return _cron_job_manifest(schedule, cron_job)


def render_held_cron_job(schedule: BorgSchedule, cron_job: ObservedCronJob, *, suspend: bool) -> dict[str, Any]:
    """Return the CronJob as it last was valid, only with `suspend` as given: for a schedule that is not valid now."""
    return _cron_job_manifest(schedule, {**cron_job.spec, "suspend": suspend})


def render_job(bundle: Bundle, run: BorgRun, settings: Settings) -> dict[str, Any]:
    """Return the Job of a run by hand, of the same name and owned by it."""
    operation = run.spec.operation
    own_labels = _labels(bundle.schedule.metadata.name, operation)
    dead = run.metadata.annotations.get(labels.DEAD_JOB_UID)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": run.metadata.name,
            "namespace": run.metadata.namespace,
            "labels": own_labels,
            "ownerReferences": [_owner("BorgRun", run.metadata.name, run.metadata.uid)],
        },
        "spec": _job_spec(bundle, operation, settings, own_labels, (dead,) if dead else ()),
    }


def render_run(schedule: BorgSchedule, job: ObservedJob) -> dict[str, Any]:
    """Return the BorgRun of a Job that the CronJob made, of the same name."""
    spec = {"scheduleRef": {"name": schedule.metadata.name}, "operation": job.operation}
    return _run_manifest(schedule, job.name, spec, Trigger.SCHEDULED, {})


def render_unlock_run(schedule: BorgSchedule, name: str, dead_job_uid: str) -> dict[str, Any]:
    """Return the BorgRun that breaks what locks a dead Job left, and no others."""
    spec = {"scheduleRef": {"name": schedule.metadata.name}, "operation": Operation.BREAK_LOCK.value}
    return _run_manifest(schedule, name, spec, Trigger.AUTOMATIC, {labels.DEAD_JOB_UID: dead_job_uid})


def render_run_adoption(schedule: BorgSchedule, trigger: Trigger) -> dict[str, Any]:
    """Return the metadata that ties a run made by hand to its schedule, so that it is deleted with it."""
    return {
        "labels": run_labels(schedule.metadata.name, trigger),
        "ownerReferences": [schedule_owner(schedule)],
    }


def run_labels(schedule_name: str, trigger: Trigger) -> dict[str, str]:
    """Return the labels by which the runs of a schedule are listed."""
    return {labels.SCHEDULE: schedule_name, labels.TRIGGER: trigger.value}


def schedule_owner(schedule: BorgSchedule) -> dict[str, Any]:
    """Return the owner reference to a schedule: deleting it deletes what it owns."""
    return _owner("BorgSchedule", schedule.metadata.name, schedule.metadata.uid)


def _run_manifest(
    schedule: BorgSchedule, name: str, spec: dict[str, Any], trigger: Trigger, annotations: dict[str, str]
) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": schedule.metadata.namespace,
        "labels": run_labels(schedule.metadata.name, trigger),
        "ownerReferences": [schedule_owner(schedule)],
    }
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": API_VERSION, "kind": "BorgRun", "metadata": metadata, "spec": spec}


def _cron_job_manifest(schedule: BorgSchedule, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": schedule.metadata.name,
            "namespace": schedule.metadata.namespace,
            "labels": {labels.MANAGED_BY: labels.MANAGER, labels.SCHEDULE: schedule.metadata.name},
            "ownerReferences": [schedule_owner(schedule)],
        },
        "spec": spec,
    }


def _job_spec(
    bundle: Bundle, operation: Operation, settings: Settings, own_labels: dict[str, str], dead: tuple[str, ...] = ()
) -> dict[str, Any]:
    plan = render_run_plan(bundle, operation, dead)
    spec = {
        # A run is one attempt: the next tick is the next one. Only a pod that the cluster took away is replaced, and
        # only once it is gone, so that no two pods of a run write at the same time.
        "backoffLimit": 0,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
        },
        "activeDeadlineSeconds": bundle.schedule.spec.active_deadline_seconds,
        "template": render_pod_template(bundle, plan, settings, own_labels),
    }
    return {key: value for key, value in spec.items() if value is not None}


def _labels(schedule_name: str, operation: Operation) -> dict[str, str]:
    return {
        labels.NAME: "borg-run",
        labels.MANAGED_BY: labels.MANAGER,
        labels.SCHEDULE: schedule_name,
        labels.OPERATION: operation.value,
    }


def _owner(kind: str, name: str, uid: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
